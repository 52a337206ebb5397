/* The verb table. */
#include "tutti/cli.h"

const tt_verb tt_verbs[] = {
    {"help", "help [verb|keys]", "what tutti can do; help train: every job key", false, tt_verb_help},
    {0},
};
