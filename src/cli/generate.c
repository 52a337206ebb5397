/* tutti generate model=PATH [tokenizer=DIR] [in=FILE.jsonl] [prompt=TEXT ...] [max_new_tokens=N] */
#include "tutti/cli.h"
#include "tutti/conf.h"
#include "tutti/model.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GROUP = 16 }; /* prompts that are decoded at once */

typedef struct opts {
    const char *model, *tokenizer, *in;
    int64_t max_new, max_source;
} opts;

static const tt_keyrow rows[] = {
    {"model", TT_KTEXT, offsetof(opts, model), NULL, NULL, "Hugging Face folder, checkpoint (.h5) or run folder"},
    {"tokenizer", TT_KTEXT, offsetof(opts, tokenizer), NULL, NULL,
     "folder with spiece.model; default: the model's, or its job's"},
    {"in", TT_KTEXT, offsetof(opts, in), NULL, NULL,
     "JSONL with text or source in each line; default: prompt=TEXT, else a prompt per line of stdin"},
    {"max_new_tokens", TT_KINT, offsetof(opts, max_new), "64", "1..65536", "length limit of an answer, tokens"},
    {"max_source", TT_KINT, offsetof(opts, max_source), "1024", "2..", "longer prompts are cut, tokens"},
    {0},
};

typedef struct session {
    const opts *o;
    tt_model *m;
    tt_tok *tok;
    const tt_kern *k;
    tt_arena *a;
    bool json;     /* answers as JSON lines */
    int64_t group; /* prompts at once */
    int n;         /* prompts waiting */
    char *text[GROUP];
    int64_t cut;
} session;

/* ---- one group of prompts -------------------------------------------------------------------------------------*/
static tt_err encode(session *s, const char *text, tt_ids *out)
{
    TT_TRY(tt_tok_encode(s->tok, text, strlen(text), true, out));
    if (out->n <= s->o->max_source) return TT_OK;
    out->n = (int)s->o->max_source;
    out->id[out->n - 1] = tt_tok_eos(s->tok);
    s->cut++;
    return TT_OK;
}

static tt_err print_answer(const session *s, const char *source, const char *answer)
{
    if (!s->json) {
        printf("%s\n", answer);
        return TT_OK;
    }
    json_t *o = json_pack("{s:s, s:s}", "source", source, "prediction", answer);
    if (!o) return tt_fail(TT_EDATA, "the answer to \"%.60s\" is not UTF-8; JSON cannot hold it", source);
    char *line = json_dumps(o, JSON_PRESERVE_ORDER);
    printf("%s\n", line);
    free(line);
    json_decref(o);
    return TT_OK;
}

static tt_err answer_ids(session *s, tt_ids *src, tt_ids *out)
{
    const int32_t *ids[GROUP];
    int S[GROUP];
    for (int i = 0; i < s->n; i++) {
        TT_TRY(encode(s, s->text[i], &src[i]));
        ids[i] = src[i].id;
        S[i] = src[i].n;
    }
    tt_gencfg o = TT_GENCFG_DEFAULT;
    o.max_new = (int)s->o->max_new;
    return tt_generate_list(s->m, s->k, &o, s->n, ids, S, out, NULL);
}

/* Answers the prompts that wait. */
static tt_err flush_group(session *s)
{
    tt_ids src[GROUP] = {{0}}, out[GROUP] = {{0}};
    tt_err e = s->n ? answer_ids(s, src, out) : TT_OK;
    for (int i = 0; i < s->n; i++) {
        char *answer = e == TT_OK ? tt_tok_decode(s->tok, out[i].id, out[i].n, true) : NULL;
        if (answer) e = print_answer(s, s->text[i], answer);
        free(answer);
        free(s->text[i]);
        tt_ids_fini(&src[i]);
        tt_ids_fini(&out[i]);
    }
    s->n = 0;
    tt_arena_reset(s->a);
    if (e == TT_OK && (fflush(stdout) || ferror(stdout)))
        e = tt_fail(TT_ERUN, "the answers could not be written: %s; is the disk full?", strerror(errno));
    return e;
}

static tt_err add_prompt(session *s, const char *text)
{
    s->text[s->n++] = strdup(text);
    return s->n >= s->group ? flush_group(s) : TT_OK;
}

/* ---- where prompts come from ----------------------------------------------------------------------------------*/
static tt_err json_prompt(session *s, const char *line, const char *name, int64_t number)
{
    json_error_t err;
    json_t *o = json_loads(line, 0, &err);
    if (!o)
        return tt_fail(TT_EDATA, "%s:%lld: is not JSON: %s; each line must be one object", name, (long long)number,
                       err.text);
    const json_t *text = json_object_get(o, "text");
    if (!text) text = json_object_get(o, "source");
    tt_err e = json_is_string(text)
                   ? add_prompt(s, json_string_value(text))
                   : tt_fail(TT_EDATA, "%s:%lld: has no string \"text\" or \"source\"; each line must hold one", name,
                             (long long)number);
    json_decref(o);
    return e;
}

