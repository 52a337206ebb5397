// TEST np=1
/* Generation against Hugging Face's: greedy search, beams, processors, distributions to sample from; and that an answer does not depend on what
 * is decoded beside it. */
#include "golden.h"
#include "../../src/model/logits.h"

#include <jansson.h>
#include <stdlib.h>

/* ---- gathering what tt_generate gives ------------------------------------------------------------------------------------*/

enum { SOURCES = 24, RETURNS = 8, NEW = 24 };

typedef struct got {
    int n[SOURCES], len[SOURCES][RETURNS];
    int32_t ids[SOURCES][RETURNS][NEW];
    float logp[SOURCES][RETURNS][NEW];
    double score[SOURCES][RETURNS];
} got;

typedef struct feed {
    int n, at;
    const int *order; /* sources in this order; NULL: as they are */
    const int32_t *src[SOURCES];
    int S[SOURCES];
    got *out;
} feed;

static tt_err next(void *ctx, tt_source *out, bool *more)
{
    feed *f = ctx;
    *more = f->at < f->n;
    if (!*more) return TT_OK;
    int i = f->order ? f->order[f->at] : f->at;
    *out = (tt_source){.ids = f->src[i], .S = f->S[i], .key = (uint64_t)i};
    f->at++;
    return TT_OK;
}

static tt_err done(void *ctx, int64_t number, int n, const tt_reply *a)
{
    feed *f = ctx;
    int i = f->order ? f->order[number] : (int)number;
    f->out->n[i] = n;
    for (int k = 0; k < n && k < RETURNS; k++) {
        f->out->len[i][k] = a[k].n;
        f->out->score[i][k] = a[k].score;
        memcpy(f->out->ids[i][k], a[k].ids, sizeof(int32_t) * (size_t)a[k].n);
        if (a[k].logp) memcpy(f->out->logp[i][k], a[k].logp, sizeof(float) * (size_t)a[k].n);
    }
    return TT_OK;
}

static tt_err generate(const tt_model *m, const tt_kern *k, const tt_gencfg *o, feed *f, got *out)
{
    memset(out, 0, sizeof *out);
    f->out = out;
    f->at = 0;
    return tt_generate(m, k, o, &(tt_feed){f, next, done});
}

/* ---- golden runs ------------------------------------------------------------------------------------------------------------*/

static double number(const json_t *o, const char *key, double absent)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : absent;
}

static tt_gencfg config(const json_t *args, int max_new)
{
    tt_gencfg o = TT_GENCFG_DEFAULT;
    const json_t *early = json_object_get(args, "early_stopping");
    o.max_new = max_new;
    o.min_new = (int)number(args, "min_new_tokens", 0);
    o.beams = (int)number(args, "num_beams", 1);
    o.nreturn = (int)number(args, "num_return_sequences", 1);
    o.length_penalty = number(args, "length_penalty", 1);
    o.early = json_is_true(early) ? TT_EARLY_YES : json_is_string(early) ? TT_EARLY_NEVER : TT_EARLY_NO;
    o.repetition_penalty = number(args, "repetition_penalty", 1);
    o.no_repeat_ngram = (int)number(args, "no_repeat_ngram_size", 0);
    return o;
}

static bool same_ids(const json_t *want, const int32_t *ids, int n)
{
    bool same = (int)json_array_size(want) == n;
    for (int i = 0; i < n && same; i++) same = json_integer_value(json_array_get(want, (size_t)i)) == ids[i];
    return same;
}

static void check_run(const char *name, const json_t *run, const tt_gencfg *o, int sources, const got *x)
{
    const json_t *ids = json_object_get(run, "new_tokens"), *lp = json_object_get(run, "token_logprobs");
    const json_t *scores = json_object_get(run, "sequences_scores");
    int wrong = 0, count = 0;
    double worst = 0;
    for (int b = 0; b < sources; b++)
        for (int k = 0; k < o->nreturn; k++) {
            size_t at = (size_t)(b * o->nreturn + k);
            bool same = k < x->n[b] && same_ids(json_array_get(ids, at), x->ids[b][k], x->len[b][k]);
            wrong += !same;
            count++;
            if (!same) continue;
            for (int i = 0; lp && i < x->len[b][k]; i++)
                worst = fmax(worst, fabs(json_number_value(json_array_get(json_array_get(lp, at), (size_t)i)) -
                                         (double)x->logp[b][k][i]));
            if (scores) worst = fmax(worst, fabs(json_number_value(json_array_get(scores, at)) - x->score[b][k]));
        }
    ok(wrong == 0 && count > 0 && worst <= 2e-5, "%s: %d of %d answers differ, scores within %.2g", name, wrong, count,
       worst);
}

