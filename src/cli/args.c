/* key=value options of small verbs. */
#include "tutti/cli.h"
#include "tutti/conf.h"

#include <string.h>

/* Texts stay in an arena that lives as long as the program: options are read once. */
static tt_arena *option_arena(void)
{
    static tt_arena *a;
    if (!a) a = tt_arena_new(1 << 14);
    return a;
}

tt_err tt_args_bind(const tt_args *args, const tt_keyrow *rows, void *out)
{
    tt_arena *a = option_arena();
    tt_yaml *root;
    TT_TRY(tt_yaml_parse(a, "command line", "", 0, &root));
    for (int i = 0; i < args->nset; i++) {
        char *key = tt_strdup(a, args->set[i]);
        char *eq = strchr(key, '=');
        *eq = 0;
        TT_TRY(tt_yaml_set(a, root, key, eq + 1));
    }
    return tt_keys_bind(a, root, rows, out, "");
}