static tt_err each_line(session *s, FILE *f, const char *name)
{
    char *line = NULL;
    size_t cap = 0;
    tt_err e = TT_OK;
    int64_t number = 0;
    for (ssize_t n; e == TT_OK && (n = getline(&line, &cap, f)) > 0;) {
        number++;
        while (n > 0 && strchr("\r\n", line[n - 1])) line[--n] = 0;
        if (!line[strspn(line, " \t")]) continue;
        e = s->json ? json_prompt(s, line, name, number) : add_prompt(s, line);
    }
    free(line);
    return e == TT_OK ? flush_group(s) : e;
}

static tt_err each_in_file(session *s)
{
    char *text;
    size_t size;
    TT_TRY(tt_slurp(s->o->in, &text, &size));
    FILE *f = size ? fmemopen(text, size, "r") : NULL;
    tt_err e = f ? each_line(s, f, s->o->in) : TT_OK;
    if (f) fclose(f);
    free(text);
    return e;
}

/* prompt=... is taken as it stands, not as YAML: "summarize: ..." is a prompt, not a map. */
static const char *prompt_of(const char *set) { return strncmp(set, "prompt=", 7) ? NULL : set + 7; }

static tt_err each_prompt(session *s, const tt_args *args)
{
    if (s->o->in) return each_in_file(s);
    int given = args->n;
    for (int i = 0; i < args->n; i++) TT_TRY(add_prompt(s, args->pos[i]));
    for (int i = 0; i < args->nset; i++) {
        const char *text = prompt_of(args->set[i]);
        if (!text) continue;
        TT_TRY(add_prompt(s, text));
        given++;
    }
    return given ? flush_group(s) : each_line(s, stdin, "stdin");
}

/* ---- the verb --------------------------------------------------------------------------------------------------*/
/* The tokenizer that the checkpoint was trained with. NULL: unknown. In a. */
static const char *own_tokenizer(const char *checkpoint, tt_arena *a)
{
    char *path = NULL;
    if (tt_ckpt_text(checkpoint, "tokenizer_path", a, &path) != TT_OK) tt_fail_clear();
    return path && *path ? path : NULL;
}

static const char *tokenizer_folder(const opts *o, tt_arena *a)
{
    if (o->tokenizer) return o->tokenizer;
    const char *checkpoint = tt_exists(tt_sprintf(a, "%s/config.json", o->model)) ? NULL : tt_ckpt_find(o->model, a);
    return checkpoint ? own_tokenizer(checkpoint, a) : o->model;
}

static tt_err open_tokenizer(session *s)
{
    const char *dir = tokenizer_folder(s->o, s->a);
    if (!dir) return tt_fail(TT_EJOB, "generate: the checkpoint does not name a tokenizer; say tokenizer=DIR");
    TT_TRY(tt_tok_open(dir, &s->tok));
    int64_t V = tt_model_cfg(s->m)->V;
    if (tt_tok_size(s->tok) <= V) return TT_OK;
    return tt_fail(TT_EDATA,
                   "%s: the tokenizer has %d ids but the model's vocabulary only %lld; give the tokenizer that belongs "
                   "to the model",
                   dir, tt_tok_size(s->tok), (long long)V);
}

static tt_err bind(const tt_args *args, opts *o)
{
    tt_args own = {.n = args->n, .pos = args->pos, .set = tt_malloc(sizeof(char *) * (size_t)(args->nset + 1))};
    for (int i = 0; i < args->nset; i++)
        if (!prompt_of(args->set[i])) own.set[own.nset++] = args->set[i];
    tt_err e = tt_args_bind(&own, rows, o);
    free(own.set);
    if (e == TT_OK && !o->model) e = tt_fail(TT_EJOB, "generate needs model=DIR; see tutti help generate");
    return e;
}

tt_err tt_verb_generate(const tt_mesh *m, const tt_args *args)
{
    opts o = {0};
    TT_TRY(bind(args, &o));
    session s = {.o = &o, .k = tt_kern_get(), .a = tt_arena_new(1 << 24), .json = o.in};
    s.group = o.in || !isatty(STDIN_FILENO) ? GROUP : 1;
    tt_err e = s.k ? tt_model_open(o.model, &s.m) : TT_EJOB;
    if (e == TT_OK) e = open_tokenizer(&s);
    if (e == TT_OK) e = each_prompt(&s, args);
    if (s.cut) tt_log("%lld prompts were cut to %lld tokens", (long long)s.cut, (long long)o.max_source);
    for (int i = 0; i < s.n; i++) free(s.text[i]); /* left by a failure on the way */
    tt_tok_close(s.tok);
    tt_model_free(s.m);
    tt_arena_free(s.a);
    return e;
}
