/* tutti bench metrics: metrics on one core, against the programs whose numbers they give. Processor seconds, the best of some runs. Where a
 * program is not installed, what it took elsewhere stands for it, and the table says so. */
#include "bench.h"
#include "tutti/eval.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct options {
    const char *in, *peer, *json;
    int64_t times, resamples;
} options;

#define AT(field) offsetof(options, field)
static const tt_keyrow keys[] = {
    {"in", TT_KTEXT, AT(in), NULL, NULL, "JSON lines with prediction and reference; default: 1000 made-up summaries"},
    {"times", TT_KINT, AT(times), "5", "1..", "runs, of which the best counts"},
    {"resamples", TT_KINT, AT(resamples), "100000", "1000..", "of a standard error"},
    {"peer", TT_KTEXT, AT(peer), NULL, NULL, "metrics_peer.py to run beside it"},
    {"json", TT_KTEXT, AT(json), NULL, NULL, "file for the numbers"},
    {0}};

enum { PAIRS = 1000, WORDS = 25, LABELS = 1043 /* of CoLA's validation set */, FEW = 1000, OFTEN = 20 };

typedef struct bench {
    const options *o;
    tt_arena *a;
    int64_t n; /* pairs */
    const char **guess, **target;
    bool label[LABELS][2]; /* reference, prediction */
    char *pairs, *both;    /* files: the pairs OFTEN times; the pairs and the labels */
    json_t *peer;
} bench;

/* ---- examples -------------------------------------------------------------------------------------------------------------*/

/* Short words are frequent, as in a language. */
static void put_word(FILE *f, tt_rkey key, uint64_t i)
{
    static const char *const part[] = {"ba", "con", "de", "fi", "gra", "lo", "mi", "ner", "pro", "ste", "tu", "wa"};
    static const char *const end[] = {"", "", "", "s", "ed", "ing", "ation", "er", "ly", "ment", "ness", "al"};
    double u = tt_rand01(key, i);
    uint64_t rank = (uint64_t)(2000 * u * u * u);
    for (uint64_t r = rank; r > 0; r /= 12) fputs(part[r % 12], f);
    fputs(rank > 0 ? end[rank % 12] : "the", f);
}

/* Words of both sides are equal with probability 0.4 and a place. */
static char *made_up(uint64_t pair, const char *side)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    tt_rkey own = tt_key(1, side, pair, 0, 0), shared = tt_key(1, "both", pair, 0, 0);
    int n = WORDS - 7 + (int)tt_rand_below(own, 1000, 15);
    for (uint64_t i = 0; i < (uint64_t)n; i++) {
        if (i) fputc(' ', f);
        put_word(f, tt_rand01(own, 2000 + i) < 0.4 ? shared : own, i);
        if (i % 13 == 12) fputc('.', f);
    }
    fputc('.', f);
    fclose(f);
    return text;
}

static char *keep(bench *b, char *text)
{
    char *kept = tt_strdup(b->a, text);
    free(text);
    return kept;
}

static void make_pairs(bench *b)
{
    b->n = PAIRS;
    b->guess = TT_NEW(b->a, const char *, PAIRS);
    b->target = TT_NEW(b->a, const char *, PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        b->guess[i] = keep(b, made_up((uint64_t)i, "guess"));
        b->target[i] = keep(b, made_up((uint64_t)i, "target"));
    }
}

static tt_err read_pairs(bench *b)
{
    char *text, *save = NULL;
    size_t size;
    TT_TRY(tt_slurp(b->o->in, &text, &size));
    b->guess = TT_NEW(b->a, const char *, size + 1);
    b->target = TT_NEW(b->a, const char *, size + 1);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save), b->n++) {
        json_t *j = json_loads(line, 0, NULL);
        const char *guess = json_string_value(json_object_get(j, "prediction"));
        const char *target = json_string_value(json_object_get(j, "reference"));
        if (guess) b->guess[b->n] = tt_strdup(b->a, guess);
        if (target) b->target[b->n] = tt_strdup(b->a, target);
        json_decref(j);
        if (guess && target) continue;
        free(text);
        return tt_fail(TT_EDATA, "%s: example %lld has no prediction and reference", b->o->in, (long long)b->n + 1);
    }
    free(text);
    return b->n ? TT_OK : tt_fail(TT_EDATA, "%s: is empty", b->o->in);
}

/* Two thirds are of class 1, four fifths are right. */
static void draw_labels(bench *b)
{
    tt_rkey key = tt_key(1, "labels", 0, 0, 0);
    for (uint64_t i = 0; i < LABELS; i++) {
        b->label[i][0] = tt_rand01(key, 2 * i) < 2.0 / 3;
        b->label[i][1] = b->label[i][0] ^ (tt_rand01(key, 2 * i + 1) > 0.8);
    }
}

