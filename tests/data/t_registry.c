// TEST np=1,3
// Registries: every form of a file of data sets, who wins where several say a key, files that are not there, every message; and
// the collections that come with tutti, where their data are.
#include "make.h"

#define ROWS "{\"source\": \"a\", \"target\": \"b\"}\n{\"source\": \"c\", \"target\": \"d\"}\n"

/* ---- helpers -------------------------------------------------------------------------------------------------------------*/

static void folder(place *p, const char *name)
{
    if (p->m->rank == 0 && tt_mkdirs(tt_sprintf(p->a, "%s/%s", p->dir, name))) abort();
    tt_barrier(p->m);
}

static tt_sets *part(place *p, const tt_job *job, const tt_yaml *list, const char *what)
{
    tt_sets *s = NULL;
    return tt_sets_read(p->m, job, list, what, NULL, &s) ? NULL : s;
}

/* data.train: entries, one a line. */
static tt_sets *train(place *p, const char *entries)
{
    tt_job *job = job_of(p, NULL, tt_sprintf(p->a, "data:\n  train:\n%s", entries));
    return part(p, job, job->data.train, "data.train");
}

static const tt_setinfo *find(const tt_sets *s, const char *name)
{
    for (int i = 0; s && i < s->n; i++)
        if (!strcmp(tt_set_info(s->set[i])->name, name)) return tt_set_info(s->set[i]);
    return NULL;
}

/* "a b c": the names in order. */
static const char *names(place *p, const tt_sets *s)
{
    const char *all = "";
    for (int i = 0; s && i < s->n; i++)
        all = tt_sprintf(p->a, "%s%s%s", all, i ? " " : "", tt_set_info(s->set[i])->name);
    return all;
}

static void gives(place *p, const char *what, const char *entries, const char *want)
{
    tt_sets *s = train(p, entries);
    if (!ok(s && !strcmp(names(p, s), want), "%s: %s", what, want))
        printf("# got '%s' %s\n", names(p, s), tt_fail_text());
    tt_fail_clear();
    tt_sets_free(s);
}

static void refuse(place *p, const char *entries, tt_err code, const char *part_of_text)
{
    tt_sets *s = train(p, entries);
    ok(!s && tt_fail_code() == code && strstr(tt_fail_text(), part_of_text), "refused (%s): %s", part_of_text,
       tt_fail_text());
    tt_fail_clear();
    tt_sets_free(s);
}

/* A registry file that must be refused. */
static void refuse_file(place *p, const char *yaml, tt_err code, const char *part_of_text)
{
    PUT(p, "bad.yaml", yaml);
    refuse(p, "    - list: bad.yaml\n", code, part_of_text);
}

static bool same(const char *a, const char *b) { return a && b ? !strcmp(a, b) : a == b; }

/* ---- forms ---------------------------------------------------------------------------------------------------------------*/

static void make_files(place *p)
{
    static const char *const sub[] = {"r", "r/glue", "r/qa", "more"};
    static const char *const file[] = {"r/glue/cola.jsonl", "r/glue/sst.jsonl", "r/qa/boolq.jsonl", "r/qa/nq.jsonl",
                                       "more/x.jsonl",      "more/y.jsonl",     "here.jsonl"};
    for (int i = 0; i < 4; i++) folder(p, sub[i]);
    for (int i = 0; i < 7; i++) PUT(p, file[i], ROWS);
    PUT(p, "r/table.tsv",
        "name\tkind\tgroup\tfile\tn\tlang\r\n"
        "cola\tgrammar\tglue\tglue/cola.jsonl\t2\tEnglish\n"
        "\n"
        "sst\tsentiment\tglue\tglue/sst.jsonl\t2\t\n"
        "boolq\tqa\tqa\tqa/boolq.jsonl\t9\tFrench\n");
    PUT(p, "r/table.yaml",
        "table: table.tsv\n"
        "columns: {name: name, category: kind, collection: group, path: file, rows: n, language: lang}\n"
        "defaults: {language: several, licence: none, mixture: m0, cap: 7}\n");
    PUT(p, "r/own.tsv",
        "name\tpath\tcategory\theld_out\tx\nA\tglue/cola.jsonl\tc1\tno\t1\nB\tqa/nq.jsonl\tc2\tyes\t2\n");
}

