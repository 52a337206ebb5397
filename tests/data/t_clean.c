// TEST np=1,3
// Duplicates and contamination: all that is planted is found by name, line and number, nothing else; the same on any number of ranks.
#include "../../src/data/clean.h"
#include "make.h"

#include <jansson.h>

/* ---- texts and files --------------------------------------------------------------------------------------------------*/

enum { MOST = 400 };
typedef struct prose {
    char w[MOST][8];
    int n;
} prose;

static void word(uint64_t seed, uint64_t i, char out[8])
{
    uint64_t h = tt_mix64(seed * 1000003 + i);
    for (int k = 0; k < 6; k++, h /= 26) out[k] = (char)('a' + h % 26);
    out[6] = 0;
}

/* n words that no other seed has. */
static prose words(uint64_t seed, int n)
{
    prose t = {.n = n};
    for (int i = 0; i < n; i++) word(seed, (uint64_t)i, t.w[i]);
    return t;
}

static void change(prose *t, int i, uint64_t seed) { word(seed ^ 0xbeef, (uint64_t)i, t->w[i]); }

static char *joined(tt_arena *a, const prose *t)
{
    char *s = tt_alloc(a, (size_t)t->n * 8 + 1), *p = s;
    for (int i = 0; i < t->n; i++) p += sprintf(p, "%s%s", i ? " " : "", t->w[i]);
    *p = 0;
    return s;
}

static char *plain(tt_arena *a, uint64_t seed, int n)
{
    prose t = words(seed, n);
    return joined(a, &t);
}

static void row(tt_buf *b, const char *source, const char *target)
{
    char *line = NULL;
    json_t *o = json_pack("{s:s, s:s}", "source", source, "target", target);
    line = json_dumps(o, 0);
    tt_buf_add(b, line, strlen(line));
    tt_buf_add(b, "\n", 1);
    free(line);
    json_decref(o);
}

static void put_rows(place *p, const char *name, tt_buf *b)
{
    put_file(p, name, b->p, b->n);
    tt_buf_fini(b);
}

/* n rows of their own. */
static void fill(tt_arena *a, tt_buf *b, uint64_t seed, int n)
{
    for (int i = 0; i < n; i++) row(b, plain(a, seed + (uint64_t)i, 20), plain(a, seed + 500000 + (uint64_t)i, 1));
}

typedef struct trio {
    tt_job *job;
    tt_sets *train, *validation, *test;
} trio;

static trio read_trio(place *p, const char *yaml)
{
    trio t = {.job = job_of(p, NULL, yaml)};
    if (tt_sets_read(p->m, t.job, t.job->data.train, "data.train", NULL, &t.train) ||
        tt_sets_read(p->m, t.job, t.job->data.validation, "data.validation", NULL, &t.validation) ||
        tt_sets_read(p->m, t.job, t.job->data.test, "data.test", NULL, &t.test)) {
        printf("# the test's data: %s\n", tt_fail_text());
        abort();
    }
    return t;
}

static void free_trio(trio *t)
{
    tt_sets_free(t->train);
    tt_sets_free(t->validation);
    tt_sets_free(t->test);
}

static tt_clean *run(const tt_mesh *m, trio *t, bool all)
{
    tt_clean *c = NULL;
    if (tt_clean_run(m, t->job, t->train, t->validation, t->test, all, &c)) abort();
    return c;
}

/* The finding of this kind between these sets; NULL if there is none. */
static const tt_finding *find(const tt_clean *c, int kind, const char *a, const char *b)
{
    for (int i = 0; i < c->nfinding; i++) {
        const tt_finding *f = &c->finding[i];
        if ((int)f->kind == kind && !strcmp(c->set[f->a].name, a) && !strcmp(c->set[f->b].name, b)) return f;
    }
    return NULL;
}

static bool is(const tt_clean *c, int kind, const char *a, int64_t line_a, const char *b, int64_t line_b, int64_t count)
{
    const tt_finding *f = find(c, kind, a, b);
    if (f && f->count == count && f->line_a == line_a && f->line_b == line_b) return true;
    for (int i = 0; i < c->nfinding; i++)
        printf("# found: %s %lld %s:%lld %s:%lld\n", tt_finding_name((int)c->finding[i].kind),
               (long long)c->finding[i].count, c->set[c->finding[i].a].name, (long long)c->finding[i].line_a,
               c->set[c->finding[i].b].name, (long long)c->finding[i].line_b);
    return false;
}

