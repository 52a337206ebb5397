/* tutti <verb> [job.yaml] [key=value ...] */
#include "tutti/cli.h"
#include "tutti/kern.h"

#include <stdlib.h>
#include <string.h>

static tt_err unknown_verb(const char *name)
{
    const char *words[64];
    int n = 0;
    for (const tt_verb *v = tt_verbs; v->name && n < 64; v++) words[n++] = v->name;
    const char *near = tt_nearest(name, words, n);
    if (near) return tt_fail(TT_EJOB, "no such verb '%s'; did you mean '%s'?", name, near);
    return tt_fail(TT_EJOB, "no such verb '%s'; tutti help lists them all", name);
}

static const tt_verb *find_verb(const char *name)
{
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) name = "help";
    for (const tt_verb *v = tt_verbs; v->name; v++)
        if (!strcmp(v->name, name)) return v;
    return NULL;
}

/* key=value is a setting when what stands before '=' looks like a key; anything else is positional. */
static bool is_setting(const char *arg)
{
    size_t n = strspn(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    return n > 0 && arg[n] == '=';
}

static tt_args split_args(int argc, char **argv)
{
    tt_args a = {.pos = tt_malloc(sizeof(char *) * (size_t)(argc + 1)),
                 .set = tt_malloc(sizeof(char *) * (size_t)(argc + 1))};
    for (int i = 0; i < argc; i++) {
        if (is_setting(argv[i]))
            a.set[a.nset++] = argv[i];
        else
            a.pos[a.n++] = argv[i];
    }
    return a;
}

/* Verbs that need no mesh run once, also when a launcher started many tasks. */
static bool is_first_task(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (!rank) rank = getenv("PMIX_RANK");
    if (!rank && getenv("SLURM_STEP_ID")) rank = getenv("SLURM_PROCID");
    return !rank || !strcmp(rank, "0");
}

static tt_err run_mesh(const tt_verb *v, const tt_args *args, int argc, char **argv)
{
    tt_mesh m;
    TT_TRY(tt_mesh_init(&m, &argc, &argv));
    tt_err e = v->run(&m, args);
    if (e != TT_OK && e != TT_ESTOP && m.rank == 0) fprintf(stderr, "tutti: %s\n", tt_fail_text());
    tt_log_close();
    tt_mesh_fini(&m);
    return e;
}

int main(int argc, char **argv)
{
    tt_blas_choose(argv);
    const char *name = argc > 1 ? argv[1] : "help";
    if (!strcmp(name, "--version")) return printf("tutti " TT_VERSION "\n") < 0;
    const tt_verb *v = find_verb(name);
    if (!v) {
        tt_err e = unknown_verb(name);
        fprintf(stderr, "tutti: %s\n", tt_fail_text());
        return e;
    }
    tt_args args = split_args(argc > 2 ? argc - 2 : 0, argv + 2);
    tt_err e = TT_OK;
    if (v->mpi) {
        e = run_mesh(v, &args, argc, argv);
    } else if (is_first_task()) {
        e = v->run(NULL, &args);
        if (e != TT_OK) fprintf(stderr, "tutti: %s\n", tt_fail_text());
    }
    if (fflush(stdout) != 0 && e == TT_OK) e = TT_ERUN;
    free(args.pos);
    free(args.set);
    return e;
}
