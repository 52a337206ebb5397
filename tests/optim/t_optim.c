// TEST np=1,2,3,5
/* The optimizer: torch's, transformers' and T5X's updates (golden/hf/facts), the same bits on any number of ranks, clipping, decay
 * groups, frozen parameters, moments as checkpoint arrays. */
#include "tutti/optim.h"
#include "../tap.h"
#include "sample.h"

#include <jansson.h>

static tt_job plain_job(int name)
{
    tt_job j = {0};
    j.optim.name = name;
    j.optim.beta1 = 0.9;
    j.optim.beta2 = 0.999;
    j.optim.eps = 1e-8;
    j.optim.adafactor.decay_rate = 0.8;
    j.optim.adafactor.clip = 1;
    j.optim.adafactor.eps1 = 1e-30;
    j.optim.adafactor.eps2 = 1e-3;
    j.optim.adafactor.scale_parameter = true;
    j.optim.adafactor.min_dim = 128;
    j.mesh = sample_job(1).mesh;
    return j;
}

typedef struct pair {
    tt_zero *z;
    tt_optim *o;
} pair;

static pair open_pair(const tt_mesh *m, const tt_job *j, tt_pars *t)
{
    tt_zero *z = tt_zero_new(m, j, t, t, 1, NULL, NULL, &tt_kern_ref);
    return (pair){z, tt_optim_new(m, j, t, z, &tt_kern_ref)};
}

static void close_pair(pair p)
{
    tt_optim_free(p.o);
    tt_zero_free(p.z);
}

/* One update whose weights have arrived everywhere. */
static void update(pair p, double lr, double norm)
{
    tt_optim_step(p.o, lr, norm);
    tt_zero_whole(p.z, true);
    tt_zero_whole(p.z, false);
}

static double number(const json_t *o, const char *key, double none)
{
    json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : json_is_boolean(v) ? json_is_true(v) : none;
}

static double at(const json_t *o, const char *key, size_t i, double none)
{
    json_t *v = json_array_get(json_object_get(o, key), i);
    return v ? json_number_value(v) : none;
}

/* The settings of one golden run, in torch's, transformers' or T5X's words. */
static tt_job golden_job(const char *name, const json_t *s)
{
    bool t5x = !strncmp(name, "t5x", 3), factor = t5x || !strncmp(name, "adafactor", 9);
    tt_job j = plain_job(factor ? TT_OPT_ADAFACTOR : !strncmp(name, "sgd", 3) ? TT_OPT_SGD : TT_OPT_ADAMW);
    j.optim.lr = number(s, "lr", number(s, "learning_rate", 0));
    j.optim.weight_decay = number(s, "weight_decay", number(s, "weight_decay_rate", 0));
    j.optim.beta1 = at(s, "betas", 0, 0.9);
    j.optim.beta2 = at(s, "betas", 1, 0.999);
    if (!factor) j.optim.eps = number(s, "eps", 1e-8);
    j.optim.l2 = !strcmp(name, "adam_l2");
    j.optim.momentum = number(s, "momentum", 0);
    j.optim.dampening = number(s, "dampening", 0);
    j.optim.nesterov = number(s, "nesterov", 0) != 0;
    j.optim.adafactor.rule = t5x ? TT_RULE_T5X : TT_RULE_HF;
    j.optim.adafactor.decay_rate = fabs(number(s, "decay_rate", 0.8));
    j.optim.adafactor.beta1 = number(s, "beta1", 0);
    j.optim.adafactor.clip = number(s, "clip_threshold", 1);
    j.optim.adafactor.scale_parameter = number(s, "scale_parameter", 1) != 0;
    j.optim.adafactor.relative_step = number(s, "relative_step", 0) != 0;
    j.optim.adafactor.warmup_init = number(s, "warmup_init", 0) != 0;
    j.optim.adafactor.min_dim = (int64_t)number(s, "min_dim_size_to_factor", 128);
    j.optim.adafactor.step_offset = (int64_t)number(s, "step_offset", 0);
    return j;
}

