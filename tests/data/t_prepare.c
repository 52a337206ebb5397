// TEST np=1,3
// The token store holds what parsing gives: texts, lines, keys, quarantine, ids; in chunks, after changes, after kills; and its errors.
#include "model.h"
#include "../../src/data/sets.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <utime.h>

enum { TINY = 96 }; /* bytes of a chunk: most rows cross from one to the next */

static tt_tok *tok;

/* With the token store, or parsed. Collective. */
static tt_job *job_with(place *p, const char *yaml, bool store)
{
    const char *path = PUT(p, "job.yaml", yaml);
    char *set[] = {tt_sprintf(p->a, "data.root=%s", p->dir), tt_sprintf(p->a, "data.store=%s/store", p->dir)};
    tt_job *job = NULL;
    if (tt_job_read(p->a, path, store ? 2 : 1, set, &job)) {
        printf("# the test's job: %s\n", tt_fail_text());
        abort();
    }
    tt_barrier(p->m);
    return job;
}

static tt_err prepare_with(place *p, const char *yaml, tt_prepare_opts o, tt_prepared *out)
{
    return tt_prepare(p->m, job_with(p, yaml, true), tok, &o, out);
}

static tt_prepared prepare(place *p, const char *yaml)
{
    tt_prepared out;
    tt_err e = prepare_with(p, yaml, (tt_prepare_opts){.chunk = TINY, .round = 4 * TINY}, &out);
    ok(e == TT_OK && out.finished, "prepared %s", tt_fail_text());
    tt_fail_clear();
    return out;
}

static tt_sets *open_sets(place *p, const char *yaml, bool store)
{
    tt_sets *s = NULL;
    char *q = tt_sprintf(p->a, "%s/%s.jsonl", p->dir, store ? "q_store" : "q_files");
    if (p->m->rank == 0) remove(q);
    tt_barrier(p->m);
    tt_job *job = job_with(p, yaml, store);
    return tt_sets_read(p->m, job, job->data.train, "data.train", q, &s) ? NULL : s;
}

/* Cuts every line before its reason. */
static void cut_reasons(char *text)
{
    char *w = text;
    for (char *line = text, *end; *line; line = end) {
        end = strchrnul(line, '\n');
        end += *end != 0;
        char *stop = strstr(line, "\"reason\"");
        size_t n = (size_t)((stop && stop < end ? stop : end) - line);
        memmove(w, line, n);
        w += n;
    }
    *w = 0;
}

/* reasons: byte for byte; else the same rows, whatever is said of them. */
static bool same_files(const char *a, const char *b, bool reasons)
{
    char *x = NULL, *y = NULL;
    size_t n = 0, k = 0;
    bool hx = tt_exists(a), hy = tt_exists(b);
    if (hx != hy) return false;
    if (!hx) return true;
    if (tt_slurp(a, &x, &n) || tt_slurp(b, &y, &k)) abort();
    if (!reasons) cut_reasons(x), cut_reasons(y);
    bool same = !strcmp(x, y);
    free(x);
    free(y);
    return same;
}

static bool same_text(const tt_set *a, const tt_set *b, int64_t row, int64_t epoch, tt_arena *arena)
{
    tt_text x, y;
    tt_mark mark = tt_arena_mark(arena);
    tt_set_text(a, row, 7, epoch, arena, &x);
    tt_set_text(b, row, 7, epoch, arena, &y);
    bool same = !strcmp(x.source, y.source) && x.nref == y.nref;
    for (int i = 0; i < x.nref && same; i++) same = !strcmp(x.ref[i], y.ref[i]);
    tt_arena_rewind(arena, mark);
    return same;
}

/* Are the stored ids of the row's values those of their texts? */
static bool right_ids(const tt_set *s, int64_t row)
{
    tt_cell cell[TT_MAX_COLS];
    tt_rowref r = tt_set_row(s, row, cell);
    bool right = true;
    for (int c = 0; c < s->spec->templates->ncol; c++)
        for (uint32_t i = r.cell[c].first; i < r.cell[c].first + r.cell[c].n; i++) {
            tt_ids ids = {0};
            const char *text = tt_segment_value(r.seg, i);
            if (tt_tok_body(tok, text, strlen(text), &ids)) abort();
            uint64_t n = r.seg->id_at[i + 1] - r.seg->id_at[i];
            right = right && n == (uint64_t)ids.n && (!n || !memcmp(r.seg->id + r.seg->id_at[i], ids.id, 4 * n));
            tt_ids_fini(&ids);
        }
    return right;
}

