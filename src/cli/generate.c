/* tutti generate model=PATH [tokenizer=DIR] [in=FILE.jsonl] [prompt=TEXT ...] [key=value ...]
 *
 * Prompts are drawn one by one as the decoder has room; answers come in any order and are held back until their turn. */
#include "tutti/cli.h"
#include "tutti/eval.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- options --------------------------------------------------------------------------------------------------*/
typedef struct opts {
    const char *model, *tokenizer, *in;
    int64_t max_source, nreturn;
    tt_job job; /* only how answers are made: seed and keys of eval */
} opts;

#define AT(field) offsetof(opts, field)
static const tt_keyrow rows[] = {
    {"model", TT_KTEXT, AT(model), NULL, NULL, "Hugging Face folder, checkpoint (.h5) or run folder"},
    {"tokenizer", TT_KTEXT, AT(tokenizer), NULL, NULL, "folder with spiece.model; default: the model's, or its job's"},
    {"in", TT_KTEXT, AT(in), NULL, NULL,
     "JSONL with text or source in each line; default: prompt=TEXT, else a prompt per line of stdin"},
    {"max_source", TT_KINT, AT(max_source), "1024", "2..1048576", "longer prompts are cut, tokens"},
    {"nreturn", TT_KINT, AT(nreturn), "1", "1..1024", "answers of each prompt: the best beams, or so many samples"},
    {"max_new_tokens", TT_KINT, AT(job.eval.max_new_tokens), "64", "1..65536", "length limit of an answer, tokens"},
    {"seed", TT_KINT, AT(job.seed), "1", "0..", "sample: of the draws"},
    {0},
};

/* Keys of a job that are options here, without "eval.". */
static const char *const shared[] = {
    "min_new_tokens", "beams", "length_penalty",     "early_stopping",  "sample", "temperature",
    "top_k",          "top_p", "repetition_penalty", "no_repeat_ngram", "rows"};
enum { NSHARED = sizeof shared / sizeof *shared, NROW = sizeof rows / sizeof *rows + NSHARED };

static tt_keyrow shared_row(const char *name)
{
    const tt_keyrow *r = tt_job_keys;
    while (r->name && (strncmp(r->name, "eval.", 5) || strcmp(r->name + 5, name))) r++;
    assert(r->name);
    tt_keyrow row = *r;
    row.name += 5;
    row.offset += AT(job);
    return row;
}

static void all_rows(tt_keyrow out[NROW])
{
    int n = 0;
    while (rows[n].name) out[n] = rows[n], n++;
    for (int i = 0; i < NSHARED; i++) out[n++] = shared_row(shared[i]);
    out[n] = (tt_keyrow){0};
}

void tt_generate_help(FILE *f)
{
    tt_keyrow all[NROW];
    all_rows(all);
    fprintf(f, "\nOptions:\n");
    tt_keys_help(f, all, NULL);
    fprintf(
        f,
        "\nAnswers come in the order of the prompts. Of prompt=TEXT and of stdin: an answer a line, its tabs and line\n"
        "ends as blanks; with nreturn above 1 a line is PROMPT<tab>ANSWER<tab>TEXT, numbers from 1.\n"
        "Of in=FILE: a JSON object a line, the keys of the input with \"source\", \"prediction\", \"score\" (sum of "
        "the\n"
        "log-probabilities; of beams over length^length_penalty); with nreturn above 1 also lists \"predictions\", "
        "\"scores\".\n"
        "On a terminal each line is answered at once; a program that talks through pipes gets that by rows=1.\n");
}

/* ---- the session ----------------------------------------------------------------------------------------------*/
typedef struct held { /* a prompt and its answers */
    char *text;
    json_t *line; /* its line of in=FILE */
    int n;
    char **answer; /* [n] */
    double *score; /* [n] */
    bool done;
} held;