static void tables(place *p)
{
    tt_sets *s = train(p, "    - list: r/table.yaml\n");
    const tt_setinfo *c = find(s, "cola"), *b = find(s, "boolq"), *t = find(s, "sst");
    ok(s && s->n == 3 && c && b && t, "a table: %s %s", names(p, s), tt_fail_text());
    ok(c && same(c->category, "grammar") && same(c->collection, "glue") && same(c->language, "English"),
       "columns fill keys");
    ok(c && same(c->licence, "none") && same(c->mixture, "m0") && c->cap == 7 && !c->dataset && !c->held_out,
       "defaults fill the others");
    ok(t && same(t->language, "several"), "an empty cell says nothing");
    ok(b && b->declared == 9 && b->rows == 2, "declared %lld, found %lld", b ? (long long)b->declared : -1,
       b ? (long long)b->rows : -1);
    tt_sets_free(s);
    tt_job *job = job_of(p, NULL, "data:\n  train:\n    - registry: r/own.tsv\n  test:\n    - registry: r/own.tsv\n");
    s = part(p, job, job->data.train, "data.train");
    ok(s && !strcmp(names(p, s), "A") && s->held_out == 1, "a TSV alone; what is held out is not trained on: %s %s",
       names(p, s), tt_fail_text());
    tt_sets_free(s);
    s = part(p, job, job->data.test, "data.test");
    ok(s && !strcmp(names(p, s), "A B") && s->held_out == 0 && find(s, "B") && find(s, "B")->held_out,
       "it is tested with: %s", names(p, s));
    tt_sets_free(s);
    PUT(p, "under.yaml", "table: r/table.tsv\ncolumns: {name: name, path: file}\n");
    PUT(p, "more/under.yaml", "table: r/table.tsv\ncolumns: {name: name, path: file}\n");
    gives(p, "paths of a table start from its folder", "    - list: under.yaml\n", "cola sst boolq");
    gives(p, "a table under data.root", "    - list: more/under.yaml\n", "cola sst boolq");
}

static void files(place *p)
{
    PUT(p, "more/list.yaml", "- x.jsonl\n- {path: here.jsonl, name: h}\n");
    gives(p, "a list; paths start from its folder, then from data.root", "    - list: more/list.yaml\n", "x h");
    PUT(p, "more/parts.yaml", "train: [x.jsonl]\ntest: [y.jsonl]\n");
    PUT(p, "more/data.yaml", "data:\n  train: [y.jsonl]\nmodel: {path: z}\n");
    gives(p, "a list for each part", "    - list: more/parts.yaml\n    - list: more/data.yaml\n", "x y");
    PUT(p, "more/mixed.yaml",
        "defaults: {category: d}\ntrain: [x.jsonl]\ndatasets: [{path: y.jsonl, category: own}]\n");
    tt_sets *s = train(p, "    - list: more/mixed.yaml\n");
    ok(s && s->n == 2 && same(find(s, "x")->category, "d") && same(find(s, "y")->category, "own"),
       "defaults and an entry's own key %s", tt_fail_text());
    tt_sets_free(s);
    PUT(p, "all.yaml",
        "include: [r/table.yaml, more/list.yaml]\n"
        "datasets:\n  - {list: more/parts.yaml, weight: 3, select: {name: x}}\n  - {path: r/qa/nq.jsonl}\n"
        "rules:\n  - {when: {name: x}, set: {name: x2}}\n  - {when: {weight: 3}, set: {name: x3}}\n");
    gives(p, "what is included comes first", "    - list: all.yaml\n", "cola sst boolq x2 h x3 nq");
    gives(p, "braces", "    - {path: '{name}.jsonl', name: here}\n", "here");
}

static void tasks(place *p)
{
    PUT(p, "tasks.yaml",
        "defaults: {path: \"r/{collection}/{task}.jsonl\", collection: glue}\n"
        "datasets:\n"
        "  - name: two\n    category: c\n    licence: L\n"
        "    tasks:\n      - cola\n      - {name: sst, category: own, rows: 2, cap: 4}\n"
        "  - {name: q, collection: qa, tasks: [boolq], dataset: said}\n");
    tt_sets *s = train(p, "    - list: tasks.yaml\n");
    const tt_setinfo *c = find(s, "cola"), *t = find(s, "sst"), *b = find(s, "boolq");
    ok(c && t && b && s->n == 3, "tasks are data sets: %s %s", names(p, s), tt_fail_text());
    ok(c && same(c->category, "c") && same(c->licence, "L") && same(c->dataset, "two"), "they have the entry's keys");
    ok(t && same(t->category, "own") && t->declared == 2 && t->cap == 4 && same(t->dataset, "two"), "and their own");
    ok(b && same(b->dataset, "said"), "a dataset that the entry names stays");
    tt_sets_free(s);
    refuse_file(p, "- {name: a, tasks: {b: c}}\n", TT_EJOB, "bad.yaml:1: tasks must be a list");
    refuse_file(p, "- name: a\n  tasks:\n    - {category: c}\n", TT_EJOB, "bad.yaml:3: a task needs a name");
}

