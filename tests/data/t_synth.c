// TEST np=1
/* The made-up collection: complete, the same every time, no question in two splits, answers that an independent rule confirms. */
#include "tutti/conf.h"
#include "tutti/data.h"

#include <ctype.h>
#include <dirent.h>
#include <jansson.h>
#include <unistd.h>
#include <xxhash.h>

#include "../tap.h"

static const char *const split_name[] = {"train", "validation", "test"};

typedef void row_fn(void *ctx, const char *name, int split, json_t *row);

static void each_row(const char *dir, const char *name, int split, row_fn *fn, void *ctx)
{
    char path[8192];
    json_error_t e;
    snprintf(path, sizeof path, "%s/%s.%s.jsonl", dir, name, split_name[split]);
    FILE *f = fopen(path, "r");
    if (!f) return;
    for (json_t *j; (j = json_loadf(f, JSON_DISABLE_EOF_CHECK, &e)); json_decref(j)) fn(ctx, name, split, j);
    fclose(f);
}

static const char *text(json_t *row, const char *key)
{
    const char *s = json_string_value(json_object_get(row, key));
    return s ? s : "";
}

static tt_yaml *read_list(tt_arena *a, const char *dir, int split)
{
    tt_yaml *list = NULL;
    char path[8192];
    snprintf(path, sizeof path, "%s/%s.yaml", dir, split_name[split]);
    return tt_yaml_read(a, path, &list) == TT_OK && list->kind == TT_LIST ? list : NULL;
}

/* ---- nothing shared between splits -------------------------------------------------------------------------------*/

typedef struct questions {
    XXH64_hash_t *h; /* the last two bits say the split */
    size_t n, cap;
    int64_t rows[3];
    int64_t empty;
} questions;

static void add_question(void *ctx, const char *name, int split, json_t *row)
{
    questions *q = ctx;
    const char *key;
    json_t *value;
    XXH64_hash_t h = 0;
    json_object_foreach(row, key, value)
    {
        const char *s = json_string_value(value);
        if (strcmp(key, "answer") != 0) h = XXH64(s, strlen(s) + 1, h);
    }
    q->empty += !*text(row, "answer");
    if (q->n == q->cap) q->h = tt_realloc(q->h, sizeof *q->h * (q->cap = 2 * q->cap + 1024));
    q->h[q->n++] = (h & ~3ULL) | (unsigned)split;
    q->rows[split]++;
}

static int by_value(const void *a, const void *b)
{
    XXH64_hash_t x = *(const XXH64_hash_t *)a, y = *(const XXH64_hash_t *)b;
    return x < y ? -1 : x > y;
}

static void t_splits(const char *dir, int datasets, int64_t rows, int64_t eval_rows)
{
    questions q = {0};
    tt_arena *a = tt_arena_new(1 << 20);
    int names = 0;
    for (int split = 0; split < 3; split++) {
        const tt_yaml *list = read_list(a, dir, split);
        for (int i = 0; list && i < list->n; i++, names++)
            each_row(dir, tt_yaml_get(list->child[i], "name")->text, split, add_question, &q);
    }
    ok(names == 3 * datasets, "each list names %d data sets", datasets);
    ok(q.rows[0] == datasets * rows && q.rows[1] == datasets * eval_rows && q.rows[2] == datasets * eval_rows,
       "every data set has its rows: %lld %lld %lld", (long long)q.rows[0], (long long)q.rows[1], (long long)q.rows[2]);
    ok(q.empty == 0, "every row has an answer");
    qsort(q.h, q.n, sizeof *q.h, by_value);
    int64_t shared = 0;
    for (size_t i = 1; i < q.n; i++) shared += q.h[i] >> 2 == q.h[i - 1] >> 2 && (q.h[i] & 3) != (q.h[i - 1] & 3);
    ok(shared == 0, "no question is in two splits, in the whole collection");
    free(q.h);
    tt_arena_free(a);
}

/* ---- lists -------------------------------------------------------------------------------------------------------*/

