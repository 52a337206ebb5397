// TEST np=1
/* Both tables against numbers of torch and transformers (golden/hf/facts), and a few of our own that need no file. */
#include "tutti/kern.h"
#include "tutti/store.h"
#include "../tap.h"

#include <jansson.h>

static const tt_kern *tables[] = {&tt_kern_ref, &tt_kern_fast};

static tt_stfile *open_facts(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/hf/facts/%s", shared_dir(), name);
    tt_stfile *f;
    if (tt_st_open(path, &f) == TT_OK) return f;
    printf("Bail out! %s\n", tt_fail_text());
    exit(1);
}

static json_t *open_json(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/hf/facts/%s", shared_dir(), name);
    json_t *j = json_load_file(path, 0, NULL);
    if (j) return j;
    printf("Bail out! %s cannot be read\n", path);
    exit(1);
}

/* The tensor as floats (free() it); name may be printf-like. */
__attribute__((format(printf, 3, 4))) static float *floats(const tt_stfile *f, int64_t *n, const char *fmt, ...)
{
    char name[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    const tt_sten *t = tt_st_find(f, name);
    if (!t) {
        printf("Bail out! no tensor %s\n", name);
        exit(1);
    }
    float *x = tt_malloc(sizeof *x * (size_t)(t->n ? t->n : 1));
    tt_st_to_f32(t, x);
    if (n) *n = t->n;
    return x;
}

/* |a - b| <= tol * max(1, |b|) */
static void close_to(const float *a, const float *b, int64_t n, double tol, const char *table, const char *what)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]) / fmax(1, fabs((double)b[i]));
        if (!(d <= worst)) worst = d;
    }
    ok(worst <= tol, "%s: %s: off by %.2g, allowed %.2g", table, what, worst, tol);
}

static void activations(const tt_kern *k)
{
    tt_stfile *f = open_facts("activations.safetensors");
    const char *names[] = {"relu", "gelu", "gelu_new", "gelu_pytorch_tanh", "silu", "quick_gelu", "tanh"};
    int64_t n;
    float *x = floats(f, &n, "x"), *ones = tt_malloc(sizeof *ones * (size_t)n);
    for (int64_t i = 0; i < n; i++) ones[i] = 1;
    for (size_t a = 0; a < sizeof names / sizeof *names; a++) {
        tt_act act;
        ok(tt_act_parse(names[a], &act), "%s is known", names[a]);
        float *want = floats(f, NULL, "%s", names[a]), *slope = floats(f, NULL, "%s.grad", names[a]);
        float *y = calloc((size_t)n, sizeof *y), *dx = calloc((size_t)n, sizeof *dx);
        k->act_fwd(act, n, x, y);
        k->act_bwd(act, n, x, ones, dx);
        close_to(y, want, n, 1e-6, k->name, names[a]);
        close_to(dx, slope, n, 1e-6, k->name, "its slope");
        free(want), free(slope), free(y), free(dx);
    }
    free(x), free(ones);
    tt_st_close(f);
}

static void one_norm(const tt_kern *k, const tt_stfile *f, const char *name, double eps)
{
    bool ln = !strcmp(name, "layernorm");
    float wplus = !strcmp(name, "gemma_rmsnorm") ? 1 : 0;
    int64_t D, n;
    float *x = floats(f, &n, "%s.x", name), *w = floats(f, &D, "%s.weight", name), *gy = floats(f, NULL, "%s.gy", name);
    float *y = floats(f, NULL, "%s.y", name), *gx = floats(f, NULL, "%s.gx", name);
    float *gw = floats(f, NULL, "%s.gweight", name), *b = ln ? floats(f, NULL, "%s.bias", name) : NULL;
    float *gb = ln ? floats(f, NULL, "%s.gbias", name) : NULL, out[1024], dx[1024] = {0}, dw[64] = {0}, db[64] = {0};
    float mean[64], rstd[64];
    if (ln) {
        k->ln_fwd(n / D, D, x, w, b, (float)eps, out, mean, rstd);
        k->ln_bwd(n / D, D, x, w, mean, rstd, gy, dx, dw, db);
        close_to(db, gb, D, 2e-6, k->name, "layernorm gradient of b");
    } else {
        k->rms_fwd(n / D, D, x, w, wplus, (float)eps, out, rstd);
        k->rms_bwd(n / D, D, x, w, wplus, rstd, gy, dx, dw);
    }
    close_to(out, y, n, 2e-6, k->name, name);
    close_to(dx, gx, n, 2e-6, k->name, "its gradient of x");
    close_to(dw, gw, D, 2e-6, k->name, "its gradient of w");
    free(x), free(w), free(gy), free(y), free(gx), free(gw), free(b), free(gb);
}

