// TEST np=1,3,8
// 2,000 steps of a nested mixture with exemplars, options and several kinds of templates: the same grains on any number of ranks, and
// from any step on.
#include "make.h"

#include <xxhash.h>

enum { STEPS = 2000 };

typedef struct grains {
    uint64_t sum;    /* of the hashes of all grains so far */
    int64_t draw[3]; /* where steps 0, a third and two thirds began */
    int64_t last;
} grains;

static uint64_t mixed(uint64_t h, const void *p, size_t n) { return XXH3_64bits_withSeed(p, n, h); }

static uint64_t grain_hash(const tt_grain *g, int64_t step, int64_t i)
{
    uint64_t h = mixed((uint64_t)step, &i, sizeof i);
    for (int e = 0; e < g->B; e++) {
        const tt_ex *x = &g->ex[e];
        int64_t head[] = {x->set, x->draw, x->row, x->S, x->T};
        h = mixed(h, head, sizeof head);
        h = mixed(h, x->src, sizeof *x->src * (size_t)x->S);
        h = mixed(h, x->tgt, sizeof *x->tgt * (size_t)x->T);
    }
    return h;
}

/* Collective on m. Steps from .. STEPS-1, the first of which begins at draw. */
static grains walk(const tt_mesh *m, const tt_job *job, const tt_sets *sets, const tt_tok *tok, int64_t from,
                   int64_t draw)
{
    grains out = {.last = draw};
    tt_mix *mix;
    tt_batcher *b;
    const tt_batch *batch;
    if (tt_mix_new(job, sets, &mix) || tt_batcher_new(m, job, sets, mix, tok, 0, &b)) abort();
    for (int64_t step = from; step < STEPS; step++) {
        int64_t lo, hi, all;
        uint64_t sum = 0;
        if (step % ((STEPS + 2) / 3) == 0) out.draw[step / ((STEPS + 2) / 3)] = out.last;
        if (tt_batcher_get(b, out.last, 0, &batch)) abort();
        tt_share(batch->G, m->rank, m->size, &lo, &hi);
        for (int64_t g = lo; g < hi; g++) sum += grain_hash(&batch->grain[g], step, g);
        memcpy(&all, &sum, sizeof all); /* MPI's sum goes round, as that of unsigned numbers does */
        tt_allsum_i64(m, &all, 1);
        out.sum += (uint64_t)all;
        out.last = batch->next;
    }
    tt_batcher_free(b);
    tt_mix_free(mix);
    return out;
}

static const char yaml[] =
    "seed: 11\n"
    "train: {batch_tokens: 400, grains: 8}\n"
    "data:\n"
    "  max_source: 96\n"
    "  max_target: 32\n"
    "  prompts: {few_shot: 0.4, shots: 1-3}\n"
    "  mixture:\n"
    "    parts:\n"
    "      - {name: mine, share: 1, cap: 25, from: {name: '[a-m]*'}}\n"
    "      - {name: other, share: 2, rate: temperature, temperature: 3, prompts: {few_shot: 1}, from: {name: '*'}}\n"
    "  train:\n"
    "    - list: synth/train.yaml\n"
    "    - path: q.jsonl\n"
    "      options: [yes, no, perhaps]\n"
    "      templates:\n"
    "        - {source: 'Is it? {q}', target: '{a}'}\n"
    "        - {source: '{q} Think.', target: '{why} So {a}', kind: cot}\n"
    "        - {source: 'What asks for {a}?', target: '{q}', kind: inverted}\n";

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    tt_log_quiet(true);
    place p = place_new(&m);
    tt_synth_opts o = {.datasets = 24, .categories = 9, .rows = 40, .eval_rows = 2, .seed = 5};
    if (m.rank == 0 && tt_synth(tt_sprintf(p.a, "%s/synth", p.dir), &o)) abort();
    char rows[20000] = "";
    for (int i = 0; i < 60; i++)
        sprintf(rows + strlen(rows), "{\"q\": \"question %d\", \"a\": \"%s\", \"why\": \"because of %d\"}\n", i,
                i % 3 ? "yes" : "no", i * i);
    PUT(&p, "q.jsonl", rows);
    tt_job *job;
    tt_tok *tok;
    tt_sets *s = sets_of(&p, yaml, &job);
    if (!s || tt_tok_open("data/models/nano-t5", &tok)) {
        printf("# %s\n", tt_fail_text());
        abort();
    }
    grains all = walk(&m, job, s, tok, 0, 0);
    ok(all.last > STEPS, "%d steps, %lld draws on %d ranks", STEPS, (long long)all.last, m.size);
    grains rest = walk(&m, job, s, tok, 2 * ((STEPS + 2) / 3), all.draw[2]);
    ok(rest.last == all.last, "from two thirds on the run ends at the same draw");

    tt_mesh alone = m;
    alone.world = MPI_COMM_SELF;
    alone.rank = 0;
    alone.size = 1;
    grains one = walk(&alone, job, s, tok, 0, 0);
    ok(one.sum == all.sum && one.last == all.last, "one rank alone has the same grains (%016llx)",
       (unsigned long long)all.sum);
    grains one_rest = walk(&alone, job, s, tok, 2 * ((STEPS + 2) / 3), all.draw[2]);
    ok(one_rest.sum == rest.sum, "also from two thirds on");
    tt_tok_close(tok);
    tt_sets_free(s);
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