static void check_golden(const char *shared, const char *name)
{
    char dir[PATH_MAX], path[PATH_MAX + 64];
    snprintf(dir, sizeof dir, "%s/golden/hf/%s", shared, name);
    snprintf(path, sizeof path, "%s/generation.json", dir);
    tt_model *m;
    if (!ok(tt_model_open(dir, &m) == TT_OK, "%s opens %s", name, tt_fail_text())) return;
    json_t *all = json_load_file(path, 0, NULL), *rows = json_object_get(all, "input_ids"), *run;
    feed f = {.n = (int)json_array_size(rows)};
    int32_t src[SOURCES][64];
    for (int b = 0; b < f.n; b++) {
        int n = (int)json_array_size(json_array_get(rows, (size_t)b));
        for (int i = 0; i < n; i++)
            src[b][i] = (int32_t)json_integer_value(json_array_get(json_array_get(rows, (size_t)b), (size_t)i));
        f.src[b] = src[b];
        f.S[b] = filled(src[b], n, tt_model_cfg(m)->pad_id);
    }
    static got x;
    const char *key;
    json_object_foreach(json_object_get(all, "runs"), key, run)
    {
        tt_gencfg o = config(json_object_get(run, "args"), (int)number(all, "max_new_tokens", 20));
        const tt_kern *k[] = {&tt_kern_ref, &tt_kern_fast};
        for (int i = 0; i < 2; i++) {
            o.rows = i ? 32 : 5;
            tt_err e = generate(m, k[i], &o, &f, &x);
            if (!ok(e == TT_OK, "%s %s runs %s", name, key, tt_fail_text())) continue;
            check_run(key, run, &o, f.n, &x);
        }
    }
    json_decref(all);
    tt_model_free(m);
}

/* ---- distributions ------------------------------------------------------------------------------------------------------------*/

static void apply(float *z, int64_t V, const char *what, double p, const int32_t *ids, int n)
{
    if (!strcmp(what, "temperature")) tt_logits_temperature(z, V, p);
    if (!strcmp(what, "top_k")) tt_logits_top_k(z, V, (int64_t)p);
    if (!strcmp(what, "top_p")) tt_logits_top_p(z, V, p);
    if (!strcmp(what, "min_p")) tt_logits_min_p(z, V, p);
    if (!strcmp(what, "typical_p")) tt_logits_typical(z, V, p);
    if (!strcmp(what, "epsilon_cutoff")) tt_logits_epsilon(z, V, p);
    if (!strcmp(what, "repetition_penalty")) tt_logits_repetition(z, ids, n, p);
    if (!strcmp(what, "no_repeat_ngram_size")) tt_logits_no_repeat(z, ids, n, (int)p);
}

static void check_case(tt_arena *a, const tt_stfile *f, const json_t *c)
{
    const char *name = json_string_value(json_object_get(c, "case"));
    const char *input = json_string_value(json_object_get(c, "input"));
    const json_t *steps = json_object_get(c, "processors"), *step;
    const tt_sten *t = tt_st_find(f, input);
    int rows, n = 0, R = (int)t->shape[0], V = (int)t->shape[1];
    float *z = floats(a, f, input), *probs = floats(a, f, tt_sprintf(a, "%s.probs", name));
    const tt_sten *kept = tt_st_find(f, tt_sprintf(a, "%s.kept", name));
    const int32_t *ids = ints(a, f, "previous_ids", &rows, &n);
    const uint8_t *keep = kept ? kept->data : NULL;
    int wrong = 0;
    double worst = 0;
    for (int r = 0; r < R && keep && probs; r++) {
        size_t i;
        json_array_foreach(steps, i, step) apply(z + r * V, V, json_string_value(json_array_get(step, 0)),
                                                 json_number_value(json_array_get(step, 1)), ids + r * n, n);
        for (int v = 0; v < V; v++) wrong += (z[r * V + v] != -INFINITY) != keep[r * V + v];
        tt_logits_softmax(z + r * V, V);
        for (int v = 0; v < V; v++) worst = fmax(worst, fabs((double)z[r * V + v] - probs[r * V + v]));
    }
    char *text = json_dumps(steps, JSON_COMPACT);
    ok(keep && probs && wrong == 0 && worst <= 1e-6, "%s: %d tokens kept wrongly, probabilities within %.2g", text,
       wrong, worst);
    free(text);
}

