/* synth: a collection of made-up instruction data sets, from a seed.
 *
 * Splits never share an input: which split a question belongs to is a function of its fields (a hash), so the same question drawn
 * by any data set, in any row, goes to the same split or is drawn again. */
#include "synth.h"

#include "tutti/data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- drawing -----------------------------------------------------------------------------------------------------*/

int below(gen *g, int n) { return (int)tt_rand_below(g->key, g->drawn++, (uint64_t)n); }
int between(gen *g, int lo, int hi) { return lo + below(g, hi - lo + 1); }
const char *one(gen *g, words list) { return list.w[below(g, list.n)]; }

void some(gen *g, words list, int n, const char **out)
{
    assert(n <= list.n);
    tt_rkey order = tt_rand64(g->key, g->drawn++);
    for (int i = 0; i < n; i++) out[i] = list.w[tt_permute(order, (uint64_t)list.n, (uint64_t)i)];
}

static int field(gen *g, const char *name)
{
    for (int i = 0; i < g->nfield; i++)
        if (!strcmp(g->field[i].name, name)) return i;
    assert(g->nfield < GEN_FIELDS);
    g->field[g->nfield].name = name;
    g->field[g->nfield].n = 0;
    return g->nfield++;
}

void put(gen *g, const char *name, const char *fmt, ...)
{
    int i = field(g, name), *n = &g->field[i].n;
    va_list ap;
    va_start(ap, fmt);
    int more = vsnprintf(g->field[i].text + *n, (size_t)(GEN_TEXT - *n), fmt, ap);
    va_end(ap);
    if (more < 0 || *n + more >= GEN_TEXT) TT_BUG("synth: field %s is longer than %d bytes", name, GEN_TEXT);
    *n += more;
}

void put_list(gen *g, const char *name, const char *gap, const char *const *w, int n)
{
    for (int i = 0; i < n; i++) put(g, name, "%s%s", i ? gap : "", w[i]);
}

void put_letters(gen *g, const char *name, const char *word)
{
    for (const char *c = word; *c; c++) put(g, name, "%s%c", c > word ? " " : "", *c);
}

const char *article(const char *word) { return strchr("aeiou", word[0]) ? "an" : "a"; }

/* ---- the table of kinds --------------------------------------------------------------------------------------------*/

static const family *const tables[] = {synth_numbers,   synth_lists,    synth_letters,
                                       synth_sentences, synth_passages, synth_meanings};
enum { NTABLE = sizeof tables / sizeof *tables };

typedef struct category {
    const family *f;
    int kind;
    char name[64];
    tt_rkey lang;
} category;

/* Kind number c of the first round: kind 0 of every family, then kind 1 of every family ...: neighbours differ. NULL at the end. */
static const family *find_kind(int c, int *kind)
{
    for (*kind = 0; *kind < MAX_KINDS; ++*kind)
        for (int t = 0; t < NTABLE; t++)
            for (const family *f = tables[t]; f->make; f++)
                if (f->kind[*kind].name && c-- == 0) return f;
    return NULL;
}

static int count_kinds(void)
{
    int n = 0;
    for (int t = 0; t < NTABLE; t++)
        for (const family *f = tables[t]; f->make; f++)
            for (int k = 0; k < MAX_KINDS && f->kind[k].name; k++) n++;
    return n;
}

/* Past the last kind the table goes round again, with other made-up dictionaries and other rows. */
static category category_of(int c, uint64_t seed)
{
    int kinds = count_kinds(), round = c / kinds;
    category x;
    x.f = find_kind(c % kinds, &x.kind);
    if (round == 0)
        snprintf(x.name, sizeof x.name, "%s", x.f->kind[x.kind].name);
    else
        snprintf(x.name, sizeof x.name, "%s-%d", x.f->kind[x.kind].name, round + 1);
    x.lang = tt_key(seed, "synth-lang", (uint64_t)c, 0, 0);
    return x;
}

typedef struct dataset {
    category cat;
    int number; /* of the data set */
    int level;
    char name[80]; /* category_<level, from 1> */
} dataset;

