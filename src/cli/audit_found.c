/* What an audit finds wrong, each fault by name. */
#include "audit.h"

#include <stdlib.h>
#include <string.h>

/* Every kind of finding, the most serious first, and what it asks for. */
typedef struct kind {
    const char *name, *remedy;
} kind;

static const kind kinds[] = {
    {"listed-twice", "the same rows count twice in the mixture; take one of the two out"},
    {"contamination",
     "the score on these questions means nothing; data.decontaminate: drop takes the training rows out"},
    {"exemplar-leak", "prompts show answers of the evaluation; take these rows out of the training file"},
    {"broken-json", "mend or remove the lines"},
    {"broken-text", "convert the file to UTF-8"},
    {"missing-column", "map it with fields, or remove the rows"},
    {"empty-source", "remove the rows"},
    {"empty-target", "remove the rows: they teach silence"},
    {"bad-row", "mend or remove the rows"},
    {"wrong-cap", "the cap of this data set is not that of the others of its part; is it meant?"},
    {"declared-rows", "the registry promises another number of rows; is the file whole, is the registry right?"},
    {"exact-duplicate", "data.deduplicate: drop keeps the first of each"},
    {"near-duplicate", "data.deduplicate: drop keeps the first of each"},
    {"conflict", "equal questions have different answers; look whether that is meant"},
    {"over-long", "what is cut is lost; raise data.max_source or data.max_target, or remove the rows"},
    {"repeated", "few rows are shown very often; lower the share or train for less"},
    {"absent", "bring the files, or take the entries out"},
};
enum { NKIND = sizeof kinds / sizeof *kinds };

static int rank_of(const char *name)
{
    for (int i = 0; i < NKIND; i++)
        if (!strcmp(kinds[i].name, name)) return i;
    TT_BUG("no kind of finding is called %s", name);
}

__attribute__((format(printf, 6, 7))) static void put(json_t *list, const char *name, const char *set, int64_t count,
                                                      const char *where, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s, s:s, s:s}", "kind", name, "set", set, "count",
                                          (json_int_t)count, "where", where, "text", text, "remedy",
                                          kinds[rank_of(name)].remedy));
}

/* ---- rows that cannot be used -------------------------------------------------------------------------------------------*/

