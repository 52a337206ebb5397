/* tutti bench generate: greedy decoding of T5 1.1 small's shape, against a peer that decodes the same sources with the same weights.
 * Processor seconds, the best of some runs: others use the machine too. The peer's answers must be ours. */
#include "bench.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    const char *batches, *peer, *json;
    int64_t enc, new, layers, vocab, times, rounds;
    bool profile;
} options;

#define AT(field) offsetof(options, field)
static const tt_keyrow keys[] = {
    {"batches", TT_KTEXT, AT(batches), "1,4,16,32,r32", NULL, "sources at once; r32: 32 of ragged lengths"},
    {"enc", TT_KINT, AT(enc), "128", "4..", "source tokens; mean of the ragged ones"},
    {"new", TT_KINT, AT(new), "64", "1..", "new tokens of an answer"},
    {"layers", TT_KINT, AT(layers), "8", "1..", "layers of the encoder and of the decoder"},
    {"vocab", TT_KINT, AT(vocab), "32128", "4..", "vocabulary"},
    {"times", TT_KINT, AT(times), "2", "1..", "runs of a round, of which the best counts"},
    {"rounds", TT_KINT, AT(rounds), "2", "1..", "rounds of tutti and the peer in turn"},
    {"profile", TT_KBOOL, AT(profile), "false", NULL, "the kernels' shares too, of one more run"},
    {"peer", TT_KTEXT, AT(peer), NULL, NULL, "generate_torch.py to run beside it"},
    {"json", TT_KTEXT, AT(json), NULL, NULL, "file for the numbers"},
    {0}};

typedef struct part { /* one batch */
    const char *name;
    int n;
    const int32_t **src;
    int *S;
    tt_ids *answer;
    double seconds, peer; /* 0: no peer was run */
    int equal;            /* the peer's answers that are ours, in its last round */
} part;

typedef struct bench {
    const options *o;
    tt_arena *a;
    tt_model *m;
    tt_gencfg gen;
    int n;
    part *part;
} bench;

/* ---- sources --------------------------------------------------------------------------------------------------------------*/

static int source_length(const options *o, const part *p, int i)
{
    uint64_t enc = (uint64_t)o->enc;
    if (p->name[0] != 'r') return (int)enc;
    return (int)(enc / 4 + tt_rand_below(tt_key(1, "lengths", 0, 0, 0), (uint64_t)i, 3 * enc / 2 + 1));
}

static void draw_sources(bench *b, part *p)
{
    p->src = TT_NEW(b->a, const int32_t *, p->n);
    p->S = TT_NEW(b->a, int, p->n);
    p->answer = TT_ZNEW(b->a, tt_ids, p->n);
    for (int i = 0; i < p->n; i++) {
        tt_rkey key = tt_key(1, "source", (uint64_t)i, 0, 0);
        p->S[i] = source_length(b->o, p, i);
        int32_t *ids = TT_NEW(b->a, int32_t, p->S[i]);
        for (int s = 0; s < p->S[i]; s++)
            ids[s] = 2 + (int32_t)tt_rand_below(key, (uint64_t)s, (uint64_t)(b->o->vocab - 2));
        p->src[i] = ids;
    }
}

static tt_err make_parts(bench *b)
{
    char *list = tt_strdup(b->a, b->o->batches), *save = NULL;
    b->part = TT_ZNEW(b->a, part, strlen(list) + 1);
    for (char *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        part *p = &b->part[b->n++];
        p->name = w;
        p->n = atoi(w + (*w == 'r'));
        if (p->n < 1 || p->n > 4096) return tt_fail(TT_EJOB, "batches: '%s' is no number of sources, 1..4096", w);
        draw_sources(b, p);
    }
    return TT_OK;
}

/* ---- tutti ----------------------------------------------------------------------------------------------------------------*/

static tt_err generate(bench *b, const part *p, const tt_kern *k, tt_gencfg gen, double *seconds)
{
    gen.rows = p->n;
    double start = tt_bench_cpu();
    TT_TRY(tt_generate_list(b->m, k, &gen, p->n, p->src, p->S, p->answer, NULL));
    *seconds = tt_bench_cpu() - start;
    return TT_OK;
}