static char *dump(const tt_clean *c)
{
    json_t *o = tt_clean_json(c);
    char *s = json_dumps(o, JSON_SORT_KEYS);
    json_decref(o);
    return s;
}

/* ---- words ------------------------------------------------------------------------------------------------------------*/

static bool equal(const char *x, const char *y)
{
    tt_rowwords a = {0}, b = {0};
    tt_rowwords_start(&a);
    tt_rowwords_start(&b);
    tt_rowwords_add(&a, x);
    tt_rowwords_add(&b, y);
    bool same = a.all == b.all;
    tt_rowwords_fini(&a);
    tt_rowwords_fini(&b);
    return same;
}

static int64_t count_words(const char *x, bool symbols)
{
    tt_rowwords w = {.symbols = symbols};
    tt_rowwords_start(&w);
    tt_rowwords_add(&w, x);
    int64_t n = w.word.n;
    tt_rowwords_fini(&w);
    return n;
}

static void t_words(void)
{
    ok(equal("It's 5 pm.", "it s  5\n PM!") && equal("\"So\", he said", "so he said"),
       "case, blanks and marks do not count");
    ok(!equal("3 - 4", "3 + 4") && !equal("3.5", "35") && !equal("3.5", "3 5") && !equal("( [", "[ ("), "symbols do");
    ok(!equal("?", "!") && equal(" ? ", " ? ") && !equal("a b", "b a"), "marks alone are a text; order counts");
    ok(equal("ÉCOLE Straße ÖL", "école straße öl") && equal("МОСКВА ЁЖ", "москва ёж") && equal("ΛΌΓΟΣ", "λόγος") &&
           equal("ŁÓDŹ Ž", "łódź ž"),
       "capitals of other scripts");
    ok(count_words("中文字符 word", false) == 5 && count_words("don’t — stop", false) == 3,
       "a Chinese character is a word");
    ok(count_words("a + b = c", false) == 3 && count_words("a + b = c", true) == 5, "symbols are words if asked for");
}

static void t_grams(void)
{
    tt_rowwords w = {0};
    tt_hashes g = {0};
    tt_rowwords_start(&w);
    tt_rowwords_add(&w, "x a b c d e y z a b c d e x b a c d e");
    tt_grams(w.word.x, w.word.n, 5, &g);
    int64_t pairs = 0;
    for (int64_t i = 0; i < g.n; i++)
        for (int64_t j = 0; j < i; j++) pairs += g.x[i] == g.x[j];
    ok(g.n == 15 && g.x[1] == g.x[8] && pairs == 1, "5-grams: %lld, of which the two equal ones are equal",
       (long long)g.n);
    g.n = 0;
    tt_grams(w.word.x, 4, 5, &g);
    ok(g.n == 0, "four words have no 5-gram");
    tt_hashes_fini(&g);
    tt_rowwords_fini(&w);
}

/* ---- planted faults ---------------------------------------------------------------------------------------------------*/

#define TRIO "  train: [a.jsonl, b.jsonl]\n  validation: [v.jsonl]\n  test: [t.jsonl]\n"

enum { NEAR_WORDS = 60 };