/* keys beside list > entry > rules > table > defaults */
static void who_wins(place *p)
{
    PUT(p, "win.yaml",
        "table: r/table.tsv\n"
        "columns: {name: name, path: file, category: kind}\n"
        "defaults: {category: default, licence: default, language: default, mixture: default}\n"
        "rules:\n"
        "  - {set: {licence: rule1}}\n"
        "  - {when: {name: [cola, w]}, set: {licence: rule2, category: rule}}\n"
        "  - {when: {licence: rule2}, set: {language: seen}}\n"
        "datasets:\n"
        "  - {name: w, path: here.jsonl, category: entry}\n");
    tt_sets *s = train(p, "    - list: win.yaml\n");
    const tt_setinfo *c = find(s, "cola"), *t = find(s, "sst"), *w = find(s, "w");
    if (!ok(c && t && w, "levels: %s %s", names(p, s), tt_fail_text())) return;
    ok(same(t->category, "sentiment"), "a table over defaults");
    ok(same(c->category, "rule") && same(t->licence, "rule1"), "a rule over the table and defaults");
    ok(same(c->licence, "rule2") && same(c->language, "seen"), "later rules win, and see what earlier ones set");
    ok(same(w->category, "entry") && same(w->licence, "rule2"), "an entry over rules");
    ok(same(t->mixture, "default"), "defaults where nobody speaks");
    tt_sets_free(s);
    PUT(p, "outer.yaml",
        "include: [win.yaml]\ndefaults: {exemplars: off}\nrules:\n  - {when: {name: w}, set: {category: outer}}\n"
        "  - {when: {name: sst}, set: {mixture: ~}}\n");
    s = train(p, "    - {list: outer.yaml, licence: job, cap: 3}\n");
    w = find(s, "w");
    ok(w && same(w->category, "outer"), "the rules of a file over all that it includes %s", tt_fail_text());
    ok(w && same(w->licence, "job") && w->cap == 3 && find(s, "sst")->cap == 3, "keys beside list over everything");
    ok(find(s, "sst") && !find(s, "sst")->mixture, "~ takes a key away");
    tt_sets_free(s);
}

static void rules(place *p)
{
    PUT(p, "skip.yaml",
        "include: [r/table.yaml]\nrules:\n  - {when: {group: glue, kind: 'g*'}, skip: true}\n"
        "  - {when: {lang: [Latin, Fr*]}, set: {licence: F}}\n");
    tt_sets *s = train(p, "    - list: skip.yaml\n");
    ok(s && !strcmp(names(p, s), "sst boolq") && same(find(s, "boolq")->licence, "F"),
       "a rule by columns and globs: %s %s", names(p, s), tt_fail_text());
    tt_sets_free(s);
    refuse_file(p, "rules:\n  - {when: {name: x}}\ndatasets: [here.jsonl]\n", TT_EJOB,
                "bad.yaml:2: a rule needs either set");
    refuse_file(p, "rules:\n  - {skip: true, set: {cap: 1}}\ndatasets: [here.jsonl]\n", TT_EJOB, "needs either set");
    refuse_file(p, "rules:\n  - {set: {fromat: x}}\ndatasets: [here.jsonl]\n", TT_EJOB,
                "bad.yaml:2: set: a data set has no key 'fromat'; did you mean 'format'?");
    refuse_file(p, "rules:\n  - {set: {list: x}}\ndatasets: [here.jsonl]\n", TT_EJOB, "set cannot say list");
    refuse_file(p, "rules:\n  - {when: {nam: x}, skip: true}\ndatasets: [here.jsonl]\n", TT_EJOB,
                "bad.yaml:2: when: 'nam' is neither a key of an entry nor a column of a table; did you mean 'name'?");
    refuse_file(p, "rules:\n  - {when: {name: {a: b}}, skip: true}\ndatasets: [here.jsonl]\n", TT_EJOB,
                "when.name takes a value, a glob or a list");
    refuse_file(p, "rules:\n  - {wen: {name: x}, skip: true}\ndatasets: [here.jsonl]\n", TT_EJOB,
                "did you mean 'rules.when'");
    refuse_file(p, "rules: {skip: true}\ndatasets: [here.jsonl]\n", TT_EJOB, "bad.yaml:1: rules is a list");
    refuse_file(p, "rules:\n  - {skip: true}\ndatasets: [here.jsonl]\n", TT_EDATA, "rules skip all of it");
    refuse_file(p, "rules:\n  - set: {cap: many}\ndatasets: [here.jsonl]\n", TT_EJOB, "bad.yaml:2: cap is 'many'");
}

