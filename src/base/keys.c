/* Tables of keys: binding a YAML map to a struct, and the help made from the same rows. */
#include "tutti/conf.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEYS = 256 };

/* "job.yaml:14: " or "command line: " */
static const char *place(const tt_yaml *y, char *buf, size_t n)
{
    if (y->line > 0)
        snprintf(buf, n, "%s:%d", y->file, y->line);
    else
        snprintf(buf, n, "%s", y->file);
    return buf;
}

static tt_err bad(const tt_yaml *y, const char *prefix, const tt_keyrow *row, const char *needs)
{
    char at[512];
    return tt_fail(TT_EJOB, "%s: %s%s is %s%s%s; it takes %s", place(y, at, sizeof at), prefix, row->name,
                   y->kind == TT_SCALAR ? "'" : "",
                   y->kind == TT_SCALAR ? y->text
                   : y->kind == TT_LIST ? "a list"
                                        : "a map",
                   y->kind == TT_SCALAR ? "'" : "", needs);
}

/* Decimal multiples k, M, G: 10k is 10000. */
static bool parse_int(const char *s, int64_t *out)
{
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    int64_t unit = *end == 'k' ? 1000 : *end == 'M' ? 1000000 : *end == 'G' ? 1000000000 : 1;
    if (unit > 1) end++;
    if (end == s || *end || errno || v > INT64_MAX / unit || v < INT64_MIN / unit) return false;
    *out = v * unit;
    return true;
}

static bool parse_real(const char *s, double *out)
{
    char *end;
    *out = strtod(s, &end);
    return end != s && !*end && isfinite(*out);
}

static bool parse_bool(const char *s, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
    for (int i = 0; i < 4; i++) {
        if (!strcasecmp(s, yes[i])) return *out = true;
        if (!strcasecmp(s, no[i])) return *out = false, true;
    }
    return false;
}

/* Position of s in "a|b|c", or -1. */
static int parse_enum(const char *s, const char *choices)
{
    size_t n = strlen(s);
    for (int i = 0;; i++) {
        size_t len = strcspn(choices, "|");
        if (len == n && !strncmp(s, choices, n)) return i;
        if (!choices[len]) return -1;
        choices += len + 1;
    }
}

/* "0..1", "1..", "(0..": '(' or ')' leaves the end out. */
static bool in_range(double x, const char *range)
{
    if (!range) return true;
    const char *dots = strstr(range, "..");
    bool open_lo = *range == '(', open_hi = range[strlen(range) - 1] == ')';
    const char *lo = range + open_lo, *hi = dots + 2;
    if (lo != dots && !(open_lo ? x > strtod(lo, NULL) : x >= strtod(lo, NULL))) return false;
    if (*hi && *hi != ')' && !(open_hi ? x < strtod(hi, NULL) : x <= strtod(hi, NULL))) return false;
    return true;
}

static const char *needs_text(const tt_keyrow *row, char *buf, size_t n)
{
    static const char *const kind[] = {
        "an integer (10k and 2M are understood)", "a number", "true or false", "text", "one of ", "a list"};
    if (row->type == TT_KENUM)
        snprintf(buf, n, "one of %s", row->choices);
    else if (row->choices)
        snprintf(buf, n, "%s in %s", row->type == TT_KINT ? "an integer" : "a number", row->choices);
    else
        snprintf(buf, n, "%s", kind[row->type]);
    return buf;
}

/* Nothing, ~, [] or {}. */
static bool is_empty(const tt_yaml *y)
{
    if (y->kind != TT_SCALAR) return y->n == 0;
    return !y->quoted && (!*y->text || !strcmp(y->text, "~") || !strcmp(y->text, "null"));
}

static tt_err bind_one(const tt_yaml *y, const tt_keyrow *row, void *out, const char *prefix)
{
    char *at = (char *)out + row->offset, needs[256];
    if (is_empty(y)) return TT_OK; /* keeps the default */
    if (row->type == TT_KTREE) return *(const tt_yaml **)at = y, TT_OK;
    needs_text(row, needs, sizeof needs);
    if (y->kind != TT_SCALAR) return bad(y, prefix, row, needs);
    bool good = true;
    double r;
    int64_t i;
    int k;
    switch (row->type) {
    case TT_KINT:
        if ((good = parse_int(y->text, &i) && in_range((double)i, row->choices))) *(int64_t *)at = i;
        break;
    case TT_KREAL:
        if ((good = parse_real(y->text, &r) && in_range(r, row->choices))) *(double *)at = r;
        break;
    case TT_KBOOL: good = parse_bool(y->text, (bool *)at); break;
    case TT_KTEXT: *(const char **)at = y->text; break;
    case TT_KENUM:
        if ((good = (k = parse_enum(y->text, row->choices)) >= 0)) *(int *)at = k;
        break;
    case TT_KTREE: break;
    }
    return good ? TT_OK : bad(y, prefix, row, needs);
}

