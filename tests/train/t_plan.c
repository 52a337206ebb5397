// TEST np=1
// A plan against what it plans: the dry tape and the real one, the optimizer's and the sum's sizes, messages worked out by hand.
#include "tutti/train.h"

#include "../tap.h"

/* Sides are multiples of 8, so that parameters of two dimensions need no padding worth a mention. */
static const char config[] =
    "{\"model_type\":\"t5\",\"d_model\":64,\"d_kv\":16,\"d_ff\":128,\"num_layers\":2,\"num_decoder_layers\":3,\"num_"
    "heads\":4,"
    "\"vocab_size\":256,\"feed_forward_proj\":\"gated-gelu\",\"tie_word_embeddings\":false,\"relative_attention_num_"
    "buckets\":32,"
    "\"relative_attention_max_distance\":128,\"layer_norm_epsilon\":1e-6,\"dropout_rate\":0.1,\"pad_token_id\":0,"
    "\"eos_token_id\":1,\"decoder_start_token_id\":0}";

static tt_arena *a;

static tt_job *job_of(int n, char **set)
{
    tt_job *j = NULL;
    if (tt_job_read(a, NULL, n, set, &j) != TT_OK) printf("# %s\n", tt_fail_text());
    return j;
}
#define JOB(...) job_of(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *), (char *[]){__VA_ARGS__})

/* ---- the dry tape --------------------------------------------------------------------------------------------*/

static void test_table(void)
{
    void *const *member = (void *const *)&tt_kern_dry;
    int missing = 0;
    for (size_t i = 0; i < sizeof tt_kern_dry / sizeof *member; i++) missing += !member[i];
    ok(missing == 0, "the dry table has every kernel (%d are missing)", missing);
}

enum { B = 3 };
static const int S[B] = {20, 7, 33}, T[B] = {5, 11, 4};

static void make_grain(tt_grain *g)
{
    tt_ex ex[B] = {0};
    for (int b = 0; b < B; b++) {
        int32_t *src = TT_NEW(a, int32_t, S[b]), *tgt = TT_NEW(a, int32_t, T[b]);
        for (int i = 0; i < S[b]; i++) src[i] = 2 + (i * 7 + b) % 200;
        for (int i = 0; i < T[b]; i++) tgt[i] = 2 + (i * 5 + b) % 200;
        ex[b] = (tt_ex){.S = S[b], .T = T[b], .src = src, .tgt = tgt};
    }
    tt_grain_make(a, B, ex, 0, g);
}

/* Bytes that a step's arenas come to. They begin small, so that a page more or less is seen. */
typedef struct setting {
    bool recompute, half;
    float drop;
} setting;

static size_t walk(tt_model *m, const tt_grain *g, bool dry, setting s)
{
    tt_arena *step = dry ? tt_arena_new_phantom(1 << 14) : tt_arena_new(1 << 14);
    tt_arena *ga = dry ? tt_arena_new_phantom(1 << 14) : tt_arena_new(1 << 14);
    float *weight = TT_NEW(a, float, g->Rt);
    for (int i = 0; i < g->Rt; i++) weight[i] = 1;
    tt_tape t;
    tt_loss loss;
    tt_tape_begin(&t, step, dry ? &tt_kern_dry : &tt_kern_fast, true, s.drop, 1);
    t.dry = dry;
    t.half = s.half;
    t.recompute = s.recompute;
    t.ga = ga;
    tt_dry_clear();
    tt_t5_loss(&t, m, g, weight, 0, 0, &loss);
    size_t used = tt_arena_touched(step) + tt_arena_touched(ga);
    tt_arena_free(step);
    tt_arena_free(ga);
    return used;
}

static void test_walk(void)
{
    tt_model *m;
    tt_grain g;
    ok(tt_model_parse(config, strlen(config), "test", &m) == TT_OK, "a small T5");
    tt_pars_draw(tt_model_pars(m), 1);
    tt_pars_grads(tt_model_pars(m));
    make_grain(&g);
    for (int i = 0; i < tt_model_pars(m)->ngroup; i++) tt_pars_halve(tt_model_pars(m), i);
    for (int i = 0; i < 8; i++) {
        setting s = {.recompute = i & 1, .half = i & 4, .drop = i & 2 ? 0.1f : 0};
        size_t dry = walk(m, &g, true, s), real = walk(m, &g, false, s);
        ok(dry == real && real > 100000, "recompute %d, dropout %g, bf16 %d: dry run %zu bytes, real run %zu",
           s.recompute, (double)s.drop, s.half, dry, real);
    }
    tt_model_free(m);
}

