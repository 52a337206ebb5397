// TEST np=1,3
// Exemplars: which rows they are, how they stand in the text, and what is left out until it fits.
#include "../../src/data/sets.h"
#include "model.h"

enum { ROWS = 60, SAME = 20, EPOCHS = 200 };

/* ROWS rows, question s<i> with answer t<i>; the last SAME of them all ask "same". */
static void put_rows(place *p)
{
    static char text[100 * ROWS];
    size_t n = 0;
    for (int i = 0; i < ROWS; i++)
        n += (size_t)(i < ROWS - SAME
                          ? sprintf(text + n, "{\"source\": \"s%d.\", \"target\": [\"t%d\", \"other\"]}\n", i, i)
                          : sprintf(text + n, "{\"source\": \"same\", \"target\": \"t%d\"}\n", i));
    put_file(p, "tr.jsonl", text, n);
    PUT(p, "te.jsonl",
        "{\"source\": \"test0\", \"target\": \"no0\"}\n{\"source\": \"s5.\", \"target\": \"no1\"}\n"
        "{\"source\": \"test2\", \"target\": \"no2\"}\n");
}

/* data.train of the YAML; aborts where it cannot be read. */
static tt_sets *train_of(place *p, const char *yaml, tt_job **job)
{
    tt_sets *s = sets_of(p, yaml, job);
    if (s) return s;
    printf("# %s\n", tt_fail_text());
    abort();
}

static bool same_key(const tt_set *s, int64_t x, int64_t y) { return tt_set_key(s, x) == tt_set_key(s, y); }

/* Faults of a prompt of row in its own data set: an exemplar that is the row itself, asks the same, or stands twice. */
static int64_t faults(const tt_set *s, int64_t row, const tt_prompt *r)
{
    int64_t bad = r->pool != s || r->nshot > 5;
    for (int i = 0; i < r->nshot; i++) {
        bad += r->shot[i].row == row || same_key(s, row, r->shot[i].row) || r->shot[i].line != r->shot[i].row + 1;
        for (int k = 0; k < i; k++) bad += same_key(s, r->shot[i].row, r->shot[k].row);
    }
    return bad;
}

static void near_share(int64_t count, int64_t of, double want, const char *what)
{
    double sd = sqrt((double)of * want * (1 - want));
    ok(fabs((double)count - (double)of * want) <= 5 * sd, "%s: %lld of %lld, expected %.1f +- %.1f", what,
       (long long)count, (long long)of, (double)of * want, 5 * sd);
}

static void rows(place *p)
{
    tt_job *job;
    tt_sets *s =
        train_of(p, "data:\n  prompts: {few_shot: 0.6, shots: 2-5}\n  train:\n    - {name: a, path: tr.jsonl}\n", &job);
    int64_t shots[6] = {0}, used[ROWS] = {0}, bad = 0, most = 0, least = INT64_MAX;
    for (int64_t e = 0; e < EPOCHS; e++)
        for (int64_t i = 0; i < ROWS; i++) {
            tt_mark m = tt_arena_mark(p->a);
            tt_prompt r;
            tt_prompt_make(s->set[0], i, 3, e, p->a, &r);
            bad += faults(s->set[0], i, &r);
            shots[r.nshot]++;
            for (int k = 0; k < r.nshot; k++) used[r.shot[k].row]++;
            tt_arena_rewind(p->a, m);
        }
    ok(!bad, "never the row itself, an equal row, or one twice (%lld)", (long long)bad);
    near_share(shots[0], ROWS * EPOCHS, 0.4, "zero-shot");
    ok(!shots[1], "never one of 2-5");
    for (int k = 2; k <= 5; k++) near_share(shots[k], ROWS * EPOCHS, 0.15, tt_sprintf(p->a, "%d exemplars", k));
    for (int i = 0; i < ROWS - SAME; i++) {
        if (used[i] > most) most = used[i];
        if (used[i] < least) least = used[i];
    }
    ok(least * 13 > most * 10, "all rows serve alike: %lld to %lld times", (long long)least, (long long)most);
    tt_sets_free(s);
}

