// TEST np=1,2
// Every format, bad rows, templates and the messages of wrong entries, on files made here.
#include "make.h"

typedef struct want {
    int64_t row;
    const char *source, *target;
    int nref;
} want;

static void check(place *p, const char *what, const char *yaml, int64_t rows, int64_t bad, int n, const want *w)
{
    tt_job *job;
    tt_sets *s = sets_of(p, yaml, &job);
    if (!ok(s != NULL, "%s reads %s", what, tt_fail_text())) {
        tt_fail_clear();
        return;
    }
    const tt_setinfo *info = tt_set_info(s->set[0]);
    ok(info->rows == rows && info->quarantined == bad, "%s: %lld rows, %lld bad (wanted %lld, %lld)", what,
       (long long)info->rows, (long long)info->quarantined, (long long)rows, (long long)bad);
    for (int i = 0; i < n; i++) {
        tt_text t;
        if (w[i].row >= info->rows) continue;
        tt_set_text(s->set[0], w[i].row, 1, 0, p->a, &t);
        bool same = !strcmp(t.source, w[i].source) && !strcmp(t.target, w[i].target);
        if (!ok(same && t.nref == (w[i].nref ? w[i].nref : 1), "%s: row %lld", what, (long long)w[i].row))
            printf("# got '%s' -> '%s' (%d)\n", t.source, t.target, t.nref);
    }
    tt_sets_free(s);
}

static void refuse(place *p, const char *yaml, tt_err code, const char *part)
{
    tt_job *job;
    tt_sets *s = sets_of(p, yaml, &job);
    ok(!s && tt_fail_code() == code && strstr(tt_fail_text(), part), "refused (%s): %s", part, tt_fail_text());
    tt_fail_clear();
    tt_sets_free(s);
}

static void formats(place *p)
{
    PUT(p, "a.jsonl",
        "{\"source\": \"in one\", \"target\": \"out one\"}\n\n{\"source\": 1.50, \"target\": [true, 3, 1e300]}\r\n"
        "{\"source\": \"line\xe2\x80\xa8"
        "separator\", \"target\": \"last\"}");
    check(p, "jsonl", "data:\n  train:\n    - a.jsonl\n", 3, 0, 3,
          (want[]){{0, "in one", "out one", 1},
                   {1, "1.5", "true", 3},
                   {2,
                    "line\xe2\x80\xa8"
                    "separator",
                    "last", 1}});
    PUT(p, "b.jsonl.gz", "{\"q\": {\"text\": [\"x\", \"deep\"]}, \"a\": \"y\"}\n");
    check(p, "fields, gz, paths into JSON, braces",
          "data:\n  train:\n    - {path: b.jsonl.gz, fields: {source: q.text.1, target: a},\n"
          "       templates: [{source: '{{Q}} {source}!}', target: 'A: {target}'}]}\n",
          1, 0, 1, (want[]){{0, "{Q} deep!}", "A: y", 1}});
    PUT(p, "c.json",
        " [ {\"prompt\": \"p, ]\\\" 1\", \"completion\": \"c1\"},\n{\"prompt\": \"p2\", \"completion\": \"c2\"} ]\n");
    check(p, "JSON array", "data:\n  train:\n    - {path: c.json, format: prompt_completion}\n", 2, 0, 2,
          (want[]){{0, "p, ]\" 1", "c1", 1}, {1, "p2", "c2", 1}});
    PUT(p, "d.tsv", "source\tx\ttarget\r\na \"b\tz\tT1\r\nb\tz\tT2\n");
    check(p, "tsv", "data:\n  train:\n    - d.tsv\n", 2, 0, 2, (want[]){{0, "a \"b", "T1", 1}, {1, "b", "T2", 1}});
    PUT(p, "e.csv",
        "\xef\xbb\xbf"
        "target,\"source\"\r\nT1,\"a \"\"q\"\", and\nmore\"\r\n\"\xc3\xa9\",b\n\"T3\",\"\"\"\"\r\n");
    check(p, "csv", "data:\n  train:\n    - e.csv\n", 3, 0, 3,
          (want[]){{0, "a \"q\", and\nmore", "T1", 1}, {1, "b", "\xc3\xa9", 1}, {2, "\"", "T3", 1}});
    PUT(p, "f.tsv", "one\ttwo\n");
    check(p, "columns without header line", "data:\n  train:\n    - {path: f.tsv, columns: [source, target]}\n", 1, 0,
          1, (want[]){{0, "one", "two", 1}});
    PUT(p, "g.jsonl",
        "{\"dialogue\": \"d1\", \"summary\": \"s\"}\n"
        "{\"dialogue\": \"d2\", \"summary1\": \"s1\", \"summary2\": \"s2\", \"summary3\": \"s3\"}\n");
    check(p, "dialogsum",
          "data:\n  train:\n    - {path: g.jsonl, format: dialogsum, templates: [{source: '{dialogue}'}]}\n", 2, 0, 2,
          (want[]){{0, "d1", "s", 1}, {1, "d2", "s1", 3}});
    PUT(p, "h.json",
        "[{\"instruction\": \"I\", \"input\": \"\", \"output\": \"O\"},{\"instruction\": \"I\", \"input\": \"N\","
        "\"output\": \"O\"},{\"instruction\": \"J\", \"output\": \"O\"}]");
    check(p, "alpaca", "data:\n  train:\n    - {path: h.json, format: alpaca}\n", 3, 0, 3,
          (want[]){{0, "I", "O", 1}, {1, "I\n\nN", "O", 1}, {2, "J", "O", 1}});
    PUT(p, "i.jsonl", "{\"inputs\": \"I\", \"targets\": \"T\"}\n");
    check(p, "flan", "data:\n  train:\n    - {path: i.jsonl, format: flan}\n", 1, 0, 1, (want[]){{0, "I", "T", 1}});
}