/* Products by the dry run and by the formula, attention apart: its backward computes the scores again. */
static void test_work(void)
{
    tt_model *m;
    tt_grain g;
    tt_model_parse(config, strlen(config), "test", &m);
    tt_pars_grads(tt_model_pars(m));
    make_grain(&g);
    walk(m, &g, true, (setting){0});
    int n;
    const tt_dry_call *c = tt_dry_calls(&n);
    double work[TT_DRY_KINDS] = {0};
    for (int i = 0; i < n; i++) work[c[i].kind] += c[i].work;
    double attention = 3 * work[TT_DRY_ATTN_FWD], sum = work[TT_DRY_GEMM] + work[TT_DRY_HEAD] + attention;
    double flops = tt_t5_flops(tt_model_cfg(m), &g, true);
    ok(fabs(sum / flops - 1) < 1e-12 && attention > 0, "operations: %.0f tallied, %.0f by the formula", sum, flops);
    ok(work[TT_DRY_ATTN_BWD] == 2.5 * work[TT_DRY_ATTN_FWD], "five products back for two forward");
    double rows = (double)g.Rs * (2 * 2 + 1) + (double)g.Rt * (3 * 3 + 1);
    ok(work[TT_DRY_RMS_FWD] == 64 * rows, "norms: %.0f elements, %.0f expected", work[TT_DRY_RMS_FWD], 64 * rows);
    tt_model_free(m);
}

/* ---- sizes -----------------------------------------------------------------------------------------------------*/

/* Slabs of gradients but the first. */
static int slabs(tt_pars *p, int grains, int size)
{
    char key[64];
    snprintf(key, sizeof key, "train.grains=%d", grains);
    tt_own *own = tt_own_new(p, size, false);
    double bytes = (double)tt_zero_sizes(JOB(key), p, p, own, size, 0).grads;
    tt_own_free(own);
    return (int)lround(bytes / (4 * (double)p->size)) - 1;
}

static double moments(tt_pars *p, const tt_job *j, int rank, int size)
{
    tt_own *own = tt_own_new(p, size, tt_optim_whole(j));
    double bytes = (double)tt_optim_sizes(j, p, own, rank).moments;
    tt_own_free(own);
    return bytes;
}

static void test_sizes(void)
{
    tt_model *m;
    tt_model_shape(config, strlen(config), "test", &m);
    tt_pars *p = tt_model_pars(m);
    ok(p->w == NULL, "the shape of a model has no weights");
    ok(slabs(p, 1, 1) == 0 && slabs(p, 2, 1) == 1 && slabs(p, 8, 1) == 3, "sums that wait: 0, 1, 3 of 1, 2, 8 grains");
    ok(slabs(p, 8, 8) == 0 && slabs(p, 8, 2) == 2 && slabs(p, 5, 1) == 2, "and 0, 2, 2 of 8/8, 8/2, 5/1");
    double N = 4 * (double)tt_pars_count(p, false), all = 0;
    const tt_job *adam = JOB("optim.name=adamw"), *ada = JOB("optim.name=adafactor", "optim.adafactor.min_dim=32");
    for (int r = 0; r < 4; r++) all += moments(p, adam, r, 4);
    ok(fabs(moments(p, adam, 0, 1) / (2 * N) - 1) < 0.05, "AdamW: two moments");
    ok(fabs(all / (2 * N) - 1) < 0.05, "and four ranks hold them once");
    ok(moments(p, ada, 0, 1) < 0.1 * N, "Adafactor: %.0f bytes for %.0f of weights", moments(p, ada, 0, 1), N);
    ok(moments(p, JOB("optim.name=sgd"), 0, 1) == 0, "SGD without momentum: none");
    tt_model_free(m);
}

/* ---- plans -----------------------------------------------------------------------------------------------------*/

static char config_key[4200];

static bool plan(const tt_job *j, int64_t nodes, int64_t per_node, tt_plan *out)
{
    tt_planner *p;
    if (tt_planner_new(j, 1e6, &p) != TT_OK) return false;
    bool good = tt_plan_make(p, j, nodes, per_node, false, out) == TT_OK;
    tt_planner_free(p);
    return good;
}

#define FIXED config_key, "data.max_source=24", "data.max_target=8", "train.batch_tokens=128", "plan.calibrate=false"

/* The floats of one slab, and of group 0. */
static double slab(double *first)
{
    tt_model *m;
    tt_model_shape(config, strlen(config), "test", &m);
    double n = (double)tt_model_pars(m)->size;
    *first = (double)tt_model_pars(m)->group[0].n;
    tt_model_free(m);
    return n;
}

