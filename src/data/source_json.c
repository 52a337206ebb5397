/* JSONL, and JSON arrays of objects. */
#include "source_json.h"

#include <stdlib.h>
#include <string.h>

static const json_t *not_null(const json_t *v) { return json_is_null(v) ? NULL : v; }

static const json_t *walk(const json_t *v, const char *path, json_t **made);

/* Of a list of objects: the list of what path finds in each, null where that is nothing. */
static json_t *walk_each(const json_t *list, const char *path)
{
    size_t i;
    json_t *each, *found = json_array();
    json_array_foreach((json_t *)list, i, each)
    {
        json_t *made = NULL;
        const json_t *v = walk(each, path, &made);
        json_array_append_new(found, made ? made : v ? json_incref((json_t *)v) : json_null());
    }
    return found;
}

/* *made: the result, where it is a list that was not there before. */
static const json_t *walk(const json_t *v, const char *path, json_t **made)
{
    char step[256];
    while (v && *path) {
        size_t n = strcspn(path, ".");
        if (n >= sizeof step) return NULL;
        memcpy(step, path, n);
        step[n] = 0;
        char *end;
        size_t at = strtoul(step, &end, 10);
        if (json_is_array(v) && *end) return *made = walk_each(v, path);
        v = json_is_array(v) ? json_array_get(v, at) : json_object_get(v, step);
        path += n + (path[n] == '.');
    }
    return v;
}

/* A list made on the way is kept in the object under the whole key, and goes with it. */
const json_t *tt_json_find(const json_t *object, const char *key)
{
    json_t *made = NULL;
    const json_t *v = json_object_get(object, key);
    if (!v && strchr(key, '.')) v = walk(object, key, &made);
    if (made) json_object_set_new((json_t *)object, key, made);
    return not_null(v);
}

/* As few digits as give the number back, with a point: 0.1, 1.0, 1e+300. */
static int print_real(char *s, size_t n, double x)
{
    int len = 0;
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(s, n, "%.*g", digits, x);
        if (strtod(s, NULL) == x) break;
    }
    return strpbrk(s, ".en") ? len : snprintf(s + len, n - (size_t)len, ".0") + len;
}

static void put_scalar(tt_reader *r, int c, const json_t *v)
{
    char num[64];
    if (json_is_string(v))
        tt_row_value(r, c, json_string_value(v), json_string_length(v));
    else if (json_is_boolean(v))
        tt_row_value(r, c, json_is_true(v) ? "true" : "false", json_is_true(v) ? 4 : 5);
    else if (json_is_integer(v))
        tt_row_value(r, c, num, (size_t)snprintf(num, sizeof num, "%lld", (long long)json_integer_value(v)));
    else if (json_is_real(v))
        tt_row_value(r, c, num, (size_t)print_real(num, sizeof num, json_real_value(v)));
    else
        tt_row_trouble(r, "has %s in \"%s\", where a text, a number or a list of them is needed",
                       json_is_object(v)  ? "an object"
                       : json_is_array(v) ? "a list in a list"
                                          : "a null in a list",
                       r->spec->key[c]);
}

static void put(tt_reader *r, int c, const json_t *v)
{
    size_t i;
    json_t *each;
    if (!json_is_array(v))
        put_scalar(r, c, v);
    else
        json_array_foreach((json_t *)v, i, each) put_scalar(r, c, each);
}

/* References in columns of their own: summary1, summary2, ... */
static void put_numbered(tt_reader *r, int c, const json_t *object)
{
    char key[256];
    for (int k = 1;; k++) {
        snprintf(key, sizeof key, "%s%d", r->spec->key[c], k);
        const json_t *v = tt_json_find(object, key);
        if (!v) return;
        put_scalar(r, c, v);
    }
}

/* "id, input, target" */
static void list_keys(const json_t *object, char *out, size_t size)
{
    size_t n = 0;
    const char *key;
    json_t *v;
    out[0] = 0;
    json_object_foreach((json_t *)object, key, v)
    {
        if (n + strlen(key) + 8 > size) return;
        n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", key);
    }
}

static void explain_missing(tt_reader *r, const json_t *object)
{
    int c = tt_row_missing(r);
    if (c < 0) return;
    const char *key = r->spec->key[c];
    char keys[120];
    list_keys(object, keys, sizeof keys);
    if (json_object_get(object, key))
        tt_row_lacking(r, "has nothing in \"%s\"", key);
    else
        tt_row_lacking(r, "has no \"%s\" (it has %s); map it with fields.%s", key, *keys ? keys : "no keys",
                       r->spec->templates->col[c]);
}