typedef struct session {
    const opts *o;
    const tt_args *args;
    tt_model *m;
    tt_tok *tok;
    tt_ids src;
    int64_t cut;
    /* prompts: the arguments, else the lines of f */
    int at;
    FILE *f;
    char *file, *line; /* the whole file; the line read last */
    size_t line_cap;
    int64_t number;
    tt_err failed; /* no further prompt could be read; the answers of those before still come */
    /* answers: prompts first, first+1, ... first+nheld-1 wait for their turn */
    held *held;
    int64_t first, nheld, cap;
} session;

static const char *name_of(const session *s) { return s->o->in ? s->o->in : "stdin"; }

/* ---- answers --------------------------------------------------------------------------------------------------*/
static void free_held(held *h)
{
    free(h->text);
    json_decref(h->line);
    for (int i = 0; i < h->n; i++) free(h->answer[i]);
    free(h->answer);
    free(h->score);
}

/* One line, whatever the answer holds. */
static void print_plain(const session *s, const held *h, int64_t prompt)
{
    for (int i = 0; i < h->n; i++) {
        for (char *p = h->answer[i]; (p = strpbrk(p, "\t\r\n")); p++) *p = ' ';
        if (s->o->nreturn > 1) printf("%lld\t%d\t", (long long)prompt + 1, i + 1);
        printf("%s\n", h->answer[i]);
    }
}

/* The lists of all answers, beside the best one. */
static int put_lists(json_t *o, const held *h)
{
    json_t *text = json_array(), *score = json_array();
    int bad = 0;
    for (int i = 0; i < h->n; i++) {
        bad |= json_array_append_new(text, json_string(h->answer[i]));
        bad |= json_array_append_new(score, tt_json_number(h->score[i]));
    }
    bad |= json_object_set_new(o, "predictions", text);
    return bad | json_object_set_new(o, "scores", score);
}

static tt_err print_json(const session *s, const held *h)
{
    json_t *o = json_object();
    int bad = json_object_set_new(o, "source", json_string(h->text));
    bad |= json_object_set_new(o, "prediction", json_string(h->answer[0]));
    bad |= json_object_set_new(o, "score", tt_json_number(h->score[0]));
    if (s->o->nreturn > 1) bad |= put_lists(o, h);
    json_object_del(h->line, "text");
    json_object_update_missing(o, h->line);
    char *line = bad ? NULL : json_dumps(o, JSON_PRESERVE_ORDER);
    if (line) printf("%s\n", line);
    free(line);
    json_decref(o);
    return line ? TT_OK : tt_fail(TT_EDATA, "the answer to \"%.60s\" is not UTF-8; JSON cannot hold it", h->text);
}

/* Prints those whose turn it is. */
static tt_err print_due(session *s)
{
    int64_t n = 0;
    tt_err e = TT_OK;
    for (; n < s->nheld && s->held[n].done && e == TT_OK; n++) {
        if (s->o->in)
            e = print_json(s, &s->held[n]);
        else
            print_plain(s, &s->held[n], s->first + n);
        free_held(&s->held[n]);
    }
    s->nheld -= n;
    s->first += n;
    memmove(s->held, s->held + n, sizeof *s->held * (size_t)s->nheld);
    if (e == TT_OK && (fflush(stdout) || ferror(stdout)))
        e = tt_fail(TT_ERUN, "the answers could not be written: %s; is the disk full?", strerror(errno));
    return e;
}

static tt_err take_answers(void *ctx, int64_t number, int n, const tt_reply *answer)
{
    session *s = ctx;
    held *h = &s->held[number - s->first];
    static const tt_reply nothing = {.score = -INFINITY}; /* of a beam that no token could continue */
    if (n == 0) answer = &nothing;
    h->n = n ? n : 1;
    h->answer = tt_malloc(sizeof *h->answer * (size_t)h->n);
    h->score = tt_malloc(sizeof *h->score * (size_t)h->n);
    for (int i = 0; i < h->n; i++) {
        h->answer[i] = tt_tok_decode(s->tok, answer[i].ids, answer[i].n, true);
        h->score[i] = answer[i].score;
    }
    h->done = true;
    return print_due(s);
}