/* A pool that cannot give what is asked for. */
static void small_pools(place *p)
{
    PUT(p, "alike.jsonl",
        "{\"source\": \"x\", \"target\": \"1\"}\n{\"source\": \"x\", \"target\": \"2\"}\n{\"source\": \"y\", "
        "\"target\": \"3\"}\n");
    PUT(p, "single.jsonl", "{\"source\": \"x\", \"target\": \"1\"}\n");
    tt_job *job;
    tt_sets *s = train_of(p,
                          "data:\n  prompts: {few_shot: 1, shots: 3}\n  train:\n    - alike.jsonl\n    - single.jsonl\n"
                          "    - {path: tr.jsonl, exemplars: off}\n    - {name: b, path: te.jsonl, exemplars: tr}\n",
                          &job);
    tt_prompt r[4];
    for (int i = 0; i < 4; i++) tt_prompt_make(s->set[i], 0, 1, 0, p->a, &r[i]);
    ok(r[0].nshot == 1 && r[0].shot[0].row == 2, "what there is, if it is less");
    ok(r[1].nshot == 0 && r[2].nshot == 0, "none from a single row, none with exemplars: off");
    ok(r[3].nshot == 3 && r[3].pool == s->set[2], "a set of data.train may name another");
    tt_sets_free(s);
}

/* te has its rows solved by those of tr. */
static void evaluation(place *p)
{
    tt_job *job;
    tt_sets *s =
                train_of(p,
                         "data:\n  prompts: {few_shot: 1, shots: 4}\n  train:\n"
                         "    - {path: tr.jsonl, templates: [{source: '{id}: {question}', target: '{answer}'}],\n"
                         "       fields: {question: source, answer: target, id: source}}\n"
                         "  test:\n    - {name: one, path: te.jsonl, exemplars: tr, fields: {answer: target, question: "
                         "source},\n       templates: [{source: '{question}', target: '{answer}'}]}\n"
                         "    - {name: two, path: te.jsonl}\n",
                         &job),
            *t = NULL;
    tt_err e = tt_sets_read(p->m, job, job->data.test, "data.test", NULL, &t);
    if (!ok(e == TT_OK && tt_sets_exemplars(t, s) == TT_OK, "reads %s", tt_fail_text())) return;
    int64_t bad = 0, equal = 0, shown = 0;
    for (int64_t i = 0; i < 3 * EPOCHS; i++) {
        tt_mark m = tt_arena_mark(p->a);
        tt_prompt r;
        tt_text x;
        tt_prompt_make(t->set[0], i % 3, 1, i / 3, p->a, &r);
        tt_set_text(t->set[0], i % 3, 1, i / 3, p->a, &x);
        bad += r.nshot != 4 || r.pool != s->set[0] || strstr(x.source, "no") || strstr(x.source, ".: ");
        for (int k = 0; k < r.nshot; k++) {
            equal += i % 3 == 1 && r.shot[k].row == 5;
            shown += r.shot[k].row == 5;
        }
        tt_prompt_make(t->set[1], i % 3, 1, i / 3, p->a, &r);
        bad += r.nshot != 0;
        tt_arena_rewind(p->a, m);
    }
    ok(!bad, "a test set shows rows of the train set that it names, or none");
    ok(shown && !equal, "not the row that asks the same in data.train");
    tt_sets_free(t);
    tt_sets_free(s);
}

static void one_text(place *p, const tt_set *s, int64_t row, const char *want, const char *what)
{
    tt_text t;
    tt_set_text(s, row, 1, 0, p->a, &t);
    if (!ok(!strcmp(t.source, want), "%s", what) && !tap_mute) printf("# got '%s'\n", t.source);
}

/* Some text of 300 draws is want. */
static void some_text(place *p, const char *entry, const char *want)
{
    PUT(p, "two.jsonl",
        "{\"source\": \"S1\", \"target\": \"T1\"}\n{\"source\": \"S2\", \"target\": [\"T2\", \"x\"]}\n");
    tt_job *job;
    tt_sets *s = train_of(
        p, tt_sprintf(p->a, "data:\n  prompts: {few_shot: 1, shots: 1}\n  train:\n    - {path: two.jsonl%s}\n", entry),
        &job);
    int64_t found = 0;
    for (int64_t e = 0; e < 300; e++) {
        tt_text t;
        tt_set_text(s->set[0], 0, 1, e, p->a, &t);
        found += !strcmp(t.source, want);
    }
    ok(found, "a text of %s", entry);
    tt_sets_free(s);
}

