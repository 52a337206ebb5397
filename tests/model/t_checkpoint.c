// TEST np=1,2
/* A model from a checkpoint, and one model for all ranks. */
#include "golden.h"

#include <unistd.h>

static const char config_text[] =
    "{\"model_type\": \"t5\", \"vocab_size\": 19, \"d_model\": 8, \"d_kv\": 3, \"d_ff\": 12, \"num_layers\": 1, "
    "\"num_heads\": 2}";

/* Rank 0 writes the weights as a checkpoint. */
static tt_err write_checkpoint(tt_model *m, const char *path, const char *config)
{
    const tt_pars *p = tt_model_pars(m);
    tt_ckarray array[64];
    for (int i = 0; i < p->n; i++) {
        array[i] = (tt_ckarray){.ndim = p->p[i].ndim, .n = p->p[i].n, .hi = p->p[i].n, .x = p->p[i].w};
        snprintf(array[i].path, sizeof array[i].path, "/weights/%s", p->p[i].name);
        memcpy(array[i].shape, p->p[i].shape, sizeof p->p[i].shape);
    }
    tt_cktext text[] = {{"model_config", (char *)config}};
    tt_ckpt c = {.narray = p->n, .array = array, .ntext = 1, .text = text};
    return tt_ckpt_save(NULL, path, &c);
}

static void check_open(const tt_mesh *mesh, tt_model *m, const char *path, bool same_text, const char *what)
{
    tt_model *n = NULL;
    tt_err e = tt_model_open_all(mesh, path, &n);
    ok(e == TT_OK &&
           !memcmp(tt_model_pars(n)->w, tt_model_pars(m)->w, sizeof(float) * (size_t)tt_model_pars(m)->size) &&
           (!same_text || !strcmp(tt_model_json(n), config_text)),
       "%s: the same model on every rank %s", what, tt_fail_text());
    tt_model_free(n);
}

static void check_refused(const tt_mesh *mesh, const char *path, const char *words)
{
    tt_model *n = NULL;
    tt_err e = tt_model_open_all(mesh, path, &n);
    ok(e == TT_EFILE && !n && strstr(tt_fail_text(), words), "all ranks refuse: %s", tt_fail_text());
    tt_fail_clear();
}

int main(int argc, char **argv)
{
    tt_mesh mesh;
    tt_model *m;
    char dir[] = "/tmp/tutti-model-XXXXXX", file[64], odd[64], hf[64], command[64];
    if (tt_mesh_init(&mesh, &argc, &argv) != TT_OK) return 1;
    tap_mute = mesh.rank > 0;
    if (mesh.rank == 0 && !mkdtemp(dir)) return 1;
    tt_bcast(&mesh, dir, sizeof dir, 0);
    snprintf(file, sizeof file, "%s/step-00000003.h5", dir);
    snprintf(odd, sizeof odd, "%s/odd.h5", dir);
    snprintf(hf, sizeof hf, "%s/hf", dir);
    if (tt_model_parse(config_text, strlen(config_text), "config", &m) != TT_OK) return 1;
    tt_pars_draw(tt_model_pars(m), 5);
    if (mesh.rank == 0) {
        ok(write_checkpoint(m, file, config_text) == TT_OK, "checkpoint written %s", tt_fail_text());
        ok(write_checkpoint(m, odd, NULL) == TT_OK, "one without its config %s", tt_fail_text());
        ok(tt_model_export(m, hf, TT_F32, NULL, 0) == TT_OK, "folder written %s", tt_fail_text());
    }
    tt_barrier(&mesh);
    check_open(&mesh, m, file, true, "checkpoint");
    check_open(&mesh, m, dir, true, "folder of checkpoints");
    check_open(&mesh, m, hf, false, "Hugging Face folder");
    check_refused(&mesh, odd, "model_config");
    check_refused(&mesh, "/nonexistent/x.h5", "/nonexistent/x.h5");
    tt_barrier(&mesh);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (mesh.rank == 0) ok(system(command) == 0, "removed");
    tt_model_free(m);
    int rc = tap_done();
    tt_mesh_fini(&mesh);
    return rc;
}