/* ---- where prompts come from ----------------------------------------------------------------------------------*/
static tt_err encode(session *s, const char *text)
{
    s->src.n = 0;
    TT_TRY(tt_tok_encode(s->tok, text, strlen(text), true, &s->src));
    if (s->src.n <= s->o->max_source) return TT_OK;
    s->src.n = (int)s->o->max_source;
    s->src.id[s->src.n - 1] = tt_tok_eos(s->tok);
    s->cut++;
    return TT_OK;
}

/* prompt=... is taken as it stands, not as YAML: "summarize: ..." is a prompt, not a map. */
static const char *prompt_of(const char *set) { return strncmp(set, "prompt=", 7) ? NULL : set + 7; }

/* Prompt i of the command line; NULL: there is none. */
static const char *given(const tt_args *args, int i)
{
    if (i < args->n) return args->pos[i];
    i -= args->n;
    for (int k = 0; k < args->nset; k++)
        if (prompt_of(args->set[k]) && i-- == 0) return prompt_of(args->set[k]);
    return NULL;
}

static tt_err json_prompt(session *s, held *h)
{
    json_error_t err;
    long long at = s->number;
    h->line = json_loads(s->line, 0, &err);
    if (!h->line)
        return tt_fail(TT_EDATA, "%s:%lld: is not JSON: %s; each line must be one object", name_of(s), at, err.text);
    const json_t *text = json_object_get(h->line, "text");
    if (!text) text = json_object_get(h->line, "source");
    if (!json_is_string(text))
        return tt_fail(TT_EDATA, "%s:%lld: has no string \"text\" or \"source\"; each line must hold one", name_of(s),
                       at);
    h->text = strdup(json_string_value(text));
    return TT_OK;
}

/* The next line that is not blank, without its end, into s->line. */
static tt_err read_line(session *s, bool *more)
{
    ssize_t n;
    *more = false;
    while (!*more && s->f && (n = getline(&s->line, &s->line_cap, s->f)) > 0) {
        s->number++;
        if (memchr(s->line, 0, (size_t)n))
            return tt_fail(TT_EDATA, "%s:%lld: holds a zero byte; a text file is needed, in UTF-8", name_of(s),
                           (long long)s->number);
        while (n > 0 && strchr("\r\n", s->line[n - 1])) s->line[--n] = 0;
        *more = s->line[strspn(s->line, " \t")] != 0;
    }
    if (*more || !s->f || !ferror(s->f)) return TT_OK;
    return tt_fail(TT_EDATA, "%s: cannot be read: %s", name_of(s), strerror(errno));
}

static tt_err next_prompt(session *s, held *h, bool *more)
{
    const char *text = given(s->args, s->at++);
    *more = text != NULL;
    if (text || given(s->args, 0)) return h->text = text ? strdup(text) : NULL, TT_OK;
    TT_TRY(read_line(s, more));
    if (*more && s->o->in) return json_prompt(s, h);
    if (*more) h->text = strdup(s->line);
    return TT_OK;
}

static held *new_held(session *s)
{
    if (s->nheld == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->held = tt_realloc(s->held, sizeof *s->held * (size_t)s->cap);
    }
    held *h = &s->held[s->nheld];
    *h = (held){0};
    return h;
}

/* A prompt that cannot be read ends the list, so that those before it are answered all the same. */
static tt_err give_source(void *ctx, tt_source *out, bool *more)
{
    session *s = ctx;
    held *h = new_held(s);
    s->failed = next_prompt(s, h, more);
    if (*more && s->failed == TT_OK) s->failed = encode(s, h->text);
    if (*more && s->failed == TT_OK) {
        *out = (tt_source){.ids = s->src.id, .S = s->src.n, .key = (uint64_t)(s->first + s->nheld++)};
        return TT_OK;
    }
    free_held(h);
    *more = false;
    return TT_OK;
}