tt_err tt_json_row(tt_reader *r, const json_t *object, int64_t line)
{
    tt_row_begin(r, line);
    if (!json_is_object(object)) return tt_row_bad(r, line, "is not a JSON object");
    for (int c = 0; c < r->rows.ncol; c++) {
        if (r->cell[c].n) continue; /* fixed by the file's header */
        const json_t *v = tt_json_find(object, r->spec->key[c]);
        if (v)
            put(r, c, v);
        else if (r->spec->format->numbered)
            put_numbered(r, c, object);
    }
    explain_missing(r, object);
    return tt_row_end(r);
}

static tt_err parse_row(tt_reader *r, const char *text, size_t size, int64_t line)
{
    json_error_t err;
    tt_err e;
    if (tt_json_quick(r, text, size, line, &e)) return e;
    tt_row_begin(r, line);
    json_t *o = json_loadb(text, size, JSON_DECODE_ANY, &err);
    if (!o) return tt_row_bad(r, line, "is not JSON: %s", err.text);
    e = tt_json_row(r, o, line);
    json_decref(o);
    return e;
}

/* strlen is short of size where a zero byte stands: what follows would be lost silently. */
static tt_err no_zero_bytes(const tt_reader *r, const char *text, size_t size)
{
    size_t n = strlen(text);
    if (n == size) return TT_OK;
    return tt_fail(TT_EDATA, "%s: has a zero byte at %zu; it is no JSON text, look at what wrote it", r->spec->path,
                   (size_t)r->at + n);
}

tt_err tt_json_lines(tt_reader *r, char *text, size_t size, int64_t line)
{
    TT_TRY(no_zero_bytes(r, text, size));
    for (char *end; *text && !r->done; text = end + (*end != 0), line++) {
        end = strchrnul(text, '\n');
        size_t n = (size_t)(end - text);
        if (strspn(text, " \t\r") < n) TT_TRY(parse_row(r, text, n, line));
    }
    return TT_OK;
}

tt_err tt_head_jsonl(tt_reader *r, const char *text, size_t size, tt_filehead *out)
{
    *out = (tt_filehead){.rows = tt_json_lines, .lines_alone = true};
    return TT_OK;
}

/* ---- one array ------------------------------------------------------------------------------------------------------*/

typedef struct scan {
    const char *p;
    int64_t line;
} scan;

static void skip_blanks(scan *s)
{
    for (; *s->p && strchr(" \t\r\n", *s->p); s->p++) s->line += *s->p == '\n';
}

static void skip_string(scan *s)
{
    for (s->p++; *s->p && *s->p != '"'; s->p++) {
        if (*s->p == '\\' && s->p[1]) s->p++;
        s->line += *s->p == '\n';
    }
    if (*s->p) s->p++;
}

/* To the comma or bracket that ends the element. */
static void skip_element(scan *s)
{
    for (int depth = 0; *s->p;) {
        if (*s->p == '"') {
            skip_string(s);
            continue;
        }
        if (depth == 0 && (*s->p == ',' || *s->p == ']')) return;
        depth += (*s->p == '{' || *s->p == '[') - (*s->p == '}' || *s->p == ']');
        s->line += *s->p++ == '\n';
    }
}

static tt_err parse_array(tt_reader *r, char *text, size_t size, int64_t first)
{
    TT_TRY(no_zero_bytes(r, text, size));
    scan s = {text, first};
    skip_blanks(&s);
    s.p++; /* the bracket */
    skip_blanks(&s);
    while (*s.p && *s.p != ']' && !r->done) {
        const char *from = s.p;
        int64_t line = s.line;
        skip_element(&s);
        TT_TRY(parse_row(r, from, (size_t)(s.p - from), line));
        if (*s.p == ',') s.p++;
        skip_blanks(&s);
    }
    if (*s.p || r->done) return TT_OK;
    tt_row_begin(r, s.line);
    return tt_row_bad(r, s.line, "ends before the list is closed with ']'; the file is cut short");
}

tt_err tt_head_json(tt_reader *r, const char *text, size_t size, tt_filehead *out)
{
    scan s = {text, 1};
    skip_blanks(&s);
    bool array = *s.p == '[';
    *out = (tt_filehead){.rows = array ? parse_array : tt_json_lines, .lines_alone = !array};
    return TT_OK;
}