static bool same_set(const tt_set *a, const tt_set *b, tt_arena *arena)
{
    const tt_setinfo *x = tt_set_info(a), *y = tt_set_info(b);
    bool same = !strcmp(x->name, y->name) && !strcmp(x->category, y->category) && x->rows == y->rows &&
                x->quarantined == y->quarantined;
    for (int64_t i = 0; i < x->rows && same; i++)
        same = tt_set_line(a, i) == tt_set_line(b, i) && tt_set_key(a, i) == tt_set_key(b, i) &&
               same_text(a, b, i, 0, arena) && same_text(a, b, i, 1, arena) && right_ids(b, i);
    if (!same)
        printf("# %s: files: %lld rows, %lld bad, %s; store: %lld rows, %lld bad, %s\n", x->name, (long long)x->rows,
               (long long)x->quarantined, x->category, (long long)y->rows, (long long)y->quarantined, y->category);
    return same;
}

/* Both ways give the same. reasons: to the last byte of quarantine.jsonl; rows that are judged anew by other templates may be told off in
 * other words, since the store does not know what else a row had. */
static void same_but(place *p, const char *what, const char *yaml, bool reasons)
{
    tt_sets *a = open_sets(p, yaml, false), *b = a ? open_sets(p, yaml, true) : NULL;
    if (!ok(a && b && a->n == b->n, "%s: opened %s", what, tt_fail_text())) {
        tt_fail_clear();
        return;
    }
    bool good = a->rows == b->rows && a->quarantined == b->quarantined && a->rows > 0;
    for (int i = 0; i < a->n; i++) good = same_set(a->set[i], b->set[i], p->a) && good;
    ok(good, "%s: %d data sets, %lld rows, %lld bad: the store holds what the files do", what, a->n, (long long)a->rows,
       (long long)a->quarantined);
    tt_barrier(p->m);
    ok(same_files(tt_sprintf(p->a, "%s/q_files.jsonl", p->dir), tt_sprintf(p->a, "%s/q_store.jsonl", p->dir), reasons),
       "%s: the same quarantine.jsonl", what);
    tt_barrier(p->m); /* rank 0 removes the two before the next comparison */
    ok(tt_sets_check(b, tok) == TT_OK, "%s: the tokenizer is the store's", what);
    tt_sets_free(a);
    tt_sets_free(b);
}

static void same(place *p, const char *what, const char *yaml) { same_but(p, what, yaml, true); }

static void fresh(place *p)
{
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s/store", p->dir);
    tt_barrier(p->m);
    if (p->m->rank == 0 && system(cmd)) abort();
    tt_barrier(p->m);
}

static void refuse(place *p, const char *yaml, tt_err code, const char *part)
{
    tt_sets *s = open_sets(p, yaml, true);
    ok(!s && tt_fail_code() == code && strstr(tt_fail_text(), part), "refused (%s): %s", part, tt_fail_text());
    tt_fail_clear();
    tt_sets_free(s);
}

/* ---- formats ----------------------------------------------------------------------------------------------------------*/