/* Every {field} of the templates is in the row, and every field of the row but the answer is asked for somewhere. */
static bool fields_fit(const tt_yaml *templates, json_t *row)
{
    const char *key;
    json_t *value;
    char named[64];
    for (int i = 0; i < templates->n; i++) {
        const char *s = tt_yaml_get(templates->child[i], "source")->text;
        if (strchr(s, '%')) return false;
        while ((s = strchr(s, '{'))) {
            size_t n = strcspn(++s, "}");
            snprintf(named, sizeof named, "%.*s", (int)n, s);
            if (!json_object_get(row, named)) return false;
        }
        json_object_foreach(row, key, value)
        {
            snprintf(named, sizeof named, "{%s}", key);
            bool asked = strstr(tt_yaml_get(templates->child[i], "source")->text, named);
            if (!asked && i == 0 && strcmp(key, "answer") != 0) return false;
        }
    }
    return true;
}

typedef struct fit {
    const tt_yaml *templates;
    int bad;
} fit;

static void check_fit(void *ctx, const char *name, int split, json_t *row)
{
    fit *f = ctx;
    if (!fields_fit(f->templates, row) && f->bad++ == 0) printf("#   %s: fields and templates differ\n", name);
}

static void t_lists(const char *dir, int categories)
{
    tt_arena *a = tt_arena_new(1 << 20);
    const tt_yaml *list = read_list(a, dir, 0);
    int few = 0, bad = 0, cats = 0, twice = 0;
    for (int i = 0; list && i < list->n; i++) {
        const tt_yaml *e = list->child[i], *t = tt_yaml_get(e, "templates");
        fit f = {t, 0};
        few += t->n < 3;
        each_row(dir, tt_yaml_get(e, "name")->text, 0, check_fit, &f);
        bad += f.bad;
        bool fresh = true, other = true;
        for (int j = 0; j < i; j++) {
            fresh &= strcmp(tt_yaml_get(list->child[j], "category")->text, tt_yaml_get(e, "category")->text) != 0;
            other &= strcmp(tt_yaml_get(list->child[j], "name")->text, tt_yaml_get(e, "name")->text) != 0;
        }
        cats += fresh;
        twice += !other;
    }
    ok(list && few == 0, "three templates or more each");
    ok(bad == 0, "templates and rows name the same fields");
    ok(cats == categories && twice == 0, "%d categories, no name twice", cats);
    tt_arena_free(a);
}

/* ---- answers -----------------------------------------------------------------------------------------------------*/

static int words_of(const char *s, const char *gap, char w[][32])
{
    int n = 0;
    for (size_t len; *s; s += len, s += strspn(s, gap)) {
        len = strcspn(s, gap);
        snprintf(w[n++], 32, "%.*s", (int)len, s);
    }
    return n;
}

static bool right_sum(json_t *r) { return atoi(text(r, "a")) + atoi(text(r, "b")) == atoi(text(r, "answer")); }
static bool right_product(json_t *r) { return atoi(text(r, "a")) * atoi(text(r, "b")) == atoi(text(r, "answer")); }
static bool right_reverse(json_t *r)
{
    char w[16][32], v[16][32];
    int n = words_of(text(r, "words"), " ", w), m = words_of(text(r, "answer"), " ", v);
    for (int i = 0; i < n && n == m; i++)
        if (strcmp(w[i], v[n - 1 - i]) != 0) return false;
    return n == m && n > 2;
}
static bool right_sort(json_t *r)
{
    char w[16][32], v[16][32];
    int n = words_of(text(r, "words"), ", ", w), m = words_of(text(r, "answer"), ", ", v);
    for (int i = 0; i < m; i++) {
        int found = 0;
        for (int j = 0; j < n; j++) found += !strcmp(v[i], w[j]);
        if (found != 1 || (i && strcmp(v[i - 1], v[i]) >= 0)) return false;
    }
    return n == m;
}
static bool right_letters(json_t *r)
{
    char w[16][32], v[16][32];
    int n = words_of(text(r, "letters"), " ", w), m = words_of(text(r, "answer"), " ", v), k = 0;
    for (int i = 0; i < n; i++)
        if (!strchr("aeiou", w[i][0]) && (k == m || strcmp(w[i], v[k++]) != 0)) return false;
    return k == m;
}
static bool right_extract(json_t *r)
{
    char of[64];
    snprintf(of, sizeof of, "for %s dollars", text(r, "answer"));
    return strstr(text(r, "text"), of);
}
static bool right_spelling(json_t *r)
{
    const char *a = text(r, "answer");
    for (const char *w = text(r, "word"); *w; w++, a += a[1] ? 2 : 1)
        if (*w != *a) return false;
    return !*a;
}
static bool right_where(json_t *r)
{
    char who[32] = "", is[128];
    sscanf(text(r, "question"), "Where is %31[A-Za-z]", who);
    snprintf(is, sizeof is, "%s is at the %s.", who, text(r, "answer"));
    return strstr(text(r, "text"), is);
}