static void selections(place *p)
{
    gives(p, "select by a key", "    - {list: r/table.yaml, select: {collection: glue}}\n", "cola sst");
    gives(p, "select by a list and a glob", "    - {list: r/table.yaml, select: {category: [qa, 'gr*']}}\n",
          "cola boolq");
    gives(p, "select by a column", "    - {list: r/table.yaml, select: {lang: French}}\n", "boolq");
    gives(p, "select by two keys", "    - {list: r/table.yaml, select: {group: glue, name: 's*'}}\n", "sst");
    gives(p, "select held_out", "    - {list: r/own.tsv, select: {held_out: false}}\n", "A");
    gives(p, "held out no more", "    - {list: r/own.tsv, select: {held_out: 1}, held_out: false}\n", "B");
    gives(p, "a name from the path", "    - {list: more/list.yaml, select: {name: x}}\n", "x");
    refuse(p, "    - list: r/table.yaml\n      select:\n        collection: gleu\n", TT_EJOB,
           "job.yaml:5: select: no data set of ");
    refuse(p, "    - list: r/table.yaml\n      select:\n        collection: gleu\n", TT_EJOB,
           "has collection: gleu; did you mean 'glue'?");
    refuse(p, "    - {list: r/table.yaml, select: {collection: [glue, nowhere]}}\n", TT_EJOB,
           "has collection: nowhere; there are glue, qa");
    refuse(p, "    - {list: r/table.yaml, select: {'lnag': French}}\n", TT_EJOB, "did you mean 'lang'?");
    refuse(p, "    - {list: r/table.yaml, select: {collection: glue, category: qa}}\n", TT_EJOB,
           "none of the 3 data sets");
    refuse(p, "    - {list: r/table.yaml, select: glue}\n", TT_EJOB, "select must be a map");
    refuse(p, "    - {path: here.jsonl, select: {name: here}}\n", TT_EJOB, "select picks from a list");
    refuse(p, "    - {list: r/table.yaml, path: here.jsonl}\n", TT_EJOB, "either path or list");
    refuse(p, "    - {list: r/table.yaml, catgory: x}\n", TT_EJOB, "did you mean 'category'");
    refuse(p, "    - {list: [a, b]}\n", TT_EJOB, "list takes the name of one file");
    refuse(p, "    - [here.jsonl]\n", TT_EJOB, "job.yaml:3: an entry is a path or keys");
}

static void closed_lists(place *p)
{
    PUT(p, "closed.yaml", "include: [r/table.yaml]\ncategories: [grammar, qa, sentiment]\ncollections: [glue, qa]\n");
    gives(p, "closed lists", "    - list: closed.yaml\n", "cola sst boolq");
    refuse_file(p, "include: [r/table.yaml]\ncategories: [grammar, qa, sentimental]\n", TT_EJOB,
                "table.tsv:4: category 'sentiment' is not in the list of ");
    refuse_file(p, "collections: [glue]\ndatasets:\n  - {path: here.jsonl, collection: glu}\n", TT_EJOB,
                "bad.yaml:3: collection 'glu' is not in the list of ");
    refuse_file(p, "collections: [glue]\ndatasets:\n  - {path: here.jsonl, collection: glu}\n", TT_EJOB,
                "bad.yaml:1; did you mean 'glue'?");
    refuse_file(p, "categories: {a: b}\ndatasets: [here.jsonl]\n", TT_EJOB, "categories must be a list of names");
}

/* ---- files that are not there ----------------------------------------------------------------------------------------------*/

