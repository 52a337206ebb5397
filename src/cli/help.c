/* tutti help */
#include "tutti/cli.h"

tt_err tt_verb_help(const tt_mesh *m, const tt_args *args)
{
    printf("tutti <verb> [job.yaml] [key=value ...]\n\n");
    for (const tt_verb *v = tt_verbs; v->name; v++) printf("  %-10s %s\n", v->name, v->help);
    return TT_OK;
}
