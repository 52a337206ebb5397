/* tutti synth: a made-up collection of instruction data sets. */
#include "tutti/cli.h"
#include "tutti/conf.h"
#include "tutti/data.h"

typedef struct options {
    const char *out;
    tt_synth_opts s;
} options;

static const tt_keyrow keys[] = {
    {"out", TT_KTEXT, offsetof(options, out), NULL, NULL, "folder to write"},
    {"datasets", TT_KINT, offsetof(options, s.datasets), "473", "1..", "data sets"},
    {"categories", TT_KINT, offsetof(options, s.categories), "146", "1..",
     "task categories, at most as many as data sets"},
    {"rows", TT_KINT, offsetof(options, s.rows), "400", "1..", "training rows per data set"},
    {"eval_rows", TT_KINT, offsetof(options, s.eval_rows), "4", "1..", "validation rows, and test rows, per data set"},
    {"seed", TT_KINT, offsetof(options, s.seed), "1", NULL, "another seed, other rows"},
    {0}};

tt_err tt_verb_synth(const tt_mesh *m, const tt_args *args)
{
    options o = {0};
    TT_TRY(tt_args_bind(args, keys, &o));
    if (!o.out) return tt_fail(TT_EJOB, "synth: out is missing; say out=FOLDER");
    double start = tt_now();
    TT_TRY(tt_synth(o.out, &o.s));
    tt_log("%s: %lld data sets in %lld categories, %lld training rows, in %.1f s", o.out, (long long)o.s.datasets,
           (long long)o.s.categories, (long long)(o.s.datasets * o.s.rows), tt_now() - start);
    return TT_OK;
}
