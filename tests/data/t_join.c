// TEST np=1
// Word by word and in parts: the same ids as SentencePiece's of the whole text, whatever the text and wherever it is cut.
#include "../../src/data/tok.h"
#include "model.h"

#include <jansson.h>

/* What normalization, blanks, unknown characters, broken bytes and special tokens can do to a word. */
static const char *const nasty[] = {"a",
                                    "b",
                                    "the",
                                    "ing",
                                    "un",
                                    "S",
                                    "Z",
                                    "7",
                                    "42",
                                    " ",
                                    " ",
                                    " ",
                                    "  ",
                                    "\n",
                                    "\t",
                                    "\r\n",
                                    ".",
                                    ",",
                                    "?",
                                    "\"",
                                    "'",
                                    "(",
                                    ")",
                                    "-",
                                    "_",
                                    "e\xcc\x81",
                                    "\xcc\x88",
                                    "\xc2\xa0",
                                    "\xe3\x80\x80",
                                    "\xe2\x80\x8b",
                                    "\xc2\xa8",
                                    "\xe2\x80\x83",
                                    "\xe2\x96\x81",
                                    "\xf0\x9f\x98\x80",
                                    "\xe6\x97\xa5\xe6\x9c\xac",
                                    "\xef\xbd\x81",
                                    "\xef\xac\x81",
                                    "\xc2\xbd",
                                    "{",
                                    "}",
                                    "~",
                                    "<",
                                    ">",
                                    "\xff",
                                    "\xe2\x96",
                                    "\x80",
                                    "\x01",
                                    "</s>",
                                    "<pad>",
                                    "<extra_id_5>",
                                    "<extra_id_",
                                    "</",
                                    "<unk>",
                                    "\xe1\x84\x80",
                                    "\xe1\x85\xa1",
                                    "\xcd\xbe",
                                    "\xe2\x84\xa2",
                                    "\xc2\xad",
                                    "\xef\xbb\xbf",
                                    "\xe2\x80\xa8",
                                    "\xd9\x8e",
                                    "\xe0\xa4\xbf",
                                    "\xf0\x9d\x92\x9c",
                                    "\xef\xb7\xba", /* four words after normalization */
                                    "\xd8\xb5\xd9\x84\xd9\x89 \xd8\xa7\xd9\x84\xd9\x84\xd9\x87",
                                    "\xef\xb9\xb0", /* a blank and a mark */
                                    "\x02",         /* becomes a zero byte */
                                    "\v",
                                    "mmm",
                                    "---"};
enum { NNASTY = sizeof nasty / sizeof *nasty, MOST = 40 };

static size_t random_text(uint64_t k, char *out)
{
    tt_rkey key = tt_key(k, "text", 0, 0, 0);
    int n = (int)tt_rand_below(key, 0, MOST);
    uint64_t tame = tt_rand_below(key, 1, 3); /* a third of the texts is mostly words and blanks */
    size_t size = 0;
    for (int i = 0; i < n; i++) {
        uint64_t pick = tt_rand_below(key, (uint64_t)i + 2, tame ? 25 : NNASTY);
        size += (size_t)sprintf(out + size, "%s", nasty[pick]);
    }
    for (size_t i = 0; i < size; i++)
        if (out[i] == 2) out[i] = 0;
    return size;
}

static bool same(const tt_ids *a, const tt_ids *b)
{
    return a->n == b->n && (!a->n || !memcmp(a->id, b->id, sizeof *a->id * (size_t)a->n));
}

static void tell(const char *what, const char *text, size_t size)
{
    printf("# %s:", what);
    for (size_t i = 0; i < size; i++) printf(" %02x", (unsigned char)text[i]);
    printf("\n");
}

/* The text cut at random places, every other part with its ids. */
static int cut(uint64_t k, const char *text, size_t size, const tt_tok *t, tt_part *part, tt_ids *ids)
{
    tt_rkey key = tt_key(k, "cut", 0, 0, 0);
    int n = 1 + (int)tt_rand_below(key, 0, 6);
    size_t at[8] = {0};
    for (int i = 1; i < n; i++) at[i] = (size_t)tt_rand_below(key, (uint64_t)i, size + 1);
    for (int i = 1; i < n; i++)
        for (int j = i; j > 1 && at[j] < at[j - 1]; j--) {
            size_t swap = at[j];
            at[j] = at[j - 1];
            at[j - 1] = swap;
        }
    at[n] = size;
    for (int i = 0; i < n; i++) {
        part[i] = (tt_part){text + at[i], at[i + 1] - at[i], NULL, 0};
        ids[i].n = 0;
        if (tt_rand_below(key, (uint64_t)i + 50, 3) == 0 || !tt_tok_sure(t, part[i].text, part[i].size, TT_SURE_BYTES))
            continue;
        tt_ids_push(&ids[i], 0); /* so that there is an array even for no ids */
        ids[i].n = 0;
        tt_tok_body_plain(t, part[i].text, part[i].size, &ids[i]);
        part[i].ids = ids[i].id;
        part[i].n = ids[i].n;
    }
    return n;
}