typedef struct verdict {
    bool (*right)(json_t *);
    int rows, wrong;
} verdict;

static void judge(void *ctx, const char *name, int split, json_t *row)
{
    verdict *v = ctx;
    v->rows++;
    v->wrong += !v->right(row);
}

static void t_answers(const char *dir)
{
    static const struct {
        const char *name;
        bool (*right)(json_t *);
    } rule[] = {{"addition", right_sum},        {"multiplication", right_product}, {"reverse_words", right_reverse},
                {"sort_words", right_sort},     {"remove_vowels", right_letters},  {"extract_price", right_extract},
                {"spell_word", right_spelling}, {"where_is_who", right_where}};
    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++) {
        verdict v = {rule[i].right, 0, 0};
        for (int level = 1; level <= 4; level++)
            for (int split = 0; split < 3; split++) {
                char name[64];
                snprintf(name, sizeof name, "%s_%d", rule[i].name, level);
                each_row(dir, name, split, judge, &v);
            }
        ok(v.rows > 50 && v.wrong == 0, "%s: %d answers, %d wrong", rule[i].name, v.rows, v.wrong);
    }
}

/* ---- the same every time -----------------------------------------------------------------------------------------*/

/* Sum of the files' hashes: does not depend on their order. */
static XXH64_hash_t folder_hash(const char *dir, int *files)
{
    XXH64_hash_t sum = 0;
    DIR *d = opendir(dir);
    *files = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[8192], *s;
        size_t n;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] == '.' || tt_slurp(path, &s, &n) != TT_OK) continue;
        sum += XXH64(s, n, XXH64(e->d_name, strlen(e->d_name), 0));
        ++*files;
        free(s);
    }
    if (d) closedir(d);
    return sum;
}

static void remove_folder(const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[8192];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        unlink(path);
    }
    if (d) closedir(d);
    rmdir(dir);
}

static void t_same(const char *tmp)
{
    char a[64], b[64], c[64];
    tt_synth_opts o = {.datasets = 20, .categories = 20, .rows = 8, .eval_rows = 2, .seed = 5};
    snprintf(a, sizeof a, "%s/a", tmp);
    snprintf(b, sizeof b, "%s/b", tmp);
    snprintf(c, sizeof c, "%s/c", tmp);
    tt_err e = tt_synth(a, &o);
    e |= tt_synth(b, &o);
    o.seed = 6;
    e |= tt_synth(c, &o);
    int n;
    XXH64_hash_t ha = folder_hash(a, &n), hb = folder_hash(b, &n), hc = folder_hash(c, &n);
    ok(e == TT_OK && n == 20 * 3 + 4, "files: %d", n);
    ok(ha == hb, "the same seed gives the same bytes");
    ok(ha != hc, "another seed gives others");
    remove_folder(a);
    remove_folder(b);
    remove_folder(c);
}

static void t_errors(const char *tmp)
{
    tt_synth_opts o = {.datasets = 3, .categories = 4, .rows = 1, .eval_rows = 1};
    ok(tt_synth(tmp, &o) == TT_EJOB, "more categories than data sets: %s", tt_fail_text());
    tt_fail_clear();
    o.categories = 1;
    o.rows = 0;
    ok(tt_synth(tmp, &o) == TT_EJOB, "no rows: %s", tt_fail_text());
    tt_fail_clear();
    o.rows = 1;
    ok(tt_synth("/proc/nowhere", &o) == TT_ERUN, "no such place: %s", tt_fail_text());
    tt_fail_clear();
}

int main(void)
{
    char tmp[] = "/tmp/tutti-synth-XXXXXX", dir[64];
    if (!mkdtemp(tmp)) return 1;
    snprintf(dir, sizeof dir, "%s/all", tmp);
    /* More categories than there are kinds, and every level. */
    tt_synth_opts o = {.datasets = 880, .categories = 220, .rows = 12, .eval_rows = 2, .seed = 1};
    ok(tt_synth(dir, &o) == TT_OK, "880 data sets in 220 categories %s", tt_fail_text());
    t_splits(dir, 880, 12, 2);
    t_lists(dir, 220);
    t_answers(dir);
    remove_folder(dir);
    t_same(tmp);
    t_errors(tmp);
    rmdir(tmp);
    return tap_done();
}