/* a: 40 rows, 41 repeats 3; b: 40 rows and then the faults. */
static void plant(place *p)
{
    tt_arena *a = p->a;
    tt_buf f = {0};
    fill(a, &f, 1000, 40);
    row(&f, tt_sprintf(a, "%s  !", plain(a, 1002, 20)), plain(a, 501002, 1)); /* 41 = 3 */
    row(&f, plain(a, 7000, NEAR_WORDS), "yes");                               /* 42 */
    put_rows(p, "a.jsonl", &f);

    fill(a, &f, 2000, 40);
    row(&f, plain(a, 1003, 20), plain(a, 501003, 1)); /* 41 = a:4 */
    row(&f, plain(a, 1004, 20), plain(a, 501004, 1)); /* 42 = a:5 */
    prose near = words(7000, NEAR_WORDS);
    change(&near, 30, 1);
    row(&f, joined(a, &near), "yes");         /* 43 ~ a:42 */
    row(&f, plain(a, 1005, 20), "otherwise"); /* 44 against a:6 */
    put_rows(p, "b.jsonl", &f);

    fill(a, &f, 3000, 20);
    put_rows(p, "v.jsonl", &f);

    fill(a, &f, 4000, 20);
    row(&f, plain(a, 1008, 20), "whatever"); /* 21 = a:9 */
    prose part = words(4444, 30), known = words(2009, 20);
    for (int i = 0; i < 13; i++) memcpy(part.w[8 + i], known.w[3 + i], sizeof part.w[0]);
    row(&f, joined(a, &part), "whatever"); /* 22 shares 13 words with b:10 */
    part = words(4445, 30);
    for (int i = 0; i < 12; i++) memcpy(part.w[8 + i], known.w[3 + i], sizeof part.w[0]);
    row(&f, joined(a, &part), "whatever"); /* 23 shares 12: nothing */
    put_rows(p, "t.jsonl", &f);
}

static void check_planted(const tt_clean *c)
{
    ok(is(c, TT_DUP_EXACT, "a", 3, "a", 41, 1), "an equal row in one set");
    ok(is(c, TT_DUP_EXACT, "a", 4, "b", 41, 2), "two equal rows in another set, and the first of them");
    ok(is(c, TT_DUP_NEAR, "a", 42, "b", 43, 1), "a nearly equal row");
    ok(is(c, TT_CONFLICT, "a", 6, "b", 44, 1), "an equal source with another target");
    ok(is(c, TT_CONTAM_EXACT, "t", 21, "a", 9, 1), "a test row in a training set");
    ok(is(c, TT_CONTAM_NGRAM, "t", 22, "b", 10, 1), "13 words of a test row in a training set, not 12");
    ok(is(c, TT_LEAK, "t", 21, "a", 9, 1), "a test row among its exemplars");
    ok(c->nfinding == 7, "and nothing else: %d findings", c->nfinding);
    ok(c->train.exact_inside == 1 && c->train.exact_across == 2 && c->train.near == 1 && c->train.conflicts == 1 &&
           c->train.contaminated == 2 && c->evaluation.contaminated == 2 && c->train.rows == 86 &&
           c->evaluation.rows == 43,
       "totals");
    ok(c->set[1].exact_across == 2 && c->set[1].near == 1 && c->set[0].exact_inside == 1 &&
           c->set[0].contaminated == 1 && c->set[3].contaminated == 2 && c->set[2].contaminated == 0,
       "each at its set");
}

/* The rows of a set that are left, as a string of lines. */
static char *lines_left(tt_arena *a, const tt_set *s)
{
    char *text = "";
    for (int64_t r = 0; r < tt_set_info(s)->rows; r++)
        if (tt_set_line(s, r) != r + 1 || r + 1 == tt_set_info(s)->rows)
            text = tt_sprintf(a, "%s %lld", text, (long long)tt_set_line(s, r));
    return text;
}

static void t_planted(place *p)
{
    plant(p);
    trio t = read_trio(p, "data:\n  decontaminate: report\n  deduplicate: report\n" TRIO);
    t.test->set[0]->pool = t.train->set[0];
    tt_clean *c = run(p->m, &t, false);
    check_planted(c);
    ok(t.train->rows == 86 && c->train.dropped == 0, "a report drops nothing");
    tt_mesh alone = {.world = MPI_COMM_SELF, .size = 1, .node_size = 1};
    tt_clean *solo = run(&alone, &t, false);
    char *x = dump(c), *y = dump(solo);
    ok(!strcmp(x, y), "the report of %d ranks is that of one", p->m->size);
    free(x);
    free(y);
    tt_clean_free(c);
    tt_clean_free(solo);
    free_trio(&t);
}

/* Lines where the rows of a set no longer stand at their own number. */
static bool left(place *p, const char *found, const char *want)
{
    if (!strcmp(found, want)) return true;
    printf("# left:%s, wanted:%s\n", found, want);
    return false;
}

