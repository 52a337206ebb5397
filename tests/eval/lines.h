/* Golden files of the shared folder, one JSON object a line. */
#ifndef TUTTI_TEST_LINES_H
#define TUTTI_TEST_LINES_H

#include <jansson.h>
#include <stdbool.h>

#include "../tap.h"

typedef bool check_fn(json_t *line);

static json_t *key(json_t *o, const char *name) { return json_object_get(o, name); }
static const char *text_of(json_t *j, const char *name) { return json_string_value(key(j, name)); }
__attribute__((unused)) static double number_of(json_t *j, const char *name) { return json_number_value(key(j, name)); }

/* Calls check for every line of the file; its kind must be `kind`, NULL: any. */
static void golden_kind(const char *file, const char *kind, check_fn *check)
{
    const char *dir = shared_dir();
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/metrics/%s.jsonl", dir ? dir : "", file);
    FILE *f = dir ? fopen(path, "r") : NULL;
    if (!f) {
        skip(1, "no shared golden files here");
        return;
    }
    int n = 0, bad = 0;
    json_error_t e;
    for (json_t *j; (j = json_loadf(f, JSON_DISABLE_EOF_CHECK, &e)); json_decref(j)) {
        if (kind && strcmp(text_of(j, "kind"), kind) != 0) continue;
        n++;
        if (!check(j) && bad++ < 5) printf("#   %s\n", text_of(j, "id"));
    }
    ok(feof(f) && n > 0 && bad == 0, "%s: %d of %d equal", file, n - bad, n);
    fclose(f);
}

__attribute__((unused)) static void golden(const char *file, check_fn *check) { golden_kind(file, NULL, check); }

enum { MOST_TEXTS = 512 };
typedef struct texts {
    int n;
    const char *v[MOST_TEXTS]; /* NULL where the list has null */
} texts;

__attribute__((unused)) static texts texts_of(json_t *list)
{
    texts x = {.n = (int)json_array_size(list)};
    if (x.n > MOST_TEXTS) exit(3);
    for (int i = 0; i < x.n; i++) x.v[i] = json_string_value(json_array_get(list, (size_t)i));
    return x;
}

/* The list's strings with a blank between; the caller frees. */
__attribute__((unused)) static char *joined(json_t *list)
{
    size_t i, n = 1;
    json_t *t;
    json_array_foreach(list, i, t) n += json_string_length(t) + 1;
    char *out = malloc(n), *o = out;
    json_array_foreach(list, i, t)
    {
        if (i) *o++ = ' ';
        o = stpcpy(o, json_string_value(t));
    }
    *o = 0;
    return out;
}

__attribute__((unused)) static bool close_to(double got, double want)
{
    return fabs(got - want) <= 1e-12 * fmax(1, fabs(want));
}

/* ---- random texts -------------------------------------------------------------------------------------------------*/

/* n pieces drawn from the list (ends with NULL); xorshift. */
__attribute__((unused)) static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

__attribute__((unused)) static char *random_text(uint64_t *seed, const char *const *piece, int most)
{
    size_t kinds = 0, size = 1;
    for (; piece[kinds]; kinds++)
        if (strlen(piece[kinds]) + 1 > size) size = strlen(piece[kinds]) + 1;
    int n = (int)(draw(seed) % (uint64_t)(most + 1));
    char *out = malloc(size * (size_t)(n + 1)), *o = out;
    for (int i = 0; i < n; i++) o = stpcpy(o, piece[draw(seed) % kinds]);
    *o = 0;
    return out;
}

#endif