static tt_err open_prompts(session *s)
{
    size_t size;
    s->f = s->o->in ? NULL : stdin;
    if (!s->o->in) return TT_OK;
    if (given(s->args, 0))
        return tt_fail(TT_EJOB, "generate: prompts are in %s and on the command line; give them in one place",
                       s->o->in);
    TT_TRY(tt_slurp(s->o->in, &s->file, &size));
    if (size && !(s->f = fmemopen(s->file, size, "r"))) return tt_fail(TT_ERUN, "out of memory");
    return TT_OK;
}

/* ---- the model ------------------------------------------------------------------------------------------------*/
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

static tt_err open_tokenizer(session *s, tt_arena *a)
{
    const char *dir = tokenizer_folder(s->o, a);
    if (!dir) return tt_fail(TT_EJOB, "generate: the checkpoint does not name a tokenizer; say tokenizer=DIR");
    TT_TRY(tt_tok_open(dir, &s->tok));
    int64_t V = tt_model_cfg(s->m)->V;
    if (tt_tok_size(s->tok) <= V) return TT_OK;
    return tt_fail(TT_EDATA,
                   "%s: the tokenizer has %d ids but the model's vocabulary only %lld; give the tokenizer that belongs "
                   "to the model",
                   dir, tt_tok_size(s->tok), (long long)V);
}

static tt_err open_model(session *s)
{
    tt_arena *a = tt_arena_new(1 << 12);
    tt_err e = tt_model_open(s->o->model, &s->m);
    if (e == TT_OK) e = open_tokenizer(s, a);
    tt_arena_free(a);
    return e;
}

/* ---- the verb --------------------------------------------------------------------------------------------------*/
static tt_err bind(const tt_args *args, opts *o)
{
    tt_keyrow all[NROW];
    tt_args own = {.set = tt_malloc(sizeof(char *) * (size_t)(args->nset + 1))};
    for (int i = 0; i < args->nset; i++)
        if (!prompt_of(args->set[i])) own.set[own.nset++] = args->set[i];
    all_rows(all);
    tt_err e = tt_args_bind(&own, all, o);
    free(own.set);
    if (e == TT_OK && !o->model) e = tt_fail(TT_EJOB, "generate needs model=DIR; see tutti help generate");
    return e;
}

/* Options that the way of searching does not read would be forgotten in silence. */
static tt_err check_read(const tt_gencfg *g)
{
    if (!g->sample && (g->temperature != 1 || g->top_k != 0 || g->top_p != 1))
        return tt_fail(TT_EJOB,
                       "generate: temperature, top_k and top_p are for samples; say sample=1 or leave them out");
    if (g->beams == 1 && (g->length_penalty != 1 || g->early != TT_EARLY_NO))
        return tt_fail(TT_EJOB,
                       "generate: length_penalty and early_stopping are for beams; say beams=4 or leave them out");
    return TT_OK;
}

static tt_err answer_all(session *s)
{
    tt_gencfg g = tt_eval_gencfg(&s->o->job);
    const tt_kern *k = tt_kern_get();
    g.nreturn = (int)s->o->nreturn;
    if (s->f == stdin && !given(s->args, 0) && isatty(STDIN_FILENO)) g.rows = 1; /* each line is answered at once */
    TT_TRY(check_read(&g));
    TT_TRY(k ? open_model(s) : TT_EJOB);
    TT_TRY(tt_generate(s->m, k, &g, &(tt_feed){s, give_source, take_answers}));
    if (s->cut)
        tt_log("%lld prompts were cut to %lld tokens; max_source=N allows more", (long long)s->cut,
               (long long)s->o->max_source);
    return s->failed;
}

tt_err tt_verb_generate(const tt_mesh *m, const tt_args *args)
{
    opts o = {0};
    TT_TRY(bind(args, &o));
    session s = {.o = &o, .args = args};
    tt_err e = open_prompts(&s);
    if (e == TT_OK) e = answer_all(&s);
    for (int64_t i = 0; i < s.nheld; i++) free_held(&s.held[i]); /* left by a failure on the way */
    free(s.held);
    if (s.file && s.f) fclose(s.f);
    free(s.file);
    free(s.line);
    tt_ids_fini(&s.src);
    tt_tok_close(s.tok);
    tt_model_free(s.m);
    return e;
}
