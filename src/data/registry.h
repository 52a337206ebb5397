/* Registries: files that list data sets. Each data set becomes one map of entry keys, with what defaults, tables and rules say of it filled
 * in; entry.c reads these as if they stood in the job. Private to data. */
#ifndef TUTTI_DATA_REGISTRY_H
#define TUTTI_DATA_REGISTRY_H

#include "tutti/conf.h"

typedef struct tt_item {
    const tt_yaml *keys;  /* of an entry */
    const tt_yaml *extra; /* columns of a table that are no keys: for rules and select */
    const char *root;     /* where its paths start */
} tt_item;

typedef struct tt_items { /* lives in the arena but for the array */
    int n, cap;
    tt_item *item; /* heap */
} tt_items;

/* Local. The data sets of a registry. what ("data.train") picks the list where the file has several; is_key tells the keys of an entry.
 * TT_EJOB, TT_EDATA with file and line. */
tt_err tt_registry_read(tt_arena *a, const tt_job *job, const char *path, const char *what,
                        bool (*is_key)(const char *name), tt_items *out);
void tt_items_fini(tt_items *s);
/* A tt_fieldfn (select.h) over items. */
const char *tt_item_field(const void *item, const char *key);

#endif
