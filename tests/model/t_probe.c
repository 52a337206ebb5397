// TEST np=1
/* tutti probe by the command line: the golden batches, padding, a drawn model against the library, wrong batches. */
#include "golden.h"

#include <sys/wait.h>
#include <unistd.h>

static char tmp[] = "/tmp/tutti-probe-XXXXXX";

static const char config_text[] =
    "{\"model_type\": \"t5\", \"vocab_size\": 19, \"d_model\": 8, \"d_kv\": 3, \"d_ff\": 12, \"num_layers\": 1, "
    "\"num_heads\": 2, \"feed_forward_proj\": \"gated-gelu\"}";

/* Runs tutti with the arguments; its exit code, and what it said on stderr in said. */
TT_PRINTF(3, 4) static int tutti(char *said, size_t size, const char *fmt, ...)
{
    char args[2048], command[4096];
    const char *build = getenv("TUTTI_BUILD");
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(args, sizeof args, fmt, ap);
    va_end(ap);
    snprintf(command, sizeof command, "%s/tutti %s 2>&1 >/dev/null", build ? build : "build", args);
    FILE *p = popen(command, "r");
    size_t n = p ? fread(said, 1, size - 1, p) : 0;
    said[n] = 0;
    int status = p ? pclose(p) : -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- golden ---------------------------------------------------------------------------------------------------*/
/* The largest |got - want| over max(1, largest of want) (relative) or alone; rows of encoder tensors only where the mask is 1. */
static double distance(tt_arena *a, const tt_stfile *got, const char *name, const tt_stfile *want, const char *as,
                       const int32_t *mask, bool relative)
{
    const tt_sten *t = tt_st_find(want, as);
    const float *x = floats(a, got, name), *y = floats(a, want, as);
    if (!x || !y) return INFINITY;
    double worst = 0, size = 1;
    int64_t cols = t->shape[t->ndim - 1];
    for (int64_t i = 0; i < t->n && relative; i++) size = fmax(size, fabs((double)y[i]));
    for (int64_t i = 0; i < t->n; i++) {
        double d = mask && !mask[i / cols] ? fabs((double)x[i]) * 1e9 : fabs((double)x[i] - y[i]) / size;
        if (!(d <= worst)) worst = d;
    }
    return worst;
}

static void check_tensors(tt_arena *a, const tt_stfile *got, const tt_stfile *want, const tt_stfile *grads,
                          const int32_t *mask)
{
    ok(distance(a, got, "logits", want, "logits", NULL, false) <= 2e-5, "logits");
    ok(distance(a, got, "token_loss", want, "token_loss", NULL, false) <= 5e-6, "token_loss");
    ok(distance(a, got, "loss", want, "loss", NULL, false) <= 5e-6, "loss");
    double bad = 0;
    int n = 0;
    for (int i = 0; i < tt_st_count(want); i++) {
        const char *name = tt_st_at(want, i)->name;
        if (!strstr(name, "hidden_state")) continue;
        bad = fmax(bad, distance(a, got, name, want, name, !strncmp(name, "enc", 3) ? mask : NULL, true));
        n++;
    }
    ok(bad <= 2e-5, "%d hidden states within %.2g, zero behind the examples", n, bad);
    bad = 0;
    for (int i = 0; i < tt_st_count(grads); i++) {
        char name[256];
        snprintf(name, sizeof name, "grad.%s", tt_st_at(grads, i)->name);
        bad = fmax(bad, distance(a, got, name, grads, tt_st_at(grads, i)->name, NULL, true));
    }
    ok(bad <= 1e-5, "%d gradients within %.2g", tt_st_count(grads), bad);
}

static tt_stfile *file(const char *dir, const char *name)
{
    char path[2048];
    tt_stfile *f = NULL;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ok(tt_st_open(path, &f) == TT_OK, "%s opens %s", name, tt_fail_text());
    return f;
}

static void check_golden(const char *shared, const char *model)
{
    char dir[1024], said[4096];
    snprintf(dir, sizeof dir, "%s/golden/hf/%s", shared, model);
    int rc = tutti(said, sizeof said, "probe model=%s batch=%s/batch.safetensors out=%s/o.safetensors grads=1", dir,
                   dir, tmp);
    if (!ok(rc == 0, "%s: exit code %d %s", model, rc, said)) return;
    tt_stfile *got = file(tmp, "o.safetensors"), *want = file(dir, "expected.safetensors");
    tt_stfile *grads = file(dir, "grads.safetensors"), *batch = file(dir, "batch.safetensors");
    if (got && want && grads && batch) {
        tt_arena *a = tt_arena_new(1 << 22);
        int rows, cols;
        check_tensors(a, got, want, grads, ints(a, batch, "attention_mask", &rows, &cols));
        tt_arena_free(a);
    }
    tt_st_close(got);
    tt_st_close(want);
    tt_st_close(grads);
    tt_st_close(batch);
}

/* ---- a model of our own --------------------------------------------------------------------------------------*/
enum { B = 2, S = 5, T = 4 };
static const int64_t shape_s[] = {B, S}, shape_t[] = {B, T};

static const struct batch {
    int64_t src[B * S], mask[B * S], label[B * T];
} good = {.src = {3, 4, 5, 6, 1, 7, 1, -5, 99, 0},
          .mask = {1, 1, 1, 1, 1, 1, 1, 0, 0, 0},
          .label = {5, 6, 7, 1, 9, 1, -100, -100}};

static void write_batch(const struct batch *b, bool with_labels)
{
    char path[1024];
    const tt_stout t[] = {
        {.name = "input_ids", .dtype = TT_I64, .ndim = 2, .shape = {shape_s[0], shape_s[1]}, .data = b->src},
        {.name = "attention_mask", .dtype = TT_I64, .ndim = 2, .shape = {shape_s[0], shape_s[1]}, .data = b->mask},
        {.name = "labels", .dtype = TT_I64, .ndim = 2, .shape = {shape_t[0], shape_t[1]}, .data = b->label}};
    snprintf(path, sizeof path, "%s/b.safetensors", tmp);
    if (tt_st_write(path, with_labels ? 3 : 2, t, false) != TT_OK) ok(0, "%s", tt_fail_text());
}

static int probe(char *said, size_t size, const char *more)
{
    return tutti(said, size, "probe model=%s/m batch=%s/b.safetensors out=%s/o.safetensors %s", tmp, tmp, tmp, more);
}

static void check_own(const tt_model *m)
{
    char said[4096];
    write_batch(&good, true);
    int rc = probe(said, sizeof said, "grads=1 hidden=0");
    if (!ok(rc == 0, "exit code %d %s", rc, said)) return;
    tt_stfile *f = file(tmp, "o.safetensors");
    if (!f) return;
    tt_arena *a = tt_arena_new(1 << 20);
    const int32_t src[] = {3, 4, 5, 6, 1, 7, 1}, tgt[] = {5, 6, 7, 1, 9, 1};
    tt_ex ex[] = {{.S = 5, .T = 4, .src = src, .tgt = tgt}, {.S = 2, .T = 2, .src = src + 5, .tgt = tgt + 4}};
    const float weight[] = {1.f / 6, 1.f / 6, 1.f / 6, 1.f / 6, 1.f / 6, 1.f / 6};
    tt_grain g;
    tt_tape t;
    tt_loss l;
    tt_grain_make(a, 2, ex, 0, &g);
    tt_tape_begin(&t, a, &tt_kern_ref, false, 0, 0);
    tt_t5_loss(&t, m, &g, weight, 0, 0, &l);
    const float *token = floats(a, f, "token_loss"), *loss = floats(a, f, "loss");
    ok(fabs(l.loss - (double)*loss) < 1e-5, "loss %.6f, by the library %.6f", (double)*loss, l.loss);
    near(token, l.nll, 6, 1e-5, "token losses");
    ok(token[6] == 0 && token[7] == 0, "ignored labels have no loss");
    ok(tt_st_count(f) == 4 + tt_model_pars((tt_model *)m)->n && !tt_st_find(f, "encoder_hidden_states.0"),
       "hidden=0 leaves the hidden states out");
    tt_st_close(f);
    tt_arena_free(a);
}

static void check_refused(const struct batch *b, bool labels, const char *more, int code, const char *words)
{
    char said[4096];
    write_batch(b, labels);
    int rc = probe(said, sizeof said, more);
    said[strcspn(said, "\n")] = 0;
    ok(rc == code && strstr(said, words), "exit code %d: %s", rc, said);
}

static void check_bad_batches(void)
{
    struct batch b = good;
    b.mask[1] = 0;
    check_refused(&b, true, "", TT_EDATA, "attention_mask, row 0: only ones followed by zeros");
    b = good;
    b.mask[S] = b.mask[S + 1] = 0;
    check_refused(&b, true, "", TT_EDATA, "attention_mask, row 1: no token at all");
    b = good;
    b.src[2] = 19;
    check_refused(&b, true, "", TT_EDATA, "input_ids holds 19; the model's vocabulary is 0 to 18");
    b = good;
    b.label[1] = -1;
    check_refused(&b, true, "", TT_EDATA, "labels holds -1");
    check_refused(&good, false, "", TT_EDATA, "neither labels nor decoder_input_ids");
    check_refused(&good, true, "gards=1", TT_EJOB, "gards");
    check_refused(&good, true, "model=/nonexistent", TT_EFILE, "/nonexistent");
    check_refused(&good, true, "batch=/nonexistent", TT_EFILE, "/nonexistent");
    check_refused(&good, true, "out=/nonexistent/o.safetensors", TT_ERUN, "/nonexistent/o.safetensors");
}

int main(void)
{
    char path[1024], command[64];
    tt_model *m;
    if (!ok(mkdtemp(tmp) != NULL, "a folder for the test")) return tap_done();
    if (!ok(tt_model_parse(config_text, strlen(config_text), "config", &m) == TT_OK, "model")) return tap_done();
    tt_pars_draw(tt_model_pars(m), 6);
    snprintf(path, sizeof path, "%s/m", tmp);
    ok(tt_model_export(m, path, TT_F32, NULL, 0) == TT_OK, "exported %s", tt_fail_text());
    check_own(m);
    check_bad_batches();
    tt_model_free(m);
    const char *shared = shared_dir();
    if (shared) {
        check_golden(shared, "t5_v10");
        check_golden(shared, "t5_v11");
    } else {
        skip(1, "golden files: ../shared is not here");
    }
    snprintf(command, sizeof command, "rm -rf %s", tmp);
    ok(system(command) == 0, "removed");
    return tap_done();
}
