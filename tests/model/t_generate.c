// TEST np=1
/* tutti generate by the command line, with a drawn model and the tokenizer of nano-t5. */
#include "golden.h"

#include <jansson.h>
#include <sys/wait.h>
#include <unistd.h>

static char tmp[] = "/tmp/tutti-generate-XXXXXX";
static const char nano[] = "data/models/nano-t5";

/* Runs "tutti generate ..." under the shell; its exit code, and all it printed in said. */
TT_PRINTF(3, 4) static int generate(char *said, size_t size, const char *fmt, ...)
{
    char args[2048], command[4096];
    const char *build = getenv("TUTTI_BUILD");
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(args, sizeof args, fmt, ap);
    va_end(ap);
    snprintf(command, sizeof command, "%s/tutti generate %s 2>&1", build ? build : "build", args);
    FILE *p = popen(command, "r");
    size_t n = p ? fread(said, 1, size - 1, p) : 0;
    said[n] = 0;
    int status = p ? pclose(p) : -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void write_text(const char *name, const char *text)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", tmp, name);
    FILE *f = fopen(path, "w");
    if (!ok(f && fputs(text, f) >= 0 && !fclose(f), "%s written", name)) exit(1);
}

/* Every token is equally probable but the end, which is more or less so by one number of the state: answers of many lengths. */
static void let_end(tt_pars *p)
{
    tt_par *norm = tt_pars_find(p, "decoder.final_layer_norm.weight"), *head = tt_pars_find(p, "shared.weight");
    if (!ok(norm && head, "the model's last norm and embeddings")) exit(1);
    for (int64_t d = 1; d < 16; d++) norm->w[d] = 0;
    for (int64_t v = 0; v < 4200; v++) head->w[v * 16] = v == 1 ? 40 : 0;
}

/* A drawn model with V tokens in tmp/name, with the tokenizer if tok. */
static tt_err make_model(const char *name, int V, const char *tok, bool ends)
{
    char json[512], path[1024];
    int n = snprintf(json, sizeof json,
                     "{\"model_type\": \"t5\", \"vocab_size\": %d, \"d_model\": 16, \"d_kv\": 4, \"d_ff\": 24, "
                     "\"num_layers\": 1, \"num_heads\": 2, \"feed_forward_proj\": \"gated-gelu\"}",
                     V);
    tt_model *m;
    TT_TRY(tt_model_parse(json, (size_t)n, "config", &m));
    tt_pars_draw(tt_model_pars(m), 2);
    if (ends) let_end(tt_model_pars(m));
    snprintf(path, sizeof path, "%s/%s", tmp, name);
    tt_err e = tt_model_export(m, path, TT_F32, tok, 0);
    tt_model_free(m);
    return e;
}

static int lines(const char *s)
{
    int n = 0;
    for (; *s; s++) n += *s == '\n';
    return n;
}

static void check_answers(void)
{
    char one[8192], two[8192], file[8192];
    int rc = generate(one, sizeof one, "model=%s/m max_new_tokens=5 prompt='summarize: a [b]: {c}'", tmp);
    ok(rc == 0 && lines(one) == 1 && strlen(one) > 1, "a prompt that YAML would misread: %s", one);
    rc = generate(two, sizeof two, "model=%s/m max_new_tokens=5 'Name a colour.' prompt='summarize: a [b]: {c}'", tmp);
    ok(rc == 0 && lines(two) == 2 && strstr(two, one), "two prompts, two answers");
    rc = generate(file, sizeof file, "model=%s/m max_new_tokens=5 <%s/plain.txt", tmp, tmp);
    ok(rc == 0 && !strcmp(file, two), "the same from stdin");
    rc = generate(file, sizeof file, "model=%s/m max_new_tokens=5 in=%s/p.jsonl", tmp, tmp);
    one[strcspn(one, "\n")] = 0;
    ok(rc == 0 && lines(file) == 20 && strstr(file, "{\"source\": \"summarize: a [b]: {c}\", \"prediction\": \""),
       "JSONL in, JSONL out");
    rc = generate(file, sizeof file, "model=%s/bare tokenizer=%s max_new_tokens=5 prompt='summarize: a [b]: {c}'", tmp,
                  nano);
    file[strcspn(file, "\n")] = 0;
    ok(rc == 0 && !strcmp(file, one), "the same with the tokenizer from elsewhere");
    rc = generate(file, sizeof file, "model=%s/m max_source=3 max_new_tokens=2 prompt='one two three four'", tmp);
    ok(rc == 0 && strstr(file, "1 prompts were cut to 3 tokens"), "cut prompts are counted");
}

