/* Where the files of a data set are. Private to data. */
#ifndef TUTTI_DATA_FIND_H
#define TUTTI_DATA_FIND_H

#include "glob.h"
#include "item.h"

typedef struct tt_finder {
    tt_arena *a;
    const char *what; /* data.train, for messages */
    tt_folders *folders;
} tt_finder;

typedef struct tt_found {
    const char *path; /* as it was looked for; a pattern maybe */
    bool glob;
    int n; /* files */
    const char **file;
    int64_t bytes; /* of the one file of a path without a pattern; -1 otherwise */
} tt_found;

/* Local. The first of the item's paths that is there, or else the first with n = 0. *with: the item, with the keys that go with this path.
 * TT_EJOB; TT_EDATA where a file is there, but cannot be looked at. */
tt_err tt_find(tt_finder *f, const tt_item *it, tt_found *out, const tt_item **with);

const char *tt_find_from(tt_arena *a, const tt_item *it); /* the folders that its paths start from */
tt_err tt_find_fail(const tt_finder *f, const tt_item *it, const char *path); /* by errno */

#endif