TT_PRINTF(2, 3) static const tt_sten *find(const tt_stfile *f, const char *fmt, ...)
{
    char name[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    return tt_st_find(f, name);
}

/* Largest difference to a stored tensor, relative to max(1, |x|). */
static double difference(const tt_sten *t, const float *x)
{
    float *want = malloc(sizeof *want * (size_t)(t->n + 1));
    double worst = tt_st_to_f32(t, want) ? INFINITY : 0;
    for (int64_t i = 0; i < t->n; i++) {
        double d = fabs((double)want[i] - x[i]) / fmax(1, fabs((double)want[i]));
        if (!(d <= worst)) worst = d;
    }
    free(want);
    return worst;
}

static void golden_pars(tt_pars *t, const tt_stfile *f, const json_t *shapes, bool cube)
{
    const char *name;
    json_t *shape;
    tt_pars_init(t);
    json_object_foreach((json_t *)shapes, name, shape)
    {
        if (!cube && !strcmp(name, "cube")) continue;
        int64_t dims[4];
        for (size_t i = 0; i < json_array_size(shape); i++) dims[i] = json_integer_value(json_array_get(shape, i));
        tt_pars_add(t, name, (int)json_array_size(shape), dims, TT_INIT_ZERO, 0, false);
    }
    tt_pars_seal(t);
    tt_pars_grads(t);
    for (int i = 0; i < t->n; i++) tt_st_to_f32(find(f, "init.%s", t->p[i].name), t->p[i].w);
}

static double state_difference(tt_optim *o, const tt_stfile *f, const char *run)
{
    static const char *const names[][2] = {{"m", "exp_avg"},
                                           {"v", "exp_avg_sq"},
                                           {"full", "exp_avg_sq"},
                                           {"row", "exp_avg_sq_row"},
                                           {"col", "exp_avg_sq_col"}};
    tt_arena *a = tt_arena_new(0);
    tt_ckarray *c;
    int n;
    double worst = 0;
    tt_optim_arrays(o, a, false, &n, &c);
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            char moment[20], tensor[100];
            if (sscanf(c[i].path, "/optim/%19[^/]/%99s", moment, tensor) != 2 || strcmp(moment, names[k][0])) continue;
            const tt_sten *want = find(f, "%s.final_%s.%s", run, names[k][1], tensor);
            if (!want) continue;
            if (want->n != c[i].n) worst = INFINITY;
            if (c[i].lo == 0 && c[i].hi == c[i].n) worst = fmax(worst, difference(want, c[i].x));
        }
    tt_arena_free(a);
    return worst;
}

static void golden_run(const tt_mesh *m, const char *name, const json_t *settings, const json_t *shapes,
                       const tt_stfile *f)
{
    tt_pars t;
    golden_pars(&t, f, shapes, strncmp(name, "t5x", 3) != 0);
    tt_job j = golden_job(name, settings);
    ok(tt_optim_check(&j) == TT_OK, "%s: settings are accepted", name);
    pair p = open_pair(m, &j, &t);
    double worst = 0;
    int compared = 0;
    for (int step = 1; step <= 12; step++) {
        for (int i = 0; i < t.n; i++) tt_st_to_f32(find(f, "grad.%d.%s", step - 1, t.p[i].name), t.p[i].g);
        update(p, j.optim.lr, 0);
        for (int i = 0; i < t.n; i++) {
            const tt_sten *want = find(f, "%s.step%d.%s", name, step, t.p[i].name);
            if (!want) continue;
            compared++;
            worst = fmax(worst, difference(want, t.p[i].w));
        }
    }
    ok(worst <= 1e-6 && compared == 4 * t.n, "%s: %d tensors, largest relative difference %.2g", name, compared, worst);
    double state = state_difference(p.o, f, name);
    ok(state <= 1e-6, "%s: moments, largest relative difference %.2g", name, state);
    close_pair(p);
    tt_pars_fini(&t);
}

static void t_golden(const tt_mesh *m, const char *dir)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/hf/facts/optimizers.json", dir);
    json_t *root = json_load_file(path, 0, NULL), *settings;
    strcpy(path + strlen(path) - 4, "safetensors");
    tt_stfile *f;
    const char *name;
    if (!ok(root && tt_st_open(path, &f) == TT_OK, "golden optimizers are there")) return;
    json_object_foreach(json_object_get(root, "optimizers"), name, settings)
        golden_run(m, name, settings, json_object_get(root, "shapes"), f);
    tt_st_close(f);
    json_decref(root);
}