/* ---- ways of searching ---------------------------------------------------------------------------------------------*/

static void same(bool wanted, const char *a, const char *b, const char *what)
{
    char one[8192], two[8192];
    int rc = generate(one, sizeof one, "model=%s/m max_new_tokens=6 in=%s/many.jsonl %s", tmp, tmp, a);
    ok(rc == 0 && lines(one) == 7, "seven answers: %s", rc || lines(one) != 7 ? one : a);
    rc = generate(two, sizeof two, "model=%s/m max_new_tokens=6 in=%s/many.jsonl %s", tmp, tmp, b);
    ok(rc == 0 && !strcmp(one, two) == wanted, "%s", what);
}

static void check_options(void)
{
    same(true, "rows=1", "rows=16", "greedy: rows do not matter");
    same(true, "beams=3 rows=1", "beams=3 rows=16", "beams: rows do not matter");
    same(true, "sample=1 nreturn=3 rows=1", "sample=1 nreturn=3 rows=16", "sampling: rows do not matter");
    same(true, "sample=1 seed=3", "sample=1 seed=3 rows=3", "the same seed, the same answers");
    same(false, "sample=1 seed=3", "sample=1 seed=4", "another seed, other answers");
    same(false, "sample=1", "sample=1 temperature=0.1", "temperature is read");
    same(true, "sample=1 top_k=1 temperature=2", "", "the most probable token alone is greedy search");
    same(false, "sample=1", "sample=1 top_k=2", "top_k is read");
    same(false, "sample=1", "sample=1 top_p=0.05", "top_p is read");
    same(false, "", "beams=4", "beams are read");
    same(false, "beams=2 length_penalty=1", "beams=2 length_penalty=0", "length_penalty is read");
    same(false, "", "repetition_penalty=3", "repetition_penalty is read");
    same(false, "", "no_repeat_ngram=1", "no_repeat_ngram is read");
    same(true, "max_new_tokens=6", "", "max_new_tokens, twice the same");
    same(false, "max_new_tokens=3", "", "max_new_tokens is read");
}

/* What only shows where answers end: of the model "ends". */
static void check_ends(void)
{
    static const char *const how[] = {"sample=1", "sample=1 min_new_tokens=7", "beams=2 early_stopping=false",
                                      "beams=2 early_stopping=true", "beams=2 early_stopping=never"};
    char said[5][8192];
    for (int i = 0; i < 5; i++) {
        int rc = generate(said[i], sizeof said[i], "model=%s/ends max_new_tokens=8 in=%s/many.jsonl %s%s", tmp, tmp,
                          how[i], i < 2 ? "" : " length_penalty=1.2");
        ok(rc == 0 && lines(said[i]) == 7, "%s: %s", how[i], rc ? said[i] : "seven answers");
    }
    ok(strcmp(said[0], said[1]) != 0, "min_new_tokens is read");
    ok(strcmp(said[2], said[3]) != 0, "early_stopping=true is read");
    ok(strcmp(said[2], said[4]) != 0, "early_stopping=never is read");
}

static bool falls(const json_t *score)
{
    for (size_t i = 1; i < json_array_size(score); i++)
        if (json_real_value(json_array_get(score, i)) >= json_real_value(json_array_get(score, i - 1))) return false;
    return true;
}