static dataset dataset_of(int d, const tt_synth_opts *o)
{
    dataset s = {.cat = category_of(d % (int)o->categories, (uint64_t)o->seed), .number = d};
    s.level = d / (int)o->categories;
    snprintf(s.name, sizeof s.name, "%s_%d", s.cat.name, s.level + 1);
    return s;
}

/* ---- rows --------------------------------------------------------------------------------------------------------*/

enum { TRAIN, VALIDATION, TEST, NSPLIT };
static const char *const split_name[] = {"train", "validation", "test"};

/* Hashes of the questions a data set has already asked: open addressing, 0 is free. */
typedef struct seen {
    uint64_t *slot;
    uint64_t mask, n;
} seen;

static bool seen_add(seen *s, uint64_t h);

static void seen_grow(seen *s)
{
    seen bigger = {.mask = s->mask ? 2 * s->mask + 1 : 255};
    bigger.slot = calloc(bigger.mask + 1, sizeof *bigger.slot);
    if (!bigger.slot) TT_BUG("synth: no memory for %llu rows", (unsigned long long)s->n);
    for (uint64_t i = 0; s->mask && i <= s->mask; i++)
        if (s->slot[i]) seen_add(&bigger, s->slot[i]);
    free(s->slot);
    *s = bigger;
}

/* False if h was there. */
static bool seen_add(seen *s, uint64_t h)
{
    h |= h == 0;
    if (2 * s->n >= s->mask) seen_grow(s);
    uint64_t i = h & s->mask;
    for (; s->slot[i]; i = (i + 1) & s->mask)
        if (s->slot[i] == h) return false;
    s->slot[i] = h;
    s->n++;
    return true;
}

static uint64_t question_hash(const gen *g)
{
    uint64_t h = 0;
    for (int i = 0; i < g->nfield; i++)
        if (strcmp(g->field[i].name, "answer") != 0) h = tt_mix64(h ^ tt_key(0, g->field[i].text, 0, 0, 0));
    return h;
}

/* An eighth of all questions each for validation and test. */
static int split_of(uint64_t h)
{
    unsigned part = (unsigned)(h >> 61);
    return part == 7 ? TEST : part == 6 ? VALIDATION : TRAIN;
}

/* Row r of a split: the first draw that belongs to it and has not been asked; after many tries, in a task with fewer questions
 * than rows, one that has. */
static void draw_row(gen *g, const dataset *s, uint64_t seed, int split, int64_t r, seen *asked)
{
    enum { FRESH = 200, ENOUGH = 100000 };
    for (uint64_t t = 0; t < ENOUGH; t++) {
        g->key = tt_key(seed, s->name, (uint64_t)split, (uint64_t)r, t);
        g->drawn = 0;
        g->nfield = 0;
        s->cat.f->make(g);
        uint64_t h = question_hash(g);
        if (split_of(h) == split && (seen_add(asked, h) || t >= FRESH)) return;
    }
    TT_BUG("synth: %s has no question for split %s", s->name, split_name[split]);
}

static void write_string(FILE *f, const char *s, const char *phrase)
{
    fputc('"', f);
    for (; *s; s++)
        if (*s == '%' && phrase)
            fputs(phrase, f);
        else if (*s == '\n')
            fputs("\\n", f);
        else {
            if (*s == '"' || *s == '\\') fputc('\\', f);
            fputc(*s, f);
        }
    fputc('"', f);
}

static void write_row(FILE *f, const gen *g)
{
    for (int i = 0; i < g->nfield; i++) {
        fputs(i ? ", " : "{", f);
        write_string(f, g->field[i].name, NULL);
        fputs(": ", f);
        write_string(f, g->field[i].text, NULL);
    }
    fputs("}\n", f);
}

/* ---- files -------------------------------------------------------------------------------------------------------*/

static tt_err open_in(const char *dir, const char *name, FILE **f)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    *f = fopen(path, "w");
    return *f ? TT_OK : tt_fail(TT_ERUN, "%s: cannot be written: %s; choose another folder", path, strerror(errno));
}

static tt_err close_in(const char *dir, const char *name, FILE *f)
{
    bool lost = ferror(f);
    lost |= fclose(f) != 0;
    return lost ? tt_fail(TT_ERUN, "%s/%s: writing failed: %s; is the disk full?", dir, name, strerror(errno)) : TT_OK;
}

