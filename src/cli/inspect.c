/* tutti inspect PATH: what a checkpoint, the newest checkpoint of a run, a column file or a Hugging Face folder holds. */
#include "tutti/cli.h"
#include "tutti/model.h"

static bool in_folder(tt_arena *a, const char *dir, const char *name)
{
    return tt_exists(tt_sprintf(a, "%s/%s", dir, name));
}

/* The weights are hashed as the model holds them (tied copies once), so a folder and its checkpoint have one hash. */
static tt_err inspect_folder(const char *dir, tt_arena *a)
{
    tt_model *model = NULL;
    const char *config = tt_sprintf(a, "%s/config.json", dir);
    if (!tt_exists(config) || tt_model_new(config, &model) != TT_OK) {
        printf("no model of this program%s%s: the hash is over the tensors as they are stored\n",
               *tt_fail_text() ? ": " : "", tt_fail_text());
        tt_fail_clear();
        return tt_hf_inspect(dir, NULL, stdout);
    }
    tt_model_free(model);
    TT_TRY(tt_model_open(dir, &model));
    tt_err e = tt_hf_inspect(dir, tt_model_pars(model), stdout);
    tt_model_free(model);
    return e;
}

static tt_err inspect(const char *path, tt_arena *a)
{
    if (!tt_exists(path)) return tt_fail(TT_EFILE, "%s: no such file or folder", path);
    if (in_folder(a, path, "model.safetensors") || in_folder(a, path, "model.safetensors.index.json"))
        return inspect_folder(path, a);
    const char *file = tt_ckpt_find(path, a);
    if (!file)
        return tt_fail(TT_EFILE,
                       "%s: holds neither a checkpoint nor model.safetensors; name a run, a checkpoint or a model",
                       path);
    return tt_cols_is(file) ? tt_cols_inspect(file, stdout) : tt_ckpt_inspect(file, stdout);
}

tt_err tt_verb_inspect(const tt_mesh *m, const tt_args *args)
{
    if (args->n != 1 || args->nset)
        return tt_fail(TT_EJOB, "inspect takes one path: tutti inspect CHECKPOINT|RUN|FOLDER|COLUMNS");
    tt_arena *a = tt_arena_new(1 << 14);
    tt_err e = inspect(args->pos[0], a);
    tt_arena_free(a);
    return e;
}