/* Line k (from 0) of text as JSON. */
static json_t *line_of(const char *text, int k)
{
    for (; k > 0 && (text = strchr(text, '\n')); k--) text++;
    return text ? json_loads(text, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
}

static void check_several(void)
{
    char said[16384], best[8192];
    int rc = generate(best, sizeof best, "model=%s/m beams=4 max_new_tokens=6 in=%s/many.jsonl", tmp, tmp);
    rc |= generate(said, sizeof said, "model=%s/m beams=4 nreturn=4 max_new_tokens=6 in=%s/many.jsonl", tmp, tmp);
    json_t *one = line_of(best, 2), *four = line_of(said, 2);
    const json_t *text = json_object_get(four, "predictions"), *score = json_object_get(four, "scores");
    ok(rc == 0 && json_array_size(text) == 4 && json_array_size(score) == 4 && falls(score),
       "four beams, the best first");
    ok(json_equal(json_array_get(text, 0), json_object_get(one, "prediction")) &&
           json_equal(json_object_get(four, "prediction"), json_object_get(one, "prediction")) &&
           json_equal(json_array_get(score, 0), json_object_get(one, "score")) && !json_object_get(one, "predictions"),
       "the first of them is the only one of nreturn=1");
    ok(!json_equal(json_array_get(text, 0), json_array_get(text, 1)), "they differ");
    ok(json_integer_value(json_object_get(one, "id")) == 3 && !json_object_get(one, "text"),
       "other keys of a line come along");
    json_decref(one);
    json_decref(four);
    rc = generate(said, sizeof said, "model=%s/m sample=1 nreturn=3 max_new_tokens=3 'first' 'second'", tmp);
    ok(rc == 0 && lines(said) == 6 && !strncmp(said, "1\t1\t", 4) && strstr(said, "\n1\t3\t") &&
           strstr(said, "\n2\t1\t"),
       "numbered lines: %s", said);
}

/* Prompts of many lengths, so that answers finish out of order; source tells whose the answer is. */
static void check_order(void)
{
    char path[1024], want[64];
    static char said[1 << 18];
    snprintf(path, sizeof path, "%s/order.jsonl", tmp);
    FILE *f = fopen(path, "w");
    for (int i = 0; f && i < 200; i++)
        fprintf(f, "{\"text\": \"prompt %d%.*s\"}\n", i, i * 7 % 40, "........................................");
    if (f) fclose(f);
    int rc = generate(said, sizeof said, "model=%s/ends sample=1 max_new_tokens=12 rows=3 in=%s", tmp, path), good = 0;
    for (const char *p = said; p && *p; p = strchr(p, '\n'), p += p != NULL) {
        snprintf(want, sizeof want, "{\"source\": \"prompt %d", good);
        good += !strncmp(p, want, strlen(want));
    }
    ok(rc == 0 && lines(said) == 200 && good == 200, "200 answers in the order of their prompts (%d)", good);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------------*/

static void refused(int code, const char *words, int rc, char *said)
{
    said[strcspn(said, "\n")] = 0;
    ok(rc == code && strstr(said, words), "exit code %d: %s", rc, said);
}

static void check_refused(void)
{
    char said[4096];
    int rc = generate(said, sizeof said, "prompt=x");
    refused(TT_EJOB, "generate needs model=DIR", rc, said);
    rc = generate(said, sizeof said, "model=%s/m max_new_tokens=0 prompt=x", tmp);
    refused(TT_EJOB, "max_new_tokens", rc, said);
    rc = generate(said, sizeof said, "model=%s/bare prompt=x", tmp);
    refused(TT_EDATA, "bare", rc, said);
    rc = generate(said, sizeof said, "model=%s/small prompt=x", tmp);
    refused(TT_EDATA, "the model's vocabulary only 50", rc, said);
    rc = generate(said, sizeof said, "model=%s/m in=%s/nofile.jsonl", tmp, tmp);
    refused(TT_EDATA, "nofile.jsonl", rc, said);
    rc = generate(said, sizeof said, "model=%s/m in=%s/bad.jsonl", tmp, tmp);
    ok(lines(said) == 2 && !strncmp(said, "{\"source\": \"good\"", 17), "what comes before a bad line is answered");
    refused(TT_EDATA, "bad.jsonl:2: is not JSON", rc, strchr(said, '\n') + 1);
    rc = generate(said, sizeof said, "model=%s/m in=%s/notext.jsonl", tmp, tmp);
    refused(TT_EDATA, "notext.jsonl:1: has no string \"text\" or \"source\"", rc, said);
    rc = generate(said, sizeof said, "model=%s/m in=%s/p.jsonl prompt=x", tmp, tmp);
    refused(TT_EJOB, "in one place", rc, said);
    rc = generate(said, sizeof said, "model=%s/m max_new_tokens=3 <%s/zero.txt", tmp, tmp);
    ok(lines(said) == 2, "the line before a zero byte is answered");
    refused(TT_EDATA, "stdin:2: holds a zero byte", rc, strchr(said, '\n') + 1);
    rc = generate(said, sizeof said, "model=%s/m max_new_tokens=3 prompt=x 2>&1 >/dev/full #", tmp);
    refused(TT_ERUN, "is the disk full?", rc, said);
}

static void check_combinations(void)
{
    static const struct {
        const char *options, *words;
    } no[] = {
        {"temperature=0.5", "say sample=1"},
        {"top_k=5", "say sample=1"},
        {"top_p=0.5", "say sample=1"},
        {"length_penalty=2", "say beams=4"},
        {"early_stopping=true", "say beams=4"},
        {"beams=2 sample=1", "beams are not sampled"},
        {"nreturn=3", "need as many beams"},
        {"beams=2 nreturn=3", "need as many beams"},
        {"beams=65", "beams is '65'; it takes an integer in 1..64"},
        {"top_p=0", "top_p is '0'"},
        {"rows=0", "rows is '0'"},
        {"beems=2", "did you mean 'beams'?"},
        {"early_stopping=maybe", "one of false|true|never"},
    };
    char said[4096];
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        int rc = generate(said, sizeof said, "model=%s/m prompt=x %s", tmp, no[i].options);
        refused(TT_EJOB, no[i].words, rc, said);
    }
}

int main(void)
{
    char command[128], many[4096] = "";
    if (!ok(mkdtemp(tmp) != NULL, "a folder for the test")) return tap_done();
    ok(make_model("m", 4200, nano, false) == TT_OK && make_model("bare", 4200, NULL, false) == TT_OK &&
           make_model("small", 50, nano, false) == TT_OK && make_model("ends", 4200, nano, true) == TT_OK,
       "models %s", tt_fail_text());
    write_text("plain.txt", "Name a colour.\n\nsummarize: a [b]: {c}\r\n");
    for (int i = 0; i < 19; i++) strcat(many, "{\"text\": \"What is \\u00e9 times 7?\"}\n");
    write_text("p.jsonl", strcat(many, "{\"source\": \"summarize: a [b]: {c}\"}\n"));
    write_text("bad.jsonl", "{\"text\": \"good\"}\n{\"text\": bad}\n");
    snprintf(command, sizeof command, "printf 'a\\n\\000b\\n' >%s/zero.txt", tmp);
    ok(system(command) == 0, "zero.txt written");
    write_text("notext.jsonl", "{\"prompt\": \"good\"}\n");
    many[0] = 0;
    for (int i = 0; i < 7; i++)
        sprintf(many + strlen(many), "{\"text\": \"Question %d of %.*s\", \"id\": %d}\n", i, 7 * i,
                "a long list of questions that is no end", i + 1);
    write_text("many.jsonl", many);
    check_answers();
    check_options();
    check_ends();
    check_several();
    check_order();
    check_refused();
    check_combinations();
    snprintf(command, sizeof command, "rm -rf %s", tmp);
    ok(system(command) == 0, "removed");
    return tap_done();
}
