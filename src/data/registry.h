/* Registries: from lists, tables and rules to items. Private to data. */
#ifndef TUTTI_DATA_REGISTRY_H
#define TUTTI_DATA_REGISTRY_H

#include "item.h"

/* Local. The items of a list of the job and of the files that it names, in order. what: the list's key, data.train. TT_EJOB, TT_EDATA. */
tt_err tt_items_read(tt_arena *a, const tt_job *job, const tt_yaml *list, const char *what, tt_items *out);

/* The rules in order: sets keys of the items that they match, takes out those to skip. */
tt_err tt_items_apply(tt_arena *a, const tt_yaml *rules, tt_items *l);
/* Keeps what matches all keys of select. A value that no item has is TT_EJOB. from: the file they are of. */
tt_err tt_items_select(tt_arena *a, const tt_yaml *select, const char *from, tt_items *l);
/* Every item's value of key must be in the list; NULL: any. */
tt_err tt_items_close(tt_arena *a, const tt_yaml *list, const char *key, const tt_items *l);

#endif
