// TEST np=1,2,3
// Batches: the same on any number of ranks, from any draw on; budget, limit, truncation, balance, span windows.
#include "model.h"

#include <xxhash.h>

typedef struct data {
    tt_job *job;
    tt_sets *sets;
    tt_mix *mix;
} data;

/* Two data sets; the second has targets and sources of very different lengths. */
static data read_data(place *p, const char *train, const char *keys)
{
    static char text[200000];
    size_t n = 0;
    for (int i = 0; i < 90; i++)
        n += (size_t)sprintf(text + n, "{\"source\": \"copy %d\", \"target\": \"%d\"}\n", i, i);
    PUT(p, "one.jsonl", text);
    n = 0;
    for (int i = 0; i < 40; i++)
        n += (size_t)sprintf(text + n, "{\"source\": \"%0*d\", \"target\": \"%0*d\"}\n", 1 + i * 7 % 200, i,
                             1 + i * 3 % 60, i);
    PUT(p, "two.jsonl", text);
    data d;
    d.sets = sets_of(
        p,
        tt_sprintf(p->a,
                   "train: {%s}\ndata:\n  %s\n  train:\n    - path: one.jsonl\n      templates:\n"
                   "        - {source: 'A {source}', target: '{target}'}\n"
                   "        - {source: '{source} B', target: '{target}!'}\n    - {path: two.jsonl, weight: 2}\n",
                   train, keys),
        &d.job);
    d.job->seed = 5;
    if (!d.sets || tt_mix_new(d.job, d.sets, &d.mix)) {
        printf("# %s\n", tt_fail_text());
        abort();
    }
    return d;
}

static void data_free(data *d)
{
    tt_mix_free(d->mix);
    tt_sets_free(d->sets);
}

static uint64_t add_hash(uint64_t h, const void *p, size_t n) { return XXH3_64bits_withSeed(p, n, h); }

/* Everything of grain g. */
static uint64_t grain_hash(const tt_grain *g)
{
    uint64_t h = add_hash(0, &g->B, sizeof g->B);
    for (int i = 0; i < g->B; i++) {
        const tt_ex *e = &g->ex[i];
        int64_t head[] = {e->set, e->draw, e->row, e->S, e->T};
        h = add_hash(h, head, sizeof head);
        h = add_hash(h, e->src, sizeof *e->src * (size_t)e->S);
        h = add_hash(h, e->tgt, sizeof *e->tgt * (size_t)e->T);
    }
    h = add_hash(h, g->src, sizeof *g->src * (size_t)g->Rs);
    h = add_hash(h, g->dec_in, sizeof *g->dec_in * (size_t)g->Rt);
    return add_hash(h, g->label, sizeof *g->label * (size_t)g->Rt);
}

enum { STEPS = 12, MAX_G = 64 };

typedef struct trace { /* hash of every grain of STEPS batches, and where they ended */
    int64_t hash[STEPS][MAX_G], next[STEPS], counts[STEPS][4];
} trace;

static void run(const tt_mesh *m, const data *d, const tt_tok *tok, int64_t first, trace *out)
{
    memset(out, 0, sizeof *out);
    tt_batcher *b;
    if (tt_batcher_new(m, d->job, d->sets, d->mix, tok, 0, &b)) abort();
    for (int s = 0; s < STEPS; s++) {
        const tt_batch *x;
        if (tt_batcher_get(b, first, 0, &x)) abort();
        int64_t lo, hi;
        tt_share(x->G, m->rank, m->size, &lo, &hi);
        for (int64_t g = lo; g < hi; g++) out->hash[s][g] = (int64_t)grain_hash(&x->grain[g]);
        out->next[s] = first = x->next;
        memcpy(out->counts[s], (int64_t[]){x->examples, x->src_tokens, x->tgt_tokens, x->truncated},
               sizeof *out->counts);
    }
    tt_allsum_i64(m, out->hash[0], (int64_t)STEPS * MAX_G);
    tt_batcher_free(b);
}

static bool same(const trace *a, const trace *b) { return !memcmp(a, b, sizeof *a); }

static void any_ranks(const tt_mesh *m, const tt_mesh *alone, const data *d, const tt_tok *tok, const char *what)
{
    static trace all, one, later;
    run(m, d, tok, 0, &all);
    run(alone, d, tok, 0, &one);
    ok(same(&all, &one), "%s: %d ranks and one make the same %d batches (%lld draws)", what, m->size, STEPS,
       (long long)all.next[STEPS - 1]);
    run(m, d, tok, all.next[3], &later);
    ok(!memcmp(later.hash, all.hash[4], sizeof *all.hash * (STEPS - 4)),
       "%s: starting at a draw gives the same as arriving there", what);
}