static const char *kind_of_reason(const char *why)
{
    static const char *const table[][2] = {{"is not JSON", "broken-json"},
                                           {"not a JSON object", "broken-json"},
                                           {"UTF-8", "broken-text"},
                                           {"zero byte", "broken-text"},
                                           {"has no \"", "missing-column"},
                                           {"has nothing in", "missing-column"},
                                           {"has an empty source", "empty-source"},
                                           {"has an empty target", "empty-target"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strstr(why, table[i][0])) return table[i][1];
    return "bad-row";
}

static void find_bad_rows(const audit *u, const tt_sets *sets, json_t *list)
{
    for (int i = 0; sets && i < sets->n; i++) {
        const tt_setinfo *s = tt_set_info(sets->set[i]);
        const char *why;
        json_t *each;
        json_object_foreach(json_object_get(u->reasons, s->name), why, each)
        {
            char where[4200];
            snprintf(where, sizeof where, "%s:%lld", s->path,
                     (long long)json_integer_value(json_object_get(each, "line")));
            put(list, kind_of_reason(why), s->name, json_integer_value(json_object_get(each, "rows")), where,
                "rows that cannot be used: %s", why);
        }
    }
}

/* ---- lengths, numbers ---------------------------------------------------------------------------------------------------*/

static void find_long(const tt_sets *sets, const tt_lengths *len, json_t *list)
{
    for (int i = 0; sets && i < sets->n; i++) {
        const tt_setinfo *s = tt_set_info(sets->set[i]);
        if (!len[i].cut) continue;
        char where[4200];
        snprintf(where, sizeof where, "%s:%lld", s->path, (long long)tt_set_line(sets->set[i], len[i].cut_row));
        put(list, "over-long", s->name, len[i].cut, where, "%lld of %lld rows measured are cut to the longest allowed",
            (long long)len[i].cut, (long long)len[i].rows);
    }
}

static void find_declared(const tt_sets *sets, json_t *list)
{
    for (int i = 0; sets && i < sets->n; i++) {
        const tt_setinfo *s = tt_set_info(sets->set[i]);
        int64_t have = s->file_rows + s->quarantined;
        if (!s->declared || s->declared == have) continue;
        put(list, "declared-rows", s->name, llabs(s->declared - have), s->path,
            "the registry says %lld rows, the file has %lld", (long long)s->declared, (long long)have);
    }
}

/* The cap that most sets of a part have; 0 if none has a majority. */
static int64_t usual_cap(const audit *u, int part, int *others)
{
    int64_t cap = 0;
    int votes = 0; /* Boyer and Moore: the only value that can have a majority */
    for (int i = 0; i < u->train->n; i++) {
        if (tt_mix_part_of(u->mix, i) != part) continue;
        int64_t own = tt_mix_cap(u->mix, i);
        if (!votes) cap = own;
        votes += own == cap ? 1 : -1;
    }
    int same = 0, all = 0;
    for (int i = 0; i < u->train->n; i++) {
        if (tt_mix_part_of(u->mix, i) != part) continue;
        all++;
        same += tt_mix_cap(u->mix, i) == cap;
    }
    *others = same;
    return 2 * same > all && same > 2 ? cap : -1;
}

static void find_caps(const audit *u, json_t *list)
{
    for (int part = -1; part < tt_mix_parts(u->mix); part++) {
        int others;
        int64_t usual = usual_cap(u, part, &others);
        for (int i = 0; i < u->train->n && usual >= 0; i++) {
            const tt_setinfo *s = tt_set_info(u->train->set[i]);
            int64_t own = tt_mix_cap(u->mix, i);
            if (tt_mix_part_of(u->mix, i) != part || own == usual) continue;
            char cap[32] = "none", other[32] = "none";
            if (own) snprintf(cap, sizeof cap, "%lld", (long long)own);
            if (usual) snprintf(other, sizeof other, "%lld", (long long)usual);
            put(list, "wrong-cap", s->name, 1, s->path, "its cap is %s, that of %d others %s", cap, others, other);
        }
    }
}

enum { OFTEN = 20 }; /* times that a row is shown before it is worth a word */

static void find_repeated(const audit *u, json_t *list)
{
    double draws = audit_planned_draws(u);
    for (int i = 0; i < u->train->n; i++) {
        const tt_setinfo *s = tt_set_info(u->train->set[i]);
        double each = tt_mix_share(u->mix, i) * draws / (double)(s->rows ? s->rows : 1);
        if (each > OFTEN)
            put(list, "repeated", s->name, s->rows, s->path, "each of its %lld rows is shown %.0f times",
                (long long)s->rows, each);
    }
}

/* The pair of data sets, both lines; the findings' names are those of our kinds. */
static void find_repeats(const audit *u, json_t *list)
{
    for (int i = 0; u->clean && i < u->clean->nfinding; i++) {
        const tt_finding *f = &u->clean->finding[i];
        const tt_clean_set *a = &u->clean->set[f->a], *b = &u->clean->set[f->b];
        static const char *const text[TT_FINDING_KINDS] = {
            [TT_DUP_EXACT] = "rows repeat one that stands before them",
            [TT_DUP_NEAR] = "rows nearly repeat one that stands before them",
            [TT_CONFLICT] = "rows ask what another one asks and answer otherwise",
            [TT_CONTAM_EXACT] = "rows to evaluate on are in the training set",
            [TT_CONTAM_NGRAM] = "rows to evaluate on share 13 words in a row with the training set",
            [TT_LEAK] = "exemplars are rows to evaluate on",
            [TT_LISTED_TWICE] = "rows coincide",
        };
        static const char *const name[TT_FINDING_KINDS] = {
            [TT_DUP_EXACT] = "exact-duplicate",  [TT_DUP_NEAR] = "near-duplicate",    [TT_CONFLICT] = "conflict",
            [TT_CONTAM_EXACT] = "contamination", [TT_CONTAM_NGRAM] = "contamination", [TT_LEAK] = "exemplar-leak",
            [TT_LISTED_TWICE] = "listed-twice",
        };
        char where[8600];
        snprintf(where, sizeof where, "%s:%lld and %s:%lld", a->path, (long long)f->line_a, b->path,
                 (long long)f->line_b);
        put(list, name[f->kind], a->name, f->count, where, "%lld %s", (long long)f->count, text[f->kind]);
        json_t *last = json_array_get(list, json_array_size(list) - 1);
        if (f->a != f->b) json_object_set_new(last, "with", json_string(b->name));
        json_object_set_new(last, "lists", json_pack("[s, s]", a->list, b->list));
    }
}

static void find_absent(const tt_sets *sets, const char *what, json_t *list)
{
    if (sets && sets->nabsent)
        put(list, "absent", what, sets->nabsent, sets->absent[0].path, "data sets without their files, the first: %s",
            sets->absent[0].name);
}

/* ---- all -----------------------------------------------------------------------------------------------------------------*/

static int worst_first(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int kx = rank_of(json_string_value(json_object_get(x, "kind")));
    int ky = rank_of(json_string_value(json_object_get(y, "kind")));
    json_int_t cx = json_integer_value(json_object_get(x, "count")),
               cy = json_integer_value(json_object_get(y, "count"));
    if (kx != ky) return kx - ky;
    if (cx != cy) return cx < cy ? 1 : -1;
    return strcmp(json_string_value(json_object_get(x, "set")), json_string_value(json_object_get(y, "set")));
}

static json_t *sorted(json_t *list)
{
    size_t n = json_array_size(list);
    json_t **order = tt_malloc(sizeof *order * (n + 1)), *out = json_array();
    for (size_t i = 0; i < n; i++) order[i] = json_array_get(list, i);
    if (n) qsort(order, n, sizeof *order, worst_first);
    for (size_t i = 0; i < n; i++) json_array_append(out, order[i]);
    free(order);
    json_decref(list);
    return out;
}

json_t *audit_found(const audit *u)
{
    json_t *list = json_array();
    const tt_sets *sets[] = {u->train, u->validation, u->test};
    const tt_lengths *len[] = {u->train_len, u->validation_len, u->test_len};
    static const char *const name[] = {"data.train", "data.validation", "data.test"};
    for (int k = 0; k < 3; k++) {
        find_bad_rows(u, sets[k], list);
        find_long(sets[k], len[k], list);
        find_declared(sets[k], list);
        find_absent(sets[k], name[k], list);
    }
    find_repeats(u, list);
    find_caps(u, list);
    find_repeated(u, list);
    return sorted(list);
}
