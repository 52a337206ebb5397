/* Private to optim: what the exchange of gradients and the coming and going of weights share.
 *
 *   zero.c      life, rounds, hooks: which buffers a group has when
 *   slice.c     the runs of a stretch of the whole table that a tensor-parallel slice holds; packing messages
 *   exchange.c  gradients to their owners, and the tree
 *   weights.c   weights from their owners */
#ifndef TUTTI_OPTIM_ZERO_H
#define TUTTI_OPTIM_ZERO_H

#include "tree.h"
#include "tutti/optim.h"

enum { WEIGHT_BUFFERS = 3, GRAD_BUFFERS = 2, EXCHANGES = 3, NO_GROUP = -1 };

/* ---- slices (slice.c) -----------------------------------------------------------------------------------------*/
typedef struct slice { /* of one row of the table, of one tensor-parallel rank */
    int axis;          /* -1: all of it */
    int64_t lo, hi;
} slice;

/* What moves between a stretch [lo,hi) of the whole slab (one group's) and the part of tensor-parallel rank tp. */
typedef struct stretch {
    int group, tp;
    int64_t lo, hi;
    bool once; /* leave out what every tp rank has, unless tp is 0: gradients, which must be counted once */
} stretch;

/* A contiguous piece: n floats at offset whole of the whole slab and offset part of the group's part. */
typedef struct run {
    int64_t whole, part, n;
} run;

/* Calls fn for every run in order of the whole slab. */
void slice_each(const tt_zero *z, stretch s, void (*fn)(void *ctx, run r), void *ctx);
int64_t slice_floats(const tt_zero *z, stretch s);
/* Messages of slice_floats floats: from and into the group's part (element 0 of the group) ... */
void slice_pack_part(const tt_zero *z, stretch s, const float *part, float *msg);
void slice_unpack_part(const tt_zero *z, stretch s, const float *msg, float *part);
/* ... and the stretch (element lo). */
void slice_pack_whole(const tt_zero *z, stretch s, const float *whole, float *msg);
void slice_unpack_whole(const tt_zero *z, stretch s, const float *msg, float *whole);

/* ---- gradients (exchange.c) -------------------------------------------------------------------------------------*/
/* One group's nodes of one round on their way. They complete in the order in which they began. */
typedef struct exchange {
    int group;
    int64_t round;
    float *g; /* the group's gradient buffer that may be used again afterwards; NULL: not a buffer */
    tt_reqs *q;
    float *mem; /* landing places, then messages */
    size_t cap; /* floats in mem */
    int nnode;
    node *node; /* all of this delivery, in order of grains, at the owner's stretch */
    MPI_Request reduce;
} exchange;

/* The sum of one group. Stages 0 and 1: this rank's own grains, in the part's layout. Streams: the owner's share of all grains. */
typedef struct gsum {
    const tt_zero *z;
    int group;
    fold fold;
    int nspare;
    float *spare[2 * TREE_DEPTH]; /* arrays of n floats not in use */
    bool sent;                    /* stages 0 and 1: this step's nodes are on their way */
    const exchange *delivery;     /* whose nodes are being folded */
    float *total;                 /* optim.update: block, while on_sum runs */
} gsum;

/* ---- weights (weights.c) ------------------------------------------------------------------------------------------*/
/* One group's weights on their way to this rank, or there. */
typedef struct gather {
    int group;         /* NO_GROUP: free */
    bool ready, fresh; /* arrived; not yet copied as bf16 */
    uint64_t used;     /* clock of the last use */
    float *w;
    uint16_t *h;
    tt_reqs *q;
    float *msg; /* packed */
} gather;

struct tt_zero {
    const tt_mesh *m; /* own communicator */
    tt_mesh mesh;
    const tt_job *job;
    tt_pars *whole, *part;
    const tt_kern *k;
    int64_t grains;
    tt_deal deal;
    int tp;
    bool streams, direct, half; /* direct: parts are laid out as the whole, messages need no packing */
    tt_own *own, *all;          /* cut over all ranks; all: of one rank, for stage 0 */
    slice *slice;               /* [tp][row] */
    tt_arena *a;                /* for good */
    tt_hooks hooks;
    tt_walk walk;
    const void *model;

    /* weights */
    float *master;                  /* this rank's stretches, group after group; NULL: in place in part->w */
    int64_t *at;                    /* [group] place in master and sums */
    bool passing;                   /* weights come and go */
    gather buf[WEIGHT_BUFFERS + 1]; /* the first: group 0, which stays */
    gather *pull;                   /* [group] where all weights are everywhere */
    uint64_t clock;
    int *order, norder, next; /* the groups a pass uses, one after the other */

    /* gradients */
    gsum *sum;   /* [group] */
    float *sums; /* this rank's stretches, or (stage 0) all; NULL: in place in part->g */
    float *gbuf[GRAD_BUFFERS], *gbuf0;
    bool gbusy[GRAD_BUFFERS];
    exchange x[EXCHANGES];
    int xhead, xn; /* oldest, how many */
    int64_t round;
    bool absent;      /* this rank has no grain in this round */
    int *back, nback; /* groups in the order in which their gradients are complete */
    void (*on_sum)(void *ctx, int group);
    void *on_ctx;
    double waited;
};

int64_t zero_n(const tt_zero *z, int group);      /* floats of group whose sum this rank finishes */
float *zero_own_sum(const tt_zero *z, int group); /* where it does */
bool zero_trained(const tt_zero *z, int group);

void weights_open(tt_zero *z);
void weights_close(tt_zero *z);
void weights_use(tt_zero *z, int group);   /* waits until they are there */
void weights_ahead(tt_zero *z, int group); /* starts them, if they are not there */
void weights_forget(tt_zero *z);           /* those in buffers are out of date */

void exchange_open(tt_zero *z);
void exchange_close(tt_zero *z);
void exchange_begin(tt_zero *z); /* of a step */
void exchange_grain(tt_zero *z, int group,
                    float *g);  /* the group's gradient of the grain at hand; NULL: this rank has none */
bool exchange_poll(tt_zero *z); /* completes the oldest if that needs no waiting; false: nothing to do */
void exchange_wait(tt_zero *z); /* completes the oldest */

#endif
