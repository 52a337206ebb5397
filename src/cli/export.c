/* tutti export CHECKPOINT|RUN out=FOLDER: a checkpoint as a Hugging Face folder with its tokenizer. */
#include "tutti/cli.h"
#include "tutti/conf.h"
#include "tutti/model.h"

#include <string.h>
#include <sys/stat.h>

typedef struct opts {
    const char *out, *tokenizer;
    int dtype;
    int64_t shard;
} opts;

static const tt_keyrow rows[] = {
    {"out", TT_KTEXT, offsetof(opts, out), NULL, NULL, "folder to write"},
    {"dtype", TT_KENUM, offsetof(opts, dtype), "f32", "f32|bf16|f16", "how the weights are stored"},
    {"tokenizer", TT_KTEXT, offsetof(opts, tokenizer), NULL, NULL,
     "folder of the tokenizer to copy; none: leave it out; default: the one the run was trained with"},
    {"shard", TT_KINT, offsetof(opts, shard), "5000M", "1..", "largest weight file, in bytes"},
    {0},
};

static const tt_dtype dtypes[] = {TT_F32, TT_BF16, TT_F16};

/* The folder of a tokenizer that may be named by its file. */
static const char *folder_of(const char *path, tt_arena *a)
{
    struct stat st;
    if (stat(path, &st) != 0 || S_ISDIR(st.st_mode)) return path;
    char *dir = tt_strdup(a, path), *slash = strrchr(dir, '/');
    if (!slash) return ".";
    slash[slash == dir] = 0;
    return dir;
}

static tt_err check_tokenizer(const char *file, const char *path, const char *want)
{
    tt_tok *tok;
    char hash[33];
    TT_TRY(tt_tok_open(path, &tok));
    tt_tok_hash(tok, hash);
    tt_tok_close(tok);
    if (!want || !*want || !strcmp(hash, want)) return TT_OK;
    return tt_fail(TT_EFILE, "%s: was trained with another tokenizer than %s; name the right one with tokenizer=DIR",
                   file, path);
}

/* *dir: the tokenizer's folder, or NULL for none. A tokenizer that the checkpoint names must be there and must be that one. */
static tt_err find_tokenizer(const opts *o, const char *file, tt_arena *a, const char **dir)
{
    char *path, *hash;
    *dir = NULL;
    if (o->tokenizer && !strcmp(o->tokenizer, "none")) return TT_OK;
    TT_TRY(tt_ckpt_text(file, "tokenizer_path", a, &path));
    TT_TRY(tt_ckpt_text(file, "tokenizer_hash", a, &hash));
    if (o->tokenizer) path = (char *)o->tokenizer;
    if (!path || !*path) {
        tt_log("%s names no tokenizer; the folder is written without one (tokenizer=DIR adds it)", file);
        return TT_OK;
    }
    if (!tt_exists(path))
        return tt_fail(TT_EDATA,
                       "%s: the tokenizer of %s is not there; say where with tokenizer=DIR, or tokenizer=none", path,
                       file);
    TT_TRY(check_tokenizer(file, path, hash));
    *dir = folder_of(path, a);
    return TT_OK;
}

static tt_err export(const opts *o, const char *from, tt_arena *a)
{
    const char *file = tt_ckpt_find(from, a), *tok;
    if (!file) return tt_fail(TT_EFILE, "%s: holds no checkpoint; name a run folder or a .h5 file", from);
    TT_TRY(find_tokenizer(o, file, a, &tok));
    tt_model *model;
    TT_TRY(tt_model_open(file, &model));
    tt_err e = tt_model_export(model, o->out, dtypes[o->dtype], tok, o->shard);
    char hex[33];
    tt_weights_hash(tt_model_pars(model), hex);
    tt_model_free(model);
    if (e == TT_OK) printf("%s\nweights %s\n", o->out, hex);
    return e;
}

tt_err tt_verb_export(const tt_mesh *m, const tt_args *args)
{
    opts o = {0};
    TT_TRY(tt_args_bind(args, rows, &o));
    if (args->n != 1 || !o.out)
        return tt_fail(TT_EJOB, "export takes a checkpoint or run and a folder: tutti export RUN out=FOLDER");
    tt_arena *a = tt_arena_new(1 << 16);
    tt_err e = export(&o, args->pos[0], a);
    tt_arena_free(a);
    return e;
}