static void absent(place *p)
{
    static const char some[] = "    - here.jsonl\n"
                               "    - {path: no1.jsonl, category: c, collection: k, rows: 12}\n"
                               "    - {path: 'no2.*', name: glob}\n";
    refuse(p, some, TT_EDATA, "job.yaml:4: data.train: ");
    refuse(p, some, TT_EDATA,
           "no1.jsonl cannot be read: No such file or directory (the first of 2 that are not there)");
    refuse(p, some, TT_EDATA, "data.missing: skip");
    refuse(p, "    - here.jsonl\n    - 'no*.jsonl'\n", TT_EDATA, "no file matches ");
    tt_job *job = job_of(p, NULL, tt_sprintf(p->a, "data:\n  missing: skip\n  train:\n%s", some));
    tt_sets *s = part(p, job, job->data.train, "data.train");
    ok(s && s->n == 1 && s->nabsent == 2, "missing: skip goes on without %s", tt_fail_text());
    const tt_absent *x = s && s->nabsent == 2 ? s->absent : NULL;
    ok(x && same(x->name, "no1") && same(x->category, "c") && same(x->collection, "k") && x->declared == 12 &&
           strstr(x->path, "no1.jsonl") && same(x[1].name, "glob") && strstr(x[1].path, "no2.*"),
       "and says what was promised");
    tt_sets_free(s);
    s = train(p, "    - here.jsonl\n    - {path: no1.jsonl, missing: skip}\n");
    ok(s && s->n == 1 && s->nabsent == 1, "an entry's own missing: skip");
    tt_sets_free(s);
    job =
        job_of(p, NULL, "data:\n  missing: skip\n  train:\n    - here.jsonl\n    - {path: no1.jsonl, missing: fail}\n");
    s = part(p, job, job->data.train, "data.train");
    ok(!s && strstr(tt_fail_text(), "no1.jsonl cannot be read"), "and missing: fail");
    tt_fail_clear();
    refuse(p, "    - {path: no1.jsonl, missing: skip}\n    - {path: no2.jsonl, missing: skip}\n", TT_EDATA,
           "no data set is left: none of the 2 has its file, the first would be ");
    refuse(p, "    - {path: here.jsonl, held_out: true}\n", TT_EDATA, "no data set is left: all are held out");
    refuse(p, "    - {path: here.jsonl, missing: perhaps}\n", TT_EJOB, "one of fail|skip");
    refuse(p, "    - {path: no1.jsonl, name: here, missing: skip}\n    - here.jsonl\n", TT_EJOB,
           "two data sets are called here");
}

static void paths(place *p)
{
    gives(p, "a name and a glob of one file", "    - {name: g, path: 'r/glue/c*.jsonl'}\n", "g");
    refuse(p, "    - {name: g, path: 'r/glue/*.jsonl'}\n", TT_EJOB, "data set g is one file, but ");
    refuse(p, "    - {name: g, path: 'r/glue/*.jsonl'}\n", TT_EJOB, "glue/cola.jsonl and ");
    gives(p, "a glob in folders", "    - {path: 'r/*/*.jsonl'}\n", "cola sst boolq nq");
    PUT(p, "alt.csv", "source;target\n");
    PUT(p, "alt.txt", "q\ta\nx\ty\n");
    tt_sets *s = train(p, "    - name: alt\n      path: [no.jsonl, {path: 'alt.tx*', format: tsv, fields: {source: q, "
                          "target: a}}, here.jsonl]\n");
    ok(s && s->n == 1 && same(tt_set_info(s->set[0])->format, "tsv") && s->rows == 1,
       "the first path that is there, with its keys %s", tt_fail_text());
    tt_sets_free(s);
    refuse(p, "    - {name: alt, path: [no.jsonl, nor.jsonl]}\n", TT_EDATA, "/no.jsonl cannot be read");
    refuse(p, "    - {name: alt, path: [[here.jsonl]]}\n", TT_EJOB, "path takes a text, or a list of texts");
    refuse(p, "    - {name: alt, path: [{path: here.jsonl, fromat: x}]}\n", TT_EJOB, "did you mean 'format'?");
    refuse(p, "    - {path: '{collection}.jsonl', name: z}\n", TT_EJOB,
           "job.yaml:3: the path needs {collection}, which data set z (");
    refuse(p, "    - {path: 'a{.jsonl', name: z}\n", TT_EJOB, "the path has '{' without a {column}");
    PUT(p, "a{b}.jsonl", ROWS);
    gives(p, "doubled braces", "    - 'a{{b}}.jsonl'\n", "a{b}");
    refuse(p, "    - {category: x}\n", TT_EJOB, "job.yaml:3: a data set needs either path or list");
    refuse(p, "    - here.jsonl\n    - {path: more/x.jsonl, name: here}\n", TT_EJOB,
           "job.yaml:4: two data sets are called here: ");
    refuse(p, "    - here.jsonl\n    - {path: more/x.jsonl, name: here}\n", TT_EJOB, "here.jsonl (");
    refuse(p, "    - {list: nowhere.yaml}\n", TT_EDATA, "nor where tutti is started");
}

