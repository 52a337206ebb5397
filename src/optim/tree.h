/* Private to optim: the fixed binary tree of the exact sum.
 *
 * Node (at, level) covers grains [at, at + 2^level). Its value is the sum of its two halves; a half that lies beyond
 * the last grain is absent, and then the node is its left half. The tree is folded from left to right with a stack
 * of complete nodes. */
#ifndef TUTTI_OPTIM_TREE_H
#define TUTTI_OPTIM_TREE_H

#include "tutti/kern.h"

typedef struct node {
    int64_t at;
    int level;
    float *x;
} node;

enum { TREE_DEPTH = 64 };

typedef struct fold {
    int64_t grains;
    int64_t n; /* floats in every value */
    const tt_kern *k;
    float *keep;                       /* where a sum with this array stays; elsewhere it goes to the left array */
    void (*drop)(void *ctx, float *x); /* an array whose value went into a sum; may be NULL */
    void *ctx;
    int depth;
    node top[TREE_DEPTH];
} fold;

void tree_push(fold *f, node v); /* in ascending order of at; folds as far as the tree allows */

/* The largest nodes that cover grains [lo, hi); returns how many. out: TREE_DEPTH * 2 nodes, x NULL. */
int tree_cover(int64_t grains, int64_t lo, int64_t hi, node *out);

/* Values that wait on the stack at most, between one round and the next, while grains [lo, hi) come in, round at a time. */
int tree_waiting(int64_t grains, int64_t lo, int64_t hi, int64_t round);

#endif