/* Sums and limits of one batch, read on every rank. */
static void sums(const tt_mesh *m, const data *d, const tt_tok *tok)
{
    tt_batcher *b;
    const tt_batch *x;
    if (tt_batcher_new(m, d->job, d->sets, d->mix, tok, 0, &b) || tt_batcher_get(b, 17, 0, &x)) abort();
    int64_t S = 0, T = 0, B = 0, wrong = 0, least = INT64_MAX, most = 0;
    for (int64_t g = 0; g < x->G; g++) {
        const tt_grain *q = &x->grain[g];
        int64_t s = 0, t = 0;
        for (int i = 0; i < q->B; i++) {
            s += q->ex[i].S;
            t += q->ex[i].T;
            tt_draw w = tt_mix_draw(d->mix, q->ex[i].draw);
            wrong += w.set != q->ex[i].set || w.row != q->ex[i].row || (i && q->ex[i].draw <= q->ex[i - 1].draw);
        }
        wrong += s != q->Rs || t != q->Rt;
        S += s;
        T += t;
        B += q->B;
        if (s + t < least) least = s + t;
        if (s + t > most) most = s + t;
    }
    ok(S == x->src_tokens && T == x->tgt_tokens && B == x->examples && B == x->next - 17 && !wrong,
       "every rank knows all lengths; they add up (%lld examples)", (long long)B);
    ok(S + T <= d->job->train.batch_tokens && S + T > d->job->train.batch_tokens * 3 / 4,
       "the budget is met: %lld of %lld", (long long)(S + T), (long long)d->job->train.batch_tokens);
    ok(most - least <= 260, "grains are balanced: %lld to %lld tokens", (long long)least, (long long)most);
    ok(tt_batcher_get(b, 17, 5, &x) == TT_OK && x->examples == 5 && x->next == 22, "a limit of 5 draws");
    int64_t empty = 0;
    for (int64_t g = 0; g < x->G; g++) empty += x->grain[g].B == 0;
    ok(x->G == d->job->train.grains && empty == x->G - 5, "grains without an example are empty");
    tt_batcher_free(b);
}

static void truncation(place *p, const tt_mesh *m, const tt_tok *tok)
{
    data d = read_data(p, "batch_tokens: 300, grains: 1", "max_source: 20\n  max_target: 6");
    tt_batcher *b;
    const tt_batch *x;
    if (tt_batcher_new(m, d.job, d.sets, d.mix, tok, 0, &b) || tt_batcher_get(b, 0, 0, &x)) abort();
    int64_t cut = 0, wrong = 0;
    tt_arena *a = tt_arena_new(0);
    for (int i = 0; i < x->grain[0].B; i++) {
        const tt_ex *e = &x->grain[0].ex[i];
        tt_text t;
        tt_ids src = {0}, tgt = {0};
        tt_set_text(d.sets->set[e->set], e->row, (uint64_t)d.job->seed, tt_mix_draw(d.mix, e->draw).epoch, a, &t);
        if (tt_tok_encode(tok, t.source, strlen(t.source), true, &src) ||
            tt_tok_encode(tok, t.target, strlen(t.target), true, &tgt))
            abort();
        wrong += e->S > 20 || e->T > 6 || e->S < (src.n < 20 ? src.n : 20) || e->T < (tgt.n < 6 ? tgt.n : 6);
        cut += src.n > 20 || tgt.n > 6;
        if (m->rank == m->size - 1) /* owns the one grain: floor(1 * r / size) */
            wrong += e->src[e->S - 1] != 1 || e->tgt[e->T - 1] != 1 ||
                     memcmp(e->src, src.id, sizeof *src.id * (size_t)(e->S - 1));
        tt_ids_fini(&src);
        tt_ids_fini(&tgt);
    }
    ok(!wrong && cut > 0 && x->truncated == cut, "%lld of %lld examples truncated, the end token kept, counted",
       (long long)cut, (long long)x->examples);
    tt_arena_free(a);
    tt_batcher_free(b);
    data_free(&d);
    d = read_data(p, "batch_tokens: 1, grains: 2", "max_source: 20");
    if (tt_batcher_new(m, d.job, d.sets, d.mix, tok, 0, &b)) abort();
    ok(tt_batcher_get(b, 3, 0, &x) == TT_OK && x->examples == 1, "a budget of one token: at least one example");
    tt_batcher_free(b);
    data_free(&d);
}

static void spans(place *p, const tt_mesh *m, const tt_mesh *alone, const tt_tok *tok)
{
    static char text[30000];
    size_t n = 0;
    for (int i = 0; n < 20000; i++)
        n += (size_t)sprintf(text + n, "This is sentence %d of the text.%s", i, i % 9 == 8 ? "\n\n" : " ");
    PUT(p, "book.txt", text);
    data d;
    d.sets = sets_of(p,
                     "train: {objective: span, batch_tokens: 700, grains: 3}\ndata:\n  max_source: 100\n  max_target: "
                     "50\n  train: [book.txt]\n",
                     &d.job);
    d.job->seed = 5;
    if (!d.sets || tt_mix_new(d.job, d.sets, &d.mix)) abort();
    any_ranks(m, alone, &d, tok, "span corruption");
    tt_batcher *b;
    const tt_batch *x;
    if (tt_batcher_new(m, d.job, d.sets, d.mix, tok, 0, &b) || tt_batcher_get(b, 0, 0, &x)) abort();
    int64_t wrong = 0;
    for (int64_t g = 0; g < x->G; g++)
        for (int i = 0; i < x->grain[g].B; i++) {
            const tt_ex *e = &x->grain[g].ex[i];
            wrong += e->S > 100 || e->T > 50 || (e->tgt && e->tgt[0] != tt_tok_sentinel(tok, 0));
        }
    ok(!wrong && x->truncated == x->examples, "windows of %lld long texts fit without a cut", (long long)x->examples);
    tt_batcher_free(b);
    data_free(&d);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    tt_log_quiet(true);
    tt_mesh alone = {.world = MPI_COMM_SELF, .rank = 0, .size = 1, .node_rank = 0, .node_size = 1, .chunk = m.chunk};
    place p = place_new(&m);
    tt_tok *tok = own_tokenizer(&p);
    data d = read_data(&p, "batch_tokens: 2000, grains: 8", "max_source: 512");
    any_ranks(&m, &alone, &d, tok, "source to target");
    sums(&m, &d, tok);
    data_free(&d);
    d = read_data(&p, "batch_tokens: 150, grains: 7", "max_source: 512");
    any_ranks(&m, &alone, &d, tok, "small batches");
    data_free(&d);
    truncation(&p, &m, tok);
    spans(&p, &m, &alone, tok);
    tt_tok_close(tok);
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
