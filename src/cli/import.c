/* tutti import FOLDER out=FILE.h5: a Hugging Face folder as a checkpoint that model.path accepts. */
#include "tutti/cli.h"
#include "tutti/conf.h"
#include "tutti/model.h"

#include <stdlib.h>
#include <string.h>

typedef struct opts {
    const char *out;
} opts;

static const tt_keyrow rows[] = {
    {"out", TT_KTEXT, offsetof(opts, out), NULL, NULL, "checkpoint to write, ends in .h5"},
    {0},
};

/* The tokenizer beside the weights, if there is one. */
static const char *tokenizer_of(const char *dir, char hash[33], tt_arena *a)
{
    static const char *const files[] = {"spiece.model", "tokenizer.model"};
    tt_tok *tok;
    bool there = false;
    for (int i = 0; i < 2; i++) there |= tt_exists(tt_sprintf(a, "%s/%s", dir, files[i]));
    if (!there) return NULL;
    if (tt_tok_open(dir, &tok) != TT_OK) {
        tt_log("the tokenizer is left out: %s", tt_fail_text());
        tt_fail_clear();
        return NULL;
    }
    tt_tok_hash(tok, hash);
    tt_tok_close(tok);
    char *full = realpath(dir, NULL);
    const char *path = tt_strdup(a, full ? full : dir);
    free(full);
    return path;
}

static tt_err save(const tt_model *model, const tt_pars *pars, const char *dir, const char *out, tt_arena *a)
{
    char hash[33] = "";
    const char *tok = tokenizer_of(dir, hash, a);
    tt_ckattr step = {.name = "step"};
    tt_cktext text[] = {{"model_config", (char *)tt_model_json(model)},
                        {"tokenizer_path", (char *)tok},
                        {"tokenizer_hash", tok ? hash : NULL}};
    tt_ckpt c = {pars->n, 1, 3, tt_ckpt_arrays(pars, a), &step, text};
    TT_TRY(tt_ckpt_save(NULL, out, &c));
    tt_weights_hash(pars, hash);
    printf("%s\nweights %s\n", out, hash);
    return TT_OK;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && !strcmp(s + n - k, end);
}

tt_err tt_verb_import(const tt_mesh *m, const tt_args *args)
{
    opts o = {0};
    tt_model *model;
    TT_TRY(tt_args_bind(args, rows, &o));
    if (args->n != 1 || !o.out)
        return tt_fail(TT_EJOB, "import takes a folder and a file: tutti import FOLDER out=FILE.h5");
    if (!ends_with(o.out, ".h5"))
        return tt_fail(TT_EJOB, "out=%s: a checkpoint's name ends in .h5; write out=%s.h5", o.out, o.out);
    TT_TRY(tt_model_open(args->pos[0], &model));
    tt_arena *a = tt_arena_new(1 << 16);
    tt_err e = save(model, tt_model_pars(model), args->pos[0], o.out, a);
    tt_arena_free(a);
    tt_model_free(model);
    return e;
}