static tt_err write_split(const char *dir, const dataset *s, const tt_synth_opts *o, int split, gen *g, seen *asked)
{
    char name[128];
    FILE *f;
    snprintf(name, sizeof name, "%s.%s.jsonl", s->name, split_name[split]);
    TT_TRY(open_in(dir, name, &f));
    int64_t n = split == TRAIN ? o->rows : o->eval_rows;
    for (int64_t r = 0; r < n && !ferror(f); r++) {
        draw_row(g, s, (uint64_t)o->seed, split, r, asked);
        write_row(f, g);
    }
    return close_in(dir, name, f);
}

static tt_err write_dataset(const char *dir, const dataset *s, const tt_synth_opts *o, gen *g)
{
    g->kind = s->cat.kind;
    g->level = s->level % GEN_LEVELS;
    g->lang = s->cat.lang;
    seen asked = {0};
    tt_err e = TT_OK;
    /* The small splits first: they never have to take a question twice while train still has room. */
    for (int split = NSPLIT - 1; split >= 0 && e == TT_OK; split--) e = write_split(dir, s, o, split, g, &asked);
    free(asked.slot);
    return e;
}

/* One entry of a job's data.train. */
static void write_entry(FILE *f, const dataset *s, int split)
{
    fprintf(f, "- name: %s\n  path: %s.%s.jsonl\n  format: jsonl\n  category: %s\n  templates:\n", s->name, s->name,
            split_name[split], s->cat.name);
    for (int i = 0; i < MAX_TEMPLATES && s->cat.f->source[i]; i++) {
        fputs("  - {source: ", f);
        write_string(f, s->cat.f->source[i], s->cat.f->kind[s->cat.kind].phrase);
        fputs(", target: \"{answer}\"}\n", f);
    }
}

static tt_err write_list(const char *dir, const tt_synth_opts *o, int split)
{
    char name[32];
    FILE *f;
    snprintf(name, sizeof name, "%s.yaml", split_name[split]);
    TT_TRY(open_in(dir, name, &f));
    for (int d = 0; d < o->datasets; d++) {
        dataset s = dataset_of(d, o);
        write_entry(f, &s, split);
    }
    return close_in(dir, name, f);
}

static tt_err write_registry(const char *dir, const tt_synth_opts *o)
{
    FILE *f;
    TT_TRY(open_in(dir, "registry.tsv", &f));
    fputs("name\tcategory\tlevel\ttemplates\ttrain\tvalidation\ttest\n", f);
    for (int d = 0; d < o->datasets; d++) {
        dataset s = dataset_of(d, o);
        int templates = 0;
        while (templates < MAX_TEMPLATES && s.cat.f->source[templates]) templates++;
        fprintf(f, "%s\t%s\t%d\t%d\t%lld\t%lld\t%lld\n", s.name, s.cat.name, s.level + 1, templates, (long long)o->rows,
                (long long)o->eval_rows, (long long)o->eval_rows);
    }
    return close_in(dir, "registry.tsv", f);
}

tt_err tt_synth(const char *dir, const tt_synth_opts *o)
{
    if (o->datasets < 1 || o->categories < 1 || o->rows < 1 || o->eval_rows < 1)
        return tt_fail(TT_EJOB, "synth: datasets, categories, rows and eval_rows must be 1 or more");
    if (o->categories > o->datasets)
        return tt_fail(TT_EJOB, "synth: %lld categories need at least as many data sets, not %lld",
                       (long long)o->categories, (long long)o->datasets);
    if (o->datasets > INT32_MAX) return tt_fail(TT_EJOB, "synth: at most %d data sets", INT32_MAX);
    TT_TRY(tt_mkdirs(dir));
    gen *g = tt_malloc(sizeof *g);
    tt_err e = TT_OK;
    for (int d = 0; d < o->datasets && e == TT_OK; d++) {
        dataset s = dataset_of(d, o);
        e = write_dataset(dir, &s, o, g);
    }
    free(g);
    TT_TRY(e);
    for (int split = 0; split < NSPLIT; split++) TT_TRY(write_list(dir, o, split));
    return write_registry(dir, o);
}
