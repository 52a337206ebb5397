// TEST np=1
/* tutti score on damaged files: it gives a result or names the file and why not, and never crashes. Meant for the asan build. */
#include "tutti/cli.h"
#include "tutti/eval.h"

#include "../tap.h"

#include <fcntl.h>
#include <unistd.h>

static char dir[] = "/tmp/tutti-fuzz-XXXXXX", file[64], refs[64];

/* A line that has all that any metric needs. */
static const char good[] =
    "{\"prediction\": \"1\", \"references\": [\"1\", true, null], \"group\": \"g\", "
    "\"options\": [\"a .\", \"caf\\u00e9\"], \"loglikelihoods\": [-1.5, -2], \"unconditional\": [-1, \"-inf\"], "
    "\"gold\": [1], "
    "\"is_greedy\": [true, false], \"option_tokens\": [1, 2], \"loglikelihood\": -3.5, \"tokens\": 3, \"words\": 2, "
    "\"bytes\": 9, \"confidence\": 0.25, \"correct\": 1, \"no_answer\": 0.5}\n";
static const char *const piece[] = {"\"",      "{",    "}",    "[",     "]",         ",",       ":",
                                    "null",    "true", "-1",   "1e308", "NaN",       "\\u",     "\n",
                                    "\xff",    "\xc3", "\r\n", "0",     "-Infinity", "\"nan\"", "\xf0\x9f\x98\x80",
                                    " ",       "[[[[", "[]",   "{}",    "1e-320",    "\"\"",    "99999999999",
                                    "\"inf\"", "-0.0"};
enum { NPIECE = sizeof piece / sizeof *piece, MOST = 1 << 16 };

typedef struct text {
    char s[MOST];
    size_t n;
} text;

static uint64_t below(uint64_t *counter, uint64_t n)
{
    return tt_rand_below(tt_key(7, "fuzz", 0, 0, 0), (*counter)++, n);
}

static void put_over(text *t, size_t at, size_t cut, const char *s, size_t n)
{
    if (cut > t->n - at) cut = t->n - at;
    if (t->n - cut + n > MOST) return;
    memmove(t->s + at + n, t->s + at + cut, t->n - at - cut);
    memcpy(t->s + at, s, n);
    t->n += n - cut;
}

/* One damage: a byte, a piece put in or put over something, a cut, a doubled stretch, a torn end. */
static void damage(text *t, uint64_t *c)
{
    size_t at = below(c, t->n + 1);
    const char *p = piece[below(c, NPIECE)];
    char byte = (char)below(c, 256), copy[64];
    size_t n = below(c, sizeof copy);
    switch (below(c, 6)) {
    case 0: put_over(t, at, 1, &byte, 1); break;
    case 1: put_over(t, at, 0, p, strlen(p)); break;
    case 2: put_over(t, at, below(c, 12), p, strlen(p)); break;
    case 3: put_over(t, at, below(c, 40), "", 0); break;
    case 4:
        if (at + n <= t->n) put_over(t, at, 0, memcpy(copy, t->s + at, n), n);
        break;
    case 5:
        if (below(c, 4) == 0) t->n = at;
        break;
    }
}

static void put(const char *path, const char *s, size_t n)
{
    FILE *f = fopen(path, "w");
    if (!f || fwrite(s, 1, n, f) != n || fclose(f)) exit(3);
}

/* The verb with its output thrown away. */
static tt_err score(int nset, char **set, const char *metric)
{
    tt_args args = {.n = 2, .pos = (char *[]){(char *)metric, file}, .nset = nset, .set = set};
    fflush(stdout);
    int keep = dup(1), null = open("/dev/null", O_WRONLY);
    dup2(null, 1);
    tt_fail_clear();
    tt_err e = tt_verb_score(NULL, &args);
    fflush(stdout);
    dup2(keep, 1);
    close(keep);
    close(null);
    return e;
}

/* A result, or TT_EDATA with a text that says of what: a file, or the metric (labels that do not fit it). */
static bool sane(tt_err e, const char *metric)
{
    const char *why = tt_fail_text();
    if (e == TT_OK || (e == TT_EDATA && (strstr(why, dir) || !strncmp(why, metric, strlen(metric))))) return true;
    printf("#   %s: %d %s\n", metric, e, why);
    return false;
}

static void check_metric(const tt_metric *m, int rounds)
{
    static text t;
    char ref[80];
    char *set[] = {ref, "per_example=1"};
    uint64_t c = (uint64_t)(m - tt_metrics) << 32;
    int bad = 0, scored = 0;
    snprintf(ref, sizeof ref, "references=%s", refs);
    for (int i = 0; i < rounds; i++) {
        t.n = 0;
        for (uint64_t k = 1 + below(&c, 3); k > 0; k--) put_over(&t, t.n, 0, good, sizeof good - 1);
        for (uint64_t k = below(&c, 5); k > 0; k--) damage(&t, &c);
        put(file, t.s, t.n);
        if (i % 4 == 3) put(refs, t.s, t.n);
        tt_err e = score(i % 4 == 3 ? 1 : i % 4 == 2, i % 4 == 2 ? set + 1 : set, m->name);
        bad += !sane(e, m->name);
        scored += e == TT_OK;
    }
    ok(bad == 0 && scored > 0 && scored < rounds, "%s: %d of %d damaged files scored, the others refused", m->name,
       scored, rounds);
}

/* Bytes without any order, as JSON and as text. */
static void check_noise(void)
{
    static char s[4096];
    char *set[] = {NULL};
    char ref[80];
    uint64_t c = 1ull << 60;
    int bad = 0;
    snprintf(ref, sizeof ref, "references=%s", refs);
    set[0] = ref;
    for (int i = 0; i < 200; i++) {
        size_t n = below(&c, sizeof s);
        for (size_t k = 0; k < n; k++) s[k] = (char)below(&c, i % 2 ? 256 : 128);
        if (n && i % 3 == 0) s[0] = '{';
        put(file, s, n);
        put(refs, s, n);
        bad += !sane(score(1, set, i % 2 ? "rouge" : "bleu"), i % 2 ? "rouge" : "bleu");
    }
    ok(bad == 0, "200 files of noise");
}

static void check_deep(void)
{
    enum { DEPTH = 100000 };
    static char s[2 * DEPTH];
    static const char *const open[] = {"[", "{\"a\":"};
    snprintf(file, sizeof file, "%s/p.jsonl", dir); /* a text may begin with a bracket */
    for (int k = 0; k < 2; k++) {
        size_t n = 0, one = strlen(open[k]);
        for (; n + one < sizeof s; n += one) memcpy(s + n, open[k], one);
        put(file, s, n);
        ok(score(0, NULL, "rouge") == TT_EDATA && strstr(tt_fail_text(), "maximum parsing depth"), "%s%s%s...: %.60s",
           open[k], open[k], open[k], strchr(tt_fail_text(), ':'));
    }
}

int main(void)
{
    char command[64];
    if (!ok(mkdtemp(dir) != NULL, "a folder for the test")) return tap_done();
    snprintf(file, sizeof file, "%s/p", dir);
    snprintf(refs, sizeof refs, "%s/r", dir);
    for (const tt_metric *m = tt_metrics; m->name; m++) check_metric(m, 300);
    check_noise();
    check_deep();
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ok(system(command) == 0, "removed");
    return tap_done();
}