static double better(double best, double s) { return best == 0 || s < best ? s : best; }

static tt_err time_part(bench *b, part *p)
{
    for (int64_t t = 0; t < b->o->times; t++) {
        double s;
        TT_TRY(generate(b, p, &tt_kern_fast, b->gen, &s));
        p->seconds = better(p->seconds, s);
    }
    for (int i = 0; i < p->n; i++) /* the work would be less */
        if (p->answer[i].n < b->gen.max_new)
            tt_warn_once("end", "an answer ended before %d tokens; the rate is of %d each", b->gen.max_new,
                         b->gen.max_new);
    return TT_OK;
}

static double token_rate(const bench *b, const part *p, double seconds)
{
    return seconds > 0 ? p->n * (double)b->gen.max_new / seconds : 0;
}

static tt_err profile(bench *b, const part *p)
{
    double used, known = 0, start = tt_now();
    tt_laps_clear();
    TT_TRY(generate(b, p, &tt_kern_timed, b->gen, &used));
    double all = tt_now() - start;
    printf("batch %s: %.3f s\n", p->name, all);
    for (const tt_lap *l = tt_laps(); l->kernel; l++) {
        if (l->calls == 0) continue;
        known += l->seconds;
        printf("  %-10s %8lld calls %9.4f s %5.1f%%", l->kernel, (long long)l->calls, l->seconds,
               100 * l->seconds / all);
        printf(l->flops > 0 ? " %7.1f GFLOP/s\n" : "\n", 1e-9 * l->flops / l->seconds);
    }
    printf("  %-10s %14s %9.4f s %5.1f%%\n", "other", "", all - known, 100 * (all - known) / all);
    return TT_OK;
}

/* ---- the peer -------------------------------------------------------------------------------------------------------------*/

static json_t *ids_json(int n, const int32_t *ids)
{
    json_t *a = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(a, json_integer(ids[i]));
    return a;
}

static json_t *work_json(const bench *b)
{
    json_t *parts = json_array();
    for (int i = 0; i < b->n; i++) {
        const part *p = &b->part[i];
        json_t *src = json_array();
        for (int j = 0; j < p->n; j++) json_array_append_new(src, ids_json(p->S[j], p->src[j]));
        json_array_append_new(parts, src);
    }
    return json_pack("{s:i, s:I, s:o}", "new", b->gen.max_new, "times", (json_int_t)b->o->times, "batches", parts);
}

static bool same_ids(const tt_ids *ours, const json_t *theirs)
{
    if ((size_t)ours->n != json_array_size(theirs)) return false;
    for (int i = 0; i < ours->n; i++)
        if (json_integer_value(json_array_get(theirs, (size_t)i)) != ours->id[i]) return false;
    return true;
}

/* theirs: [{"seconds": s, "ids": [[...], ...]}, ...] in the order of the parts. */
static void take_peer(bench *b, const json_t *theirs)
{
    for (int i = 0; i < b->n; i++) {
        part *p = &b->part[i];
        const json_t *x = json_array_get(theirs, (size_t)i), *ids = json_object_get(x, "ids");
        if (x) p->peer = better(p->peer, json_number_value(json_object_get(x, "seconds")));
        p->equal = 0;
        for (int j = 0; j < p->n; j++) p->equal += same_ids(&p->answer[j], json_array_get(ids, (size_t)j));
    }
}

static const char *const left[] = {"work.json", "config.json", "generation_config.json", "model.safetensors"};

static void remove_folder(bench *b, const char *dir)
{
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) unlink(tt_sprintf(b->a, "%s/%s", dir, left[i]));
    rmdir(dir);
}