static void check_distributions(const char *shared)
{
    char path[PATH_MAX];
    tt_arena *a = tt_arena_new(1 << 20);
    tt_stfile *f;
    snprintf(path, sizeof path, "%s/golden/hf/facts/sampling.safetensors", shared);
    if (!ok(tt_st_open(path, &f) == TT_OK, "%s opens", path)) return;
    snprintf(path, sizeof path, "%s/golden/hf/facts/sampling.json", shared);
    json_t *all = json_load_file(path, 0, NULL), *c;
    size_t i;
    json_array_foreach(json_object_get(all, "cases"), i, c) check_case(a, f, c);
    ok(i > 0, "%zu cases", i);
    json_decref(all);
    tt_st_close(f);
    tt_arena_free(a);
}

/* ---- a drawn model of our own ----------------------------------------------------------------------------------------------------*/

static tt_model *drawn_model(void)
{
    static const char json[] =
        "{\"model_type\": \"t5\", \"vocab_size\": 301, \"d_model\": 24, \"d_kv\": 7, \"d_ff\": 37, "
        "\"num_layers\": 2, \"num_heads\": 3, \"feed_forward_proj\": \"gated-gelu\", \"tie_word_embeddings\": false}";
    tt_model *m;
    if (tt_model_parse(json, sizeof json - 1, "config", &m) != TT_OK) return NULL;
    tt_pars *p = tt_model_pars(m);
    tt_pars_draw(p, 5);
    tt_par *shared = tt_pars_find(p, "shared.weight"), *head = tt_pars_find(p, "lm_head.weight");
    for (int64_t i = 0; i < shared->n; i++) shared->w[i] *= 0.5f;
    for (int64_t i = 0; i < 24; i++) head->w[24 + i] *= 3; /* an end that comes sooner or later */
    return m;
}

static void make_sources(feed *f, int32_t src[SOURCES][64])
{
    tt_rkey key = tt_key(3, "sources", 0, 0, 0);
    f->n = SOURCES;
    for (int b = 0; b < SOURCES; b++) {
        f->S[b] = 2 + (int)tt_rand_below(key, (uint64_t)(100 * b), 60);
        for (int i = 0; i < f->S[b]; i++)
            src[b][i] = (int32_t)(2 + tt_rand_below(key, (uint64_t)(100 * b + i + 1), 299));
        src[b][f->S[b] - 1] = 1;
        f->src[b] = src[b];
    }
}

static int differing(const got *x, const got *y)
{
    int n = 0;
    for (int b = 0; b < SOURCES; b++) {
        bool same = x->n[b] == y->n[b];
        for (int k = 0; k < x->n[b] && same; k++) {
            size_t len = (size_t)x->len[b][k];
            same = x->len[b][k] == y->len[b][k] && x->score[b][k] == y->score[b][k] &&
                   !memcmp(x->ids[b][k], y->ids[b][k], sizeof(int32_t) * len) &&
                   !memcmp(x->logp[b][k], y->logp[b][k], sizeof(float) * len);
        }
        n += !same;
    }
    return n;
}

static void check_alone(const tt_model *m, const char *name, tt_gencfg o)
{
    static got first, other;
    static int32_t src[SOURCES][64];
    int order[SOURCES];
    feed f = {0};
    make_sources(&f, src);
    for (int i = 0; i < SOURCES; i++) order[i] = (i * 7 + 5) % SOURCES;
    const int rows[] = {1, 3, 16, 40};
    o.rows = 8;
    ok(generate(m, &tt_kern_fast, &o, &f, &first) == TT_OK, "%s runs %s", name, tt_fail_text());
    int bad = 0, lengths = 0;
    for (int b = 1; b < SOURCES; b++) lengths += first.len[b][0] != first.len[0][0];
    for (int i = 0; i < 4; i++) {
        o.rows = rows[i];
        f.order = i % 2 ? order : NULL;
        if (generate(m, &tt_kern_fast, &o, &f, &other) != TT_OK) bad += SOURCES;
        bad += differing(&first, &other);
    }
    ok(bad == 0 && lengths > 0, "%s: %d answers differ in ids or bits with other rows or in another order", name, bad);
}

static void check_invariance(void)
{
    tt_model *m = drawn_model();
    if (!ok(m != NULL, "a drawn model")) return;
    tt_gencfg greedy = TT_GENCFG_DEFAULT;
    greedy.max_new = NEW;
    tt_gencfg beams = greedy, sample = greedy;
    beams.beams = 4;
    beams.nreturn = 3;
    sample.sample = true;
    sample.nreturn = 2;
    sample.top_k = 20;
    sample.top_p = 0.9;
    sample.temperature = 0.8;
    check_alone(m, "greedy", greedy);
    check_alone(m, "beams", beams);
    check_alone(m, "sampling", sample);
    tt_model_free(m);
}

