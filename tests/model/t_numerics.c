// TEST np=1
/* Tiny T5s against other implementations: transformers by way of axlearn's test data, and T5X. */
#include "golden.h"

static const struct {
    const char *name;
    bool mask; /* logits are compared where padding_mask is 1, else where a label counts */
} models[] = {{"t5-v1", false}, {"t5-v1-1", false}, {"t5x-unpacked", true}};

static padded batch_of(tt_arena *a, const tt_stfile *f)
{
    padded p = {0};
    p.src = ints(a, f, "source_ids", &p.B, &p.S);
    p.label = ints(a, f, "target_labels", &p.B, &p.T);
    p.dec_in = ints(a, f, "target_ids", &p.B, &p.T);
    p.s = TT_ZNEW(a, int, p.B);
    p.t = TT_ZNEW(a, int, p.B);
    for (int b = 0; b < p.B; b++) {
        p.s[b] = filled(p.src + b * p.S, p.S, 0);
        p.t[b] = p.T;
    }
    return p;
}

static void check_logits(const char *name, const tt_stfile *f, tt_arena *a, const padded *p, const tt_t *z, bool mask)
{
    const float *want = floats(a, f, "ref_logits");
    int rows, cols;
    const int32_t *where = mask ? ints(a, f, "padding_mask", &rows, &cols) : p->label;
    double bad = 0;
    int64_t n = 0;
    for (int64_t r = 0; r < z->rows; r++) {
        if (where[r] <= 0) continue;
        n++;
        for (int64_t v = 0; v < z->cols; v++)
            bad = fmax(bad, fabs((double)z->x[r * z->cols + v] - want[r * z->cols + v]));
    }
    ok(n > 0 && bad <= 2e-5, "%s: logits of %d tokens, largest difference %.2g", name, (int)n, bad);
}

/* ref_loss is the mean over labels above 0. */
static void check_loss(const char *name, const tt_stfile *f, tt_arena *a, tt_tape *t, const tt_model *m, tt_grain *g)
{
    const float *want = floats(a, f, "ref_loss");
    if (!want) return;
    int64_t n = 0;
    float *w = TT_ZNEW(a, float, g->Rt);
    for (int64_t r = 0; r < g->Rt; r++) n += g->label[r] > 0;
    for (int64_t r = 0; r < g->Rt; r++) w[r] = g->label[r] > 0 ? 1.f / (float)n : 0.f;
    tt_loss l;
    tt_t5_loss(t, m, g, w, 0, 0, &l);
    ok(fabs(l.loss - (double)want[0]) <= 5e-6, "%s: loss %.7f, reference %.7f", name, l.loss, (double)want[0]);
}

static void check_model(const char *shared, const char *name, bool mask)
{
    char dir[PATH_MAX], path[PATH_MAX + 64];
    snprintf(dir, sizeof dir, "%s/models/ref-t5-numerics/%s", shared, name);
    snprintf(path, sizeof path, "%s/io.safetensors", dir);
    tt_model *m;
    tt_stfile *f;
    if (!ok(tt_model_open(dir, &m) == TT_OK && tt_st_open(path, &f) == TT_OK, "%s opens %s", name, tt_fail_text()))
        return;
    tt_arena *a = tt_arena_new(1 << 22);
    padded p = batch_of(a, f);
    tt_grain g = grain_of(a, &p, 0, p.B, 0);
    tt_tape t;
    tt_tape_begin(&t, a, &tt_kern_fast, false, 0, 0);
    tt_t *z = tt_t5_logits(&t, m, tt_t5_decode(&t, m, &g, tt_t5_encode(&t, m, &g)));
    check_logits(name, f, a, &p, z, mask);
    check_loss(name, f, a, &t, m, &g);
    tt_st_close(f);
    tt_model_free(m);
    tt_arena_free(a);
}

/* Its config.json does not say that there is no decoder; a Hugging Face one does. */
static tt_err open_encoder(const char *dir, tt_model **out)
{
    char path[PATH_MAX + 64], *json, *text;
    size_t size;
    snprintf(path, sizeof path, "%s/config.json", dir);
    TT_TRY(tt_slurp(path, &json, &size));
    int n = asprintf(&text, "{\"architectures\": [\"T5EncoderModel\"], %s", strchr(json, '{') + 1);
    tt_err e = tt_model_parse(text, (size_t)n, path, out);
    if (e == TT_OK) e = tt_model_load(*out, dir);
    free(json);
    free(text);
    return e;
}

static void check_encoder(const char *shared)
{
    char dir[PATH_MAX], path[PATH_MAX + 64];
    snprintf(dir, sizeof dir, "%s/models/ref-t5-numerics/t5-v1-1-encoder", shared);
    snprintf(path, sizeof path, "%s/io.safetensors", dir);
    tt_model *m;
    tt_stfile *f;
    if (!ok(open_encoder(dir, &m) == TT_OK && tt_st_open(path, &f) == TT_OK, "encoder opens %s", tt_fail_text()))
        return;
    tt_arena *a = tt_arena_new(1 << 20);
    padded p = {0};
    p.src = ints(a, f, "input_ids", &p.B, &p.S);
    int len[] = {filled(p.src, p.S, 0), filled(p.src + p.S, p.S, 0)}, none[2] = {0};
    p.s = len;
    p.t = none;
    tt_grain g = grain_of(a, &p, 0, p.B, 0);
    tt_tape t;
    tt_tape_begin(&t, a, &tt_kern_fast, false, 0, 0);
    tt_t *h = tt_t5_encode(&t, m, &g);
    double bad = worst_rows(h->x, g.s_off, floats(a, f, "ref_last_hidden_state"), p.B, p.S, (int)h->cols);
    ok(bad <= 2e-5, "encoder: last hidden state, largest difference %.2g", bad);
    tt_st_close(f);
    tt_model_free(m);
    tt_arena_free(a);
}

int main(void)
{
    const char *shared = shared_dir();
    if (!shared) {
        skip(1, "reference models: ../shared is not here");
        return tap_done();
    }
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) check_model(shared, models[i].name, models[i].mask);
    check_encoder(shared);
    return tap_done();
}
