// TEST np=1,2,3
/* Ten steps of training, one grain per example: losses, gradient norms and weights of transformers' runs (golden/hf/t5_*), and the same
 * bits on several ranks as on one. */
#include "tutti/model.h"
#include "tutti/optim.h"
#include "../tap.h"

#include <jansson.h>

enum { STEPS = 10, MAX_ROWS = 8 };

/* ---- the batch ----------------------------------------------------------------------------------------------------*/
typedef struct batch {
    int B;
    tt_ex ex[MAX_ROWS];
    int32_t *ids[2 * MAX_ROWS];
    int64_t targets; /* labels with a loss */
} batch;

static int32_t *to_ids(const int64_t *x, int64_t n)
{
    int32_t *y = malloc(sizeof *y * (size_t)(n + 1));
    for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? -1 : (int32_t)x[i];
    return y;
}

/* Padded rows to examples: sources end where the mask does, targets after the last label with a loss. */
static void batch_add(batch *b, const int64_t *src, int64_t S, const int64_t *label, int64_t T)
{
    while (T > 0 && label[T - 1] < 0) T--;
    for (int64_t i = 0; i < T; i++) b->targets += label[i] >= 0;
    int32_t *s = b->ids[2 * b->B] = to_ids(src, S), *t = b->ids[2 * b->B + 1] = to_ids(label, T);
    b->ex[b->B++] = (tt_ex){.S = (int)S, .T = (int)T, .src = s, .tgt = t};
}

static int64_t *stored(const tt_stfile *f, const char *name, int64_t *rows, int64_t *cols)
{
    const tt_sten *t = tt_st_find(f, name);
    int64_t *x = malloc(sizeof *x * (size_t)t->n);
    tt_st_to_i64(t, x);
    *rows = t->shape[0];
    *cols = t->shape[1];
    return x;
}

static void batch_read(batch *b, const char *path)
{
    tt_stfile *f;
    int64_t B, S, T;
    *b = (batch){0};
    if (!ok(tt_st_open(path, &f) == TT_OK, "%s is there", path)) return;
    int64_t *src = stored(f, "input_ids", &B, &S), *mask = stored(f, "attention_mask", &B, &S);
    int64_t *label = stored(f, "labels", &B, &T);
    for (int64_t r = 0; r < B; r++) {
        int64_t n = 0;
        while (n < S && mask[r * S + n]) n++;
        batch_add(b, src + r * S, n, label + r * T, T);
    }
    free(src);
    free(mask);
    free(label);
    tt_st_close(f);
}

static void batch_free(batch *b)
{
    for (int i = 0; i < 2 * b->B; i++) free(b->ids[i]);
}

/* ---- ten steps ----------------------------------------------------------------------------------------------------*/
typedef struct history {
    double loss[STEPS + 1], norm[STEPS]; /* before each update, and the loss after the last */
} history;

static double grain_loss(const tt_mesh *m, tt_model *model, const batch *b, tt_zero *z, tt_arena *a)
{
    double loss[MAX_ROWS] = {0};
    tt_zero_begin(z);
    for (int64_t k = 0; k < tt_zero_rounds(z); k++) {
        int64_t i = tt_zero_grain(z, k);
        tt_zero_round(z, k);
        tt_arena_reset(a);
        tt_grain g;
        tt_grain_make(a, 1, &b->ex[i], tt_model_cfg(model)->pad_id, &g);
        float *weight = TT_NEW(a, float, g.Rt);
        for (int64_t r = 0; r < g.Rt; r++) weight[r] = 1.f / (float)b->targets;
        tt_tape tape;
        tt_tape_begin(&tape, a, tt_kern_get(), true, 0, 0);
        tape.hooks = tt_zero_hooks(z);
        tt_loss l;
        tt_t5_loss(&tape, model, &g, weight, 0, 0, &l);
        loss[i] = l.loss;
    }
    tt_zero_finish(z);
    return tt_xsum_scalar(m, b->B, loss);
}

static void train(const tt_mesh *m, tt_model *model, const batch *b, const tt_job *j, history *h)
{
    tt_pars *pars = tt_model_pars(model);
    tt_zero *z = tt_zero_new(m, j, pars, pars, b->B, tt_t5_walk, model, tt_kern_get());
    tt_optim *o = tt_optim_new(m, j, pars, z, tt_kern_get());
    tt_arena *a = tt_arena_new(1 << 20);
    for (int s = 0; s <= STEPS; s++) {
        h->loss[s] = grain_loss(m, model, b, z, a);
        if (s == STEPS) break;
        h->norm[s] = tt_optim_norm(o);
        double lr = j->optim.lr * tt_schedule(j->optim.schedule, s, j->optim.warmup, STEPS, j->optim.min_ratio);
        tt_optim_step(o, lr, h->norm[s]);
    }
    tt_arena_free(a);
    tt_optim_free(o);
    tt_zero_free(z);
}

