// TEST np=1
// Every id of the golden and reference files of every SentencePiece folder; decoding as Hugging Face's fast tokenizers do.
#include "tutti/data.h"
#include "model.h"

#include <jansson.h>

static int unhex(const char *h, char *out)
{
    int n = 0;
    for (unsigned b; sscanf(h, "%2x", &b) == 1; h += 2) out[n++] = (char)b;
    return n;
}

static int same_ids(const json_t *want, const tt_ids *got)
{
    if ((int)json_array_size(want) != got->n) return 0;
    for (int i = 0; i < got->n; i++)
        if (json_integer_value(json_array_get(want, (size_t)i)) != got->id[i]) return 0;
    return 1;
}

/* clean_up_tokenization of transformers, with which the reference texts were made; and where a blank follows <unk>, the slow
 * tokenizer's texts differ from the fast one's, which we follow. */
static void clean_up(char *s)
{
    static const char *const rule[][2] = {{" .", "."},     {" ?", "?"},     {" !", "!"},        {" ,", ","},
                                          {" ' ", "'"},    {" n't", "n't"}, {" 'm", "'m"},      {" 's", "'s"},
                                          {" 've", "'ve"}, {" 're", "'re"}, {"<unk> ", "<unk>"}};
    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++)
        for (char *hit = s; (hit = strstr(hit, rule[i][0]));) {
            size_t drop = strlen(rule[i][0]), keep = strlen(rule[i][1]);
            memcpy(hit, rule[i][1], keep);
            memmove(hit + keep, hit + drop, strlen(hit + drop) + 1);
            hit += keep;
        }
}

static int same_text(const tt_tok *t, const tt_ids *ids, const json_t *want, bool skip_special)
{
    if (!json_is_string(want) || strlen(json_string_value(want)) != json_string_length(want)) return 1;
    char *got = tt_tok_decode(t, ids->id, ids->n, skip_special), *ref = strdup(json_string_value(want));
    clean_up(got);
    clean_up(ref);
    int same = !strcmp(got, ref);
    if (!same) printf("# decoded: '%s', wanted '%s'\n", got, ref);
    free(got);
    free(ref);
    return same;
}

typedef struct tally {
    int n, id_bad, text_bad;
} tally;

static void check_line(const tt_tok *t, const char *line, const char *mode, bool reference, tally *sum)
{
    json_t *o = json_loads(line, JSON_ALLOW_NUL, NULL);
    const char *m = json_string_value(json_object_get(o, "mode"));
    if (!o || (mode && strcmp(m ? m : "", mode))) {
        json_decref(o);
        return;
    }
    static char raw[1 << 20];
    const json_t *text = json_object_get(o, "text"), *hex = json_object_get(o, "hex");
    const char *p = text ? json_string_value(text) : raw;
    size_t size = text ? json_string_length(text) : (size_t)unhex(json_string_value(hex), raw);
    bool special = reference ? !json_is_false(json_object_get(o, "add_special")) : !strcmp(mode, "hf");
    tt_ids ids = {0};
    int good = tt_tok_encode(t, p, size, special, &ids) == TT_OK && same_ids(json_object_get(o, "ids"), &ids);
    if (!good) printf("# ids differ: %s\n", line);
    sum->n++;
    sum->id_bad += !good;
    if (reference && good)
        sum->text_bad += !same_text(t, &ids, json_object_get(o, "decoded"), false) ||
                         !same_text(t, &ids, json_object_get(o, "decoded_skip_special"), true);
    tt_ids_fini(&ids);
    json_decref(o);
}