static void write_pairs(const bench *b, FILE *f)
{
    for (int64_t i = 0; i < b->n; i++) {
        json_t *j = json_pack("{s:s, s:s}", "prediction", b->guess[i], "reference", b->target[i]);
        json_dumpf(j, f, JSON_COMPACT);
        fputc('\n', f);
        json_decref(j);
    }
}

static tt_err write_file(bench *b, bool labels, char **path)
{
    const char *tmp = getenv("TMPDIR");
    *path = tt_sprintf(b->a, "%s/tutti-bench.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    int fd = mkstemp(*path);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f) return tt_fail(TT_ERUN, "%s: %s; set TMPDIR", *path, strerror(errno));
    for (int i = 0; i < (labels ? 1 : OFTEN); i++) write_pairs(b, f);
    if (labels) fputc('\n', f);
    for (int i = 0; labels && i < LABELS; i++) fprintf(f, "[%d, %d]\n", b->label[i][0], b->label[i][1]);
    return fclose(f) ? tt_fail(TT_ERUN, "%s: %s", *path, strerror(errno)) : TT_OK;
}

/* ---- what is timed: processor seconds of one run, and the metric's value --------------------------------------------------*/

static tt_err rouge_kinds(bench *b, unsigned kinds, double *seconds, double *value)
{
    double start = tt_bench_cpu(), sum = 0;
    tt_rouge *w = tt_rouge_new(true);
    for (int64_t i = 0; i < b->n; i++) {
        tt_prf x[TT_ROUGE_N];
        tt_rouge_score(w, 1, &b->target[i], b->guess[i], kinds, x);
        sum += x[TT_ROUGE_1].f;
    }
    tt_rouge_free(w);
    *seconds = tt_bench_cpu() - start;
    *value = sum / (double)b->n;
    return TT_OK;
}

enum { FLAT = 1 << TT_ROUGE_1 | 1 << TT_ROUGE_2 | 1 << TT_ROUGE_L };
static tt_err rouge(bench *b, double *s, double *v) { return rouge_kinds(b, FLAT | 1 << TT_ROUGE_LSUM, s, v); }
static tt_err rouge_flat(bench *b, double *s, double *v) { return rouge_kinds(b, FLAT, s, v); }

static tt_err bleu(bench *b, double *seconds, double *value)
{
    double start = tt_bench_cpu();
    tt_scoring *s;
    TT_TRY(tt_scoring_new("bleu", 0, NULL, &s));
    tt_err e = TT_OK;
    for (int64_t i = 0; i < b->n && e == TT_OK; i++)
        e = tt_scoring_add(s, &(tt_case){.prediction = b->guess[i], .nref = 1, .ref = &b->target[i]});
    double values[64];
    if (e == TT_OK) e = tt_scoring_total(s, values);
    *value = e == TT_OK ? values[tt_scoring_main(s)] : NAN;
    tt_scoring_free(s);
    *seconds = tt_bench_cpu() - start;
    return e;
}

/* The value is the error of FEW resamples: the peer draws no more. */
static tt_err bootstrap(bench *b, const char *metric, double *seconds, double *value)
{
    static const char *const text[] = {"0", "1"};
    tt_scoring *s;
    TT_TRY(tt_scoring_new(metric, 0, NULL, &s));
    tt_scoring_resamples(s, b->o->resamples);
    tt_err e = TT_OK;
    for (int i = 0; i < LABELS && e == TT_OK; i++)
        e = tt_scoring_add(s, &(tt_case){.prediction = text[b->label[i][1]], .nref = 1, .ref = &text[b->label[i][0]]});
    double start = tt_bench_cpu();
    if (e == TT_OK) e = tt_scoring_errors(s, value);
    *seconds = tt_bench_cpu() - start;
    tt_scoring_resamples(s, FEW);
    if (e == TT_OK) e = tt_scoring_errors(s, value);
    tt_scoring_free(s);
    return e;
}

static tt_err matthews(bench *b, double *s, double *v) { return bootstrap(b, "matthews", s, v); }
static tt_err f1(bench *b, double *s, double *v) { return bootstrap(b, "f1", s, v); }

/* The program itself: start, reading, all of ROUGE, printing. */
static tt_err score_file(bench *b, double *seconds, double *value)
{
    struct rusage use;
    int status;
    *value = NAN;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stdout)) _exit(1);
        execl("/proc/self/exe", "tutti", "score", "rouge", b->pairs, "stem=1", (char *)NULL);
        _exit(1);
    }
    if (child < 0 || wait4(child, &status, 0, &use) < 0 || status != 0)
        return tt_fail(TT_ERUN, "tutti score does not run");
    *seconds = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
               1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
    return TT_OK;
}

/* ---- the table -------------------------------------------------------------------------------------------------------------*/

typedef struct timing {
    const char *what, *key; /* key: of the peer */
    tt_err (*run)(bench *b, double *seconds, double *value);
    bool resamples; /* its rows are resamples, not pairs */
    const char *peer;
    double
        elsewhere; /* the peer's seconds for 1000 pairs or 100,000 resamples, measured on another machine; 0: unknown */
    double target; /* times as fast; 0: none */
} timing;

