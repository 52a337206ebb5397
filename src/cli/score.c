/* tutti score: a metric on a file of predictions. */
#include "tutti/cli.h"
#include "tutti/eval.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- options --------------------------------------------------------------------------------------------------------------*/
typedef struct opts {
    bool per_example, errors;
    const char *references;
} opts;

#define AT(field) offsetof(opts, field)
static const tt_keyrow rows[] = {
    {"per_example", TT_KBOOL, AT(per_example), "false", NULL, "a line for each example instead of one for all"},
    {"stderr", TT_KBOOL, AT(errors), "false", NULL, "standard errors beside the values"},
    {"references", TT_KTEXT, AT(references), NULL, NULL,
     "files of references, comma-separated, line by line as FILE; default: in FILE itself"},
    {0},
};

typedef struct session {
    opts o;
    tt_fields f;
    tt_scoring *s;
    tt_arena *a; /* one example */
    char where[4096];
} session;

/* ---- files ------------------------------------------------------------------------------------------------------------------*/

/* A file of lines. JSONL by its name or its first byte, else each line is a text. gz by content. */
typedef struct lines {
    const char *path;
    char *text;
    size_t size, at;
    bool json;
    int64_t number;
} lines;

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

/* What the names of files say: 1 JSON, 0 text, -1 nothing. */
static int kind_of(const char *path)
{
    static const struct {
        const char *end;
        int json;
    } kinds[] = {{".jsonl", 1}, {".json", 1}, {".jsonl.gz", 1}, {".json.gz", 1}, {".txt", 0}, {".txt.gz", 0}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (ends_with(path, kinds[i].end)) return kinds[i].json;
    return -1;
}

static tt_err open_lines(const char *path, lines *l)
{
    static const char mark[] = "\xef\xbb\xbf"; /* of byte order, as Windows writes it */
    *l = (lines){.path = path};
    TT_TRY(tt_slurp(path, &l->text, &l->size));
    if (l->size >= 3 && !memcmp(l->text, mark, 3)) l->at = 3;
    if (l->size == l->at) return tt_fail(TT_EDATA, "%s: is empty; each line must hold one example", path);
    int kind = kind_of(path);
    l->json = kind < 0 ? l->text[l->at] == '{' : kind;
    return TT_OK;
}

/* The next line without its end. JSON lines that are blank do not count. */
static bool next_line(lines *l, const char **line, size_t *n)
{
    while (l->at < l->size) {
        const char *p = l->text + l->at, *end = memchr(p, '\n', l->size - l->at);
        *n = end ? (size_t)(end - p) : l->size - l->at;
        l->at += *n + 1;
        l->number++;
        *line = p;
        if (*n && p[*n - 1] == '\r') --*n;
        if (!l->json || strspn(p, " \t") < *n) return true;
    }
    return false;
}

static tt_err unreadable(const lines *l, const char *why)
{
    return tt_fail(TT_EDATA, "%s:%lld: %s", l->path, (long long)l->number, why);
}

static const char not_utf8[] = "is not UTF-8; convert the file, for instance with iconv";

/* Python's json writes bare NaN, Infinity and -Infinity; jansson stops at their first letter, or at the sign. */
static bool is_pythons(const char *line, size_t n, const json_error_t *err)
{
    static const char *const word[] = {"near 'NaN'", "near 'Infinity'", "near 'nan'", "near 'inf'"};
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        if (strstr(err->text, word[i])) return true;
    return strstr(err->text, "near '-'") && memmem(line, n, "-Infinity", 9);
}

static json_t *read_json(const lines *l, const char *line, size_t n)
{
    json_error_t err;
    json_t *v = json_loadb(line, n, JSON_DECODE_ANY, &err);
    if (v) return v;
    if (json_error_code(&err) == json_error_invalid_utf8)
        unreadable(l, not_utf8);
    else if (is_pythons(line, n, &err))
        unreadable(l, "NaN and Infinity are no JSON; write \"nan\", \"inf\" or \"-inf\", in quotes");
    else
        tt_fail(TT_EDATA, "%s:%lld: is not JSON: %s; each line must be one object", l->path, (long long)l->number,
                err.text);
    return NULL;
}

static json_t *read_text(const lines *l, const char *line, size_t n)
{
    bool zero = memchr(line, 0, n) != NULL;
    json_t *v = zero ? NULL : json_stringn(line, n);
    if (!v) unreadable(l, zero ? "holds a zero byte; a text file is needed, in UTF-8" : not_utf8);
    return v;
}

/* The line as a JSON value: itself, or a text. NULL: TT_EDATA. A new reference. */
static json_t *read_value(const lines *l, const char *line, size_t n)
{
    return l->json ? read_json(l, line, n) : read_text(l, line, n);
}

/* What a line of a reference file brings: a text, a list, or an object with one. */
static tt_err add_reference(session *s, const lines *l, json_t *to, json_t *v)
{
    const json_t *found = v;
    if (json_is_object(v)) {
        found = s->f.reference ? json_object_get(v, s->f.reference) : json_object_get(v, "references");
        if (!found && !s->f.reference) found = json_object_get(v, "reference");
    }
    if (!found)
        return tt_fail(TT_EDATA, "%s:%lld: has no \"%s\"; map it with fields.references=KEY", l->path,
                       (long long)l->number, s->f.reference ? s->f.reference : "references");
    for (size_t i = 0; i < (json_is_array(found) ? json_array_size(found) : 1); i++)
        json_array_append(to, json_is_array(found) ? json_array_get(found, i) : (json_t *)found);
    return TT_OK;
}

static tt_err one_example(session *s, const json_t *o)
{
    tt_case c;
    tt_arena_reset(s->a);
    TT_TRY(tt_case_read(&s->f, tt_scoring_metric(s->s)->needs, s->a, s->where, o, &c));
    return tt_scoring_add(s->s, &c);
}

enum { MOST_FILES = 32 };
typedef struct input {
    lines main;
    int nref;
    lines ref[MOST_FILES];
} input;

/* The references of this line from their own files, into o. */
static tt_err merge_references(session *s, input *in, json_t *o)
{
    json_t *list = json_array();
    tt_err e = TT_OK;
    for (int i = 0; i < in->nref && e == TT_OK; i++) {
        const char *line;
        size_t n;
        if (!next_line(&in->ref[i], &line, &n)) {
            e = tt_fail(TT_EDATA, "%s: has %lld lines, but %s has more: line %lld has no reference", in->ref[i].path,
                        (long long)in->ref[i].number, in->main.path, (long long)in->main.number);
            break;
        }
        json_t *v = read_value(&in->ref[i], line, n);
        e = v ? add_reference(s, &in->ref[i], list, v) : TT_EDATA;
        json_decref(v);
    }
    json_object_set_new(o, s->f.reference ? s->f.reference : "references", list);
    return e;
}

static tt_err one_line(session *s, input *in, const char *line, size_t n)
{
    snprintf(s->where, sizeof s->where, "%s:%lld", in->main.path, (long long)in->main.number);
    json_t *v = read_value(&in->main, line, n);
    if (!v) return TT_EDATA;
    json_t *o = json_is_object(v) ? json_incref(v) : json_pack("{s:O}", s->f.prediction, v);
    tt_err e = in->nref ? merge_references(s, in, o) : TT_OK;
    if (e == TT_OK) e = one_example(s, o);
    json_decref(o);
    json_decref(v);
    return e;
}

static tt_err each_line(session *s, input *in)
{
    const char *line;
    size_t n;
    while (next_line(&in->main, &line, &n)) TT_TRY(one_line(s, in, line, n));
    for (int i = 0; i < in->nref; i++)
        if (next_line(&in->ref[i], &line, &n))
            return tt_fail(TT_EDATA, "%s: has more lines than %s, which ends at %lld", in->ref[i].path, in->main.path,
                           (long long)in->main.number);
    if (tt_scoring_count(s->s) == 0) return tt_fail(TT_EDATA, "%s: holds no example", in->main.path);
    return TT_OK;
}

static tt_err open_input(session *s, const char *path, input *in)
{
    TT_TRY(open_lines(path, &in->main));
    char *names = s->o.references ? strdup(s->o.references) : NULL, *save = NULL;
    tt_err e = TT_OK;
    for (char *w = names ? strtok_r(names, ",", &save) : NULL; w && e == TT_OK; w = strtok_r(NULL, ",", &save)) {
        if (in->nref == MOST_FILES) e = tt_fail(TT_EJOB, "references: more than %d files", MOST_FILES);
        if (e != TT_OK) break;
        lines *l = &in->ref[in->nref++];
        e = open_lines(w, l);
        l->path = strdup(w);
    }
    free(names);
    return e;
}

static void close_input(input *in)
{
    free(in->main.text);
    for (int i = 0; i < in->nref; i++) {
        free(in->ref[i].text);
        free((char *)in->ref[i].path);
    }
}

/* ---- results ------------------------------------------------------------------------------------------------------------------*/

static void print_object(json_t *o)
{
    char *text = json_dumps(o, JSON_PRESERVE_ORDER);
    printf("%s\n", text);
    free(text);
    json_decref(o);
}

static tt_err all_written(void)
{
    if (!fflush(stdout) && !ferror(stdout)) return TT_OK;
    return tt_fail(TT_ERUN, "the result could not be written: %s; is the disk full?", strerror(errno));
}

static tt_err print_each(const session *s)
{
    for (int64_t i = 0; i < tt_scoring_count(s->s); i++) {
        json_t *o;
        TT_TRY(tt_scoring_object(s->s, i, &o));
        print_object(o);
        if (ferror(stdout)) break;
    }
    return all_written();
}

static tt_err print_total(const session *s)
{
    json_t *o, *errors = NULL;
    TT_TRY(tt_scoring_object(s->s, -1, &o));
    tt_err e = s->o.errors ? tt_scoring_errors_object(s->s, &errors) : TT_OK;
    if (errors) json_object_set_new(o, "stderr", errors);
    json_object_set_new(o, "n", json_integer(tt_scoring_count(s->s)));
    if (e != TT_OK) return json_decref(o), e;
    print_object(o);
    return all_written();
}

/* ---- the verb -------------------------------------------------------------------------------------------------------------------*/

static bool has_row(const tt_keyrow *r, const char *set)
{
    size_t n = strcspn(set, "=");
    while (r->name && (strlen(r->name) != n || strncmp(r->name, set, n))) r++;
    return r->name != NULL;
}

/* Whose option is "key=..."? What nobody knows is the verb's where it is near one of its own. */
enum { OWN, FIELD, METRIC };
static int owner(const char *set)
{
    char key[64];
    const char *own[sizeof rows / sizeof *rows];
    int n = 0;
    if (!strncmp(set, "fields.", 7)) return FIELD;
    if (has_row(rows, set) || has_row(tt_mopt_keys, set)) return has_row(rows, set) ? OWN : METRIC;
    snprintf(key, sizeof key, "%.*s", (int)strcspn(set, "="), set);
    for (const tt_keyrow *r = rows; r->name; r++) own[n++] = r->name;
    return tt_nearest(key, own, n) ? OWN : METRIC;
}

static tt_err bind(session *s, const tt_args *args)
{
    tt_args part[3];
    for (int k = 0; k < 3; k++) part[k] = (tt_args){.set = tt_malloc(sizeof(char *) * (size_t)(args->nset + 1))};
    for (int i = 0; i < args->nset; i++) {
        tt_args *p = &part[owner(args->set[i])];
        p->set[p->nset++] = args->set[i];
    }
    tt_err e = tt_args_bind(&part[OWN], rows, &s->o);
    if (e == TT_OK && s->o.per_example && s->o.errors)
        e = tt_fail(TT_EJOB, "score: one example has no standard error; leave out per_example or stderr");
    if (e == TT_OK) e = tt_args_bind(&part[FIELD], tt_field_keys, &s->f);
    if (e == TT_OK) e = tt_scoring_new(args->pos[0], part[METRIC].nset, part[METRIC].set, &s->s);
    for (int k = 0; k < 3; k++) free(part[k].set);
    return e;
}

tt_err tt_verb_score(const tt_mesh *m, const tt_args *args)
{
    if (args->n != 2)
        return tt_fail(TT_EJOB, "score takes a metric and a file: tutti score METRIC FILE.jsonl [option=value]; "
                                "tutti help score lists the metrics");
    session s = {0};
    TT_TRY(bind(&s, args));
    s.a = tt_arena_new(1 << 16);
    input in = {0};
    tt_err e = open_input(&s, args->pos[1], &in);
    if (e == TT_OK) e = each_line(&s, &in);
    if (e == TT_OK) e = s.o.per_example ? print_each(&s) : print_total(&s);
    close_input(&in);
    tt_scoring_free(s.s);
    tt_arena_free(s.a);
    return e;
}

void tt_score_help(FILE *f)
{
    fprintf(f, "\nOptions of the verb:\n");
    tt_keys_help(f, rows, NULL);
    tt_keys_help(f, tt_field_keys, NULL);
    fprintf(f, "\nOptions of the metrics:\n");
    tt_keys_help(f, tt_mopt_keys, NULL);
    fprintf(f, "\nMetrics:\n");
    for (const tt_metric *x = tt_metrics; x->name; x++) {
        char range[64];
        snprintf(range, sizeof range, "%g..%g, %s is better", x->lo, x->hi, x->better > 0 ? "higher" : "lower");
        fprintf(f, "  %-12s %s\n  %-12s %s; as %s%s%s\n", x->name, x->what, "", range, x->source,
                *x->options ? "; options: " : "", x->options);
    }
}