static tt_err set_default(const tt_keyrow *row, void *out)
{
    tt_yaml y = {.kind = TT_SCALAR, .text = row->def, .file = "default", .quoted = true};
    return row->def ? bind_one(&y, row, out, "") : TT_OK;
}

static const tt_keyrow *find(const tt_keyrow *rows, const char *name)
{
    for (; rows->name; rows++)
        if (!strcmp(rows->name, name)) return rows;
    return NULL;
}

/* Is name a group, as "train" is for "train.lr"? */
static bool is_group(const tt_keyrow *rows, const char *name)
{
    size_t n = strlen(name);
    for (; rows->name; rows++)
        if (!strncmp(rows->name, name, n) && rows->name[n] == '.') return true;
    return false;
}

static const char *last_word(const char *name) { return strrchr(name, '.') ? strrchr(name, '.') + 1 : name; }

/* The nearest key; a key in the wrong group, train.lrr for optim.lr, is found by its last word. */
static const char *suggest(const tt_keyrow *rows, const char *name)
{
    const char *words[MAX_KEYS], *tails[MAX_KEYS];
    int n = 0;
    for (; n < MAX_KEYS && rows[n].name; n++) {
        words[n] = rows[n].name;
        tails[n] = last_word(rows[n].name);
    }
    const char *near = tt_nearest(name, words, n), *tail = near ? NULL : tt_nearest(last_word(name), tails, n);
    for (int i = 0; i < n && !near; i++)
        if (tails[i] == tail) near = words[i];
    return near;
}

static tt_err unknown(const tt_yaml *y, const tt_keyrow *rows, const char *name, const char *prefix)
{
    char at[512];
    place(y, at, sizeof at);
    const char *near = suggest(rows, name);
    if (near) return tt_fail(TT_EJOB, "%s: no such key '%s%s'; did you mean '%s%s'?", at, prefix, name, prefix, near);
    return tt_fail(TT_EJOB, "%s: no such key '%s%s'; tutti help train lists them all", at, prefix, name);
}

static tt_err bind_map(const tt_yaml *map, const tt_keyrow *rows, void *out, const char *prefix, const char *group)
{
    for (int i = 0; i < map->n; i++) {
        const tt_yaml *y = map->child[i];
        char name[512];
        snprintf(name, sizeof name, "%s%s%s", group, *group ? "." : "", y->key);
        const tt_keyrow *row = find(rows, name);
        if (row) {
            TT_TRY(bind_one(y, row, out, prefix));
        } else if (is_group(rows, name)) {
            if (y->kind == TT_MAP) {
                TT_TRY(bind_map(y, rows, out, prefix, name));
            } else if (y->kind != TT_SCALAR || *y->text) {
                char at[512];
                return tt_fail(TT_EJOB, "%s: '%s%s' is a group of keys; write them below it, indented",
                               place(y, at, sizeof at), prefix, name);
            }
        } else {
            return unknown(y, rows, name, prefix);
        }
    }
    return TT_OK;
}

tt_err tt_keys_bind(tt_arena *a, const tt_yaml *map, const tt_keyrow *rows, void *out, const char *prefix)
{
    for (const tt_keyrow *row = rows; row->name; row++) TT_TRY(set_default(row, out));
    if (!map) return TT_OK;
    char at[512];
    if (map->kind != TT_MAP)
        return tt_fail(TT_EJOB, "%s: keys are needed here, as in 'run: my-run'", place(map, at, sizeof at));
    return bind_map(map, rows, out, prefix, "");
}

void tt_keys_help(FILE *f, const tt_keyrow *rows, const char *only_prefix)
{
    char group[64] = "";
    bool any = false;
    for (const tt_keyrow *r = rows; r->name; r++) {
        if (only_prefix && strncmp(r->name, only_prefix, strlen(only_prefix))) continue;
        size_t n = strcspn(r->name, ".");
        if (!r->name[n]) n = 0; /* keys without a dot are one group */
        if (any && (strncmp(group, r->name, n) || group[n])) fputc('\n', f);
        any = true;
        snprintf(group, sizeof group, "%.*s", (int)n, r->name);
        fprintf(f, "  %-31s %-11s %s", r->name, r->def ? r->def : "", r->help);
        if (r->choices) fprintf(f, " [%s]", r->choices);
        fputc('\n', f);
    }
}