static void texts(place *p)
{
#define T(more) ", templates: [{target: '{target}', " more "}]"
    some_text(p, T("source: '{source}'"), "S2\nT2\n\nS1");
    some_text(p, T("source: '{source}'"), "S2\nAnswer: T2\n\n\nS1\nAnswer:");
    some_text(p, T("source: '{source}'"), "S2\nA: T2\n---\nS1\nA:");
    some_text(p, T("source: '{source}:'"), "S2: T2\n###\nS1:");
    some_text(p, T("source: '{source}: '"), "S2: T2\n\nS1: ");
    some_text(p, T("source: '{source}', shot: ' -> '"), "S2 -> T2\n\nS1 ->");
    some_text(p, T("source: '{source}', shot: ''"), "S2T2\n\nS1");
    some_text(p, T("source: 'Now {source}', head: 'Do. ', exemplar: 'Ex. {source}'"), "Do. Ex. S2\nT2\n\nNow S1");
    some_text(p, T("source: '{source}'") ", options: [a, b]",
              "S2\nOPTIONS:\n- a\n- b\nAnswer: T2\n\nS1\nOPTIONS:\n- a\n- b\nAnswer:");
    some_text(p, T("source: '{source} {options} A:'") ", options: [a, b], prompts: {options: 0}", "S2 A: T2\n\nS1 A:");
}

static void superni(place *p)
{
    PUT(p, "ni.jsonl",
        "{\"definition\": \"Do it.\", \"category\": \"C\"}\n{\"input\": \"x\", \"output\": [\"y\"]}\n{\"input\": "
        "\"u\", "
        "\"output\": \"v\"}\n");
    tt_job *job;
    tt_sets *s = train_of(p, "data:\n  train:\n    - {path: ni.jsonl, format: superni}\n", &job);
    one_text(p, s->set[0], 0, "Definition: Do it.\n\nNow complete the following example -\nInput: x\nOutput: ",
             "superni without exemplars");
    tt_sets_free(s);
    s = train_of(p, "data:\n  prompts: {few_shot: 1}\n  train:\n    - {path: ni.jsonl, format: superni}\n", &job);
    int64_t found = 0;
    for (int64_t e = 0; e < 100; e++) {
        tt_text t;
        tt_set_text(s->set[0], 0, 1, e, p->a, &t);
        found += !strcmp(t.source, "Definition: Do it.\n\nPositive Example -\nInput: u\nOutput: v\n\nNow complete the "
                                   "following example -\nInput: x\nOutput: ");
    }
    ok(found, "superni's definition stands once, before the exemplars");
    tt_sets_free(s);
}

/* Tokens of the source of r without its first drop exemplars. */
static int tokens(const tt_tok *tok, const tt_prompt *r, int drop, tt_arena *a)
{
    tt_part *part = TT_NEW(a, tt_part, r->nsource);
    char text[4096] = "";
    tt_ids ids = {0};
    int n = tt_prompt_source(r, drop, part);
    for (int i = 0; i < n; i++) strncat(text, part[i].text, part[i].size);
    if (tt_tok_encode(tok, text, strlen(text), true, &ids)) abort();
    n = ids.n;
    tt_ids_fini(&ids);
    return n;
}

/* Faults of what a draw shows under a limit: longer, fewer exemplars than fit, not the last, uncut though too long. */
static int64_t pruning_faults(const tt_tok *tok, const tt_shown *x, const char *fill, int row, int64_t limit,
                              int64_t longest, tt_arena *a)
{
    const tt_prompt *r = &x->prompt;
    int drop = r->nshot - x->kept, n = tokens(tok, r, drop, a);
    int64_t bad = x->size.S > longest || (x->kept && n > limit);
    bad += drop > 0 && tokens(tok, r, drop - 1, a) <= limit;
    bad += x->size.S != (n < longest ? n : longest) || (x->size.cut != 0) != (n > longest);
    bad += strlen(x->text.source) && x->text.source[0] != 'H';
    if (!x->kept) bad += strcmp(x->text.source, tt_sprintf(a, "Head. Ask: %ss%d.", fill, row)) != 0;
    if (x->kept) bad += strstr(x->text.source, tt_sprintf(a, "s%d.", (int)r->shot[r->nshot - 1].row)) == NULL;
    return bad;
}