static void check_file(const char *folder, const char *model, const char *file, const char *mode, int expect)
{
    char path[4096], *text;
    size_t size;
    tt_tok *t;
    snprintf(path, sizeof path, "%s/tokenizers/%s%s", shared_dir(), folder, model);
    if (!ok(tt_tok_open(path, &t) == TT_OK, "%s opens %s", path, tt_fail_text())) return;
    snprintf(path, sizeof path, "%s/tokenizers/%s/%s", shared_dir(), folder, file);
    tally sum = {0};
    if (tt_slurp(path, &text, &size) == TT_OK) {
        for (char *line = text, *end; *line; line = end + 1) {
            if (!(end = strchr(line, '\n'))) break;
            *end = 0;
            check_line(t, line, mode, !mode, &sum);
        }
        free(text);
    }
    tt_tok_close(t);
    ok(sum.n == expect && !sum.id_bad, "%s/%s %s: %d of %d texts have the right ids", folder, file, mode ? mode : "",
       sum.n - sum.id_bad, expect);
    if (!mode) ok(!sum.text_bad, "%s/%s: decoded texts are right", folder, file);
}

/* A model file that was not copied whole. */
static void truncated(void)
{
    char path[4096], dir[] = "/tmp/tutti_tok_XXXXXX", *text;
    size_t size;
    snprintf(path, sizeof path, "%s/tokenizers/t5/spiece.model", shared_dir());
    if (tt_slurp(path, &text, &size) || !mkdtemp(dir)) abort();
    snprintf(path, sizeof path, "%s/spiece.model", dir);
    const size_t keep[] = {0, 100, size / 3, size / 2, size - 1};
    int refused = 0, n = sizeof keep / sizeof *keep;
    for (int i = 0; i < n; i++) {
        FILE *f = fopen(path, "wb");
        fwrite(text, 1, keep[i], f);
        fclose(f);
        tt_tok *t;
        refused += tt_tok_open(dir, &t) == TT_EDATA;
        tt_fail_clear();
    }
    ok(refused == n, "%d of %d truncated model files refused", refused, n);
    remove(path);
    remove(dir);
    free(text);
}

static void shared_folders(void)
{
    truncated();
    check_file("t5", "", "golden.jsonl", "spm", 289);
    check_file("t5", "", "golden.jsonl", "hf", 80);
    check_file("t5", "", "hf_reference.jsonl", NULL, 1377);
    check_file("llama", "", "golden.jsonl", "spm", 289);
    check_file("llama", "", "hf_reference.jsonl", NULL, 101);
    check_file("mistral-v1", "", "golden.jsonl", "spm", 289);
    check_file("stories260k-tok512", "", "golden.jsonl", "spm", 273);
    check_file("babyllama", "/tok105.model", "golden.jsonl", "tok105", 289);
    check_file("babyllama", "/tok361.rebuilt.model", "golden.jsonl", "tok361", 289);
    char path[4096];
    tt_tok *t;
    snprintf(path, sizeof path, "%s/tokenizers/babyllama", shared_dir());
    ok(tt_tok_open(path, &t) == TT_EDATA && strstr(tt_fail_text(), "2 SentencePiece models"),
       "two models in a folder: %s", tt_fail_text());
    tt_fail_clear();
    snprintf(path, sizeof path, "%s/tokenizers/t5", shared_dir());
    if (tt_tok_open(path, &t) != TT_OK) return;
    ok(tt_tok_size(t) == 32100 && tt_tok_pad(t) == 0 && tt_tok_eos(t) == 1 && tt_tok_unk(t) == 2, "T5's numbers");
    ok(tt_tok_sentinel(t, 0) == 32099 && tt_tok_sentinel(t, 99) == 32000 && tt_tok_sentinel(t, 100) == -1,
       "T5's sentinels");
    const int32_t past[] = {8774, 32127, 296, 1, -1};
    char *text = tt_tok_decode(t, past, 5, true);
    ok(!strcmp(text, "Hello world"), "ids past the vocabulary decode to nothing");
    free(text);
    tt_tok_close(t);
}

/* ---- what holds without the shared folder ------------------------------------------------------------------------- */