/* SGD from zero weights at rate 1 shows the clipped gradient with its sign turned. */
static void clip_case(const tt_mesh *m, const tt_stfile *f, int c, const json_t *k)
{
    tt_pars t;
    char name[2][20] = {"0", "1"};
    tt_pars_init(&t);
    for (int i = 0; i < 2; i++) {
        const tt_sten *s = find(f, "case%d.before.%s", c, name[i]);
        tt_pars_add(&t, name[i], s->ndim, s->shape, TT_INIT_ZERO, 0, false);
    }
    tt_pars_seal(&t);
    tt_pars_grads(&t);
    for (int i = 0; i < 2; i++) tt_st_to_f32(find(f, "case%d.before.%s", c, name[i]), t.p[i].g);
    tt_job j = plain_job(TT_OPT_SGD);
    j.optim.clip = number(k, "max_norm", 0);
    pair p = open_pair(m, &j, &t);
    double norm = tt_optim_norm(p.o), want = number(k, "total_norm", 0), worst = 0;
    update(p, -1, norm);
    for (int i = 0; i < 2; i++) worst = fmax(worst, difference(find(f, "case%d.after.%s", c, name[i]), t.p[i].w));
    ok(fabs(norm - want) < 1e-6 * want && worst < 1e-6, "clip %d: norm %.9g, gradients differ by %.2g", c, norm, worst);
    close_pair(p);
    tt_pars_fini(&t);
}

static void t_clip(const tt_mesh *m, const char *dir)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/hf/facts/clip.json", dir);
    json_t *root = json_load_file(path, 0, NULL), *k;
    strcpy(path + strlen(path) - 4, "safetensors");
    tt_stfile *f;
    size_t i;
    if (!ok(root && tt_st_open(path, &f) == TT_OK, "golden clips are there")) return;
    json_array_foreach(json_object_get(root, "cases"), i, k) clip_case(m, f, (int)i, k);
    tt_st_close(f);
    json_decref(root);
}

/* Three clipped steps with decay groups. */
static double train(const tt_mesh *m, const tt_job *j, tt_pars *t, pair *keep)
{
    sample_pars(t);
    pair p = *keep = open_pair(m, j, t);
    double norm = 0;
    for (uint64_t step = 0; step < 3; step++) {
        sample_step(p.z, t, step);
        norm = tt_optim_norm(p.o);
        update(p, 1e-2, norm);
    }
    return norm;
}

/* Over all ranks the parts of every moment cover it exactly once, and agree with those of one rank alone. */
static void t_arrays(const tt_mesh *m, tt_optim *o, tt_optim *alone, const char *what)
{
    tt_arena *a = tt_arena_new(0);
    tt_ckarray *c, *d;
    int n, nalone;
    int64_t bad = 0, held[100] = {0};
    tt_optim_arrays(o, a, false, &n, &c);
    tt_optim_arrays(alone, a, false, &nalone, &d);
    for (int i = 0; i < n && n == nalone; i++) {
        bad += strcmp(c[i].path, d[i].path) || c[i].ndim != d[i].ndim || c[i].n != d[i].n || d[i].lo != 0 ||
               d[i].hi != d[i].n;
        bad += !strncmp(c[i].path, "/optim", 6) && strstr(c[i].path, "frozen") != NULL;
        held[i] = c[i].hi - c[i].lo;
        if (held[i] && memcmp(c[i].x, d[i].x + c[i].lo, sizeof(float) * (size_t)held[i])) bad++;
    }
    tt_allsum_i64(m, held, 100);
    for (int i = 0; i < n; i++) bad += held[i] != c[i].n;
    tt_allsum_i64(m, &bad, 1);
    ok(bad == 0 && n == nalone && n > 0, "%s: %d moments, each element held once and the same as on one rank", what, n);
    tt_arena_free(a);
}

