/* YAML by libyaml's events into a tree with line marks. Anchors and aliases are resolved; duplicate keys are refused. */
#include "tutti/conf.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 64, MAX_ANCHORS = 256 };

typedef struct reader {
    yaml_parser_t parser;
    tt_arena *a;
    const char *file;
    int nanchor;
    struct {
        const char *name;
        tt_yaml *node;
    } anchor[MAX_ANCHORS];
} reader;

static tt_err next(reader *r, yaml_event_t *e)
{
    if (yaml_parser_parse(&r->parser, e)) return TT_OK;
    const yaml_parser_t *p = &r->parser;
    return tt_fail(TT_EJOB, "%s:%d: %s%s%s; see the YAML around this line", r->file, (int)p->problem_mark.line + 1,
                   p->problem ? p->problem : "not YAML", p->context ? ", " : "", p->context ? p->context : "");
}

static tt_yaml *node_new(reader *r, tt_kind kind, const yaml_event_t *e)
{
    tt_yaml *y = TT_ZNEW(r->a, tt_yaml, 1);
    y->kind = kind;
    y->file = r->file;
    y->line = (int)e->start_mark.line + 1;
    return y;
}

/* Arrays grow by doubling in the arena: capacity is the next power of two of n. */
static void append(tt_arena *a, tt_yaml *parent, tt_yaml *child)
{
    int n = parent->n;
    if ((n & (n - 1)) == 0) {
        tt_yaml **grown = TT_NEW(a, tt_yaml *, n ? 2 * n : 1);
        if (n) memcpy(grown, parent->child, sizeof *grown * (size_t)n);
        parent->child = grown;
    }
    parent->child[parent->n++] = child;
}

static tt_err remember(reader *r, const yaml_char_t *anchor, tt_yaml *node)
{
    if (!anchor) return TT_OK;
    if (r->nanchor == MAX_ANCHORS)
        return tt_fail(TT_EJOB, "%s:%d: more than %d anchors; write the values out", r->file, node->line, MAX_ANCHORS);
    r->anchor[r->nanchor].name = tt_strdup(r->a, (const char *)anchor);
    r->anchor[r->nanchor++].node = node;
    return TT_OK;
}

/* A copy of the node alone (children are shared): the same anchor may stand under several keys. */
static tt_err alias(reader *r, const yaml_event_t *e, tt_yaml **out)
{
    const char *name = (const char *)e->data.alias.anchor;
    for (int i = r->nanchor - 1; i >= 0; i--)
        if (!strcmp(r->anchor[i].name, name)) {
            *out = TT_NEW(r->a, tt_yaml, 1);
            **out = *r->anchor[i].node;
            return TT_OK;
        }
    return tt_fail(TT_EJOB, "%s:%d: *%s refers to nothing; define &%s before it", r->file, (int)e->start_mark.line + 1,
                   name, name);
}

static tt_err read_node(reader *r, const yaml_event_t *e, int depth, tt_yaml **out);

static tt_err read_list(reader *r, tt_yaml *list, int depth)
{
    for (;;) {
        yaml_event_t e;
        TT_TRY(next(r, &e));
        tt_yaml *item = NULL;
        bool end = e.type == YAML_SEQUENCE_END_EVENT;
        tt_err err = end ? TT_OK : read_node(r, &e, depth, &item);
        yaml_event_delete(&e);
        if (err != TT_OK || end) return err;
        append(r->a, list, item);
    }
}

static tt_err read_entry(reader *r, tt_yaml *map, const yaml_event_t *key, int depth)
{
    int line = (int)key->start_mark.line + 1;
    if (key->type != YAML_SCALAR_EVENT) return tt_fail(TT_EJOB, "%s:%d: a key must be plain text", r->file, line);
    const char *name = tt_strdup(r->a, (const char *)key->data.scalar.value);
    const tt_yaml *twice = tt_yaml_get(map, name);
    if (twice)
        return tt_fail(TT_EJOB, "%s:%d: '%s' is given twice (first in line %d); remove one", r->file, line, name,
                       twice->line);
    yaml_event_t e;
    TT_TRY(next(r, &e));
    tt_yaml *value = NULL;
    tt_err err = read_node(r, &e, depth, &value);
    yaml_event_delete(&e);
    TT_TRY(err);
    value->key = name;
    value->line = line;
    append(r->a, map, value);
    return TT_OK;
}

static tt_err read_map(reader *r, tt_yaml *map, int depth)
{
    for (;;) {
        yaml_event_t e;
        TT_TRY(next(r, &e));
        bool end = e.type == YAML_MAPPING_END_EVENT;
        tt_err err = end ? TT_OK : read_entry(r, map, &e, depth);
        yaml_event_delete(&e);
        if (err != TT_OK || end) return err;
    }
}

static tt_err read_node(reader *r, const yaml_event_t *e, int depth, tt_yaml **out)
{
    if (depth > MAX_DEPTH)
        return tt_fail(TT_EJOB, "%s:%d: nested deeper than %d levels", r->file, (int)e->start_mark.line + 1, MAX_DEPTH);
    if (e->type == YAML_ALIAS_EVENT) return alias(r, e, out);
    if (e->type == YAML_SCALAR_EVENT) {
        tt_yaml *y = *out = node_new(r, TT_SCALAR, e);
        y->text = tt_strdup(r->a, (const char *)e->data.scalar.value);
        y->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        return remember(r, e->data.scalar.anchor, y);
    }
    bool list = e->type == YAML_SEQUENCE_START_EVENT;
    tt_yaml *y = *out = node_new(r, list ? TT_LIST : TT_MAP, e);
    TT_TRY(list ? read_list(r, y, depth + 1) : read_map(r, y, depth + 1));
    return remember(r, list ? e->data.sequence_start.anchor : e->data.mapping_start.anchor, y);
}

