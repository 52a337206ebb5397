// TEST np=1
// The quick way through a JSON line gives the row that the whole parser gives, or declines; on lines made to differ if any can.
#include "make.h"
#include "../../src/data/source_json.h"

static const char *const piece[] = {"{",
                                    "}",
                                    "[",
                                    "]",
                                    ":",
                                    ",",
                                    "\"",
                                    "\\",
                                    "\\\"",
                                    "\\n",
                                    "\\u0041",
                                    "\\u00e9",
                                    "\\u0000",
                                    "\\ud83d\\ude00",
                                    "\\ud800",
                                    "\\x",
                                    "\"source\"",
                                    "\"target\"",
                                    "\"other\"",
                                    "\"so\\u0075rce\"",
                                    "\"source\": ",
                                    "\"target\": ",
                                    ", \"source\": 1",
                                    "null",
                                    "true",
                                    "false",
                                    "0",
                                    "-0",
                                    "-1",
                                    "12",
                                    "01",
                                    "1.5",
                                    "-0.0",
                                    "1e5",
                                    "1E400",
                                    "123456789012345678",
                                    "1234567890123456789012",
                                    "1.",
                                    ".5",
                                    "-",
                                    " ",
                                    "\t",
                                    "\r",
                                    "\x01",
                                    "\x7f",
                                    "\xc3\xa9",
                                    "\xe2\x80\xa8",
                                    "\xf0\x9f\x98\x80",
                                    "\xff",
                                    "\xc0\xaf",
                                    "\xed\xa0\x80",
                                    "\"\"",
                                    "\" \"",
                                    "[\"a\", 2, true]",
                                    "[]",
                                    "[null]",
                                    "[[1]]",
                                    "{\"a\": [1, {\"b\": null}]}",
                                    "x",
                                    "tru",
                                    "\"a.b\": ",
                                    "[1, 2.5]",
                                    "[-0]"};
static const char *const whole[] = {
    "{\"source\": \"one\", \"target\": \"two\"}",
    "{\"id\": 7, \"source\": \"a \\\"b\\\" \\u00e9\\/\", \"target\": [\"x\", \"y\\n\"], \"other\": {\"k\": [1, 2.5e3, "
    "null]}}",
    "{\"target\": true, \"source\": 12, \"other\": -0.5}",
    "{\"source\": \"s\", \"target\": \"t\", \"other\": null}",
    "{\"other.k.0\": \"s\", \"source\": \"t\", \"other\": {\"k\": [\"u\"]}}",
};
enum { NPIECE = sizeof piece / sizeof *piece, NWHOLE = sizeof whole / sizeof *whole };

static size_t make_line(char *out, tt_rkey key)
{
    uint64_t at = 0, edits = tt_rand_below(key, at++, 4);
    size_t n = (size_t)sprintf(out, "%s", whole[tt_rand_below(key, at++, NWHOLE)]);
    for (uint64_t e = 0; e < edits; e++) {
        const char *p = piece[tt_rand_below(key, at++, NPIECE)];
        size_t len = strlen(p), where = (size_t)tt_rand_below(key, at++, n + 1);
        size_t gone = (size_t)tt_rand_below(key, at++, 9);
        if (gone > 5) gone = 0;
        if (gone > n - where) gone = n - where;
        memmove(out + where + len, out + where + gone, n - where - gone);
        memcpy(out + where, p, len);
        n += len - gone;
    }
    out[n] = 0;
    return n;
}

static bool same_bytes(const tt_buf *a, const tt_buf *b)
{
    return a->n == b->n && (!a->n || !memcmp(a->p, b->p, a->n));
}

static bool same_rows(const tt_rows *a, const tt_rows *b)
{
    return a->nrow == b->nrow && a->nvalue == b->nvalue && a->nbad == b->nbad && same_bytes(&a->cell, &b->cell) &&
           same_bytes(&a->value, &b->value) && same_bytes(&a->text, &b->text) && same_bytes(&a->line, &b->line) &&
           same_bytes(&a->key, &b->key) && same_bytes(&a->bad_text, &b->bad_text) &&
           same_bytes(&a->bad_row, &b->bad_row);
}

/* What a line gives by the whole parser alone. */
static void whole_way(tt_reader *r, const char *line, size_t n)
{
    json_t *o = json_loadb(line, n, JSON_DECODE_ANY, NULL);
    tt_row_begin(r, 1);
    if (!o) {
        tt_row_bad(r, 1, "is not JSON");
        return;
    }
    tt_json_row(r, o, 1);
    json_decref(o);
}

typedef struct tally {
    int quick, different;
} tally;

static void one_line(const tt_spec *spec, bool unfit, const char *line, size_t n, tt_arena *a, tally *t)
{
    tt_reader quick, slow;
    tt_err e;
    tt_mark mark = tt_arena_mark(a);
    tt_reader_init(&quick, spec, false, a);
    tt_reader_init(&slow, spec, false, a);
    quick.whole = slow.whole = quick.unfit = slow.unfit = unfit;
    if (tt_json_quick(&quick, line, n, 1, &e)) {
        t->quick++;
        whole_way(&slow, line, n);
        bool same = same_rows(&quick.rows, &slow.rows);
        if (!same && t->different++ < 5) printf("# differs: %s\n", line);
    } else if (quick.rows.nrow || quick.rows.nbad || quick.rows.text.n)
        t->different++;
    tt_rows_fini(&quick.rows);
    tt_rows_fini(&slow.rows);
    tt_arena_rewind(a, mark);
}

static void compare(place *p, const char *entry, const char *what)
{
    enum { TIMES = 60000 };
    tt_specs specs;
    tally t = {0};
    char line[1024];
    tt_job *job = job_of(p, NULL, tt_sprintf(p->a, "data:\n  train:\n    - %s\n", entry));
    if (tt_specs_read(p->a, job, job->data.train, "data.train", &specs)) {
        ok(false, "%s: %s", what, tt_fail_text());
        return;
    }
    for (int i = 0; i < TIMES; i++) {
        size_t n = make_line(line, tt_key(11, what, (uint64_t)i, 0, 0));
        one_line(&specs.spec[0], i % 2, line, n, p->a, &t);
    }
    ok(!t.different && t.quick > TIMES / 20, "%s: %d of %d lines the quick way, none differs (%d)", what, t.quick,
       TIMES, t.different);
    tt_specs_fini(&specs);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tt_log_quiet(true);
    place p = place_new(&m);
    PUT(&p, "a.jsonl", "");
    compare(&p, "a.jsonl", "source and target");
    compare(&p,
            "{path: a.jsonl, templates: [{source: '{source} {other}', target: '{target}', when: other}, "
            "{source: '{source}', target: '{target}', unless: other}]}",
            "an optional column");
    compare(&p, "{path: a.jsonl, fields: {target: source}}", "two columns of one key");
    compare(&p, "{path: a.jsonl, format: dialogsum, fields: {dialogue: source, summary: target}}", "numbered");
    compare(&p,
            "{path: a.jsonl, fields: {source: source, target: other.k.0}, templates: [{source: '{source}', target: "
            "'{target}'}]}",
            "a path");
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