static void t_drop(place *p)
{
    trio t = read_trio(p, "data:\n  decontaminate: off\n  deduplicate: drop\n" TRIO);
    tt_clean *c = run(p->m, &t, false);
    ok(c->duplicates && !c->contamination && !find(c, TT_CONTAM_EXACT, "t", "a"), "only duplicates are looked for");
    ok(t.train->rows == 82 && c->train.dropped == 4 && c->set[1].dropped == 3, "four rows are dropped");
    ok(left(p, lines_left(p->a, t.train->set[0]), " 42") && left(p, lines_left(p->a, t.train->set[1]), " 44"),
       "the later of two goes, the conflict stays");
    tt_clean_free(c);
    free_trio(&t);

    t = read_trio(p, "data:\n  decontaminate: drop\n  deduplicate: off\n" TRIO);
    c = run(p->m, &t, false);
    ok(!c->duplicates && c->contamination && c->train.dropped == 2 && t.test->rows == 23,
       "training rows are dropped, no test rows");
    tt_set *a = t.train->set[0], *b = t.train->set[1];
    ok(tt_set_info(a)->rows == 41 && tt_set_line(a, 7) == 8 && tt_set_line(a, 8) == 10, "line 9 of a is gone");
    ok(tt_set_info(b)->rows == 43 && tt_set_line(b, 8) == 9 && tt_set_line(b, 9) == 11, "line 10 of b is gone");
    tt_clean_free(c);
    free_trio(&t);

    t = read_trio(p, "data:\n" TRIO);
    c = run(p->m, &t, false);
    ok(!c->nfinding && !c->duplicates && !c->contamination && t.train->rows == 86, "off looks for nothing");
    tt_clean_free(c);
    c = run(p->m, &t, true);
    ok(c->duplicates && c->contamination && c->nfinding == 6 && t.train->rows == 86,
       "an audit looks for all, and drops nothing");
    tt_clean_free(c);
    free_trio(&t);
}

static void t_nothing(place *p)
{
    tt_buf f = {0};
    const char *name[] = {"a.jsonl", "b.jsonl", "v.jsonl", "t.jsonl"};
    for (int i = 0; i < 4; i++) {
        fill(p->a, &f, 10000 + 1000 * (uint64_t)i, 60);
        put_rows(p, name[i], &f);
    }
    trio t = read_trio(p, "data:\n  decontaminate: drop\n  deduplicate: drop\n" TRIO);
    tt_clean *c = run(p->m, &t, false);
    ok(c->nfinding == 0 && t.train->rows == 120, "clean data: no finding, no row dropped");
    tt_clean_free(c);
    free_trio(&t);
}

/* ---- near duplicates --------------------------------------------------------------------------------------------------*/

enum { PAIRS = 300, LENGTH = 100 };

/* Rows and their copies with changes, at least 5 words apart: J = (96 - 5 changes) / (96 + 5 changes). */
static int64_t count_near(place *p, int changes)
{
    tt_buf f = {0};
    for (int i = 0; i < PAIRS; i++) {
        prose x = words(90000 + (uint64_t)i, LENGTH);
        row(&f, joined(p->a, &x), "yes");
        for (int k = 0; k < changes; k++) change(&x, 5 + k * (90 / changes) + i % 5, 1 + (uint64_t)i);
        row(&f, joined(p->a, &x), "yes");
    }
    put_rows(p, "near.jsonl", &f);
    trio t = read_trio(p, "data: {deduplicate: report, train: [near.jsonl]}\n");
    tt_clean *c = run(p->m, &t, false);
    int64_t n = c->train.near;
    ok(!c->train.exact_inside && c->nfinding == (n > 0), "%d changes: near duplicates only", changes);
    tt_clean_free(c);
    free_trio(&t);
    return n;
}

static void t_rates(place *p)
{
    int64_t one = count_near(p, 1), two = count_near(p, 2), six = count_near(p, 6);
    ok(one == PAIRS, "Jaccard 0.90: %lld of %d found", (long long)one, PAIRS);
    ok(two >= PAIRS - 1, "Jaccard 0.81: %lld of %d found", (long long)two, PAIRS);
    ok(six == 0, "Jaccard 0.52: %lld of %d found", (long long)six, PAIRS);
}