static const timing timings[] = {
    {"ROUGE-1, 2, L, Lsum, stems", "rouge", rouge, false, "rouge_score 0.1.2", 0.455, 40},
    {"ROUGE-1, 2, L, stems", "rouge_flat", rouge_flat, false, "rouge_score 0.1.2", 0.237, 0},
    {"BLEU 13a", "bleu", bleu, false, "sacrebleu 2.6.0", 0.076, 20},
    {"error of Matthews, 1,043 labels", "matthews", matthews, true, "lm-evaluation-harness", 215, 100},
    {"error of F1, 1,043 labels", "f1", f1, true, "lm-evaluation-harness", 0, 0},
    {"tutti score rouge stem=1, whole", "", score_file, false, "", 0, 0},
    {0},
};

typedef struct result {
    double seconds, value, peer;
    bool here; /* the peer ran beside */
} result;

static double rows_of(const bench *b, const timing *t)
{
    if (t->resamples) return (double)(b->o->resamples / 1000 * 1000);
    return (double)b->n * (t->run == score_file ? OFTEN : 1);
}

static tt_err time_one(bench *b, const timing *t, result *r)
{
    for (int64_t i = 0; i < b->o->times; i++) {
        double s;
        TT_TRY(t->run(b, &s, &r->value));
        r->seconds = i == 0 || s < r->seconds ? s : r->seconds;
    }
    return TT_OK;
}

/* Of as many rows as ours. TT_ERUN: its value is another. */
static tt_err compare(const bench *b, const timing *t, result *r)
{
    json_t *s = json_object_get(b->peer, t->key), *v = json_object_get(b->peer, tt_sprintf(b->a, "%s_main", t->key));
    r->here = json_is_number(s);
    r->peer = r->here ? json_number_value(s) : t->elsewhere;
    if (t->resamples || !r->here) r->peer *= rows_of(b, t) / (t->resamples ? 1e5 : 1000);
    if (!json_is_number(v) || fabs(json_number_value(v) - r->value) <= 1e-9 * (1 + fabs(r->value))) return TT_OK;
    return tt_fail(TT_ERUN, "%s: %.17g, but the peer has %.17g", t->what, r->value, json_number_value(v));
}

static void print_row(const bench *b, const timing *t, const result *r)
{
    printf("%-34s %10.5f %12.0f", t->what, r->seconds, rows_of(b, t) / r->seconds);
    if (r->peer > 0)
        printf(" %10.3f %8.1f  %s, %s", r->peer, r->peer / r->seconds, t->peer, r->here ? "run beside" : "elsewhere");
    if (r->peer > 0 && t->target > 0) printf(" (target %.0f)", t->target);
    printf("\n");
}

static json_t *row_json(const timing *t, const result *r)
{
    return json_pack("{s:s, s:f, s:f, s:b}", "what", t->what, "seconds", r->seconds, "peer_seconds", r->peer,
                     "peer_ran", r->here);
}

static tt_err run_table(bench *b)
{
    json_t *rows = json_array();
    tt_err e = TT_OK;
    printf("metrics of %lld pairs%s, one core; processor seconds, best of %lld\n\n%-34s %10s %12s %10s %8s\n",
           (long long)b->n, b->o->in ? "" : " of made-up text", (long long)b->o->times, "", "seconds", "rows/s",
           "the peer's", "ratio");
    for (const timing *t = timings; t->what && e == TT_OK; t++) {
        result r = {0};
        e = time_one(b, t, &r);
        if (e == TT_OK) e = compare(b, t, &r);
        if (e != TT_OK) break;
        print_row(b, t, &r);
        json_array_append_new(rows, row_json(t, &r));
    }
    printf("\n");
    if (e == TT_OK) return tt_bench_print(json_pack("{s:s, s:o}", "bench", "metrics", "rows", rows), b->o->json);
    json_decref(rows);
    return e;
}

static tt_err run(bench *b)
{
    if (b->o->in && *b->o->in)
        TT_TRY(read_pairs(b));
    else
        make_pairs(b);
    draw_labels(b);
    TT_TRY(write_file(b, false, &b->pairs));
    TT_TRY(write_file(b, true, &b->both));
    if (b->o->peer && *b->o->peer) b->peer = tt_bench_peer(b->o->peer, tt_sprintf(b->a, "'%s'", b->both));
    return run_table(b);
}

tt_err tt_bench_metrics(const tt_mesh *m, const tt_args *args)
{
    options o = {0};
    TT_TRY(tt_args_bind(args, keys, &o));
    bench b = {.o = &o, .a = tt_arena_new(1 << 16)};
    tt_err e = run(&b);
    if (b.pairs) unlink(b.pairs);
    if (b.both) unlink(b.both);
    json_decref(b.peer);
    tt_arena_free(b.a);
    return e;
}
