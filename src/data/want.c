/* What an entry of the job needs of the store, in texts and hashes that can be compared. */
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

typedef struct text { /* growing, 0-terminated */
    char *p;
    size_t n;
    FILE *f;
} text;

static FILE *begin(text *t)
{
    *t = (text){0};
    if (!(t->f = open_memstream(&t->p, &t->n))) TT_BUG("out of memory");
    return t->f;
}

static const char *finish(text *t, tt_arena *a)
{
    fclose(t->f);
    const char *s = tt_strdup(a, t->p);
    free(t->p);
    return s;
}

/* Lengths stand before the texts, so that different trees never give one text. */
static void put_tree(FILE *f, const tt_yaml *y)
{
    if (!y) return;
    if (y->key) fprintf(f, "%zu:%s", strlen(y->key), y->key);
    if (y->kind == TT_SCALAR) fprintf(f, "=%zu:%s", strlen(y->text), y->text);
    fputc("s[{"[y->kind], f);
    for (int i = 0; i < y->n; i++) put_tree(f, y->child[i]);
    fputc("s]}"[y->kind], f);
}

static const char *tree_text(const tt_yaml *y, tt_arena *a)
{
    text t;
    put_tree(begin(&t), y);
    return finish(&t, a);
}

/* ---- templates --------------------------------------------------------------------------------------------------------*/

static void put_name(FILE *f, const tt_templates *t, int col)
{
    if (col >= 0) fprintf(f, "{%zu:%s", strlen(t->col[col]), t->col[col]);
    fputc('.', f);
}

static void put_pattern(FILE *f, const tt_templates *t, const tt_pattern *p)
{
    for (int i = 0; i < p->n; i++) {
        const tt_piece *q = &p->piece[i];
        if (q->col < 0) fprintf(f, "%zu:%.*s", q->size, (int)q->size, q->text);
        put_name(f, t, q->col);
    }
    fputc('\n', f);
}

static bool in_sources(const tt_templates *t, int col)
{
    for (int i = 0; i < t->n; i++)
        for (int k = 0; k < t->t[i].source.n; k++)
            if (t->t[i].source.piece[k].col == col) return true;
    return false;
}

static int by_text(const void *x, const void *y) { return strcmp(*(char *const *)x, *(char *const *)y); }

/* The columns that row keys are made of, whatever their order. */
static void put_key_columns(FILE *f, const tt_templates *t)
{
    const char **name = tt_malloc(sizeof *name * (size_t)(t->ncol + 1));
    int n = 0;
    for (int c = 0; c < t->ncol; c++)
        if (in_sources(t, c)) name[n++] = t->col[c];
    qsort(name, (size_t)n, sizeof *name, by_text);
    for (int i = 0; i < n; i++) fprintf(f, "%zu:%s", strlen(name[i]), name[i]);
    free(name);
}

static void hash_text(text *t, char hex[33])
{
    fclose(t->f);
    XXH128_hash_t h = XXH3_128bits(t->p, t->n);
    snprintf(hex, 33, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
    free(t->p);
}

void tt_templates_hash(const tt_spec *s, bool empty_fine, char check[33], char keys[33])
{
    const tt_templates *t = s->templates;
    text w;
    FILE *f = begin(&w);
    fprintf(f, "%d\n", empty_fine);
    for (int c = 0; c < t->ncol; c++) {
        put_name(f, t, c);
        fputc(t->optional[c] ? '?' : '!', f);
    }
    for (int i = 0; i < t->n; i++) {
        put_pattern(f, t, &t->t[i].source);
        put_pattern(f, t, &t->t[i].target);
        put_name(f, t, t->t[i].when);
        put_name(f, t, t->t[i].unless);
    }
    hash_text(&w, check);
    put_key_columns(begin(&w), t);
    hash_text(&w, keys);
}

/* ---- wants --------------------------------------------------------------------------------------------------------------*/

/* Reading stops at the limit-th row that the entry takes: which that is depends on the split and the templates. */
static const char *cut_text(const tt_spec *s, bool empty_fine, tt_arena *a)
{
    char check[33], keys[33];
    const tt_split *p = s->split;
    if (!s->limit) return "";
    tt_templates_hash(s, empty_fine, check, keys);
    return tt_sprintf(a, "limit %lld, split %d %.17g %.17g %lld, templates %s", (long long)s->limit, p ? p->take : -1,
                      p ? p->validation : 0., p ? p->test : 0., p ? (long long)p->seed : 0LL, check);
}

uint64_t tt_want_tag(const tt_want *w)
{
    const char *const part[] = {w->path, w->format, w->header, w->where};
    uint64_t h = 0;
    for (int i = 0; i < 4; i++) h = XXH3_64bits_withSeed(part[i], strlen(part[i]), h + 1);
    return h;
}

/* What is asked of the header, and what the columns' stored texts are shown as: both change the rows that are kept. */
static const char *where_text(const tt_spec *s, tt_arena *a)
{
    const char *where = tree_text(s->where, a);
    if (s->each) where = tt_sprintf(a, "%s each %s", where, s->each);
    return s->values_at ? tt_sprintf(a, "%s values %s", where, tree_text(s->values_at, a)) : where;
}

tt_want tt_want_of(const tt_spec *s, bool empty_fine, tt_arena *a)
{
    tt_want w = {.path = s->path,
                 .format = s->format->name,
                 .header = tree_text(s->columns, a),
                 .where = where_text(s, a),
                 .cut = cut_text(s, empty_fine, a),
                 .ncol = s->templates->ncol,
                 .col = s->templates->col,
                 .key = s->key};
    w.tag = tt_want_tag(&w);
    return w;
}

void tt_files_stat(const tt_mesh *m, int n, tt_fileid *file)
{
    int64_t *v = tt_malloc(sizeof *v * 2 * (size_t)(n + 1));
    struct stat st;
    for (int i = 0; i < n && m->rank == 0; i++) {
        bool there = stat(file[i].path, &st) == 0;
        v[2 * i] = there ? st.st_size : -1;
        v[2 * i + 1] = there ? st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec : -1;
    }
    tt_bcast(m, v, sizeof *v * 2 * (size_t)n, 0);
    for (int i = 0; i < n; i++) {
        file[i].size = v[2 * i];
        file[i].mtime = v[2 * i + 1];
    }
    free(v);
}
