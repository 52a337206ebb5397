// TEST np=1
/* tutti generate by the command line, with a drawn model and the tokenizer of nano-t5. */
#include "golden.h"

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

/* A drawn model with V tokens in tmp/name, with the tokenizer if tok. */
static tt_err make_model(const char *name, int V, const char *tok)
{
    char json[512], path[1024];
    int n = snprintf(json, sizeof json,
                     "{\"model_type\": \"t5\", \"vocab_size\": %d, \"d_model\": 16, \"d_kv\": 4, \"d_ff\": 24, "
                     "\"num_layers\": 1, \"num_heads\": 2, \"feed_forward_proj\": \"gated-gelu\"}",
                     V);
    tt_model *m;
    TT_TRY(tt_model_parse(json, (size_t)n, "config", &m));
    tt_pars_draw(tt_model_pars(m), 2);
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
    refused(TT_EDATA, "bad.jsonl:2: is not JSON", rc, said);
    rc = generate(said, sizeof said, "model=%s/m in=%s/notext.jsonl", tmp, tmp);
    refused(TT_EDATA, "notext.jsonl:1: has no string \"text\" or \"source\"", rc, said);
}

int main(void)
{
    char command[64], many[4096] = "";
    if (!ok(mkdtemp(tmp) != NULL, "a folder for the test")) return tap_done();
    ok(make_model("m", 4200, nano) == TT_OK && make_model("bare", 4200, NULL) == TT_OK &&
           make_model("small", 50, nano) == TT_OK,
       "models %s", tt_fail_text());
    write_text("plain.txt", "Name a colour.\n\nsummarize: a [b]: {c}\r\n");
    for (int i = 0; i < 19; i++) strcat(many, "{\"text\": \"What is \\u00e9 times 7?\"}\n");
    write_text("p.jsonl", strcat(many, "{\"source\": \"summarize: a [b]: {c}\"}\n"));
    write_text("bad.jsonl", "{\"text\": \"good\"}\n{\"text\": bad}\n");
    write_text("notext.jsonl", "{\"prompt\": \"good\"}\n");
    check_answers();
    check_refused();
    snprintf(command, sizeof command, "rm -rf %s", tmp);
    ok(system(command) == 0, "removed");
    return tap_done();
}