/* Many bytes, one token: the tokenizer knows no such letter. Without it a token is a byte. */
#define E10 "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
#define UNKNOWN E10 E10 E10 E10 E10 E10 E10 E10

static void pruning(place *p)
{
    tt_tok *tok = own_tokenizer(p);
    int64_t bad = 0, seen[6] = {0}, cut = 0;
    for (int limit = 8; limit <= 130; limit += 2) {
        int max_source = limit % 4 ? limit : 130, max_tokens = limit % 4 ? 0 : limit;
        const char *fill = limit % 8 < 4 ? "" : UNKNOWN;
        tt_job *job;
        tt_sets *s = train_of(
            p,
            tt_sprintf(p->a,
                       "data:\n  max_source: %d\n  prompts: {few_shot: 1, shots: 5, max_tokens: %d}\n  train:\n"
                       "    - {path: tr.jsonl, limit: %d, templates: [{head: 'Head. ', source: 'Ask: %s{source}', "
                       "target: '{target}'}]}\n",
                       max_source, max_tokens, ROWS - SAME, fill),
            &job);
        tt_maker k;
        tt_maker_init(&k, job, s, tok);
        for (int64_t i = 0; i < ROWS - SAME; i++) {
            tt_shown x;
            tt_mark m = tt_arena_mark(p->a);
            if (tt_maker_show(&k, i, (tt_draw){0, i, 0}, &x)) abort();
            bad += x.prompt.nshot != 5 || pruning_faults(tok, &x, fill, (int)i, limit, max_source, p->a);
            seen[x.kept]++;
            cut += x.size.cut;
            tt_arena_rewind(p->a, m);
        }
        tt_maker_fini(&k);
        tt_sets_free(s);
    }
    ok(!bad, "as many of the last exemplars as fit, at any length (%lld)", (long long)bad);
    ok(seen[0] && seen[1] && seen[2] && seen[3] && seen[4] && seen[5], "from none to five were left");
    ok(cut, "a question that is too long alone is cut");
    tt_tok_close(tok);
}

/* What is shown is what is trained on. */
static void shown(place *p)
{
    tt_tok *tok = own_tokenizer(p);
    tt_job *job;
    tt_sets *s = train_of(p, "data:\n  prompts: {few_shot: 1}\n  train:\n    - tr.jsonl\n", &job);
    tt_maker k;
    tt_maker_init(&k, job, s, tok);
    tt_shown x;
    tt_sizes n;
    int32_t *ids;
    if (tt_maker_ids(&k, 0, (tt_draw){0, 3, 1}, &ids, &n) || tt_maker_show(&k, 0, (tt_draw){0, 3, 1}, &x)) abort();
    ok(n.S == x.size.S && n.T == x.size.T && !memcmp(ids, x.src, sizeof *ids * (size_t)n.S) &&
           !memcmp(ids + n.S, x.tgt, sizeof *ids * (size_t)n.T),
       "the ids shown are those that the batches get");
    ok(x.kept == x.prompt.nshot && x.kept > 0 && strstr(x.source, "s3.") && strstr(x.source, "</s>") &&
           !strcmp(x.target, "t3</s>") && !strcmp(x.text.target, "t3") && x.text.nref == 2,
       "source and target as the model sees them: '%s'", x.target);
    free(ids);
    tt_maker_fini(&k);
    tt_sets_free(s);
    s = train_of(p, "train: {objective: span}\ndata:\n  prompts: {few_shot: 1}\n  train:\n    - tr.jsonl\n", &job);
    tt_maker_init(&k, job, s, tok);
    if (tt_maker_show(&k, 0, (tt_draw){0, 3, 1}, &x)) abort();
    ok(x.prompt.nshot && !x.kept && !strcmp(x.text.source, "s3."), "span corruption leaves exemplars out");
    tt_maker_fini(&k);
    tt_sets_free(s);
    tt_tok_close(tok);
}

