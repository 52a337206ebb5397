/* Super-NaturalInstructions: a header line (definition, positive examples, category) and one instance a line; or the official
 * release's file, one object with Definition, Positive Examples, Categories and Instances. */
#include "source_json.h"

#include <string.h>

/* The first of the names that the object has; a list's first entry stands for it when it should be a text. */
static const json_t *either(const json_t *o, const char *name, const char *other)
{
    const json_t *v = tt_json_find(o, name);
    return v ? v : tt_json_find(o, other);
}

static const char *text_of(const json_t *v)
{
    if (json_is_array(v)) v = json_array_get(v, 0);
    return json_string_value(v);
}

static bool is_text(const json_t *v, const char *want)
{
    size_t i;
    json_t *each;
    if (json_is_string(v)) return !strcmp(json_string_value(v), want);
    json_array_foreach((json_t *)v, i, each) if (is_text(each, want)) return true;
    return false;
}

/* One key of where: any of the wanted values. */
static bool matches(const json_t *header, const tt_yaml *want)
{
    const json_t *v = tt_json_find(header, want->key);
    if (want->kind == TT_SCALAR) return is_text(v, want->text);
    for (int i = 0; i < want->n; i++)
        if (want->child[i]->kind == TT_SCALAR && is_text(v, want->child[i]->text)) return true;
    return false;
}

static bool wanted(const tt_reader *r, const json_t *header)
{
    const tt_yaml *where = r->spec->where;
    for (int i = 0; where && i < where->n; i++)
        if (!matches(header, where->child[i])) return false;
    return true;
}

/* As Tk-Instruct shows them. */
static void put_examples(tt_buf *b, const json_t *list)
{
    size_t i;
    json_t *each;
    char head[64];
    json_array_foreach((json_t *)list, i, each)
    {
        const char *in = text_of(json_object_get(each, "input")), *out = text_of(json_object_get(each, "output"));
        if (!in || !out) continue;
        tt_buf_add(b, head, (size_t)snprintf(head, sizeof head, "Positive Example %zu -\nInput: ", i + 1));
        tt_buf_add(b, in, strlen(in));
        tt_buf_add(b, "\nOutput: ", 9);
        tt_buf_add(b, out, strlen(out));
        tt_buf_add(b, "\n\n", 2);
    }
}

static int column(const tt_reader *r, const char *name)
{
    for (int c = 0; c < r->rows.ncol; c++)
        if (!strcmp(r->spec->templates->col[c], name)) return c;
    return -1;
}

/* Texts that all rows share are kept once. */
static void fix(tt_reader *r, const char *name, const char *text, size_t size)
{
    int c = column(r, name);
    if (c >= 0) r->fixed[c] = tt_rows_value(&r->rows, text, size);
}

static void read_header(tt_reader *r, const json_t *header)
{
    const char *definition = text_of(either(header, "definition", "Definition"));
    const char *category = text_of(either(header, "category", "Categories"));
    if (category && !r->spec->category) snprintf(r->rows.category, sizeof r->rows.category, "%s", category);
    fix(r, "definition", definition, strlen(definition));
    tt_buf examples = {0};
    put_examples(&examples, either(header, "positive_examples", "Positive Examples"));
    fix(r, "examples", examples.p ? examples.p : "", examples.n);
    tt_buf_fini(&examples);
}

static tt_err each_instance(tt_reader *r, const json_t *list)
{
    size_t i;
    json_t *each;
    json_array_foreach((json_t *)list, i, each)
    {
        if (r->done) break;
        TT_TRY(tt_json_row(r, each, (int64_t)i + 1)); /* the instance's number: the file has no lines to speak of */
    }
    return TT_OK;
}

/* Makes r ready for the header's rows, or done if where leaves the file out. */
static tt_err use_header(tt_reader *r, const json_t *header)
{
    if (!text_of(either(header, "definition", "Definition")))
        return tt_fail(TT_EDATA, "%s: line 1 must be the task's header with a \"definition\"; is this format superni?",
                       r->spec->path);
    if (!wanted(r, header)) {
        r->done = r->rows.left_out = true;
        return TT_OK;
    }
    read_header(r, header);
    return TT_OK;
}

/* The official release's file. Lines behind an object on one line that has no Instances are rows. */
static tt_err parse_whole(tt_reader *r, char *text, size_t size, int64_t line)
{
    json_error_t err;
    json_t *header = json_loadb(text, size, 0, &err);
    if (!header)
        return tt_fail(TT_EDATA, "%s:%d: is not JSON: %s; a superni file starts with the task's header", r->spec->path,
                       err.line, err.text);
    tt_err e = use_header(r, header);
    if (e == TT_OK && !r->done) e = each_instance(r, tt_json_find(header, "Instances"));
    json_decref(header);
    return e;
}

tt_err tt_head_superni(tt_reader *r, const char *text, size_t size, tt_filehead *out)
{
    const char *end = strchrnul(text, '\n');
    json_t *header = json_loadb(text, (size_t)(end - text), 0, NULL);
    *out = (tt_filehead){.rows = parse_whole};
    if (header && !tt_json_find(header, "Instances")) {
        *out = (tt_filehead){(size_t)(end - text) + (*end == '\n'), 1, tt_json_lines, true};
        tt_err e = use_header(r, header);
        json_decref(header);
        return e;
    }
    json_decref(header);
    return TT_OK;
}