/* What looks alike and is not; and a family whose first row stays. */
static void t_near(place *p)
{
    tt_buf f = {0};
    tt_arena *a = p->a;
    prose x = words(1, 60), y = words(2, 200);
    row(&f, joined(a, &x), "yes"); /* 1 */
    change(&x, 30, 3);
    row(&f, joined(a, &x), "no");                                                  /* 2: another answer */
    row(&f, tt_sprintf(a, "%s what is the first of them ?", joined(a, &y)), "no"); /* 3 */
    row(&f, tt_sprintf(a, "%s did anybody ever see how it all came to an end ?", joined(a, &y)),
        "no");                              /* 4: another question */
    row(&f, "1 + 2 + 3 + 4 + 5 + 6", "21"); /* 5 */
    row(&f, "1 - 2 + 3 - 4 + 5 + 6", "21"); /* 6: other signs */
    prose z[3] = {words(4, 100), words(4, 100), words(4, 100)};
    change(&z[1], 20, 5);
    change(&z[2], 20, 5);
    change(&z[2], 60, 6);
    change(&z[2], 80, 7);
    row(&f, joined(a, &z[2]), "yes"); /* 7: like 9 alone, J(7, 8) = 0.73 */
    row(&f, joined(a, &z[0]), "yes"); /* 8 */
    row(&f, joined(a, &z[1]), "yes"); /* 9 */
    put_rows(p, "near.jsonl", &f);
    trio t = read_trio(p, "data: {deduplicate: drop, train: [near.jsonl]}\n");
    tt_clean *c = run(p->m, &t, false);
    ok(is(c, TT_DUP_NEAR, "near", 7, "near", 8, 2) && c->nfinding == 1, "a chain of near duplicates is one family");
    ok(t.train->rows == 7 && tt_set_line(t.train->set[0], 6) == 7,
       "its first row stays; other answers, questions and signs as well");
    tt_clean_free(c);
    free_trio(&t);
}

/* ---- wording ----------------------------------------------------------------------------------------------------------*/

static const char prompt[] =
    "Read what a customer wrote about the product below and then say in one word whether the customer would "
    "recommend it to a friend or to a member of the family";

/* Prompts in the text itself, as in P3: long ones around a few words of a row's own. */
static void t_wording(place *p)
{
    tt_buf f = {0};
    for (int i = 0; i < 100; i++) row(&f, tt_sprintf(p->a, "%s: %s", prompt, plain(p->a, 100 + (uint64_t)i, 4)), "yes");
    row(&f, tt_sprintf(p->a, "%s: %s", prompt, plain(p->a, 999, 25)), "yes");
    put_rows(p, "a.jsonl", &f);
    for (int i = 0; i < 20; i++) row(&f, tt_sprintf(p->a, "%s: %s", prompt, plain(p->a, 500 + (uint64_t)i, 4)), "yes");
    put_rows(p, "v.jsonl", &f);
    row(&f, tt_sprintf(p->a, "%s: %s", prompt, plain(p->a, 700, 4)), "yes");
    row(&f, tt_sprintf(p->a, "%s more", plain(p->a, 999, 25)), "yes");
    put_rows(p, "t.jsonl", &f);
    trio t = read_trio(p, "data: {deduplicate: report, decontaminate: report, train: [a.jsonl], validation: [v.jsonl], "
                          "test: [t.jsonl]}\n");
    tt_clean *c = run(p->m, &t, false);
    ok(is(c, TT_CONTAM_NGRAM, "t", 2, "a", 101, 1) && c->nfinding == 1,
       "a prompt in every row is no evidence, a text behind it is");
    tt_clean_free(c);
    free_trio(&t);
    ok(tt_is_wording(11, 100) && !tt_is_wording(10, 20) && !tt_is_wording(11, 1100) && tt_is_wording(12, 1199),
       "in more than 10 rows and 1 %%");
}