static void t_bits(const tt_mesh *m, int name, int rule, const char *what)
{
    tt_mesh self = {.world = MPI_COMM_SELF, .size = 1, .node_size = 1};
    tt_job j = plain_job(name);
    j.optim.adafactor.rule = rule;
    j.optim.adafactor.beta1 = rule == TT_RULE_T5X ? 0 : 0.9;
    j.optim.momentum = 0.9;
    j.optim.clip = 1;
    j.optim.weight_decay = 0.1;
    j.optim.decay = TT_DECAY_HF;
    tt_pars t, one, start;
    pair p, alone;
    double norm = train(m, &j, &t, &p), norm1 = train(&self, &j, &one, &alone);
    ok(norm == norm1 && norm > 100, "%s: the norm of one rank, %.17g", what, norm);
    ok(!memcmp(t.w, one.w, sizeof(float) * (size_t)t.size), "%s: the weights of one rank, bit for bit", what);
    t_arrays(m, p.o, alone.o, what);
    sample_pars(&start);
    tt_par *f = tt_pars_find(&t, "b0.frozen.weight"), *g = tt_pars_find(&t, "b1.wo.weight");
    ok(!memcmp(f->w, start.w + f->at, sizeof(float) * (size_t)f->n) &&
           memcmp(g->w, start.w + g->at, sizeof(float) * (size_t)g->n),
       "%s: the frozen parameter alone is as it was", what);
    close_pair(p);
    close_pair(alone);
    tt_pars_fini(&t);
    tt_pars_fini(&one);
    tt_pars_fini(&start);
}

/* Without gradient only decay moves a weight: 1 - lr wd. */
static void t_decay(const tt_mesh *m)
{
    tt_job j = plain_job(TT_OPT_ADAMW);
    j.optim.weight_decay = 0.5;
    for (int all = 0; all < 2; all++) {
        j.optim.decay = all ? TT_DECAY_ALL : TT_DECAY_HF;
        tt_pars t;
        sample_pars(&t);
        tt_par *bias = tt_pars_find(&t, "b1.bias"), *w = tt_pars_find(&t, "b1.wo.weight");
        float b0 = bias->w[3], w0 = w->w[3];
        pair p = open_pair(m, &j, &t);
        update(p, 0.1, 0);
        ok(fabsf(w->w[3] - 0.95f * w0) < 1e-6f && fabsf(bias->w[3] - (all ? 0.95f : 1) * b0) < 1e-6f, "decay %s",
           all ? "of every parameter" : "spares norms and biases");
        ok(tt_optim_t(p.o) == 1, "updates are counted");
        close_pair(p);
        tt_pars_fini(&t);
    }
}

static void t_not_finite(const tt_mesh *m)
{
    tt_pars t;
    sample_pars(&t);
    tt_job j = plain_job(TT_OPT_ADAMW);
    pair p = open_pair(m, &j, &t);
    tt_pars_find(&t, "b1.one")->g[0] = NAN;
    ok(isnan(tt_optim_norm(p.o)), "a NaN in one gradient reaches the norm on every rank");
    tt_pars_find(&t, "b1.one")->g[0] = INFINITY;
    ok(isinf(tt_optim_norm(p.o)), "so does an infinity");
    close_pair(p);
    tt_pars_fini(&t);
}

static void t_check(void)
{
    tt_job j = plain_job(TT_OPT_SGD);
    j.optim.nesterov = true;
    ok(tt_optim_check(&j) == TT_EJOB, "refused: %s", tt_fail_text());
    tt_fail_clear();
    j = plain_job(TT_OPT_ADAFACTOR);
    j.optim.adafactor.relative_step = true;
    ok(tt_optim_check(&j) == TT_EJOB, "refused: %s", tt_fail_text());
    tt_fail_clear();
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    t_bits(&m, TT_OPT_ADAMW, 0, "adamw");
    t_bits(&m, TT_OPT_SGD, 0, "sgd");
    t_bits(&m, TT_OPT_ADAFACTOR, TT_RULE_T5X, "adafactor t5x");
    t_bits(&m, TT_OPT_ADAFACTOR, TT_RULE_HF, "adafactor hf");
    t_decay(&m);
    t_not_finite(&m);
    t_check();
    if (shared_dir()) {
        t_golden(&m, shared_dir());
        t_clip(&m, shared_dir());
    } else {
        skip(1, "no shared folder: golden optimizers not compared");
    }
    tt_mesh_fini(&m);
    return tap_done();
}