static tt_err read_document(reader *r, tt_yaml **out)
{
    for (;;) {
        yaml_event_t e;
        TT_TRY(next(r, &e));
        tt_err err = TT_OK;
        bool end = e.type == YAML_STREAM_END_EVENT;
        bool node = e.type == YAML_SCALAR_EVENT || e.type == YAML_SEQUENCE_START_EVENT ||
                    e.type == YAML_MAPPING_START_EVENT || e.type == YAML_ALIAS_EVENT;
        if (node && *out)
            err = tt_fail(TT_EJOB, "%s:%d: a second document begins; keep one per file", r->file,
                          (int)e.start_mark.line + 1);
        else if (node)
            err = read_node(r, &e, 0, out);
        yaml_event_delete(&e);
        if (err != TT_OK || end) return err;
    }
}

tt_err tt_yaml_parse(tt_arena *a, const char *name, const char *text, size_t size, tt_yaml **out)
{
    reader *r = TT_ZNEW(a, reader, 1);
    r->a = a;
    r->file = tt_strdup(a, name);
    *out = NULL;
    if (!yaml_parser_initialize(&r->parser)) TT_BUG("libyaml: out of memory");
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, size);
    tt_err e = read_document(r, out);
    yaml_parser_delete(&r->parser);
    TT_TRY(e);
    if (!*out) {
        *out = TT_ZNEW(a, tt_yaml, 1);
        **out = (tt_yaml){.kind = TT_MAP, .file = r->file, .line = 1};
    }
    return TT_OK;
}

tt_err tt_yaml_read(tt_arena *a, const char *path, tt_yaml **out)
{
    char *text;
    size_t size;
    if (!tt_exists(path))
        return tt_fail(TT_EJOB, "%s: there is no such file; give the path of a job file (YAML)", path);
    if (tt_slurp(path, &text, &size) != TT_OK) return TT_EJOB;
    tt_err e = tt_yaml_parse(a, path, text, size, out);
    free(text);
    return e;
}

const tt_yaml *tt_yaml_get(const tt_yaml *map, const char *key)
{
    if (!map || map->kind != TT_MAP) return NULL;
    for (int i = 0; i < map->n; i++)
        if (!strcmp(map->child[i]->key, key)) return map->child[i];
    return NULL;
}

/* Parses a value of the command line; what is no YAML (a path with a colon, "") is plain text. */
static tt_yaml *command_value(tt_arena *a, const char *value)
{
    tt_yaml *y = NULL;
    bool failed_before = tt_fail_code() != TT_OK;
    if (tt_yaml_parse(a, "command line", value, strlen(value), &y) == TT_OK && *value) return y;
    if (!failed_before) tt_fail_clear();
    y = TT_ZNEW(a, tt_yaml, 1);
    *y = (tt_yaml){
        .kind = TT_SCALAR, .text = tt_strdup(a, value), .quoted = *value != 0, .file = "command line", .line = 0};
    return y;
}

static void put(tt_arena *a, tt_yaml *map, tt_yaml *value)
{
    for (int i = 0; i < map->n; i++)
        if (!strcmp(map->child[i]->key, value->key)) {
            map->child[i] = value;
            return;
        }
    append(a, map, value);
}

tt_err tt_yaml_set(tt_arena *a, tt_yaml *root, const char *dotted, const char *value)
{
    char *key = tt_strdup(a, dotted), *dot;
    tt_yaml *at = root;
    while ((dot = strchr(key, '.'))) {
        *dot = 0;
        tt_yaml *sub = (tt_yaml *)tt_yaml_get(at, key);
        if (!sub || sub->kind != TT_MAP) {
            sub = TT_ZNEW(a, tt_yaml, 1);
            *sub = (tt_yaml){.kind = TT_MAP, .key = key, .file = "command line"};
            put(a, at, sub);
        }
        at = sub;
        key = dot + 1;
    }
    if (!*key) return tt_fail(TT_EJOB, "command line: '%s' names no key; write key=value", dotted);
    tt_yaml *y = command_value(a, value);
    y->key = key;
    y->line = 0;
    put(a, at, y);
    return TT_OK;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

static void write_scalar(FILE *f, const char *s)
{
    fputc('"', f);
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(f, "\\%c", *p);
        else if (*p == '\n')
            fputs("\\n", f);
        else if (*p == '\t')
            fputs("\\t", f);
        else if (*p < 32 || *p == 127)
            fprintf(f, "\\x%02X", *p);
        else
            fputc(*p, f);
    }
    fputc('"', f);
}

/* After the key or dash of an entry. */
static void write_value(FILE *f, const tt_yaml *y, int indent)
{
    if (y->kind == TT_SCALAR) {
        fputc(' ', f);
        if (y->quoted) write_scalar(f, y->text);
        if (!y->quoted) fputs(y->text, f);
        fputc('\n', f);
    } else if (y->n == 0) {
        fputs(y->kind == TT_LIST ? " []\n" : " {}\n", f);
    } else {
        fputc('\n', f);
        tt_yaml_write(f, y, indent);
    }
}

static void write_entry(FILE *f, const tt_yaml *c, bool in_list, int indent)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    fprintf(f, "%*s", indent, "");
    if (in_list)
        fputc('-', f);
    else if (*c->key && !c->key[strspn(c->key, plain)])
        fputs(c->key, f);
    else
        write_scalar(f, c->key);
    if (!in_list) fputc(':', f);
    write_value(f, c, indent + 2);
}

void tt_yaml_write(FILE *f, const tt_yaml *y, int indent)
{
    if (y->kind == TT_SCALAR) write_value(f, y, indent);
    for (int i = 0; i < y->n; i++) write_entry(f, y->child[i], y->kind == TT_LIST, indent);
}