/* A superni file of rows whose inputs are words of their own, from seed on. */
static void put_task(place *p, const char *name, const char *definition, uint64_t seed, int rows, const char *output)
{
    tt_buf f = {0};
    char *line = tt_sprintf(p->a, "{\"definition\": \"%s\", \"category\": \"c\"}\n", definition);
    tt_buf_add(&f, line, strlen(line));
    for (int i = 0; i < rows; i++) {
        line =
            tt_sprintf(p->a, "{\"input\": \"%s\", \"output\": [\"%s\"]}\n", plain(p->a, seed + (uint64_t)i, 5), output);
        tt_buf_add(&f, line, strlen(line));
    }
    put_rows(p, name, &f);
}

#define SUPERNI(name, as) "{path: " name ".jsonl, format: superni, name: " as "}"
#define REPORT "data:\n  deduplicate: report\n  decontaminate: report\n"

/* Questions of tasks are the same only if the definition is, and a definition is no text of a row. */
static void t_shared(place *p)
{
    put_task(p, "sports.jsonl", "Is it about sports?", 300, 20, "no");
    put_task(p, "music.jsonl", "Is it about music?", 300, 20, "no");
    put_task(p, "art.jsonl", "Is it about art?", 300, 20, "never");
    trio t = read_trio(p, REPORT "  train: [" SUPERNI("sports", "s") ", " SUPERNI("music", "m") "]\n  test: [" SUPERNI(
                              "art", "a") "]\n");
    tt_clean *c = run(p->m, &t, false);
    ok(c->nfinding == 0, "the same inputs under another definition are another task");
    tt_clean_free(c);
    free_trio(&t);

    t = read_trio(p, REPORT "  train: [" SUPERNI("music", "x") ", " SUPERNI("music", "y") "]\n  test: [" SUPERNI(
                         "music", "z") "]\n");
    c = run(p->m, &t, false);
    ok(is(c, TT_DUP_EXACT, "x", 2, "y", 2, 20) && is(c, TT_LISTED_TWICE, "x", 2, "y", 2, 20) &&
           is(c, TT_CONTAM_EXACT, "z", 2, "x", 2, 20) && is(c, TT_LISTED_TWICE, "y", 2, "z", 2, 20),
       "under one definition they are the same");
    tt_clean_free(c);
    free_trio(&t);

    put_task(p, "few.jsonl", prompt, 400, 5, "no");
    put_task(p, "others.jsonl", prompt, 500, 5, "no");
    t = read_trio(p, REPORT "  train: [" SUPERNI("few", "f") "]\n  test: [" SUPERNI("others", "o") "]\n");
    c = run(p->m, &t, false);
    ok(c->nfinding == 0, "a definition that two tasks share is no contamination");
    tt_clean_free(c);
    free_trio(&t);
}

/* Short sources: the same words under other templates are known only with the same answer. */
static void t_short(place *p)
{
    tt_buf f = {0};
    row(&f, "Paris", "France");
    row(&f, "Rome", "Italy");
    put_rows(p, "a.jsonl", &f);
    row(&f, "Paris", "yes");
    row(&f, "Rome", "Italy");
    put_rows(p, "t.jsonl", &f);
    const char *same =
        "data: {decontaminate: report, train: [{path: a.jsonl, templates: [{source: 'Where is {source}?', target: "
        "'{target}'}, {source: '{source}', target: '{target}'}]}], test: [t.jsonl]}\n";
    const char *other =
        "data: {decontaminate: report, train: [{path: a.jsonl, templates: [{source: 'Where is {source}?', target: "
        "'{target}'}]}], test: [t.jsonl]}\n";
    trio t = read_trio(p, same);
    tt_clean *c = run(p->m, &t, false);
    ok(is(c, TT_CONTAM_EXACT, "t", 1, "a", 1, 2) && c->train.contaminated == 2,
       "with a template in common both are known");
    tt_clean_free(c);
    free_trio(&t);
    t = read_trio(p, other);
    c = run(p->m, &t, false);
    ok(is(c, TT_CONTAM_EXACT, "t", 2, "a", 2, 1) && c->train.contaminated == 1,
       "without one, that with the same answer");
    tt_clean_free(c);
    free_trio(&t);
}

/* ---- listed twice -----------------------------------------------------------------------------------------------------*/