static void write_files(place *p)
{
    PUT(p, "a.jsonl",
        "{\"source\": \"in one\", \"target\": \"out one\"}\n\n{\"source\": 1.50, \"target\": [true, 3, 1e300]}\r\n"
        "{\"source\": \"caf\\u00e9 \\\"\\ud83d\\ude00\\n\", \"target\": \"last\"}");
    PUT(p, "bom.jsonl",
        "\xef\xbb\xbf{\"source\": \"first\", \"target\": \"1\"}\n{\"source\": \"second\", \"target\": \"2\"}\n");
    PUT(p, "b.jsonl.gz",
        "{\"q\": {\"text\": [\"x\", \"deep\"]}, \"a\": \"y\"}\n{\"q\": {\"text\": [\"x\"]}, \"a\": \"y\"}\n"
        "{\"q\": {\"text\": [\"x\", \"deeper\"]}, \"a\": \"z\"}\n");
    PUT(p, "c.json", "[{\"source\": \"a\", \"target\": \"b\"}, nonsense,\n {\"source\": \"c\", \"target\": \"d\"}]");
    PUT(p, "l.json", "\n {\"source\": \"a\", \"target\": \"b\"}\n{\"source\": \"c\", \"target\": \"d\"}\n");
    PUT(p, "d.tsv", "source\tx\ttarget\nwhere is it\t\there\nshort\tline\nwhat\tx\tthat\r\n\nlast\tx\tone");
    PUT(p, "e.tsv", "q1\ta1\nq2\ta2\n");
    PUT(p, "f.csv", "source,target\n\"two\nlines\",1\nthree,fields,here\n\"a\"b,2\nok,\"say \"\"no\"\"\"\n");
    PUT(p, "g.jsonl",
        "{\"dialogue\": \"A: hi\", \"summary1\": \"one\", \"summary2\": \"two\", \"topic\": \"t\"}\n"
        "{\"dialogue\": \"B: ho\", \"summary\": \"only\"}\n");
    PUT(p, "h.json",
        "[{\"instruction\": \"Do\", \"input\": \"\", \"output\": \"done\"},\n"
        " {\"instruction\": \"Add\", \"input\": \"1 2\", \"output\": \"3\"}]");
    static const char t1[] =
        "{\"definition\": [\"Do it.\"], \"category\": \"Doing\", \"split\": \"train\", \"positive_examples\": "
        "[{\"input\": \"i\", \"output\": \"o\"}]}\n{\"input\": \"x\", \"output\": [\"y\", \"z\"]}\n"
        "not JSON\n{\"input\": \"u\", \"output\": [\"v\"]}\n";
    PUT(p, "t1.jsonl", t1);
    PUT(p, "t2.jsonl.gz", t1);
    PUT(p, "t3.jsonl", "{\"definition\": \"No.\", \"split\": \"test\"}\n{\"input\": \"x\", \"output\": [\"y\"]}\n");
    PUT(p, "t4.json",
        "{\"Definition\": [\"D\"],\n\"Categories\": [\"C\"],\n\"Instances\": [\n{\"input\": \"1\", \"output\": "
        "[\"2\"]}\n]}\n");
    PUT(p, "bad.jsonl",
        "{\"source\": \"s1\", \"target\": \"t1\"}\nnot JSON\n{\"source\": \"s3\"}\n"
        "{\"source\": \"s4\", \"target\": \" \\t\"}\n{\"source\": \"\", \"target\": \"t5\"}\n"
        "{\"source\": null, \"target\": \"t6\"}\n{\"source\": {\"a\": 1}, \"target\": \"t7\"}\n"
        "{\"source\": \"\xff\xfe\", \"target\": \"t8\"}\n{\"source\": \"s9\", \"target\": []}\n[1, 2]\n"
        "{\"source\": \"nul \\u0000\", \"target\": \"t11\"}\n{\"source\": \"s12\", \"target\": \"t12\"}\n");
}

static const char formats[] =
    "data:\n  train:\n    - a.jsonl\n    - bom.jsonl\n"
    "    - {path: b.jsonl.gz, fields: {source: q.text.1, target: a}}\n    - c.json\n    - l.json\n    - d.tsv\n"
    "    - {path: e.tsv, columns: [source, target]}\n    - f.csv\n    - {path: g.jsonl, format: dialogsum}\n"
    "    - {path: h.json, format: alpaca, category: mine}\n"
    "    - {path: 't[1234].json*', format: superni, where: {split: [train, x]}, category: own}\n"
    "    - {path: t4.json, name: t4x, format: superni}\n    - {path: t1.jsonl, name: t1x, format: superni}\n    - "
    "bad.jsonl\n"
    "    - {path: bad.jsonl, name: limited, limit: 1}\n";

static void all_formats(place *p)
{
    /* where leaves t3 out; t4, an object of the official release, has no split, so a glob with where leaves it out, too */
    fresh(p);
    tt_prepared done = prepare(p, formats);
    ok(done.sets == 17 && done.rows > 20 && done.bad > 10, "%lld files in %lld parts: %lld rows, %lld bad",
       (long long)done.sets, (long long)done.parts, (long long)done.rows, (long long)done.bad);
    same(p, "every format", formats);
    ok(tt_store_verify(p->m, tt_sprintf(p->a, "%s/store", p->dir)) == TT_OK, "its checksums are right %s",
       tt_fail_text());
    static const char span[] = "train: {objective: span}\ndata:\n  train:\n    - book.txt\n    - bad.jsonl\n";
    PUT(p, "book.txt", "One paragraph\nof a book.\n\n\nAnother one.\n\n  \nThe end");
    prepare(p, span);
    same_but(p, "text and span corruption", span, false);
}