static void norms(const tt_kern *k)
{
    tt_stfile *f = open_facts("norms.safetensors");
    json_t *index = open_json("index.json");
    const char *name;
    json_t *eps;
    json_object_foreach(json_object_get(index, "norms_eps"), name, eps) one_norm(k, f, name, json_number_value(eps));
    json_decref(index);
    tt_st_close(f);
}

static void buckets(void)
{
    json_t *j = open_json("t5_relative_buckets.json"), *table;
    int first = (int)json_integer_value(json_object_get(j, "relative_position_first")), bad = 0, seen = 0;
    size_t t, i;
    json_array_foreach(json_object_get(j, "tables"), t, table)
    {
        bool both = json_is_true(json_object_get(table, "bidirectional"));
        int n = (int)json_integer_value(json_object_get(table, "num_buckets"));
        int far = (int)json_integer_value(json_object_get(table, "max_distance"));
        json_t *want, *list = json_object_get(table, "bucket");
        json_array_foreach(list, i, want)
        {
            bad += tt_rel_bucket(first + (int)i, both, n, far) != json_integer_value(want);
            seen++;
        }
    }
    ok(seen > 0 && bad == 0, "%d of %d relative buckets differ", bad, seen);
    json_decref(j);
}

/* The head on logits given as they are: h = identity rows would be V wide, so W = logits^T and h = unit vectors. */
static void loss(const tt_kern *k, double smooth, const char *loss_name, const char *grad_name)
{
    tt_stfile *f = open_facts("loss.safetensors");
    int64_t n, R = 21, V = 29;
    float *logits = floats(f, &n, "logits"), *want = floats(f, NULL, "%s", loss_name);
    float *grad = floats(f, NULL, "%s", grad_name), *tokens = floats(f, NULL, "ce_token");
    int64_t labels[21];
    tt_st_to_i64(tt_st_find(f, "labels"), labels);
    int32_t y[21];
    float weight[21], token[21], nll[21], *h = calloc((size_t)(R * R), sizeof *h),
                                          *W = calloc((size_t)(V * R), sizeof *W);
    int N = 0;
    for (int r = 0; r < R; r++) {
        y[r] = (int32_t)labels[r];
        N += y[r] >= 0;
        h[r * R + r] = 1;
        for (int v = 0; v < V; v++) W[v * R + r] = logits[r * V + v];
    }
    for (int r = 0; r < R; r++) weight[r] = 1 / (float)N;
    float *dW = calloc((size_t)(V * R), sizeof *dW), *back = calloc((size_t)n, sizeof *back);
    float *work = tt_malloc(sizeof *work * tt_head_work(4, V, R));
    tt_head t = {.R = R,
                 .D = R,
                 .V = V,
                 .h = h,
                 .W = W,
                 .scale = 1,
                 .y = y,
                 .weight = weight,
                 .smooth = (float)smooth,
                 .chunk = 4,
                 .work = work,
                 .token = token,
                 .nll = nll,
                 .dW = dW};
    float got = (float)k->head(&t);
    for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) back[r * V + v] = dW[v * R + r];
    close_to(&got, want, 1, 1e-6, k->name, loss_name);
    close_to(back, grad, n, 1e-6, k->name, grad_name);
    close_to(nll, tokens, R, 1e-6, k->name, "ce_token");
    free(logits), free(want), free(grad), free(tokens), free(h), free(W), free(dW), free(back), free(work);
    tt_st_close(f);
}

/* ---- optimizers: kernels called as torch, transformers and T5X would ------------------------------------------------*/

typedef struct state {
    float w[64], m[64], v[64], row[64], col[64], full[64], mom[64], work[64];
} state;

static double number(const json_t *s, const char *key, double def)
{
    json_t *j = json_object_get(s, key);
    return json_is_number(j) ? json_number_value(j) : def;
}

static double pair_at(const json_t *s, const char *key, size_t i)
{
    return json_number_value(json_array_get(json_object_get(s, key), i));
}

static void adam_step(const tt_kern *k, const char *name, const json_t *s, int t, int64_t n, const float *g, state *x)
{
    tt_adam o = {.lr = number(s, "lr", 0), .beta1 = pair_at(s, "betas", 0), .beta2 = pair_at(s, "betas", 1)};
    o.eps = number(s, "eps", 0);
    o.wd = number(s, "weight_decay", 0);
    o.gscale = 1;
    o.t = t;
    o.l2 = !strcmp(name, "adam_l2");
    k->adam(&o, n, x->w, g, x->m, x->v);
}