static void t_listed(place *p)
{
    tt_buf f = {0};
    fill(p->a, &f, 1000, 100);
    put_rows(p, "a.jsonl", &f);
    fill(p->a, &f, 1010, 95); /* 90 of the same */
    put_rows(p, "most.jsonl", &f);
    fill(p->a, &f, 1020, 100); /* 80 */
    put_rows(p, "some.jsonl", &f);
    trio t = read_trio(
        p, "data:\n  deduplicate: report\n  train:\n    - a.jsonl\n    - {path: a.jsonl, name: again, templates: "
           "[{source: 'Say {source}', target: '{target}'}]}\n    - most.jsonl\n    - some.jsonl\n");
    tt_clean *c = run(p->m, &t, false);
    ok(is(c, TT_LISTED_TWICE, "a", 1, "again", 1, 100), "a file under two names, whatever its templates");
    ok(is(c, TT_LISTED_TWICE, "a", 11, "most", 1, 90) && !find(c, TT_LISTED_TWICE, "a", "some"),
       "a share of 0.95 counts, one of 0.8 does not");
    ok(!find(c, TT_DUP_EXACT, "a", "again") && is(c, TT_DUP_EXACT, "a", 11, "most", 1, 90),
       "other templates ask otherwise: no duplicates");
    tt_clean_free(c);
    free_trio(&t);
    t = read_trio(p, "data:\n  deduplicate: report\n  train: [{path: a.jsonl, split: {take: train, validation: 0.3}}]\n"
                     "  validation: [{path: a.jsonl, split: {take: validation, validation: 0.3}}]\n");
    c = run(p->m, &t, true);
    ok(c->nfinding == 0 && c->train.rows + c->evaluation.rows == 100, "two parts of a split have nothing in common");
    tt_clean_free(c);
    free_trio(&t);
}

/* ---- files ------------------------------------------------------------------------------------------------------------*/

static tt_clean *load(place *p, trio *t, const char *path, bool all, tt_err want)
{
    tt_clean *c = NULL;
    tt_err e = tt_clean_load(p->m, path, t->job, t->train, t->validation, t->test, all, &c);
    if (e != want) printf("# load: %d, %s\n", e, tt_fail_text());
    return e == want ? c : NULL;
}

#define DROP "data:\n  decontaminate: drop\n  deduplicate: drop\n" TRIO

static void t_files(place *p)
{
    plant(p);
    char *path = tt_sprintf(p->a, "%s/clean.json", p->dir);
    trio t = read_trio(p, "data:\n" TRIO);
    ok(!load(p, &t, path, true, TT_OK), "no file, no report");
    tt_clean *c = run(p->m, &t, true);
    ok(tt_clean_save(p->m, c, path) == TT_OK, "saved");
    tt_clean_free(c);
    free_trio(&t);

    trio u = read_trio(p, DROP), v = read_trio(p, DROP);
    c = run(p->m, &u, false);
    tt_clean *d = load(p, &v, path, false, TT_OK);
    char *x = dump(c), *y = d ? dump(d) : NULL;
    ok(y && !strcmp(x, y) && d->train.dropped == 6, "what an audit found is dropped without a search");
    bool same = u.train->rows == v.train->rows;
    for (int i = 0; i < 2; i++)
        for (int64_t r = 0; same && r < tt_set_info(u.train->set[i])->rows; r++)
            same = tt_set_line(u.train->set[i], r) == tt_set_line(v.train->set[i], r);
    ok(same, "the very same rows are left");
    free(x);
    free(y);
    ok(tt_clean_save(p->m, d, tt_sprintf(p->a, "%s/none/clean.json", p->dir)) == TT_ERUN &&
           strstr(tt_fail_text(), "none/clean.json"),
       "a folder that is not there: %s", tt_fail_text());
    tt_fail_clear();
    tt_clean_free(c);
    tt_clean_free(d);
    free_trio(&u);
    free_trio(&v);
}

