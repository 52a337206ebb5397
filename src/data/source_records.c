/* JSON lines that are not rows by themselves. headed: the first line holds what all rows share. nested: a record holds a list whose
 * members are the rows, as a passage holds its questions; a member sees the keys of the record, and its own first. */
#include "source_json.h"

#include <string.h>

/* A row: what is said of it alone, over what it shares. Both are borrowed. */
static json_t *join(const json_t *shared, const json_t *own)
{
    json_t *o = json_copy((json_t *)shared);
    if (!o || json_object_update(o, (json_t *)own)) TT_BUG("out of memory for a row");
    return o;
}

/* ---- headed --------------------------------------------------------------------------------------------------------------*/

/* One key of where: any of the wanted texts. */
static bool has_value(const json_t *o, const tt_yaml *want)
{
    const char *v = json_string_value(tt_json_find(o, want->key));
    if (!v || want->kind == TT_SCALAR) return v && !strcmp(v, want->text);
    for (int i = 0; i < want->n; i++)
        if (want->child[i]->kind == TT_SCALAR && !strcmp(v, want->child[i]->text)) return true;
    return false;
}

static bool wanted(const tt_reader *r, const json_t *o)
{
    const tt_yaml *where = r->spec->where;
    for (int i = 0; where && i < where->n; i++)
        if (!has_value(o, where->child[i])) return false;
    return true;
}

static tt_err headed_row(tt_reader *r, const json_t *head, const json_t *own, int64_t line)
{
    if (!json_is_object(own)) return tt_json_row(r, own, line); /* says what is wrong */
    json_t *o = join(head, own);
    tt_err e = wanted(r, o) ? tt_json_row(r, o, line) : TT_OK;
    json_decref(o);
    return e;
}

/* ---- nested --------------------------------------------------------------------------------------------------------------*/

/* path leads from part to a list, or through lists of objects to lists. record: the keys seen so far. */
static tt_err members(tt_reader *r, const json_t *record, const json_t *part, const char *path, int64_t line)
{
    size_t n = strcspn(path, "."), i;
    json_t *each;
    char step[256];
    snprintf(step, sizeof step, "%.*s", (int)n, path);
    const json_t *v = json_object_get(part, step);
    const char *rest = path[n] ? path + n + 1 : path + n;
    if (!v) {
        tt_row_begin(r, line);
        return tt_row_bad(r, line, "has no list \"%s\"; see the entry's key each", r->spec->each);
    }
    if (json_is_object(v) && *rest) return members(r, record, v, rest, line);
    if (!json_is_array(v)) {
        tt_row_begin(r, line);
        return tt_row_bad(r, line, "has no list in \"%s\"; see the entry's key each", r->spec->each);
    }
    json_array_foreach((json_t *)v, i, each)
    {
        if (r->done) break;
        if (!json_is_object(each)) {
            tt_row_begin(r, line);
            TT_TRY(tt_row_bad(r, line, "has a member in \"%s\" that is not an object", r->spec->each));
            continue;
        }
        json_t *o = join(record, each);
        tt_err e = *rest ? members(r, o, each, rest, line) : tt_json_row(r, o, line);
        json_decref(o);
        TT_TRY(e);
    }
    return TT_OK;
}

/* ---- lines ---------------------------------------------------------------------------------------------------------------*/

/* One line; head NULL: a nested record. */
static tt_err parse_line(tt_reader *r, const json_t *head, const char *text, size_t size, int64_t line)
{
    json_error_t err;
    json_t *o = json_loadb(text, size, 0, &err);
    if (!o) {
        tt_row_begin(r, line);
        return tt_row_bad(r, line, "is not JSON: %s", err.text);
    }
    tt_err e = head ? headed_row(r, head, o, line) : members(r, o, o, r->spec->each, line);
    json_decref(o);
    return e;
}

static tt_err parse_lines(tt_reader *r, const json_t *head, const char *text, size_t size, int64_t line)
{
    for (const char *stop = text + size, *end; text < stop && !r->done; text = end + (end < stop), line++) {
        end = memchr(text, '\n', (size_t)(stop - text));
        if (!end) end = stop;
        size_t n = (size_t)(end - text);
        if (strspn(text, " \t\r") < n) TT_TRY(parse_line(r, head, text, n, line));
    }
    return TT_OK;
}

static tt_err parse_nested(tt_reader *r, char *text, size_t size, int64_t line)
{
    return parse_lines(r, NULL, text, size, line);
}

tt_err tt_head_nested(tt_reader *r, const char *text, size_t size, tt_filehead *out)
{
    *out = (tt_filehead){.rows = parse_nested, .lines_alone = true};
    return TT_OK;
}

/* Its rows need the first line, so the file is read in one piece. */
static tt_err parse_headed(tt_reader *r, char *text, size_t size, int64_t line)
{
    const char *end = memchr(text, '\n', size);
    size_t n = end ? (size_t)(end - text) : size;
    json_t *head = json_loadb(text, n, 0, NULL);
    if (!json_is_object(head)) {
        json_decref(head);
        return tt_fail(TT_EDATA, "%s: line 1 must be a JSON object with what all rows share; is this format headed?",
                       r->spec->path);
    }
    size_t from = n + (end != NULL);
    tt_err e = parse_lines(r, head, text + from, size - from, line + 1);
    json_decref(head);
    return e;
}

tt_err tt_head_headed(tt_reader *r, const char *text, size_t size, tt_filehead *out)
{
    *out = (tt_filehead){.rows = parse_headed};
    return TT_OK;
}