static void bad_files(place *p)
{
    PUT(p, "two.tsv", "name\tpath\na\tb\tc\n");
    refuse(p, "    - list: two.tsv\n", TT_EDATA, "two.tsv:2: has 3 fields, the header line has 2");
    PUT(p, "twice.tsv", "name\tname\n");
    refuse(p, "    - list: twice.tsv\n", TT_EDATA, "two columns are called name");
    PUT(p, "none.tsv", "");
    refuse(p, "    - list: none.tsv\n", TT_EDATA, "none.tsv:1: a table starts with a line of column names");
    PUT(p, "nopath.tsv", "name\tx\na\tb\n");
    refuse(p, "    - list: nopath.tsv\n", TT_EJOB, "nopath.tsv:2: a data set needs either path or list");
    PUT(p, "cap.tsv", "path\tcap\nhere.jsonl\tlots\n");
    refuse(p, "    - list: cap.tsv\n", TT_EJOB, "cap.tsv:2: cap is 'lots'");
    refuse_file(p, "table: nowhere.tsv\n", TT_EDATA, "bad.yaml:1: no such table nowhere.tsv");
    refuse_file(p, "table: r/table.tsv\ncolumns: {name: nmae}\n", TT_EJOB,
                "has no column 'nmae'; did you mean 'name'?");
    refuse_file(p, "table: r/table.tsv\ncolumns: {templates: kind}\n", TT_EJOB, "a cell cannot be 'templates'");
    refuse_file(p, "table: r/table.tsv\ncolumns: [name]\n", TT_EJOB, "bad.yaml:2: columns is a map");
    refuse_file(p, "columns: {name: name}\ndatasets: [here.jsonl]\n", TT_EJOB, "columns belongs to a table");
    refuse_file(p, "datasets: [here.jsonl]\nruels: []\n", TT_EJOB, "did you mean 'rules'");
    refuse_file(p, "defaults: {select: {a: b}}\ndatasets: [here.jsonl]\n", TT_EJOB, "defaults cannot say select");
    refuse_file(p, "model: {path: x}\n", TT_EJOB, "has neither datasets nor a list for data.train");
    refuse_file(p, "include: nowhere.yaml\n", TT_EDATA, "bad.yaml:1: no such file nowhere.yaml to include");
    refuse_file(p, "include: [{list: x}]\n", TT_EJOB, "include takes names of files");
    PUT(p, "c1.yaml", "include: [c2.yaml]\ndatasets: [here.jsonl]\n");
    PUT(p, "c2.yaml", "include: [c3.yaml]\n");
    PUT(p, "c3.yaml", "- list: ./c1.yaml\n");
    refuse(p, "    - list: c1.yaml\n", TT_EJOB, "c1.yaml is being read already: does it name itself");
    refuse_file(p, "datasets:\n  - {path: here.jsonl, where: {a: b}}\n", TT_EJOB, "where needs files with a header");
    refuse_file(p, "datasets:\n  - {path: here.jsonl, each: a}\n", TT_EJOB, "each belongs to format nested");
    refuse_file(p, "datasets:\n  - {path: here.jsonl, format: nested}\n", TT_EJOB, "format nested needs each");
}

/* ---- records ---------------------------------------------------------------------------------------------------------------*/

static void text_is(place *p, const tt_sets *s, int64_t row, const char *source, const char *target)
{
    tt_text t = {0};
    if (s && row < tt_set_info(s->set[0])->rows) tt_set_text(s->set[0], row, 1, 0, p->a, &t);
    ok(same(t.source, source) && same(t.target, target), "row %lld: %s -> %s", (long long)row, source, target);
    if (!same(t.source, source)) printf("# got '%s' -> '%s' %s\n", t.source, t.target, tt_fail_text());
}

