/* Selecting by keys: {collection: [superni, t0_*], category: Summarization}. Every key must match; a list: any of its values; values may
 * be globs. Used by the mixture's from and the registry's select and when. Private to data. */
#ifndef TUTTI_DATA_SELECT_H
#define TUTTI_DATA_SELECT_H

#include "tutti/conf.h"

/* The text of an item's key; NULL: it has none. */
typedef const char *tt_fieldfn(const void *item, const char *key);

bool tt_select_match(const tt_yaml *select, tt_fieldfn *field, const void *item);
/* Is it a map of texts and lists of texts, are its keys among known (NULL: any), does every value match one of the items? TT_EJOB with file,
 * line and the nearest value that there is. what: the key of the map; thing: what an item is called. */
tt_err tt_select_check(const tt_yaml *select, const char *what, const char *const *known, tt_fieldfn *field,
                       const void *const *item, int n, const char *thing);

#endif
