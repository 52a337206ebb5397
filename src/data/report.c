/* The report of a search, in memory and as a JSON file. */
#include "clean.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 1 }; /* of the file and of what the searches look for: a change of either makes old files void */

static const char *const kinds[TT_FINDING_KINDS] = {"exact-duplicate",     "near-duplicate",        "conflict",
                                                    "exact-contamination", "13-gram-contamination", "exemplar-leak",
                                                    "listed-twice"};

const char *tt_finding_name(int kind) { return kinds[kind]; }

/* ---- in memory --------------------------------------------------------------------------------------------------------*/

tt_report *tt_report_new(const tt_corpus *c, uint64_t key)
{
    tt_report *r = tt_malloc(sizeof *r);
    *r = (tt_report){.a = tt_arena_new(1 << 14), .key = key};
    r->clean.nset = c->n;
    r->clean.set = r->set = TT_ZNEW(r->a, tt_clean_set, c->n + 1);
    r->dup = TT_ZNEW(r->a, tt_ranges, c->n + 1);
    r->dirty = TT_ZNEW(r->a, tt_ranges, c->n + 1);
    for (int i = 0; i < c->n; i++) {
        const tt_setinfo *info = &c->set[i].set->info;
        r->set[i] = (tt_clean_set){.list = c->set[i].list,
                                   .name = tt_strdup(r->a, info->name),
                                   .path = tt_strdup(r->a, info->path),
                                   .rows = info->rows};
    }
    return r;
}

void tt_clean_free(tt_clean *c)
{
    if (!c) return;
    tt_report *r = (tt_report *)(void *)c; /* clean is its first member */
    for (int i = 0; i < c->nset; i++) {
        free(r->dup[i].x);
        free(r->dirty[i].x);
    }
    tt_arena_free(r->a);
    free(r);
}

static void add_range(tt_ranges *v, tt_range x)
{
    if (v->n == v->cap) {
        v->cap = v->cap ? 2 * v->cap : 16;
        v->x = tt_realloc(v->x, sizeof *v->x * (size_t)v->cap);
    }
    v->x[v->n++] = x;
}

void tt_ranges_add(tt_ranges *v, int64_t row)
{
    tt_range *last = v->n ? &v->x[v->n - 1] : NULL;
    if (last && last->first + last->n == row)
        last->n++;
    else
        add_range(v, (tt_range){row, 1});
}

static void drop(tt_set *s, const tt_ranges *v)
{
    for (int64_t i = 0; i < v->n; i++)
        for (int64_t k = 0; k < v->x[i].n; k++) tt_set_drop(s, v->x[i].first + k);
}

static void add_up(tt_clean_set *sum, const tt_clean_set *x)
{
    sum->rows += x->rows;
    sum->exact_inside += x->exact_inside;
    sum->exact_across += x->exact_across;
    sum->near += x->near;
    sum->conflicts += x->conflicts;
    sum->contaminated += x->contaminated;
    sum->dropped += x->dropped;
}

void tt_report_apply(tt_report *r, const tt_job *job, const tt_corpus *c, tt_sets *train)
{
    for (int i = 0; i < c->ntrain; i++) {
        tt_set *s = c->set[i].set;
        if (job->data.deduplicate == TT_FOUND_DROP) drop(s, &r->dup[i]);
        if (job->data.decontaminate == TT_FOUND_DROP) drop(s, &r->dirty[i]);
        tt_set_recount(s);
        r->set[i].dropped = r->set[i].rows - s->info.rows;
        train->rows -= r->set[i].dropped;
    }
    for (int i = 0; i < c->n; i++) add_up(i < c->ntrain ? &r->clean.train : &r->clean.evaluation, &r->set[i]);
}

/* ---- to JSON ----------------------------------------------------------------------------------------------------------*/

static json_t *numbers(const tt_clean_set *s, bool train)
{
    json_t *o = json_pack("{s:I, s:I}", "rows", (json_int_t)s->rows, "contaminated", (json_int_t)s->contaminated);
    if (!train) return o;
    json_t *more = json_pack("{s:I, s:I, s:I, s:I, s:I}", "exact_inside", (json_int_t)s->exact_inside, "exact_across",
                             (json_int_t)s->exact_across, "near", (json_int_t)s->near, "conflicts",
                             (json_int_t)s->conflicts, "dropped", (json_int_t)s->dropped);
    json_object_update(o, more);
    json_decref(more);
    return o;
}

static json_t *set_json(const tt_clean_set *s)
{
    json_t *o = json_pack("{s:s, s:s, s:s}", "list", s->list, "name", s->name, "path", s->path);
    json_t *n = numbers(s, !strcmp(s->list, "train"));
    json_object_update(o, n);
    json_decref(n);
    return o;
}

static json_t *side(const tt_clean *c, int set, int64_t line)
{
    const tt_clean_set *s = &c->set[set];
    return json_pack("{s:i, s:s, s:s, s:s, s:I}", "set", set, "list", s->list, "name", s->name, "file", s->path, "line",
                     (json_int_t)line);
}

static json_t *finding_json(const tt_clean *c, const tt_finding *f)
{
    return json_pack("{s:s, s:I, s:o, s:o}", "kind", kinds[f->kind], "count", (json_int_t)f->count, "a",
                     side(c, f->a, f->line_a), "b", side(c, f->b, f->line_b));
}

json_t *tt_clean_json(const tt_clean *c)
{
    json_t *sets = json_array(), *findings = json_array();
    for (int i = 0; i < c->nset; i++) json_array_append_new(sets, set_json(&c->set[i]));
    for (int i = 0; i < c->nfinding; i++) json_array_append_new(findings, finding_json(c, &c->finding[i]));
    return json_pack("{s:{s:b, s:b}, s:{s:o, s:o}, s:o, s:o}", "searched", "duplicates", c->duplicates, "contamination",
                     c->contamination, "totals", "train", numbers(&c->train, true), "evaluation",
                     numbers(&c->evaluation, false), "sets", sets, "findings", findings);
}

