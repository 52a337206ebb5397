/* data.mixture: a tree of parts with fixed shares, and which part every data set belongs to. Private to data. */
#ifndef TUTTI_DATA_MIXSPEC_H
#define TUTTI_DATA_MIXSPEC_H

#include "tutti/data.h"

enum { TT_RATE_PROPORTIONAL, TT_RATE_TEMPERATURE, TT_RATE_EQUAL, TT_RATE_WEIGHTS };
enum { TT_DRAW_STRATIFIED, TT_DRAW_RANDOM };

typedef struct tt_mixnode {
    tt_mixpart pub; /* path, depth, share of the whole, sets */
    const char *name;
    int parent; /* -1: the root itself */
    bool leaf;
    double given; /* share among its siblings as the job has it; <0: none */
    int rate;
    double temperature;
    int64_t cap;            /* 0: the parent's */
    const tt_yaml *from;    /* which data sets; NULL: those whose key mixture names it */
    const tt_yaml *prompts; /* overrides data.prompts for its sets; NULL: none */
    const tt_yaml *at;      /* for messages; NULL: of a preset */
} tt_mixnode;

typedef struct tt_mixspec {
    int n; /* node 0 is the root; parents come before their parts */
    tt_mixnode *node;
    int draw;
    const tt_yaml *at; /* data.mixture; NULL: not given */
} tt_mixspec;

/* Local. Everything lives in a. TT_EJOB with file, line, remedy. */
tt_err tt_mixspec_read(tt_arena *a, const tt_job *job, tt_mixspec *out);
/* leaf[s->n]: the node of every data set. TT_EJOB: a set without a part; a from that matches nothing there is. */
tt_err tt_mixspec_assign(const tt_mixspec *x, const tt_sets *s, int *leaf);

/* Parts of a preset, as they would stand in a job; NULL: no such preset. */
const char *tt_mix_preset(const char *name);
const char *tt_mix_presets(void); /* "flan-t5-paper-a, ..." */

#endif
