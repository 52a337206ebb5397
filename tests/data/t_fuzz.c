// TEST np=1
// Damaged files of every format: an error or rows, never a crash (run under asan), and every line accounted for.
#include "make.h"

static const struct {
    const char *format, *file, *text;
} seedling[] = {
    {"jsonl", "f.jsonl",
     "{\"source\": \"a b\", \"target\": [\"x\", 1.5, true]}\n{\"source\": \"c\\u00e9\\n\", \"target\": \"y\"}\n"},
    {"json", "f.json", "[{\"source\": \"a\", \"target\": \"b\"},\n {\"source\": \"c]\\\"\", \"target\": \"d\"}]\n"},
    {"csv", "f.csv", "source,target\n\"a \"\"q\"\"\nmore\",b\r\nc,\"d\"\n\"\",\"e\"\n"},
    {"tsv", "f.tsv", "source\ttarget\na\tb\r\nc\td\n"},
    {"superni", "g.jsonl",
     "{\"definition\": \"D\", \"category\": \"C\", \"positive_examples\": [{\"input\": \"i\", \"output\": \"o\"}]}\n"
     "{\"input\": \"x\", \"output\": [\"y\", \"z\"]}\n{\"input\": \"u\", \"output\": [\"v\"]}\n"},
    {"dialogsum", "h.jsonl",
     "{\"dialogue\": \"d\", \"summary1\": \"s\", \"summary2\": \"t\"}\n{\"dialogue\": \"e\", \"summary\": \"s\"}\n"},
    {"alpaca", "i.json",
     "[{\"instruction\": \"I\", \"input\": \"\", \"output\": \"O\"}, {\"instruction\": \"J\", \"input\": \"N\", "
     "\"output\": \"P\"}]"},
    {"text", "j.txt", "One paragraph\nof two lines.\n\n\xc3\xa9 Another.\n \nAnd more.\n"},
};
enum { NSEED = sizeof seedling / sizeof *seedling };

/* One to six edits: bytes changed, cut out, doubled, or pieces of syntax put in. */
static size_t damage(char *buf, size_t n, size_t cap, tt_rkey key)
{
    static const char *const piece[] = {"\"", "{",       "}",    "[",    "]",    ",",    "\n",    "\t",
                                        "\\", "\\u0000", "\r\n", "\xff", "null", "\"\"", "1e999", "{{{{{{{{"};
    uint64_t at = 0, edits = 1 + tt_rand_below(key, at++, 6);
    while (edits--) {
        size_t i = tt_rand_below(key, at++, n + 1), len = tt_rand_below(key, at++, 12);
        if (len > n - i) len = n - i;
        switch (tt_rand_below(key, at++, 4)) {
        case 0:
            if (i < n) buf[i] = (char)tt_rand_below(key, at++, 256);
            break;
        case 1:
            memmove(buf + i, buf + i + len, n - i - len);
            n -= len;
            break;
        case 2:
            if (n + len > cap) break;
            memmove(buf + i + len, buf + i, n - i);
            n += len;
            break;
        default: {
            const char *p = piece[tt_rand_below(key, at++, sizeof piece / sizeof *piece)];
            len = strlen(p);
            if (n + len > cap) break;
            memmove(buf + i + len, buf + i, n - i);
            memcpy(buf + i, p, len);
            n += len;
        }
        }
    }
    return n;
}

/* Reads the file and every text in it. 1: rows, 0: refused with a reason. */
static int survive(place *p, tt_job *job, int64_t *rows)
{
    tt_sets *s;
    tt_err e = tt_sets_read(p->m, job, job->data.train, "data.train", NULL, &s);
    if (e) {
        bool said = (e == TT_EDATA || e == TT_EJOB) && *tt_fail_text();
        tt_fail_clear();
        return said ? 0 : -1;
    }
    const tt_setinfo *info = tt_set_info(s->set[0]);
    for (int64_t i = 0; i < info->rows; i++) {
        tt_text t;
        tt_mark mark = tt_arena_mark(p->a);
        tt_set_text(s->set[0], i, 1, 0, p->a, &t);
        *rows += strlen(t.source) > 0;
        tt_arena_rewind(p->a, mark);
    }
    tt_sets_free(s);
    return 1;
}

static void fuzz(place *p, int k, int times)
{
    int outcome[3] = {0};
    int64_t rows = 0;
    tt_job *job = job_of(p, NULL,
                         tt_sprintf(p->a, "train: {objective: span}\ndata:\n  train:\n    - {path: %s, format: %s}\n",
                                    seedling[k].file, seedling[k].format));
    for (int i = 0; i < times; i++) {
        char buf[2048];
        size_t n = strlen(seedling[k].text);
        memcpy(buf, seedling[k].text, n);
        n = damage(buf, n, sizeof buf - 64, tt_key(42, seedling[k].format, (uint64_t)i, 0, 0));
        tt_mark mark = tt_arena_mark(p->a);
        put_file(p, seedling[k].file, buf, n);
        outcome[survive(p, job, &rows) + 1]++;
        tt_arena_rewind(p->a, mark);
    }
    ok(!outcome[0] && outcome[2] > times / 10 && outcome[1] > 0,
       "%s: %d damaged files: %d read (%lld rows), %d refused with a reason", seedling[k].format, times, outcome[2],
       (long long)rows, outcome[1]);
}

static void huge_lines(place *p)
{
    enum { BIG = 3 << 20 };
    char *big = tt_malloc(2 * BIG + 1000);
    size_t n = (size_t)sprintf(big, "{\"source\": \"");
    memset(big + n, 'x', BIG);
    n += BIG;
    n += (size_t)sprintf(big + n, "\", \"target\": \"t\"}\n{\"source\": \"%s\", \"target\": \"u\"}\n", "s");
    memset(big + n, '[', BIG); /* nested far too deep */
    n += BIG;
    put_file(p, "big.jsonl", big, n);
    tt_job *job;
    tt_sets *s = sets_of(p, "data:\n  train: [big.jsonl]\n", &job);
    ok(s && tt_set_info(s->set[0])->rows == 2 && tt_set_info(s->set[0])->quarantined == 1,
       "lines of 3 MiB: one read, one bad %s", tt_fail_text());
    if (s) {
        tt_text t;
        tt_set_text(s->set[0], 0, 1, 0, p->a, &t);
        ok(strlen(t.source) == BIG, "nothing of it is lost");
    }
    tt_sets_free(s);
    free(big);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tt_log_quiet(true);
    place p = place_new(&m);
    for (int k = 0; k < NSEED; k++) fuzz(&p, k, 400);
    huge_lines(&p);
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
