/* tutti train job.yaml [key=value ...] */
#include "tutti/cli.h"
#include "tutti/train.h"

tt_err tt_verb_train(const tt_mesh *m, const tt_args *args)
{
    if (args->n > 1)
        return tt_fail(TT_EJOB, "train takes one job file, %d were given; settings are written key=value", args->n);
    tt_arena *a = tt_arena_new(1 << 16);
    tt_job *job = NULL;
    tt_err e = tt_agree(m, tt_job_read(a, args->n ? args->pos[0] : NULL, args->nset, args->set, &job));
    if (e == TT_OK) e = tt_train(m, job);
    tt_arena_free(a);
    return e;
}