static void random_cases(const tt_tok *t, const char *name, uint64_t cases)
{
    char text[MOST * 32];
    tt_ids want = {0}, body = {0}, join = {0}, ids[8] = {{0}};
    tt_part part[8];
    int64_t bad_body = 0, bad_join = 0;
    for (uint64_t k = 0; k < cases; k++) {
        size_t size = random_text(k, text);
        want.n = body.n = join.n = 0;
        tt_tok_body_plain(t, text, size, &want);
        tt_tok_body(t, text, size, &body);
        if (!same(&want, &body) && !bad_body++) tell("body", text, size);
        int n = cut(k, text, size, t, part, ids);
        tt_tok_join(t, n, part, &join);
        if (!same(&want, &join) && !bad_join++) tell("join", text, size);
    }
    ok(!bad_body && !bad_join, "%s (%s): %lld random texts, whole and cut (%lld, %lld wrong)", name,
       tt_tok_by_words(t) ? "by words" : "whole", (long long)cases, (long long)bad_body, (long long)bad_join);
    tt_ids_fini(&want);
    tt_ids_fini(&body);
    tt_ids_fini(&join);
    for (int i = 0; i < 8; i++) tt_ids_fini(&ids[i]);
}

/* Long texts of words that have segmentations as good as each other: rounding of all that stands before decides. */
static size_t tied_text(uint64_t k, size_t most, char *out)
{
    static const char *const run[] = {"m", "h", "x", "-", "=", "0", "6", "ha", "*", "e\xcc\x81", "oO", "{"};
    tt_rkey key = tt_key(k, "tied", 0, 0, 0);
    size_t size = 0;
    for (uint64_t i = 0; size + 64 < most; i += 3) {
        const char *r = run[tt_rand_below(key, i, sizeof run / sizeof *run)];
        bool tied = tt_rand_below(key, i + 1, k % 64 + 1) == 0;
        for (int n = tied ? 1 + (int)tt_rand_below(key, i + 2, 12) : 1; n; n--)
            size += (size_t)sprintf(out + size, "%s", r);
        size += (size_t)sprintf(out + size, "%s ", tied ? "" : nasty[i % 5]);
    }
    return size;
}

/* Words for near_model: pairs, which are firm, and now and then three to six letters, or unknown characters, which cost most for their
 * size. */
static size_t near_text(uint64_t k, size_t most, char *out)
{
    tt_rkey key = tt_key(k, "near", 0, 0, 0);
    size_t size = 0;
    for (uint64_t i = 0; size + 64 < most; i += 9) {
        bool near = tt_rand_below(key, i, 4 * (k % 64) + 1) == 0, unknown = !near && k % 3 == 0 && i % 2;
        for (uint64_t n = near ? 3 + tt_rand_below(key, i + 1, 4) : 2; n; n--)
            out[size++] = unknown ? '~' : (char)('a' + tt_rand_below(key, i + 1 + n, 26));
        out[size++] = ' ';
    }
    return size;
}

typedef size_t make_text(uint64_t k, size_t most, char *out);

static void long_cases(const tt_tok *t, make_text *make, uint64_t cases)
{
    static char text[40000];
    tt_ids want = {0}, body = {0}, join = {0}, ids[8] = {{0}};
    tt_part part[8];
    int64_t bad = 0, parts = 0;
    for (uint64_t k = 0; k < cases; k++) {
        size_t size = make(k, k % 2 ? sizeof text : 2000, text);
        want.n = body.n = join.n = 0;
        tt_tok_body_plain(t, text, size, &want);
        tt_tok_body(t, text, size, &body);
        int n = cut(k, text, size, t, part, ids);
        tt_tok_join(t, n, part, &join);
        bad += !same(&want, &body) || !same(&want, &join);
        for (int i = 0; i < n; i++) parts += part[i].ids != NULL;
    }
    ok(!bad && parts, "%lld long texts with ties or near ties, %lld parts with ids (%lld wrong)", (long long)cases,
       (long long)parts, (long long)bad);
    tt_ids_fini(&want);
    tt_ids_fini(&body);
    tt_ids_fini(&join);
    for (int i = 0; i < 8; i++) tt_ids_fini(&ids[i]);
}