static void test_messages(void)
{
    double g0, N = slab(&g0), each = 3.0 / 4;
    tt_plan p;
    ok(plan(JOB(FIXED, "train.grains=4"), 1, 4, &p) && fabs(p.sent / (each * 8 * N) - 1) < 1e-9,
       "zero 1, one grain a rank: a sum and a gather, %.0f bytes", p.sent);
    ok(p.net == 0, "nothing leaves a single node");
    plan(JOB(FIXED, "train.grains=4", "mesh.zero=3", "precision=bf16", "mesh.wire=bf16"), 1, 4, &p);
    double want = each * (2 * N + 2 * 4 * (N - g0) + 4 * g0); /* weights travel as fp32 */
    ok(fabs(p.sent / want - 1) < 1e-9, "zero 3 in bf16: %.0f bytes, %.0f by hand", p.sent, want);
    plan(JOB(FIXED, "train.grains=8", "mesh.zero=2"), 2, 2, &p);
    want = each * (2 * 4 * N + 4 * N);
    ok(fabs(p.sent / want - 1) < 1e-9, "zero 2 with two grains a rank: %.0f bytes, %.0f by hand", p.sent, want);
    double out = 2 * (2 * 4 * N * each * 2 / 3) + each * 4 * N;
    ok(fabs(p.net / out - 1) < 1e-9, "of which leave a node of two: %.0f bytes, %.0f by hand", p.net, out);
    plan(JOB(FIXED, "train.grains=4"), 1, 1, &p);
    ok(p.sent == 0 && p.wait == 0, "one rank has nobody to talk to");
}

static void test_memory(void)
{
    double g0, N = slab(&g0);
    tt_plan one, p;
    plan(JOB(FIXED, "train.grains=4"), 1, 1, &one);
    ok(one.memory[TT_PLAN_WEIGHTS] == 4 * N && one.memory[TT_PLAN_GRADS] == 3 * 4 * N,
       "four grains on a rank: weights once, gradients and two sums that wait");
    plan(JOB(FIXED, "train.grains=4"), 1, 4, &p);
    ok(p.memory[TT_PLAN_GRADS] == 4 * N && p.memory[TT_PLAN_MOMENTS] < 0.5 * one.memory[TT_PLAN_MOMENTS],
       "on four: gradients once, moments shared");
    double zero1 = p.rank;
    plan(JOB(FIXED, "train.grains=4", "mesh.zero=3"), 1, 4, &p);
    ok(p.memory[TT_PLAN_WEIGHTS] < 4 * N && p.rank < zero1, "zero 3 holds less: %.0f < %.0f", p.rank, zero1);
    plan(JOB(FIXED, "train.grains=4", "mesh.tp=2"), 1, 4, &p);
    ok(p.dp == 2 && p.memory[TT_PLAN_WEIGHTS] < 0.85 * 4 * N && p.memory[TT_PLAN_WEIGHTS] > 0.75 * 4 * N,
       "two tp ranks hold half of the weights each, the norms both, and masters of a quarter");
    ok(fabs(one.checkpoint / (12 * N) - 1) < 0.05 && fabs(one.exported / (4 * N) - 1) < 0.01, "files");
    ok(!plan(JOB(FIXED, "mesh.tp=3"), 1, 4, &p) && strstr(tt_fail_text(), "mesh.tp"), "tp that divides nothing: %s",
       tt_fail_text());
    tt_fail_clear();
    ok(!plan(JOB(FIXED, "optim.update=block"), 1, 1, &p) && strstr(tt_fail_text(), "optim.clip"),
       "block without clip: %s", tt_fail_text());
    tt_fail_clear();
}

static bool fit(const tt_job *j, tt_plan_choice *c)
{
    tt_planner *p;
    bool found = tt_planner_new(j, 1e6, &p) == TT_OK && tt_plan_fit(p, j, 1, 4, c);
    tt_planner_free(p);
    return found;
}

static void test_fit(void)
{
    tt_plan p;
    tt_plan_choice c;
    char memory[64];
    plan(JOB(FIXED, "train.grains=4", "mesh.zero=0"), 1, 4, &p);
    snprintf(memory, sizeof memory, "plan.memory=%.9f", 0.9 * p.node / 1073741824.0);
    const tt_job *j = JOB(FIXED, "train.grains=4", "mesh.zero=0", memory);
    ok(fit(j, &c) && c.plan.node <= c.plan.limit && strstr(c.text, "mesh.zero"), "a tenth less: %s", c.text);
    ok(plan(&c.job, 1, c.per_node, &p) && p.node <= p.limit, "and planned by itself that fits");
    ok(!fit(JOB(FIXED, "plan.memory=0.000001"), &c), "nothing fits into a kilobyte");
}

int main(int argc, char **argv)
{
    tt_mesh m;
    tt_mesh_init(&m, &argc, &argv);
    a = tt_arena_new(1 << 16);
    char path[] = "/tmp/tutti-plan-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    fputs(config, f);
    fclose(f);
    snprintf(config_key, sizeof config_key, "model.config=%s", path);
    test_table();
    test_walk();
    test_work();
    test_sizes();
    test_messages();
    test_memory();
    test_fit();
    remove(path);
    tt_arena_free(a);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