static double factor_rate(const json_t *s, bool t5x, int t)
{
    if (t5x) return number(s, "learning_rate", 0);
    if (!json_is_true(json_object_get(s, "relative_step"))) return number(s, "lr", 0);
    return fmin(json_is_true(json_object_get(s, "warmup_init")) ? 1e-6 * t : 1e-2, 1 / sqrt(t));
}

static void factor_step(const tt_kern *k, const char *name, const json_t *s, int t, const tt_sten *shape,
                        const float *g, state *x)
{
    bool t5x = !strncmp(name, "t5x", 3);
    int nd = shape->ndim;
    int64_t rows = nd > 1 ? shape->shape[nd - 2] : 1, cols = shape->shape[nd - 1], batch = shape->n / (rows * cols);
    double age = t - number(s, "step_offset", 0);
    tt_adafactor o = {.lr = factor_rate(s, t5x, t), .beta2t = 1 - pow(age, -fabs(number(s, "decay_rate", 0)))};
    o.eps1 = t5x ? number(s, "epsilon1", 0) : pair_at(s, "eps", 0);
    o.eps2 = t5x ? number(s, "epsilon2", 0) : pair_at(s, "eps", 1);
    o.clip = number(s, t5x ? "clipping_threshold" : "clip_threshold", 1);
    o.beta1 = number(s, "beta1", 0);
    o.wd = number(s, t5x ? "weight_decay_rate" : "weight_decay", 0);
    o.wd_by_lr = !t5x;
    o.param_scale = json_is_true(json_object_get(s, t5x ? "multiply_by_parameter_scale" : "scale_parameter"));
    o.factored = nd > 1 && (!t5x || fmin((double)rows, (double)cols) >= number(s, "min_dim_size_to_factor", 0));
    o.gscale = 1;
    k->adafactor(&o, batch, rows, cols, x->w, g, x->row, x->col, x->full, x->mom, x->work);
}

static double run_tensor(const tt_kern *k, const tt_stfile *f, const char *name, const json_t *s, const char *tensor,
                         int *compared)
{
    char key[256];
    snprintf(key, sizeof key, "init.%s", tensor);
    const tt_sten *init = tt_st_find(f, key);
    state x = {0};
    double worst = 0;
    tt_st_to_f32(init, x.w);
    for (int t = 1; t <= 12; t++) {
        float *g = floats(f, NULL, "grad.%d.%s", t - 1, tensor), want[64];
        if (!strncmp(name, "adam", 4))
            adam_step(k, name, s, t, init->n, g, &x);
        else
            factor_step(k, name, s, t, init, g, &x);
        free(g);
        snprintf(key, sizeof key, "%s.step%d.%s", name, t, tensor);
        const tt_sten *st = tt_st_find(f, key);
        if (!st) continue;
        tt_st_to_f32(st, want);
        for (int64_t i = 0; i < init->n; i++)
            worst = fmax(worst, fabs((double)x.w[i] - want[i]) / fmax(1, fabs((double)want[i])));
        ++*compared;
    }
    return worst;
}

static void optimizers(const tt_kern *k)
{
    tt_stfile *f = open_facts("optimizers.safetensors");
    json_t *j = open_json("optimizers.json"), *s, *shape;
    const char *name, *tensor;
    json_object_foreach(json_object_get(j, "optimizers"), name, s)
    {
        if (!strncmp(name, "sgd", 3)) continue;
        double worst = 0;
        int compared = 0;
        json_object_foreach(json_object_get(j, "shapes"), tensor, shape)
        {
            bool published = strncmp(name, "t5x", 3) || json_array_size(shape) <= 2;
            if (published) worst = fmax(worst, run_tensor(k, f, name, s, tensor, &compared));
        }
        ok(compared > 0 && worst <= 2e-6, "%s: %s: off by %.2g in %d tensors", k->name, name, worst, compared);
    }
    json_decref(j);
    tt_st_close(f);
}