/* ---- one store, many jobs -------------------------------------------------------------------------------------------*/

static void other_templates(place *p)
{
    fresh(p);
    static const char first[] = "data:\n  train:\n    - path: bad.jsonl\n      templates:\n"
                                "        - {source: '{source}', target: '{target}', when: target}\n"
                                "        - {source: '{source}', target: 'none', unless: target}\n";
    prepare(p, first);
    same(p, "optional columns", first);
    same_but(p, "the format's own templates", "data:\n  train:\n    - bad.jsonl\n", false);
    same_but(p, "question and answer exchanged",
             "data:\n  train:\n    - {path: bad.jsonl, templates: [{source: 'Ask: {target}', target: '{source}'}]}\n",
             false);
    same_but(p, "a column less",
             "data:\n  train:\n    - {path: bad.jsonl, templates: [{source: 'Say {source}', target: 'yes'}]}\n", false);
    same_but(p, "a limit on a whole set", "data:\n  train:\n    - {path: bad.jsonl, limit: 1}\n", false);
    refuse(p, "data:\n  train:\n    - {path: bad.jsonl, fields: {target: answer}}\n", TT_EDATA,
           "without column \"answer\"");
    refuse(p, "data:\n  train:\n    - {path: bad.jsonl, format: json}\n", TT_EDATA, "not in the store");
}

static const char *big_file(place *p, const char *name, int rows)
{
    char *text = tt_malloc((size_t)rows * 120), *w = text;
    for (int i = 0; i < rows; i++)
        w += sprintf(
            w, i % 17 == 5 ? "{\"source\": \"%d\"\n" : "{\"source\": \"question %d of %0*d\", \"target\": \"%d\"}\n", i,
            i % 40, i, i);
    const char *path = put_file(p, name, text, (size_t)(w - text));
    free(text);
    return path;
}

static void splits(place *p)
{
    static const char yaml[] =
        "data:\n  train:\n    - a.jsonl\n    - {path: big.jsonl, name: x, split: {take: train, validation: 0.2, test: "
        "0.1}}\n"
        "    - {path: big.jsonl, name: y, split: {take: test, validation: 0.2, test: 0.1}, limit: 20}\n"
        "    - {path: packed.jsonl.gz, name: z, split: {take: validation, validation: 0.2, test: 0.1}}\n"
        "    - {path: packed.jsonl.gz, name: w, limit: 33}\n    - e.jsonl\n"
        "  validation:\n    - {path: big.jsonl, name: v, split: {take: validation, validation: 0.2, test: 0.1}}\n";
    static const char cut[] = "data:\n  train:\n    - {path: big.jsonl, limit: 37}\n"
                              "    - {path: packed.jsonl.gz, limit: 12, split: {take: test, test: 0.3}}\n";
    PUT(p, "e.jsonl", "{\"source\": \"in\", \"target\": \"out\"}\n");
    big_file(p, "big.jsonl", 600);
    big_file(p, "packed.jsonl.gz", 300);
    fresh(p);
    tt_prepared done = prepare(p, yaml);
    ok(done.sets == 4 && done.parts > 3, "a file in several entries is kept once (%lld sets, %lld parts)",
       (long long)done.sets, (long long)done.parts);
    same(p, "a file larger than all others, cut three ways", yaml);
    fresh(p);
    prepare(p, cut);
    same(p, "limits", cut);
    refuse(p, "data:\n  train:\n    - {path: big.jsonl, limit: 38}\n", TT_EDATA, "not in the store");
}

/* ---- changes ---------------------------------------------------------------------------------------------------------*/

static void touch(place *p, const char *path, time_t when)
{
    tt_barrier(p->m);
    if (p->m->rank == 0 && utime(path, &(struct utimbuf){when, when})) abort();
    tt_barrier(p->m);
}