/* Several targets of a source against the loss of each pair by itself, as training computes it. */
static void check_loglik(void)
{
    enum { N = 10, PER = 3 };
    static int32_t src[SOURCES][64], tgt[N * PER][16];
    const int32_t *t[N * PER];
    int T[N * PER], of[N * PER];
    feed f = {0};
    tt_model *m = drawn_model();
    tt_arena *a = tt_arena_new(1 << 20);
    tt_rkey key = tt_key(4, "targets", 0, 0, 0);
    make_sources(&f, src);
    for (int j = 0; j < N * PER; j++) {
        T[j] = 1 + (int)tt_rand_below(key, (uint64_t)(100 * j), 15);
        for (int i = 0; i < T[j]; i++) tgt[j][i] = (int32_t)(2 + tt_rand_below(key, (uint64_t)(100 * j + i + 1), 299));
        tgt[j][T[j] - 1] = 1;
        t[j] = tgt[j];
        of[j] = j / PER;
    }
    double sum[N * PER], worst = 0;
    bool greedy[N * PER];
    ok(tt_t5_loglik(m, &tt_kern_fast, a, N, f.src, f.S, N * PER, t, T, of, sum, greedy) == TT_OK, "log-likelihoods %s",
       tt_fail_text());
    int bits = 0;
    for (int j = 0; j < N * PER; j++) {
        tt_tape tape;
        tt_grain g;
        tt_ex ex = {.S = f.S[of[j]], .T = T[j], .src = f.src[of[j]], .tgt = t[j]};
        tt_tape_begin(&tape, a, &tt_kern_fast, false, 0, 0);
        tt_grain_make(a, 1, &ex, 0, &g);
        float ones[16];
        for (int i = 0; i < 16; i++) ones[i] = 1;
        tt_loss l;
        tt_t5_loss(&tape, m, &g, ones, 0, 0, &l);
        worst = fmax(worst, fabs(l.loss + sum[j]));
        int zero = 0;
        double alone;
        tt_t5_loglik(m, &tt_kern_fast, a, 1, &f.src[of[j]], &f.S[of[j]], 1, &t[j], &T[j], &zero, &alone, NULL);
        bits += alone != sum[j];
    }
    ok(worst < 1e-4, "log-likelihoods are minus the losses within %.2g", worst);
    ok(bits == 0, "%d of %d have other bits alone", bits, N * PER);
    /* what greedy search gives is greedy */
    tt_gencfg o = TT_GENCFG_DEFAULT;
    static got x;
    o.max_new = 16;
    f.n = N;
    generate(m, &tt_kern_fast, &o, &f, &x);
    for (int b = 0; b < N; b++) t[b] = x.ids[b][0], T[b] = x.len[b][0], of[b] = b;
    tt_t5_loglik(m, &tt_kern_fast, a, N, f.src, f.S, N, t, T, of, sum, greedy);
    int not = 0;
    worst = 0;
    for (int b = 0; b < N; b++) {
        not += !greedy[b];
        worst = fmax(worst, fabs(sum[b] - x.score[b][0]));
    }
    ok(not == 0 && worst < 1e-4, "greedy answers are greedy, their scores within %.2g", worst);
    tt_arena_free(a);
    tt_model_free(m);
}

static void refused(tt_gencfg o, const char *words)
{
    tt_model *m = drawn_model();
    tt_err e = tt_gencfg_check(&o, m);
    ok(e == TT_EJOB && strstr(tt_fail_text(), words), "refused: %s", tt_fail_text());
    tt_fail_clear();
    tt_model_free(m);
}

static void check_refused(void)
{
    tt_gencfg o = TT_GENCFG_DEFAULT, p = o, q = o;
    o.beams = 2;
    o.sample = true;
    refused(o, "beams are not sampled");
    p.beams = 2;
    p.nreturn = 3;
    refused(p, "need as many beams");
    q.max_new = 0;
    refused(q, "must be 1 or more");
}

int main(void)
{
    const char *shared = shared_dir();
    check_invariance();
    check_loglik();
    check_refused();
    if (shared) {
        check_golden(shared, "t5_v10");
        check_golden(shared, "t5_v11");
        check_distributions(shared);
    } else
        skip(1, "golden files: ../shared is not here");
    return tap_done();
}