static void superni(place *p)
{
    static const char header[] =
        "{\"definition\": \"Do it.\", \"category\": \"Doing\", \"split\": \"train\", \"domains\": [\"a\", \"b\"],"
        "\"positive_examples\": [{\"input\": \"i\", \"output\": \"o\"}]}\n";
    char text[1000];
    snprintf(text, sizeof text,
             "%s{\"input\": \"x\", \"output\": [\"y\", \"z\"]}\n{\"input\": \"u\", \"output\": \"v\"}\n", header);
    PUT(p, "t1.jsonl", text);
    check(p, "superni", "data:\n  train:\n    - {path: t1.jsonl, format: superni}\n", 2, 0, 2,
          (want[]){{0, "Definition: Do it.\n\nNow complete the following example -\nInput: x\nOutput: ", "y", 2},
                   {1, "Definition: Do it.\n\nNow complete the following example -\nInput: u\nOutput: ", "v", 1}});
    check(p, "superni with examples",
          "data:\n  train:\n    - {path: t1.jsonl, format: superni, templates: [{source: \"{definition} "
          "{examples}{input}\"}]}\n",
          2, 0, 1, (want[]){{0, "Do it. Positive Example 1 -\nInput: i\nOutput: o\n\nx", "y", 2}});
    PUT(p, "t2.json",
        "{\"Definition\": [\"D\"],\n\"Categories\": [\"C\"],\n\"Instances\": [\n{\"input\": \"1\", \"output\": "
        "[\"2\"]}\n]}\n");
    check(p, "superni as released",
          "data:\n  train:\n    - {path: t2.json, format: superni, templates: [{source: '{definition} {input}'}]}\n", 1,
          0, 1, (want[]){{0, "D 1", "2", 1}});
    PUT(p, "t3.jsonl", "{\"definition\": \"No.\", \"split\": \"test\"}\n{\"input\": \"x\", \"output\": [\"y\"]}\n");
    tt_job *job;
    tt_sets *s = sets_of(
        p, "data:\n  train:\n    - {path: 't[13].jsonl', format: superni, where: {split: train, domains: [z, b]}}\n",
        &job);
    ok(s && s->n == 1 && !strcmp(tt_set_info(s->set[0])->name, "t1") &&
           !strcmp(tt_set_info(s->set[0])->category, "Doing"),
       "where leaves files out; the category is the header's");
    tt_sets_free(s);
    PUT(p, "only.tsv", "name\tx\nt3\ty\n");
    s = sets_of(p, "data:\n  train:\n    - {path: 't[13].jsonl', format: superni, only: only.tsv}\n", &job);
    ok(s && s->n == 1 && !strcmp(tt_set_info(s->set[0])->name, "t3"), "only picks from a glob");
    tt_sets_free(s);
    refuse(p, "data:\n  train:\n    - {path: 't?.jsonl', format: superni, where: {split: dev}}\n", TT_EDATA,
           "where matches none");
    refuse(p, "data:\n  train:\n    - {path: a.jsonl, format: superni}\n", TT_EDATA, "header with a \"definition\"");
}