static tt_job plain_job(int name)
{
    tt_job j = {0};
    j.optim.name = name;
    j.mesh.zero = 1;
    j.mesh.tp = 1;
    j.optim.beta1 = 0.9;
    j.optim.beta2 = 0.999;
    j.optim.eps = 1e-8;
    j.optim.lr = 1e-3;
    j.optim.adafactor.rule = TT_RULE_HF;
    j.optim.adafactor.decay_rate = 0.8;
    j.optim.adafactor.clip = 1;
    j.optim.adafactor.eps1 = 1e-30;
    j.optim.adafactor.eps2 = 1e-3;
    j.optim.adafactor.scale_parameter = true;
    return j;
}

/* ---- transformers' runs -------------------------------------------------------------------------------------------*/
static double number(const json_t *o, const char *key, double none)
{
    json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : json_is_boolean(v) ? json_is_true(v) : none;
}

static double at(const json_t *list, size_t i, double none)
{
    json_t *v = json_array_get(list, i);
    return v ? json_number_value(v) : none;
}

static tt_job golden_job(const char *run, const json_t *s)
{
    bool factor = !strncmp(run, "adafactor", 9), groups = strstr(run, "groups") != NULL;
    tt_job j = plain_job(factor ? TT_OPT_ADAFACTOR : !strncmp(run, "sgd", 3) ? TT_OPT_SGD : TT_OPT_ADAMW);
    const json_t *betas = json_object_get(s, "betas");
    j.optim.lr = number(s, "lr", 0);
    j.optim.beta1 = at(betas, 0, 0.9);
    j.optim.beta2 = at(betas, 1, 0.999);
    j.optim.eps = number(s, "eps", 1e-8);
    j.optim.weight_decay = number(s, "weight_decay", 0);
    j.optim.clip = number(s, "clip_norm", 0);
    j.optim.momentum = number(s, "momentum", 0);
    j.optim.decay = groups ? TT_DECAY_HF : TT_DECAY_ALL;
    j.optim.schedule = groups ? TT_SCHED_LINEAR : TT_SCHED_CONSTANT;
    j.optim.warmup = groups ? 3 : 0;
    j.optim.adafactor.beta1 = number(s, "beta1", 0);
    j.optim.adafactor.relative_step = number(s, "relative_step", 0) != 0;
    return j;
}

static void check_history(const char *what, const history *h, const json_t *run)
{
    const json_t *loss = json_object_get(run, "loss"), *norm = json_object_get(run, "grad_norm"),
                 *noise = json_object_get(run, "loss_noise");
    double worst = 0, worst_norm = 0;
    int bad = 0;
    for (size_t s = 0; s <= STEPS; s++) {
        double d = fabs(h->loss[s] - at(loss, s, NAN));
        bad += !(d <= fmax(2e-5, 10 * at(noise, s, 0)));
        worst = fmax(worst, d);
    }
    ok(!bad, "%s: 11 losses, largest difference %.2g", what, worst);
    bad = 0;
    for (size_t s = 0; s < STEPS; s++) {
        double want = at(norm, s, NAN), d = fabs(h->norm[s] - want) / want;
        bad += !(d <= 1e-5);
        worst_norm = fmax(worst_norm, d);
    }
    ok(!bad, "%s: 10 gradient norms, largest relative difference %.2g", what, worst_norm);
}

/* Per tensor l2 norm and sum: what they may differ by when every element may differ by tol. */
static void check_sums(const char *what, const tt_pars *pars, const json_t *run, double least)
{
    const json_t *want = json_object_get(json_object_get(run, "params"), "step10");
    int bad = json_object_size(want) != (size_t)pars->n;
    for (int i = 0; i < pars->n; i++) {
        const tt_par *p = &pars->p[i];
        const json_t *v = json_object_get(want, p->name);
        double sum = 0, sq = 0, tol = fmax(least, 10 * at(v, 2, 0));
        for (int64_t e = 0; e < p->n; e++) {
            sum += p->w[e];
            sq += (double)p->w[e] * p->w[e];
        }
        bad += !(fabs(sqrt(sq) - at(v, 0, NAN)) <= tol * sqrt((double)p->n));
        bad += !(fabs(sum - at(v, 1, NAN)) <= tol * (double)p->n);
    }
    ok(!bad, "%s: norm and sum of every tensor after step 10", what);
}

static void check_weights(const char *what, const char *path, const tt_pars *pars, const json_t *run)
{
    tt_stfile *f;
    if (!ok(tt_st_open(path, &f) == TT_OK, "%s is there", path)) return;
    const json_t *sums = json_object_get(json_object_get(run, "params"), "step10");
    double worst = 0;
    int bad = 0;
    for (int i = 0; i < pars->n; i++) {
        const tt_par *p = &pars->p[i];
        const tt_sten *t = tt_st_find(f, p->name);
        float *want = malloc(sizeof *want * (size_t)p->n);
        double most = t && t->n == p->n && tt_st_to_f32(t, want) == TT_OK ? 0 : INFINITY;
        for (int64_t e = 0; e < p->n && most < INFINITY; e++) most = fmax(most, fabs((double)want[e] - p->w[e]));
        bad += !(most <= fmax(2e-5, 10 * at(json_object_get(sums, p->name), 2, 0)));
        worst = fmax(worst, most);
        free(want);
    }
    ok(!bad, "%s: %d tensors after step 10, largest difference %.2g", what, pars->n, worst);
    tt_st_close(f);
}