/* Rows that are dropped are never shown, and change only the prompts that showed them. */
static void dropped(place *p)
{
    tt_job *job;
    tt_sets *s = train_of(
        p,
        tt_sprintf(p->a, "data:\n  prompts: {few_shot: 1, shots: 2}\n  train:\n    - {path: tr.jsonl, limit: %d}\n",
                   ROWS - SAME),
        &job);
    enum { N = ROWS - SAME };
    static tt_prompt before[N], after;
    int64_t shown = 0, moved = 0, kept = 0;
    for (int64_t i = 0; i < N; i++) tt_prompt_make(s->set[0], i, 1, 0, p->a, &before[i]);
    for (int64_t i = 0; i < N; i += 4) tt_set_drop(s->set[0], i);
    tt_set_recount(s->set[0]);
    for (int64_t i = 0; i < tt_set_info(s->set[0])->rows; i++) {
        const tt_prompt *b = &before[tt_set_file_row(s->set[0], i)];
        tt_prompt_make(s->set[0], i, 1, 0, p->a, &after);
        bool whole = b->shot[0].row % 4 && b->shot[1].row % 4;
        shown += after.nshot != 2 || after.shot[0].row % 4 == 0 || after.shot[1].row % 4 == 0;
        moved += whole && memcmp(after.shot, b->shot, 2 * sizeof *b->shot) != 0;
        kept += whole;
    }
    ok(!shown, "rows that are dropped are no exemplars");
    ok(!moved && kept, "prompts that did not show them stay (%lld)", (long long)kept);
    for (int64_t i = 0; i < N - 4; i++) tt_set_drop(s->set[0], i);
    tt_set_recount(s->set[0]);
    tt_prompt_make(s->set[0], 0, 1, 0, p->a, &after);
    ok(tt_set_info(s->set[0])->rows == 3 && after.nshot == 2 && after.shot[0].row > N - 4 && after.shot[1].row > N - 4,
       "exemplars are found where few rows are left");
    tt_sets_free(s);
}

static void refuse(place *p, const char *test, const char *part)
{
    tt_job *job;
    tt_sets *s = train_of(p,
                          tt_sprintf(p->a,
                                     "data:\n  train:\n    - tr.jsonl\n    - {name: trees, path: tr.jsonl, fields: {q: "
                                     "source, a: target}, templates: [{source: '{q}', target: '{a}'}]}\n"
                                     "  test:\n    - {name: quiz, path: te.jsonl}\n    - {path: te.jsonl, %s}\n",
                                     test),
                          &job),
            *t = NULL;
    tt_err e = tt_sets_read(p->m, job, job->data.test, "data.test", NULL, &t);
    if (e == TT_OK) e = tt_sets_exemplars(t, s);
    ok(e == TT_EJOB && strstr(tt_fail_text(), part), "refused (%s): %s", part, tt_fail_text());
    tt_fail_clear();
    tt_sets_free(t);
    tt_sets_free(s);
}

static void messages(place *p)
{
    refuse(p, "exemplars: tree", "job.yaml:7: te: exemplars: data.train has no data set tree; did you mean trees?");
    refuse(p, "exemplars: nothing_like", "no data set nothing_like; give the name of one of its data sets, or off");
    refuse(p, "exemplars: quiz", "quiz is a data set to evaluate on, and its rows are never shown");
    refuse(p, "exemplars: trees", "te takes exemplars from trees, whose templates do not use its column {source}");
    tt_job *job;
    tt_sets *s = sets_of(p, "data:\n  train:\n    - {path: tr.jsonl, exemplars: te}\n", &job);
    ok(!s && tt_fail_code() == TT_EJOB && strstr(tt_fail_text(), "has no data set te; did you mean tr?"), "refused: %s",
       tt_fail_text());
    tt_fail_clear();
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    tt_log_quiet(true);
    place p = place_new(&m);
    put_rows(&p);
    rows(&p);
    small_pools(&p);
    evaluation(&p);
    texts(&p);
    superni(&p);
    pruning(&p);
    shown(&p);
    dropped(&p);
    messages(&p);
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