/* A dialogue between words of a template, as prompts have it. */
static int64_t join_row(const tt_tok *t, const char *dialogue, const char *summary)
{
    char whole[40000];
    tt_ids ids = {0}, want = {0}, got = {0};
    tt_tok_body(t, dialogue, strlen(dialogue), &ids);
    bool stored = tt_tok_sure(t, dialogue, strlen(dialogue), TT_SURE_BYTES);
    tt_part part[] = {{"Summarize: \"", 12, NULL, 0},
                      {dialogue, strlen(dialogue), stored ? ids.id : NULL, ids.n},
                      {"\"", 1, NULL, 0},
                      {"(", 1, NULL, 0},
                      {summary, strlen(summary), NULL, 0},
                      {")?\n", 3, NULL, 0}};
    int n = snprintf(whole, sizeof whole, "Summarize: \"%s\"(%s)?\n", dialogue, summary);
    tt_tok_encode(t, whole, (size_t)n, true, &want);
    tt_tok_begin(t, &got);
    tt_tok_join(t, 6, part, &got);
    tt_tok_end(t, &got);
    int64_t bad = !same(&want, &got);
    want.n = 0;
    tt_tok_body_plain(t, whole, (size_t)n, &want);
    bad += want.n + 1 != got.n || memcmp(want.id, got.id, sizeof *want.id * (size_t)want.n) != 0;
    tt_ids_fini(&ids);
    tt_ids_fini(&want);
    tt_ids_fini(&got);
    return bad;
}

static void dialogues(const tt_tok *t)
{
    char path[4096], line[40000];
    snprintf(path, sizeof path, "%s/datasets/dialogsum/dialogsum.train.jsonl.gz", shared_dir());
    gzFile f = gzopen(path, "rb");
    int64_t rows = 0, bad = 0;
    while (f && gzgets(f, line, sizeof line)) {
        json_t *o = json_loads(line, 0, NULL);
        bad += join_row(t, json_string_value(json_object_get(o, "dialogue")),
                        json_string_value(json_object_get(o, "summary")));
        rows++;
        json_decref(o);
    }
    if (f) gzclose(f);
    ok(rows == 12460 && !bad, "%lld dialogues in a template (%lld wrong)", (long long)rows, (long long)bad);
}

static void folder(const char *dir, const char *name, bool words, uint64_t cases, bool real)
{
    tt_tok *t;
    if (tt_tok_open(dir, &t) != TT_OK) {
        ok(0, "%s: %s", name, tt_fail_text());
        return;
    }
    ok(tt_tok_by_words(t) == words, "%s %s at blanks", name, words ? "composes" : "does not compose");
    random_cases(t, name, cases);
    if (words) long_cases(t, tied_text, 120);
    if (real) dialogues(t);
    tt_tok_close(t);
}

/* Without a piece for the blank alone, unknown words beside each other become one id. */
static void no_mark(place *p)
{
    static const char *const piece[] = {"\xe2\x96\x81"
                                        "a",
                                        "\xe2\x96\x81"
                                        "b",
                                        "a", "b"};
    static const float score[] = {-1, -1, -2, -2};
    char *path = tt_sprintf(p->a, "%s/unmarked.model", p->dir);
    model_write(path, 4, piece, score);
    tt_ids ids = {0};
    tt_tok *t;
    if (!ok(tt_tok_open(path, &t) == TT_OK, "opens %s", tt_fail_text())) return;
    tt_tok_body(t, "a ~ ~ b", 7, &ids);
    ok(!tt_tok_by_words(t) && ids.n == 3 && ids.id[1] == 2, "a model without a piece for the blank: %d ids", ids.n);
    tt_ids_fini(&ids);
    tt_tok_close(t);
}

/* Letters and pairs of letters, whose scores make segmentations of a word differ by 1e-6 to 1e-2. */
static void near_model(place *p)
{
    enum { N = 26, ALL = 1 + N + N * N };
    static char text[ALL][4];
    static const char *piece[ALL];
    static float score[ALL];
    tt_rkey key = tt_key(1, "pairs", 0, 0, 0);
    for (int i = 0; i < ALL; i++) {
        int a = i - 1, pair = i - 1 - N;
        if (i == 0)
            snprintf(text[i], 4, "%s", "\xe2\x96\x81");
        else if (pair < 0)
            snprintf(text[i], 4, "%c", 'a' + a);
        else
            snprintf(text[i], 4, "%c%c", 'a' + pair / N, 'a' + pair % N);
        piece[i] = text[i];
        score[i] = pair < 0 ? -3 : -5 - (float)pow(10, -2 - 4 * tt_rand01(key, (uint64_t)i));
    }
    char *path = tt_sprintf(p->a, "%s/near.model", p->dir);
    model_write(path, ALL, piece, score);
    tt_tok *t;
    if (!ok(tt_tok_open(path, &t) == TT_OK && tt_tok_by_words(t), "a model with near ties %s", tt_fail_text())) return;
    long_cases(t, near_text, 600);
    tt_tok_close(t);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    place p = place_new(&m);
    tt_tok *own = own_tokenizer(&p);
    random_cases(own, "a model of single characters", 20000);
    tt_tok_close(own);
    no_mark(&p);
    near_model(&p);
    folder("data/models/nano-t5", "nano-t5", true, 20000, false);
    if (shared_dir()) {
        folder(tt_sprintf(p.a, "%s/tokenizers/t5", shared_dir()), "t5", true, 60000, true);
        folder(tt_sprintf(p.a, "%s/tokenizers/llama", shared_dir()), "llama", false, 5000, false);
    } else {
        skip(6, "no shared data");
    }
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
