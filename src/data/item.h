/* Items: data sets as lists and registries describe them, before their files are looked for. Private to data. */
#ifndef TUTTI_DATA_ITEM_H
#define TUTTI_DATA_ITEM_H

#include "tutti/conf.h"
#include "table.h"

/* Who says a key, the weakest first. */
typedef enum tt_level { TT_BY_DEFAULT, TT_BY_TABLE, TT_BY_RULE, TT_BY_ENTRY } tt_level;

typedef struct tt_itemkey {
    const tt_yaml *value; /* value->key is the key */
    tt_level level;
} tt_itemkey;

typedef struct tt_item {
    const tt_yaml *at; /* the entry, or the row of the table, for messages */
    int n, cap;
    tt_itemkey *key;
    const tt_table *table; /* NULL: it stands in no table */
    int row;
    const char *root[2]; /* folders that its paths start from, the first one first; root[1] NULL: one alone */
} tt_item;

typedef struct tt_items { /* all in the arena */
    int n, cap;
    tt_item **item;
} tt_items;
void tt_items_add(tt_arena *a, tt_items *l, tt_item *it);

/* Keys of an entry (entry.c). */
extern const tt_keyrow tt_entry_keys[];
bool tt_entry_has(const char *key);
/* Keys that a file says for many data sets at once (what: defaults, set). TT_EJOB. */
tt_err tt_entry_check(const tt_yaml *keys, const char *what);

/* Sets value->key unless a stronger one has said it. */
void tt_item_set(tt_arena *a, tt_item *it, const tt_yaml *value, tt_level level);
/* All keys of a map but those in except (NULL-terminated; NULL: none). */
void tt_item_set_all(tt_arena *a, tt_item *it, const tt_yaml *map, tt_level level, const char *const *except);
tt_item *tt_item_copy(tt_arena *a, const tt_item *it);
const tt_itemkey *tt_item_find(const tt_item *it, const char *key);
/* The text of a key, else of a column of its table; NULL: it has none. Without a name: what its file will be called. */
const char *tt_item_text(tt_arena *a, const tt_item *it, const char *key);
/* Has it this value of key, or one that fits the glob? */
bool tt_item_says(tt_arena *a, const tt_item *it, const char *key, const char *want);
tt_yaml *tt_item_map(tt_arena *a, const tt_item *it); /* its keys as one map */
/* pattern with its {key} and {column} places filled; {{ and }} are braces. TT_EJOB. */
tt_err tt_item_fill(tt_arena *a, const tt_item *it, const tt_yaml *pattern, const char **out);

const char *tt_path_stem(tt_arena *a, const char *path); /* "dir/dialogsum.train.jsonl.gz" -> "dialogsum.train" */
bool tt_path_is_glob(const char *path);
const char *tt_path_under(tt_arena *a, const char *root, const char *path);

#endif