static void golden_run(const tt_mesh *m, const char *dir, const batch *b, const char *run, const json_t *expect)
{
    char what[100], path[4200];
    snprintf(what, sizeof what, "%s %s", strrchr(dir, '/') + 1, run);
    tt_model *model;
    if (!ok(tt_model_open(dir, &model) == TT_OK, "%s opens", dir)) return;
    tt_job j = golden_job(run, json_object_get(expect, "settings"));
    history h;
    train(m, model, b, &j, &h);
    check_history(what, &h, expect);
    check_sums(what, tt_model_pars(model), expect, !strncmp(run, "sgd", 3) ? 5e-6 : 2e-5);
    snprintf(path, sizeof path, "%s/%s_step10.safetensors", dir, run);
    if (tt_exists(path)) check_weights(what, path, tt_model_pars(model), expect);
    tt_model_free(model);
}

static void t_golden(const tt_mesh *m, const char *shared, const char *name)
{
    char dir[4096], path[4200];
    snprintf(dir, sizeof dir, "%s/golden/hf/%s", shared, name);
    snprintf(path, sizeof path, "%s/trajectory.json", dir);
    json_t *root = json_load_file(path, 0, NULL), *expect;
    snprintf(path, sizeof path, "%s/batch.safetensors", dir);
    batch b;
    batch_read(&b, path);
    const char *run;
    json_object_foreach(json_object_get(root, "runs"), run, expect) golden_run(m, dir, &b, run, expect);
    batch_free(&b);
    json_decref(root);
}

/* ---- our own ------------------------------------------------------------------------------------------------------*/
static const char config[] =
    "{\"model_type\": \"t5\", \"vocab_size\": 96, \"d_model\": 24, \"d_kv\": 6, \"d_ff\": 40, \"num_layers\": 2,"
    " \"num_decoder_layers\": 1, \"num_heads\": 3, \"feed_forward_proj\": \"gated-gelu\", \"dropout_rate\": 0.0,"
    " \"layer_norm_epsilon\": 1e-6, \"relative_attention_num_buckets\": 8, \"relative_attention_max_distance\": 20,"
    " \"tie_word_embeddings\": false, \"pad_token_id\": 0, \"eos_token_id\": 1, \"decoder_start_token_id\": 0,"
    " \"initializer_factor\": 1.0}";

static void own_batch(batch *b)
{
    *b = (batch){0};
    for (int r = 0; r < 5; r++) {
        int64_t src[20], tgt[12], S = 6 + 3 * r, T = 11 - r;
        for (int64_t i = 0; i < S; i++) src[i] = 2 + (int64_t)(tt_mix64((uint64_t)(100 * r + i)) % 94);
        for (int64_t i = 0; i < T; i++) tgt[i] = i % 4 == 3 ? -100 : src[i % S];
        tgt[T - 1] = 1;
        batch_add(b, src, S, tgt, T);
    }
}

static tt_model *own_run(const tt_mesh *m, const batch *b, const tt_job *j, history *h)
{
    tt_model *model;
    if (tt_model_parse(config, strlen(config), "config", &model)) {
        ok(0, "%s", tt_fail_text());
        exit(1);
    }
    tt_pars_draw(tt_model_pars(model), 3);
    train(m, model, b, j, h);
    return model;
}

static void t_own(const tt_mesh *m, int name, const char *what)
{
    tt_mesh self = {.world = MPI_COMM_SELF, .size = 1, .node_size = 1};
    tt_job j = plain_job(name);
    j.optim.lr = name == TT_OPT_ADAFACTOR ? 0.05 : 0.01;
    j.optim.clip = 1;
    batch b;
    own_batch(&b);
    history h, one;
    tt_model *many = own_run(m, &b, &j, &h), *alone = own_run(&self, &b, &j, &one);
    ok(h.loss[STEPS] < 0.8 * h.loss[0], "%s: the loss falls from %.3f to %.3f", what, h.loss[0], h.loss[STEPS]);
    ok(!memcmp(&h, &one, sizeof h), "%s: losses and norms of one rank, bit for bit", what);
    const tt_pars *p = tt_model_pars(many);
    ok(!memcmp(p->w, tt_model_pars(alone)->w, sizeof(float) * (size_t)p->size), "%s: and the weights", what);
    tt_model_free(many);
    tt_model_free(alone);
    batch_free(&b);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    tt_blas_choose(argv);
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    t_own(&m, TT_OPT_ADAMW, "own model, adamw");
    t_own(&m, TT_OPT_ADAFACTOR, "own model, adafactor");
    if (shared_dir()) {
        t_golden(&m, shared_dir(), "t5_v10");
        t_golden(&m, shared_dir(), "t5_v11");
    } else {
        skip(1, "no shared folder: runs of transformers not compared");
    }
    tt_mesh_fini(&m);
    return tap_done();
}