static void text_rows(place *p)
{
    static char big[20000];
    size_t n = 0;
    for (int i = 0; i < 40; i++)
        n += (size_t)sprintf(big + n, "Paragraph %d of a book, %0200d.\n%s", i, i, i % 2 ? "\n" : "");
    n += (size_t)sprintf(big + n, "\n%05000d", 7); /* a word longer than a row */
    put_file(p, "book.txt", big, n);
    tt_job *job;
    tt_sets *s = sets_of(p, "train: {objective: span}\ndata:\n  train:\n    - book.txt\n", &job);
    if (!ok(s != NULL, "text reads %s", tt_fail_text())) return;
    static char back[20000];
    size_t longest = 0;
    int64_t rows = tt_set_info(s->set[0])->rows;
    for (int64_t i = 0; i < rows; i++) {
        tt_text t;
        tt_set_text(s->set[0], i, 1, 0, p->a, &t);
        if (strlen(t.source) > longest) longest = strlen(t.source);
        strcat(back, t.source);
    }
    ok(longest <= 1500 && rows >= 9 && rows < 16 && !strcmp(back, big),
       "text: %lld rows of at most %zu bytes, nothing lost", (long long)rows, longest);
    tt_sets_free(s);
    refuse(p, "data:\n  train:\n    - book.txt\n", TT_EJOB, "target is empty");
}

static int count_lines(place *p, const char *file, const char *part)
{
    char *text, *path = tt_sprintf(p->a, "%s/%s", p->dir, file);
    size_t size;
    int n = 0;
    if (tt_slurp(path, &text, &size)) return -1;
    for (char *hit = text; (hit = strstr(hit, part)); hit++) n++;
    free(text);
    return n;
}

static void bad_rows(place *p)
{
    static const char rows[] = "{\"source\": \"s1\", \"target\": \"t1\"}\n"
                               "not JSON\n"
                               "{\"source\": \"s3\"}\n"
                               "{\"source\": \"s4\", \"target\": \" \\t\"}\n"
                               "{\"source\": \"\", \"target\": \"t5\"}\n"
                               "{\"source\": null, \"target\": \"t6\"}\n"
                               "{\"source\": {\"a\": 1}, \"target\": \"t7\"}\n"
                               "{\"source\": \"\xff\xfe\", \"target\": \"t8\"}\n"
                               "{\"source\": \"s9\", \"target\": []}\n"
                               "[1, 2]\n"
                               "{\"source\": \"nul \\u0000\", \"target\": \"t11\"}\n"
                               "{\"source\": \"s12\", \"target\": \"t12\"}\n";
    PUT(p, "bad.jsonl", rows);
    check(p, "bad rows", "data:\n  train:\n    - bad.jsonl\n", 2, 10, 2,
          (want[]){{0, "s1", "t1", 1}, {1, "s12", "t12", 1}});
    ok(count_lines(p, "quarantine.jsonl", "\n") == 10 &&
           count_lines(p, "quarantine.jsonl",
                       "\"line\":3,\"reason\":\"has no \\\"target\\\" (it has source); map it with fields.target\"") ==
               1,
       "quarantine.jsonl holds file, line and reason of each");
    refuse(p, "data:\n  on_bad_row: fail\n  train:\n    - bad.jsonl\n", TT_EDATA, "bad.jsonl: line 2 is not JSON");
    PUT(p, "miss.jsonl", "{\"text\": \"s1\", \"output\": \"t1\"}\n");
    refuse(p, "data:\n  on_bad_row: fail\n  train:\n    - miss.jsonl\n", TT_EDATA,
           "miss.jsonl: line 1 has no \"source\" (it has text, output); map it with fields.source or set "
           "data.on_bad_row: skip");
    refuse(p, "data:\n  train:\n    - miss.jsonl\n", TT_EDATA, "has no usable row");
    PUT(p, "bad.csv", "source,target\nok,1\nthree,fields,here\n\"a\"b,2\nok,3\nok,\"open\nok,4\n");
    check(p, "bad csv", "data:\n  train:\n    - bad.csv\n", 3, 3, 3,
          (want[]){{0, "ok", "1", 1}, {1, "ok", "3", 1}, {2, "ok", "4", 1}});
    PUT(p, "bad.json",
        "[{\"source\": \"a\", \"target\": \"b\"}, nonsense, {\"source\": \"c\", \"target\": \"d\"},\n {\"source\"");
    check(p, "bad array", "data:\n  train:\n    - bad.json\n", 2, 3, 2, (want[]){{0, "a", "b", 1}, {1, "c", "d", 1}});
    put_file(p, "zero.tsv", "source\ttarget\na\0b\tc\nd\te\n", 24);
    check(p, "zero byte", "data:\n  train:\n    - zero.tsv\n", 1, 1, 1, (want[]){{0, "d", "e", 1}});
    PUT(p, "empty.jsonl", "");
    refuse(p, "data:\n  train:\n    - empty.jsonl\n", TT_EDATA, "has no rows");
    put_file(p, "cut.jsonl.gz", "{\"source\": \"a\", \"target\": \"b\"}\n", 31);
    if (p->m->rank == 0 && truncate(tt_sprintf(p->a, "%s/cut.jsonl.gz", p->dir), 30)) abort();
    tt_barrier(p->m);
    refuse(p, "data:\n  train:\n    - cut.jsonl.gz\n", TT_EDATA, "cut.jsonl.gz");
}