static void t_stale(place *p)
{
    char *path = tt_sprintf(p->a, "%s/clean.json", p->dir), *half = tt_sprintf(p->a, "%s/half.json", p->dir);
    trio t = read_trio(p, "data:\n  deduplicate: report\n" TRIO);
    tt_clean *c = run(p->m, &t, false);
    tt_clean_save(p->m, c, half);
    tt_clean_free(c);
    c = load(p, &t, half, false, TT_OK);
    ok(c && c->duplicates && !c->contamination, "a lesser search is enough for the same wish");
    tt_clean_free(c);
    ok(!load(p, &t, half, true, TT_OK), "and not for a greater one");
    free_trio(&t);

    t = read_trio(
        p, "data:\n  deduplicate: drop\n  train: [b.jsonl, a.jsonl]\n  validation: [v.jsonl]\n  test: [t.jsonl]\n");
    ok(!load(p, &t, path, false, TT_OK) && t.train->rows == 86, "another order: search anew");
    free_trio(&t);
    char *text;
    size_t size;
    tt_slurp(tt_sprintf(p->a, "%s/b.jsonl", p->dir), &text, &size);
    char *answer = strstr(text, "otherwise");
    if (answer) memcpy(answer, "Otherwise", 9);
    tt_barrier(p->m); /* all have read it */
    put_file(p, "b.jsonl", text, size);
    free(text);
    t = read_trio(p, DROP);
    ok(!load(p, &t, path, false, TT_OK) && answer, "one letter of an answer changed: search anew");
    free_trio(&t);

    plant(p);
    t = read_trio(p, DROP);
    PUT(p, "clean.json", "{\"hygiene\": 1, \"key\":");
    ok(!load(p, &t, path, false, TT_EFILE) && strstr(tt_fail_text(), "clean.json"), "a torn file: %s", tt_fail_text());
    tt_fail_clear();
    free_trio(&t);
}

/* ---- real data --------------------------------------------------------------------------------------------------------*/

static void t_real(place *p)
{
    const char *dir = shared_dir();
    if (!dir || !tt_exists(tt_sprintf(p->a, "%s/datasets/dialogsum/dialogsum.dev.jsonl.gz", dir))) {
        skip(3, "no ../shared/datasets");
        return;
    }
    trio t = {0};
    t.job = job_of(p, tt_sprintf(p->a, "%s/datasets", dir),
                   "data:\n  decontaminate: report\n  deduplicate: report\n"
                   "  train: [{path: dialogsum/dialogsum.train.jsonl.gz, format: dialogsum}]\n"
                   "  validation: [{path: dialogsum/dialogsum.dev.jsonl.gz, format: dialogsum}]\n"
                   "  test: [{path: 'superni/eval_tasks/*.jsonl.gz', format: superni}]\n");
    tt_sets_read(p->m, t.job, t.job->data.train, "data.train", NULL, &t.train);
    tt_sets_read(p->m, t.job, t.job->data.validation, "data.validation", NULL, &t.validation);
    tt_sets_read(p->m, t.job, t.job->data.test, "data.test", NULL, &t.test);
    if (!ok(t.train && t.validation && t.test, "read %s", tt_fail_text())) return;
    tt_clean *c = run(p->m, &t, false);
    const tt_finding *f = find(c, TT_CONTAM_EXACT, "dialogsum.dev", "dialogsum.train");
    ok(f && f->count == 49 && c->train.exact_inside == 11 && c->train.conflicts == 1072,
       "DialogSum: %lld dialogues of dev are training rows, %lld rows repeat, %lld dialogues have another summary",
       (long long)(f ? f->count : 0), (long long)c->train.exact_inside, (long long)c->train.conflicts);
    int64_t superni = 0;
    for (int i = 2; i < c->nset; i++) superni += c->set[i].contaminated;
    ok(superni == 0, "%lld rows of %d tasks of superni stand in DialogSum", (long long)superni, c->nset - 2);
    tt_clean_free(c);
    free_trio(&t);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    tt_log_quiet(true);
    place p = place_new(&m);
    t_words();
    t_grams();
    t_planted(&p);
    t_drop(&p);
    t_nothing(&p);
    t_rates(&p);
    t_near(&p);
    t_wording(&p);
    t_shared(&p);
    t_short(&p);
    t_listed(&p);
    t_files(&p);
    t_stale(&p);
    t_real(&p);
    place_free(&p);
    tt_mesh_fini(&m);
    return tap_done();
}