static void records(place *p)
{
    PUT(p, "head.jsonl",
        "{\"say\": [\"Do it.\", \"Please.\"], \"split\": \"none\"}\n"
        "{\"split\": \"train\", \"in\": \"1\", \"out\": [\"x\", \"y\"]}\n\n"
        "{\"split\": \"test\", \"in\": \"2\", \"out\": [\"z\"]}\n"
        "[3]\nnonsense\n"
        "{\"split\": \"train\", \"in\": \"4\", \"say\": [\"Own.\"], \"out\": [\"w\"]}\n");
    tt_sets *s = train(p, "    - path: head.jsonl\n      format: headed\n      where: {split: [train, dev]}\n"
                          "      templates: [{source: '{say} {in}', target: '{out}'}]\n");
    ok(s && s->rows == 2 && s->quarantined == 2, "headed: where picks rows, bad lines are set aside %s",
       tt_fail_text());
    text_is(p, s, 0, "Do it. 1", "x");
    text_is(p, s, 1, "Own. 4", "w");
    tt_sets_free(s);
    PUT(p, "nohead.jsonl", "[1]\n");
    refuse(p, "    - {path: nohead.jsonl, format: headed}\n", TT_EDATA, "line 1 must be a JSON object");
    PUT(p, "nest.jsonl",
        "{\"p\": {\"text\": \"P\", \"qs\": [{\"q\": \"q1\", \"as\": [{\"text\": \"a\", \"ok\": true}, {\"text\": "
        "\"b\", \"ok\": "
        "false}]}, {\"q\": \"q2\", \"as\": [{\"text\": \"c\", \"ok\": true}, 7]}]}}\n"
        "{\"p\": {\"text\": \"no list\"}}\n");
    s = train(p, "    - path: nest.jsonl\n      format: nested\n      each: p.qs.as\n      fields: {pass: p.text}\n"
                 "      templates: [{source: '{pass} {q} {text}', target: '{ok}'}]\n");
    ok(s && s->rows == 3 && s->quarantined == 2, "nested: a row for each member of each list %s", tt_fail_text());
    text_is(p, s, 0, "P q1 a", "true");
    text_is(p, s, 2, "P q2 c", "true");
    tt_sets_free(s);
}

/* ---- many, and real ones ---------------------------------------------------------------------------------------------------*/

/* The work for 3,000 data sets in one folder grows with their number alone: that it ends at all in a test's time says enough. */
static void many(place *p)
{
    enum { N = 3000 };
    folder(p, "many");
    char *text = tt_alloc(p->a, N * 64), *w = text;
    w += sprintf(w, "name\tcategory\n");
    for (int i = 0; i < N; i++) w += sprintf(w, "set%d\tc%d\n", i, i % 100);
    PUT(p, "many/table.tsv", text);
    for (int i = 0; i < N && p->m->rank == 0; i++) {
        FILE *f = fopen(tt_sprintf(p->a, "%s/many/set%d.jsonl", p->dir, i), "w");
        if (!f || fputs(ROWS, f) < 0 || fclose(f)) abort();
    }
    tt_barrier(p->m);
    PUT(p, "many.yaml", "table: many/table.tsv\ndefaults: {path: '{name}.jsonl*'}\n");
    tt_sets *s = train(p, "    - {list: many.yaml, select: {category: 'c*'}}\n");
    ok(s && s->n == N && s->rows == 2 * N && find(s, "set2999"), "%d data sets by patterns %s", s ? s->n : 0,
       tt_fail_text());
    tt_sets_free(s);
}

/* data.train of a registry that comes with tutti, read from the folder where the test runs. */
static tt_sets *bundled(place *p, const char *entry, const char *missing, const char *what)
{
    const char *root = tt_sprintf(p->a, "%s/datasets", shared_dir());
    tt_job *job = job_of(p, root, tt_sprintf(p->a, "data:\n  missing: %s\n  train:\n    - %s\n", missing, entry));
    tt_sets *s = part(p, job, job->data.train, what);
    if (!s) printf("# %s\n", tt_fail_text());
    tt_fail_clear();
    return s;
}

static void superni(place *p)
{
    tt_sets *s = bundled(p, "list: data/superni.yaml", "fail", "data.train");
    ok(s && s->n == 535 && s->held_out == 147 && !s->quarantined, "superni.yaml: %d tasks, %d held out", s ? s->n : 0,
       s ? s->held_out : 0);
    tt_sets_free(s);
    s = bundled(p, "{list: data/superni.yaml, select: {split: test}}", "fail", "data.test");
    ok(s && s->n == 40 && tt_set_info(s->set[0])->held_out, "its test tasks: %d", s ? s->n : 0);
    tt_sets_free(s);
}