static void clipping(const tt_kern *k)
{
    tt_stfile *f = open_facts("clip.safetensors");
    json_t *j = open_json("clip.json"), *c;
    size_t i;
    json_array_foreach(json_object_get(j, "cases"), i, c)
    {
        int64_t n0, n1;
        float *a = floats(f, &n0, "case%zu.before.0", i), *b = floats(f, &n1, "case%zu.before.1", i);
        float *wa = floats(f, NULL, "case%zu.after.0", i), *wb = floats(f, NULL, "case%zu.after.1", i);
        double norm = sqrt(k->sumsq(n0, a) + k->sumsq(n1, b)), most = json_number_value(json_object_get(c, "max_norm"));
        float by = (float)fmin(1, most / (norm + 1e-6));
        k->scale(n0, by, a);
        k->scale(n1, by, b);
        ok(fabs(norm - number(c, "total_norm", 0)) <= 1e-6 * norm, "%s: norm %.9g", k->name, norm);
        close_to(a, wa, n0, 1e-6, k->name, "clipped");
        close_to(b, wb, n1, 1e-6, k->name, "clipped");
        free(a), free(b), free(wa), free(wb);
    }
    json_decref(j);
    tt_st_close(f);
}

/* ---- number formats ---------------------------------------------------------------------------------------------*/

static float from_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, 4);
    return x;
}

static int wrong_bits(uint32_t in, uint16_t bf, uint16_t half)
{
    float x = from_bits(in);
    uint16_t b, h;
    tt_bf16_from_f32(1, &x, &b);
    tt_f16_from_f32(1, &x, &h);
    if (isnan(x)) return !((b & 0x7fff) > 0x7f80 && (h & 0x7fff) > 0x7c00);
    return b != bf || h != half;
}

static uint32_t hex_at(const json_t *list, size_t i)
{
    return (uint32_t)strtoul(json_string_value(json_array_get(list, i)), NULL, 16);
}

static void rounding(void)
{
    json_t *j = open_json("rounding.json"), *in = json_object_get(j, "f32_bits");
    json_t *bf = json_object_get(j, "bf16_bits"), *half = json_object_get(j, "f16_bits");
    int bad = 0;
    size_t n = json_array_size(in);
    for (size_t i = 0; i < n; i++) bad += wrong_bits(hex_at(in, i), (uint16_t)hex_at(bf, i), (uint16_t)hex_at(half, i));
    ok(n > 0 && json_array_size(bf) == n && bad == 0, "%d of %zu roundings differ", bad, n);
    json_decref(j);
}

/* Every half and every bfloat16 comes back from float as it was. */
static void formats(void)
{
    int bad = 0;
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t u = (uint16_t)i, back;
        float x;
        tt_f32_from_f16(1, &u, &x);
        tt_f16_from_f32(1, &x, &back);
        bad += isnan(x) ? (u & 0x7fff) <= 0x7c00 : back != u;
        tt_f32_from_bf16(1, &u, &x);
        tt_bf16_from_f32(1, &x, &back);
        bad += isnan(x) ? (u & 0x7fff) <= 0x7f80 : back != u;
    }
    ok(bad == 0, "every half and bfloat16 survives float");
    ok(!wrong_bits(0x3f808000, 0x3f80, 0x3c04) && !wrong_bits(0x3f818000, 0x3f82, 0x3c0c),
       "ties of bfloat16 go to even");
    ok(!wrong_bits(0x3f801000, 0x3f80, 0x3c00) && !wrong_bits(0x3f803000, 0x3f80, 0x3c02), "ties of half go to even");
    ok(!wrong_bits(0x477fefff, 0x4780, 0x7bff) && !wrong_bits(0x477ff000, 0x4780, 0x7c00), "65520 overflows a half");
    ok(!wrong_bits(0x33000000, 0x3300, 0) && !wrong_bits(0x33000001, 0x3300, 1), "half of the least half goes to 0");
    ok(!wrong_bits(0x7fffffff, 0, 0) && !wrong_bits(0x7f800001, 0, 0), "NaN stays NaN");
}

static void own_numbers(void)
{
    ok(tt_rel_bucket(0, true, 32, 128) == 0 && tt_rel_bucket(7, true, 32, 128) == 23 &&
           tt_rel_bucket(-8, true, 32, 128) == 8 && tt_rel_bucket(1000, true, 32, 128) == 31 &&
           tt_rel_bucket(5, false, 32, 128) == 0 && tt_rel_bucket(-500, false, 32, 128) == 31,
       "relative buckets by hand");
    tt_act act;
    ok(!tt_act_parse("mish", &act), "an unknown activation is refused");
    formats();
}

int main(int argc, char **argv)
{
    tt_blas_choose(argv);
    own_numbers();
    if (!shared_dir()) {
        skip(1, "no golden files in ../shared");
        return tap_done();
    }
    buckets();
    rounding();
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        activations(tables[t]);
        norms(tables[t]);
        loss(tables[t], 0, "ce_mean.loss", "ce_mean.grad");
        loss(tables[t], 0.1, "label_smooth.loss", "label_smooth.grad");
        optimizers(tables[t]);
        clipping(tables[t]);
    }
    return tap_done();
}