static void write_model(const char *path)
{
    static const char *const piece[] = {"\xe2\x96\x81",
                                        "\xe2\x96\x81the",
                                        "\xe2\x96\x81"
                                        "cat",
                                        "c",
                                        "a",
                                        "t",
                                        "s"};
    static const float score[] = {-2, -1, -1, -3, -3, -3, -3};
    model_write(path, 7, piece, score);
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static int ids_are(const tt_tok *t, const char *text, bool special, int n, const int32_t *want)
{
    tt_ids ids = {0};
    int good = tt_tok_encode(t, text, strlen(text), special, &ids) == TT_OK && ids.n == n &&
               !memcmp(ids.id, want, sizeof *want * (size_t)n);
    tt_ids_fini(&ids);
    return good;
}

static void own_model(const char *dir)
{
    char model[256], conf[256];
    tt_tok *t;
    snprintf(model, sizeof model, "%s/spiece.model", dir);
    snprintf(conf, sizeof conf, "%s/tokenizer_config.json", dir);
    write_model(model);
    if (!ok(tt_tok_open(dir, &t) == TT_OK, "a model made by hand opens %s", tt_fail_text())) return;
    ok(tt_tok_size(t) == 110 && tt_tok_sentinel(t, 0) == 109 && tt_tok_sentinel(t, 99) == 10, "100 sentinels above it");
    ok(ids_are(t, "the cats", true, 4, (int32_t[]){4, 5, 9, 1}), "the end token is appended");
    ok(ids_are(t, "the cats", false, 3, (int32_t[]){4, 5, 9}), "plain mode");
    ok(ids_are(t, "the <extra_id_10>s</s>cat<extra_id_", true, 13,
               (int32_t[]){4, 99, 3, 9, 1, 5, 2, 7, 2, 1, 0, 0, 0}) == 0,
       "a wrong answer is told");
    ok(ids_are(t, "the <extra_id_10>s</s>cat", true, 7, (int32_t[]){4, 99, 3, 9, 1, 5, 1}),
       "special strings, longest match");
    ok(ids_are(t, "\xff\xfe", true, 3, (int32_t[]){3, 2, 1}), "bytes that are not UTF-8 are one unknown");
    ok(ids_are(t, "", true, 1, (int32_t[]){1}), "nothing but the end");
    const int32_t back[] = {0, 4, 109, 5, 2, 9, 1};
    char *a = tt_tok_decode(t, back, 7, false), *b = tt_tok_decode(t, back, 7, true);
    ok(!strcmp(a, "<pad> the<extra_id_0> cat<unk>s</s>") && !strcmp(b, "the cats"), "decoded '%s' and '%s'", a, b);
    free(a);
    free(b);
    tt_tok_close(t);

    write_text(conf, "{\"extra_ids\": 3, \"add_eos_token\": false}");
    ok(tt_tok_open(dir, &t) == TT_OK && tt_tok_size(t) == 13 && ids_are(t, "the", true, 1, (int32_t[]){4}),
       "tokenizer_config.json is heard");
    tt_tok_close(t);
    static const char *const bad[] = {"{\"extra_ids\": -1}", "{\"extra_ids\": \"many\"}", "[1]", "{",
                                      "{\"add_eos_token\": 3}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(conf, bad[i]);
        ok(tt_tok_open(dir, &t) == TT_EDATA, "refused: %s", tt_fail_text());
        tt_fail_clear();
    }
    remove(conf);
    write_text(model, "this is no model");
    ok(tt_tok_open(dir, &t) == TT_EDATA, "refused: %s", tt_fail_text());
    tt_fail_clear();
    remove(model);
    ok(tt_tok_open(dir, &t) == TT_EDATA, "refused: %s", tt_fail_text());
    tt_fail_clear();
    remove(dir);
    ok(tt_tok_open(dir, &t) == TT_EDATA, "refused: %s", tt_fail_text());
    tt_fail_clear();
}

int main(void)
{
    char dir[] = "/tmp/tutti_tok_XXXXXX";
    own_model(mkdtemp(dir));
    if (shared_dir())
        shared_folders();
    else
        skip(1, "the shared tokenizers are not here");
    return tap_done();
}