static void everything(place *p)
{
    tt_sets *s = bundled(p, "list: data/all.yaml", "fail", "data.train");
    ok(s && s->n == 1028 && s->held_out == 0, "all.yaml: %d data sets", s ? s->n : 0);
    ok(s && s->quarantined == 0, "%lld bad rows of %lld", s ? (long long)s->quarantined : -1,
       s ? (long long)s->rows : 0);
    int off = 0, bare = 0;
    for (int i = 0; s && i < s->n; i++) {
        const tt_setinfo *f = tt_set_info(s->set[i]);
        off += f->declared && f->declared != f->rows;
        bare += !f->mixture || !f->language || (!f->licence && strcmp(f->name, "dialogsum_train"));
    }
    ok(s && !off && !bare, "each has the rows that the table declares (%d not), mixture, language, licence (%d not)",
       off, bare);
    const tt_setinfo *m = find(s, "superglue_MultiRC_train"), *n = find(s, "ii_sum");
    ok(m && m->rows > 300 && n && n->rows == 150, "passages give a row an answer, headed files their training rows");
    tt_sets_free(s);
    s = bundled(p, "{list: data/all.yaml, select: {role: [train, train+eval]}}", "fail", "data.train");
    ok(s && s->n == 921, "%d without what shares a source with a test task", s ? s->n : 0);
    tt_sets_free(s);
}

typedef struct tally {
    int forward, inverted;
    int ndataset;
    const char **dataset;
} tally;

static int by_text(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }

static int different(const char **s, int n)
{
    int k = n > 0;
    qsort(s, (size_t)n, sizeof *s, by_text);
    for (int i = 1; i < n; i++) k += strcmp(s[i], s[i - 1]) != 0;
    return k;
}

/* What the published table has: its groups and tasks. */
static tally published(place *p)
{
    tally t = {.dataset = TT_NEW(p->a, const char *, 4000)};
    char *text;
    size_t size;
    if (tt_slurp(tt_sprintf(p->a, "%s/datasets/flan2022/registry.tsv", shared_dir()), &text, &size)) return t;
    char *line, *rest = tt_strdup(p->a, text);
    free(text);
    for (int i = 0; (line = strsep(&rest, "\n")); i++) {
        const char *cell[9] = {0};
        for (int c = 0; c < 9 && line; c++) cell[c] = strsep(&line, "\t");
        if (!i || !cell[8]) continue;
        t.dataset[t.ndataset++] = cell[3];
        t.forward += !strcmp(cell[8], "1");
        t.inverted += !strcmp(cell[7], "1");
    }
    return t;
}

static void flan(place *p)
{
    tt_sets *s = bundled(p, "list: data/flan2022.yaml", "skip", "data.train");
    if (!ok(s && s->n > 800 && !s->quarantined, "flan2022.yaml: %d there, %d absent", s ? s->n : 0, s ? s->nabsent : 0))
        return;
    tally want = published(p), got = {0};
    for (int i = 0; i < s->n; i++) got.inverted += same(tt_set_info(s->set[i])->collection, "flan2022_inverted");
    for (int i = 0; i < s->nabsent; i++) got.inverted += same(s->absent[i].collection, "flan2022_inverted");
    got.forward = s->n + s->nabsent - got.inverted;
    ok(got.forward == 1838 && got.forward == want.forward, "%d forward tasks (published: %d)", got.forward,
       want.forward);
    ok(got.inverted == 107 && got.inverted == want.inverted, "%d inversions (published: %d)", got.inverted,
       want.inverted);
    tt_sets_free(s);
    tt_yaml *y;
    if (!ok(tt_yaml_read(p->a, "data/flan2022.yaml", &y) == TT_OK, "reads as YAML")) return;
    const tt_yaml *list = tt_yaml_get(y, "datasets");
    got.dataset = TT_NEW(p->a, const char *, list->n);
    for (int i = 0; i < list->n; i++) got.dataset[got.ndataset++] = tt_yaml_get(list->child[i], "name")->text;
    int mine = different(got.dataset, got.ndataset), theirs = different(want.dataset, want.ndataset);
    ok(mine == 474 && mine == theirs, "%d groups of data sets (published: %d)", mine, theirs);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    tt_log_quiet(true);
    place p = place_new(&m);
    make_files(&p);
    tables(&p);
    files(&p);
    tasks(&p);
    who_wins(&p);
    rules(&p);
    selections(&p);
    closed_lists(&p);
    absent(&p);
    paths(&p);
    bad_files(&p);
    records(&p);
    many(&p);
    if (shared_dir()) {
        superni(&p);
        everything(&p);
        flan(&p);
    } else {
        skip(1, "no shared folder: the collections' data are not here");
    }
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
