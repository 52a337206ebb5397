/* Entries of data.train, data.validation, data.test: from YAML to one spec per data set. Private to data. */
#ifndef TUTTI_DATA_ENTRY_H
#define TUTTI_DATA_ENTRY_H

#include "tutti/data.h"
#include "style.h"
#include "template.h"

enum { TT_TAKE_TRAIN, TT_TAKE_VALIDATION, TT_TAKE_TEST };
typedef struct tt_split {
    int take;
    double validation, test; /* fractions */
    int64_t seed;
} tt_split;

struct tt_format;
typedef struct tt_spec {
    const char *name, *path, *category; /* path as it is opened; category NULL: the file may say */
    const char *collection, *dataset, *language, *licence, *mixture; /* what the registry says; NULL: nothing */
    bool held_out;                                                   /* never trained on */
    const char *metrics;                                             /* of an evaluation; NULL: the job's */
    int answer;                                                      /* -1: the job's */
    int64_t declared; /* rows that the registry promises; 0: it does not say */
    const struct tt_format *format;
    const tt_templates *templates;
    const char **key;             /* [templates->ncol]: the columns' names in the file */
    const tt_yaml *const *values; /* [templates->ncol]: of each column {stored: shown} or NULL; NULL: none has one */
    tt_style style;               /* of its prompts */
    const tt_yaml *prompts;       /* what the entry itself says of them; NULL: nothing */
    const char *exemplars;        /* the set of data.train that gives them; NULL: not said */
    bool zero_shot, train;        /* exemplars: off; an entry of data.train */
    const tt_yaml *at;            /* the entry, for messages */
    const tt_yaml *columns;       /* names of a table without header line; NULL: it has one */
    const tt_yaml *values_at;     /* the same as it stands in the entry */
    const tt_yaml *where;         /* superni, headed: keys and values of the header */
    const char *each;             /* nested: the path of the list whose members are the rows */
    const tt_split *split;        /* NULL: every row */
    int64_t cap, limit;           /* 0: none */
    double weight;
    int64_t bytes; /* size of the file */
} tt_spec;

typedef struct tt_specs {
    int n, cap;
    tt_spec *spec; /* heap; what it points to lives in the arena */
    int nabsent;
    tt_absent *absent; /* heap: entries whose files are not there, with data.missing: skip */
    int held_out;      /* entries left out of data.train */
} tt_specs;

/* Local. what ("data.train") picks the list in a file of lists and colours messages. TT_EJOB, TT_EDATA. */
tt_err tt_specs_read(tt_arena *a, const tt_job *job, const tt_yaml *list, const char *what, tt_specs *out);
void tt_specs_fini(tt_specs *s);

#endif
