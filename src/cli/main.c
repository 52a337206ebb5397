/* tutti <verb> [job.yaml] [key=value ...] */
#include "tutti/cli.h"

#include <string.h>

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    for (const tt_verb *v = tt_verbs; v->name; v++)
        if (!strcmp(v->name, name)) return v->run(NULL, &(tt_args){0});
    fprintf(stderr, "tutti: no such verb '%s'; see tutti help\n", name);
    return TT_EJOB;
}