static void changes(place *p)
{
    static const char one[] = "data:\n  train:\n    - a.jsonl\n    - big.jsonl\n";
    static const char two[] = "data:\n  train:\n    - a.jsonl\n    - big.jsonl\n    - d.tsv\n";
    fresh(p);
    tt_prepared d = prepare(p, one);
    int64_t parts = d.parts;
    d = prepare(p, one);
    ok(d.unchanged == 2 && !d.read && d.parts == parts, "nothing changed: nothing is read");
    const char *big = tt_sprintf(p->a, "%s/big.jsonl", p->dir);
    touch(p, big, 1000000000);
    same(p, "a file that was only touched", one);
    d = prepare(p, one);
    ok(d.unchanged == 2 && !d.read, "touched: nothing is read again");
    d = prepare(p, two);
    ok(d.unchanged == 2 && d.sets == 3 && d.new_rows == 3, "a new entry alone is read (%lld rows)",
       (long long)d.new_rows);
    same(p, "with a new entry", two);
    big_file(p, "big.jsonl", 500);
    refuse(p, one, TT_EDATA, "big.jsonl has changed since");
    d = prepare(p, two);
    ok(d.unchanged == 2 && d.redone == 1, "a changed file is done anew");
    same(p, "with a changed file", two);
    if (p->m->rank == 0) { /* as long as before, another content, the same time */
        struct stat st;
        FILE *f = fopen(big, "r+");
        if (!f || stat(big, &st) || fseek(f, 13, SEEK_SET) || fputc('Q', f) != 'Q' || fclose(f)) abort();
        struct timespec t[2] = {st.st_atim, st.st_mtim};
        if (utimensat(AT_FDCWD, big, t, 0)) abort();
    }
    d = prepare(p, two);
    ok(d.unchanged == 3, "a change that size and time do not show is not seen");
    tt_prepare_opts o = {.rehash = true, .prune = true, .chunk = TINY};
    ok(prepare_with(p, one, o, &d) == TT_OK && d.redone == 1 && d.dropped == 1,
       "rehash sees it; prune removes what the job does not name %s", tt_fail_text());
    same(p, "after both", one);
    refuse(p, two, TT_EDATA, "d.tsv is not in the store");
}

static void interrupted(place *p)
{
    static const char yaml[] = "data:\n  train:\n    - big.jsonl\n    - packed.jsonl.gz\n    - c.json\n    - a.jsonl\n";
    tt_prepared d;
    int runs = 1;
    fresh(p);
    tt_prepare_opts o = {.chunk = TINY, .round = 700, .rounds = 2};
    if (!ok(prepare_with(p, yaml, o, &d) == TT_OK && !d.finished, "stopped after two rounds %s", tt_fail_text()))
        return;
    refuse(p, yaml, TT_EDATA, "only partly in the store");
    /* what a kill between the part and the manifest leaves */
    PUT(p, "store/part-009999.h5", "torn");
    for (; !d.finished && runs < 1000; runs++)
        if (prepare_with(p, yaml, o, &d)) break;
    ok(d.finished && runs > 3, "%d runs of two rounds finish it %s", runs, tt_fail_text());
    ok(!tt_exists(tt_sprintf(p->a, "%s/store/part-009999.h5", p->dir)), "a part that no manifest knows is removed");
    same(p, "after many stops", yaml);
}

/* ---- errors ----------------------------------------------------------------------------------------------------------*/