static void bad_entries(place *p)
{
    refuse(p, "data:\n  train:\n    - {path: a.jsonl, formt: jsonl}\n", TT_EJOB, "job.yaml:3");
    refuse(p, "data:\n  train:\n    - {path: a.jsonl, format: jsnol}\n", TT_EJOB, "no such format 'jsnol'");
    refuse(p, "data:\n  train:\n    - {path: nowhere.jsonl}\n", TT_EDATA, "nowhere.jsonl cannot be read");
    refuse(p, "data:\n  train:\n    - {path: 'no*.jsonl'}\n", TT_EDATA, "no file matches");
    refuse(p, "data:\n  train:\n    - {name: x}\n", TT_EJOB, "needs either path or list");
    refuse(p, "data:\n  train:\n    - a.jsonl\n    - {path: d.tsv, name: a}\n", TT_EJOB, "two data sets are called a");
    refuse(p, "data:\n  train:\n    - {path: d.tsv, templates: [{source: '{src}', target: '{target}'}]}\n", TT_EJOB,
           "no column \"src\" (it has source, x, target)");
    refuse(p,
           "data:\n  train:\n    - path: g.jsonl\n      format: dialogsum\n      templates:\n        - {source: "
           "'{dialog}'}\n",
           TT_EJOB, "job.yaml:6: the template uses {dialog}; the columns are dialogue, summary, topic");
    refuse(p, "data:\n  train:\n    - {path: a.jsonl, templates: [{source: 'a { b'}]}\n", TT_EJOB,
           "write {{ for a brace");
    refuse(p, "data:\n  train:\n    - {path: a.jsonl, templates: [{source: constant}]}\n", TT_EJOB, "no {column}");
    refuse(p, "data:\n  train:\n    - {path: a.jsonl, fields: {sorce: x}}\n", TT_EJOB, "did you mean {source}");
    refuse(p, "data:\n  train:\n    - {path: a.jsonl, split: {take: dev}}\n", TT_EJOB, "job.yaml:3");
    refuse(p, "data:\n  train:\n    - {path: a.jsonl, split: {validation: 0.6, test: 0.6}}\n", TT_EJOB,
           "more than the whole");
    refuse(p, "data:\n  train:\n    - {path: a.jsonl, where: {a: b}}\n", TT_EJOB, "only format superni");
    refuse(p, "data:\n  train:\n    - {list: nolist.yaml}\n", TT_EDATA, "no such list");
    PUT(p, "loop.yaml", "- list: loop.yaml\n");
    refuse(p, "data:\n  train:\n    - {list: loop.yaml}\n", TT_EJOB, "does");
}