static json_t *ranges_json(const tt_ranges *v, int n)
{
    json_t *all = json_array();
    for (int i = 0; i < n; i++) {
        json_t *of = json_array();
        for (int64_t k = 0; k < v[i].n; k++)
            json_array_append_new(of, json_pack("[I, I]", (json_int_t)v[i].x[k].first, (json_int_t)v[i].x[k].n));
        json_array_append_new(all, of);
    }
    return all;
}

static tt_err write_file(const tt_report *r, const char *path)
{
    char hex[20], *temp = tt_sprintf(r->a, "%s.tmp", path);
    snprintf(hex, sizeof hex, "%016" PRIx64, r->key);
    json_t *o = tt_clean_json(&r->clean);
    json_object_set_new(o, "hygiene", json_integer(VERSION));
    json_object_set_new(o, "key", json_string(hex));
    json_object_set_new(o, "duplicates", ranges_json(r->dup, r->clean.nset));
    json_object_set_new(o, "contaminated", ranges_json(r->dirty, r->clean.nset));
    FILE *f = fopen(temp, "w");
    bool bad = !f || json_dumpf(o, f, JSON_COMPACT) || fputc('\n', f) == EOF || fflush(f) || fsync(fileno(f));
    if (f && fclose(f)) bad = true;
    json_decref(o);
    if (!bad && !rename(temp, path)) return TT_OK;
    tt_err e =
        tt_fail(TT_ERUN, "%s: cannot be written: %s; is the disk full or the folder missing?", temp, strerror(errno));
    remove(temp);
    return e;
}

tt_err tt_clean_save(const tt_mesh *m, const tt_clean *c, const char *path)
{
    const tt_report *r = (const tt_report *)(const void *)c;
    return tt_agree(m, m->rank == 0 ? write_file(r, path) : TT_OK);
}

/* ---- from JSON --------------------------------------------------------------------------------------------------------*/

static int64_t number(const json_t *o, const char *name) { return json_integer_value(json_object_get(o, name)); }

static void parse_sets(tt_report *r, const json_t *list)
{
    for (int i = 0; i < r->clean.nset; i++) {
        const json_t *o = json_array_get(list, (size_t)i);
        r->set[i].exact_inside = number(o, "exact_inside");
        r->set[i].exact_across = number(o, "exact_across");
        r->set[i].near = number(o, "near");
        r->set[i].conflicts = number(o, "conflicts");
        r->set[i].contaminated = number(o, "contaminated");
    }
}

static bool parse_finding(const tt_report *r, const json_t *o, tt_finding *out)
{
    const char *kind = json_string_value(json_object_get(o, "kind"));
    const json_t *a = json_object_get(o, "a"), *b = json_object_get(o, "b");
    int k = 0;
    while (k < TT_FINDING_KINDS && (!kind || strcmp(kind, kinds[k]))) k++;
    int64_t na = number(a, "set"), nb = number(b, "set");
    if (k == TT_FINDING_KINDS || na < 0 || nb < 0 || na >= r->clean.nset || nb >= r->clean.nset) return false;
    *out = (tt_finding){(tt_finding_kind)k, (int)na, (int)nb, number(o, "count"), number(a, "line"), number(b, "line")};
    return true;
}

static bool parse_findings(tt_report *r, const json_t *list)
{
    r->clean.finding = r->finding = TT_NEW(r->a, tt_finding, json_array_size(list) + 1);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!parse_finding(r, json_array_get(list, i), &r->finding[r->clean.nfinding++])) return false;
    return json_is_array(list);
}

/* One set's ranges, within its file. */
static bool parse_ranges(const json_t *list, int64_t rows, tt_ranges *out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        int64_t first = json_integer_value(json_array_get(pair, 0)), n = json_integer_value(json_array_get(pair, 1));
        if (first < 0 || n <= 0 || first >= rows || n > rows - first) return false;
        add_range(out, (tt_range){first, n});
    }
    return json_is_array(list);
}

static bool parse_body(tt_report *r, const tt_corpus *c, const json_t *o)
{
    const json_t *searched = json_object_get(o, "searched");
    r->clean.duplicates = json_is_true(json_object_get(searched, "duplicates"));
    r->clean.contamination = json_is_true(json_object_get(searched, "contamination"));
    parse_sets(r, json_object_get(o, "sets"));
    bool good = parse_findings(r, json_object_get(o, "findings"));
    for (int i = 0; i < c->n && good; i++) {
        int64_t rows = c->set[i].set->info.file_rows;
        good = parse_ranges(json_array_get(json_object_get(o, "duplicates"), (size_t)i), rows, &r->dup[i]) &&
               parse_ranges(json_array_get(json_object_get(o, "contaminated"), (size_t)i), rows, &r->dirty[i]);
    }
    return good;
}

tt_err tt_report_parse(tt_report *r, const tt_corpus *c, const char *path, const char *text, bool *fits)
{
    char hex[20];
    snprintf(hex, sizeof hex, "%016" PRIx64, r->key);
    json_t *o = json_loads(text, 0, NULL);
    const char *key = json_string_value(json_object_get(o, "key"));
    bool good = key && json_is_integer(json_object_get(o, "hygiene"));
    *fits = good && number(o, "hygiene") == VERSION && !strcmp(key, hex);
    if (*fits) good = parse_body(r, c, o);
    json_decref(o);
    if (good) return TT_OK;
    return tt_fail(
        TT_EFILE,
        "%s: is damaged, or no report of duplicates and contamination; remove it, and the search is made anew", path);
}