static void edit_manifest(place *p, const char *from, const char *to)
{
    char *text = NULL, *path = tt_sprintf(p->a, "%s/store/manifest.json", p->dir);
    size_t size;
    tt_barrier(p->m);
    if (p->m->rank == 0) {
        if (tt_slurp(path, &text, &size)) abort();
        char *at = strstr(text, from);
        FILE *f = fopen(path, "w");
        if (!at || !f) abort();
        fprintf(f, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
        fclose(f);
        free(text);
    }
    tt_barrier(p->m);
}

static void refuse_prepare(place *p, const char *yaml, tt_err code, const char *part)
{
    tt_prepared d;
    tt_err e = prepare_with(p, yaml, (tt_prepare_opts){.chunk = TINY}, &d);
    ok(e == code && strstr(tt_fail_text(), part), "prepare refused (%s): %s", part, tt_fail_text());
    tt_fail_clear();
}

static void locked(place *p, const char *yaml)
{
    int fd = -1;
    if (p->m->rank == 0) {
        fd = open(tt_sprintf(p->a, "%s/store/lock", p->dir), O_RDWR | O_CREAT, 0666);
        if (fd < 0 || flock(fd, LOCK_EX)) abort();
    }
    tt_barrier(p->m);
    refuse_prepare(p, yaml, TT_ERUN, "another tutti prepare");
    if (fd >= 0) close(fd);
}

static void damaged_parts(place *p, const char *yaml)
{
    char *path = tt_sprintf(p->a, "%s/store/part-000000.h5", p->dir), *dir = tt_sprintf(p->a, "%s/store", p->dir);
    struct stat st;
    if (stat(path, &st)) abort();
    tt_barrier(p->m);
    if (p->m->rank == 0) {
        int fd = open(path, O_RDWR);
        char byte;
        off_t at = st.st_size * 9 / 10;
        if (fd < 0 || pread(fd, &byte, 1, at) != 1) abort();
        byte ^= 1;
        if (pwrite(fd, &byte, 1, at) != 1 || close(fd)) abort();
    }
    tt_barrier(p->m);
    tt_err e = tt_store_verify(p->m, dir);
    ok(e == TT_EFILE && strstr(tt_fail_text(), "part-000000.h5"), "a flipped bit is found: %s", tt_fail_text());
    tt_fail_clear();
    if (p->m->rank == 0 && truncate(path, st.st_size / 2)) abort();
    tt_barrier(p->m);
    refuse(p, yaml, TT_EFILE, "part-000000.h5");
    if (p->m->rank == 0 && unlink(path)) abort();
    tt_barrier(p->m);
    refuse(p, yaml, TT_EFILE, "part-000000.h5");
}

static void errors(place *p)
{
    static const char yaml[] = "data:\n  train:\n    - a.jsonl\n    - d.tsv\n";
    fresh(p);
    refuse(p, yaml, TT_EDATA, "tutti prepare");
    refuse_prepare(p, "data:\n  on_bad_row: fail\n  train:\n    - a.jsonl\n    - bad.jsonl\n", TT_EDATA,
                   "bad.jsonl: line 2 is not JSON");
    prepare(p, yaml);
    refuse(p, "data:\n  on_bad_row: fail\n  train:\n    - d.tsv\n", TT_EDATA, "line 3 has 2 fields");
    refuse_prepare(p, "data:\n  train:\n    - {path: a.jsonl, name: b, fields: {source: q}}\n    - nowhere.jsonl\n",
                   TT_EDATA, "nowhere.jsonl cannot be read");
    locked(p, yaml);
    tt_sets *s = open_sets(p, yaml, true);
    tt_tok *other;
    const char *piece[] = {"\xe2\x96\x81", "z"};
    char *dir = tt_sprintf(p->a, "%s/other", p->dir), *model = tt_sprintf(p->a, "%s/spiece.model", dir);
    if (p->m->rank == 0 && tt_mkdirs(dir)) abort();
    if (p->m->rank == 0) model_write(model, 2, piece, (float[]){-1, -2});
    tt_barrier(p->m);
    if (!s || tt_tok_open(dir, &other)) abort();
    char hash[33];
    tt_tok_hash(tok, hash);
    ok(tt_sets_check(s, other) == TT_EDATA && strstr(tt_fail_text(), hash), "another tokenizer: %s", tt_fail_text());
    tt_fail_clear();
    tt_tok_close(other);
    tt_sets_free(s);
    edit_manifest(p, "\"format\": 1", "\"format\": 2");
    refuse(p, yaml, TT_EFILE, "use a newer tutti");
    edit_manifest(p, "\"format\": 2", "\"format\": 1");
    edit_manifest(p, "\"segments\":", "\"segmnts\":");
    refuse(p, yaml, TT_EFILE, "manifest.json");
    edit_manifest(p, "\"segmnts\":", "\"segments\":");
    damaged_parts(p, yaml);
}

static void shared_sets(place *p)
{
    const char *dir = shared_dir();
    if (!dir) {
        skip(1, "no shared data");
        return;
    }
    char full[4096];
    if (!realpath(dir, full)) abort();
    char *yaml = tt_sprintf(p->a,
                            "data:\n  train:\n    - {path: %s/datasets/superni/tasks/task00*.gz, format: superni}\n"
                            "    - {path: '%s/datasets/dialogsum/*.gz', format: dialogsum}\n",
                            full, full);
    tt_prepared d;
    fresh(p);
    if (prepare_with(p, yaml, (tt_prepare_opts){.chunk = 50000}, &d)) {
        skip(1, tt_fail_text());
        tt_fail_clear();
        return;
    }
    same(p, "published data sets", yaml);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    tt_log_quiet(true);
    place p = place_new(&m);
    tok = own_tokenizer(&p);
    write_files(&p);
    all_formats(&p);
    other_templates(&p);
    splits(&p);
    changes(&p);
    interrupted(&p);
    errors(&p);
    shared_sets(&p);
    tt_tok_close(tok);
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