static void lists(place *p)
{
    tt_job *job;
    char *sub = tt_sprintf(p->a, "%s/sub", p->dir);
    if (p->m->rank == 0 && tt_mkdirs(sub)) abort();
    tt_barrier(p->m);
    PUT(p, "sub/x.jsonl", "{\"source\": \"a\", \"target\": \"b\"}\n");
    PUT(p, "sub/sets.yaml", "train:\n  - path: x.jsonl\n    category: sub\n    weight: 2\nvalidation: []\n");
    tt_sets *s = sets_of(p,
                         "data:\n  cap: 1\n  train:\n    - a.jsonl\n    - list: sub/sets.yaml\n    - {path: 'i*', "
                         "format: flan, cap: 5}\n",
                         &job);
    if (!ok(s && s->n == 3, "entries, a list in a file and a glob %s", tt_fail_text())) return;
    const tt_setinfo *a = tt_set_info(s->set[0]), *x = tt_set_info(s->set[1]), *i = tt_set_info(s->set[2]);
    ok(!strcmp(a->name, "a") && a->cap == 0 && a->rows == 3, "an entry without a cap of its own");
    ok(!strcmp(x->name, "x") && !strcmp(x->category, "sub") && x->weight == 2, "paths start from the list's folder");
    ok(!strcmp(i->name, "i") && i->cap == 5 && i->rows == 1, "the entry's own cap comes first");
    ok(s->rows == 5, "%lld rows in all", (long long)s->rows);
    tt_sets_free(s);
    char *sub2 = tt_sprintf(p->a, "%s/sub2", p->dir);
    if (p->m->rank == 0 && tt_mkdirs(sub2)) abort();
    tt_barrier(p->m);
    PUT(p, "sub2/x.jsonl", "{\"source\": \"a\", \"target\": \"b\"}\n");
    s = sets_of(p, "data:\n  train:\n    - {path: 'sub*/x.jsonl'}\n", &job);
    ok(s && s->n == 2 && !strcmp(tt_set_info(s->set[0])->name, "sub.x") &&
           !strcmp(tt_set_info(s->set[1])->name, "sub2.x"),
       "files of one name in a glob take their folder's, too");
    tt_sets_free(s);
    ok(tt_sets_read(p->m, job, NULL, "data.test", NULL, &s) == TT_OK && s->n == 0, "no list: an empty collection");
    tt_sets_free(s);
}

/* The made-up collection is read as it is written. */
static void collection(place *p)
{
    tt_synth_opts o = {.datasets = 40, .categories = 11, .rows = 30, .eval_rows = 5, .seed = 3};
    tt_job *job;
    if (p->m->rank == 0 && tt_synth(tt_sprintf(p->a, "%s/synth", p->dir), &o)) abort();
    tt_barrier(p->m);
    tt_sets *s = sets_of(p, "data:\n  train:\n    - list: synth/train.yaml\n", &job);
    ok(s && s->n == 40 && s->rows == 40 * 30 && !s->quarantined, "a made-up collection: %lld rows of 40 data sets %s",
       s ? (long long)s->rows : 0, tt_fail_text());
    tt_sets_free(s);
}

static void splits(place *p)
{
    static char text[400000], more[800000];
    size_t n = 0;
    for (int i = 0; i < 4000; i++)
        n += (size_t)sprintf(text + n, "{\"source\": \"question %d\", \"target\": \"%d\"}\n", i % 3900, i);
    put_file(p, "s.jsonl", text, n);
    snprintf(more, sizeof more, "{\"source\": \"new\", \"target\": \"0\"}\n%s", text);
    PUT(p, "s2.jsonl", more);
    static const char *const take[] = {"train", "validation", "test"};
    static char side[4000]; /* of each question */
    int64_t rows[3], leaks = 0, moved = 0;
    for (int k = 0; k < 6; k++) {
        char yaml[300];
        tt_job *job;
        snprintf(yaml, sizeof yaml,
                 "data:\n  train:\n    - {path: %s.jsonl, split: {take: %s, validation: 0.1, test: 0.2, seed: 3}}\n",
                 k < 3 ? "s" : "s2", take[k % 3]);
        tt_sets *s = sets_of(p, yaml, &job);
        if (!s) continue;
        int64_t r = tt_set_info(s->set[0])->rows;
        if (k < 3) rows[k] = r;
        for (int64_t i = 0; i < r; i++) {
            tt_text t;
            int q;
            tt_set_text(s->set[0], i, 1, 0, p->a, &t);
            if (sscanf(t.source, "question %d", &q) != 1) continue;
            if (k < 3)
                leaks += side[q] && side[q] != k + 1;
            else
                moved += side[q] != k % 3 + 1;
            side[q] = (char)(k % 3 + 1);
        }
        tt_sets_free(s);
    }
    ok(rows[0] + rows[1] + rows[2] == 4000 && llabs(rows[1] - 400) < 80 && llabs(rows[2] - 800) < 100,
       "a cut of 10%% and 20%%: %lld, %lld, %lld rows", (long long)rows[0], (long long)rows[1], (long long)rows[2]);
    ok(!leaks && !moved, "equal sources fall on one side; a new row moves none (%lld, %lld)", (long long)leaks,
       (long long)moved);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    tt_log_quiet(true);
    place p = place_new(&m);
    formats(&p);
    superni(&p);
    text_rows(&p);
    bad_rows(&p);
    bad_entries(&p);
    lists(&p);
    collection(&p);
    splits(&p);
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