/* Weights and sources go through a folder. */
static tt_err ask_peer(bench *b, const char *dir)
{
    TT_TRY(tt_model_export(b->m, dir, TT_F32, NULL, (int64_t)1 << 40));
    json_t *work = work_json(b);
    int bad = json_dump_file(work, tt_sprintf(b->a, "%s/%s", dir, left[0]), JSON_COMPACT);
    json_decref(work);
    if (bad) return tt_fail(TT_ERUN, "%s: cannot be written; set TMPDIR", dir);
    json_t *answer = tt_bench_peer(b->o->peer, tt_sprintf(b->a, "'%s'", dir));
    take_peer(b, json_object_get(answer, "batches"));
    json_decref(answer);
    return TT_OK;
}

static tt_err run_peer(bench *b)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = tt_sprintf(b->a, "%s/tutti-bench.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!b->o->peer || !*b->o->peer) return TT_OK;
    if (!mkdtemp(dir)) return tt_fail(TT_ERUN, "%s: cannot be made; set TMPDIR", dir);
    tt_err e = ask_peer(b, dir);
    remove_folder(b, dir);
    return e;
}

/* ---- what is printed --------------------------------------------------------------------------------------------------------*/

static void print_table(const bench *b)
{
    const options *o = b->o;
    printf("greedy generation, T5 1.1 small, %lld + %lld layers, vocabulary %lld, %lld + %lld tokens, fp32, one core\n",
           (long long)o->layers, (long long)o->layers, (long long)o->vocab, (long long)o->enc, (long long)o->new);
    printf("%s; processor seconds, best of %lld\n\n", tt_blas_describe(), (long long)(o->times * o->rounds));
    printf("%-8s %10s %10s %12s %8s %14s\n", "batch", "seconds", "tokens/s", "the peer's", "ratio", "equal answers");
    for (int i = 0; i < b->n; i++) {
        const part *p = &b->part[i];
        printf("%-8s %10.3f %10.1f", p->name, p->seconds, token_rate(b, p, p->seconds));
        if (p->peer > 0)
            printf(" %12.1f %8.2f %7d of %3d", token_rate(b, p, p->peer), p->peer / p->seconds, p->equal, p->n);
        printf("\n");
    }
    printf("\n");
}

static tt_err print_json(const bench *b)
{
    json_t *parts = json_object();
    for (int i = 0; i < b->n; i++) {
        const part *p = &b->part[i];
        json_object_set_new(parts, p->name,
                            json_pack("{s:f, s:f, s:i, s:i}", "tok_s", token_rate(b, p, p->seconds), "peer_tok_s",
                                      token_rate(b, p, p->peer), "answers", p->n, "equal_answers", p->equal));
    }
    return tt_bench_print(json_pack("{s:s, s:s, s:I, s:I, s:o}", "bench", "generate", "blas", tt_blas_describe(), "enc",
                                    (json_int_t)b->o->enc, "new", (json_int_t)b->o->new, "batches", parts),
                          b->o->json);
}

static tt_err run(bench *b)
{
    TT_TRY(make_parts(b));
    TT_TRY(tt_bench_model(b->o->layers, b->o->vocab, &b->m));
    tt_pars_draw(tt_model_pars(b->m), 1);
    for (int64_t round = 0; round < b->o->rounds; round++) {
        for (int i = 0; i < b->n; i++) TT_TRY(time_part(b, &b->part[i]));
        TT_TRY(run_peer(b));
    }
    for (int i = 0; i < b->n && b->o->profile; i++) TT_TRY(profile(b, &b->part[i]));
    print_table(b);
    return print_json(b);
}

tt_err tt_bench_generate(const tt_mesh *m, const tt_args *args)
{
    options o = {0};
    TT_TRY(tt_args_bind(args, keys, &o));
    bench b = {.o = &o, .a = tt_arena_new(1 << 16), .gen = TT_GENCFG_DEFAULT};
    b.gen.max_new = (int)o.new;
    tt_err e = run(&b);
    for (int i = 0; i < b.n; i++)
        for (int j = 0; j < b.part[i].n && b.part[i].answer; j++) free(b.part[i].answer[j].id);
    if (b.m) tt_model_free(b.m);
    tt_arena_free(b.a);
    return e;
}
