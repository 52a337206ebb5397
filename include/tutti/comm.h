/* comm: the mesh of ranks, collectives with 64-bit counts, agreement on errors, signals. The only layer that sees an
 * int MPI count. All functions marked Collective are called by every rank of the mesh in the same order. */
#ifndef TUTTI_COMM_H
#define TUTTI_COMM_H

#include "tutti/base.h"
#include <mpi.h>

typedef struct tt_mesh {
    MPI_Comm world;           /* a duplicate of MPI_COMM_WORLD */
    int rank, size;           /* size = dp * tp, rank = dp_rank * tp + tp_rank: neighbours share a model */
    int node_rank, node_size; /* within the shared-memory node */
    size_t chunk;             /* most bytes in one MPI call; tests make it small */
    int tp, tp_rank;          /* ranks that compute one model together, each with a part of it */
    int dp, dp_rank;          /* groups of such ranks, each with its own grains */
    MPI_Comm tp_comm;         /* the tp ranks of this dp_rank; MPI_COMM_SELF if tp is 1 */
    struct tt_tp *tp_work;    /* of comm/tp.c: requests and memory of the sums over tp */
} tt_mesh;

/* Collective. Starts MPI (MPI_THREAD_FUNNELED), names the log rank, installs the bug hook. Sets, unless the user
 * has: fcoll=dynamic_gen2 (Open MPI 4.1's default corrupts files), yield when idle if more ranks than cores share
 * the node, no single-copy transfers where the kernel forbids them (containers). Works without mpirun as a mesh of
 * one. Fails: TT_ERUN when srun started many tasks of which each sees itself alone. */
tt_err tt_mesh_init(tt_mesh *m, int *argc, char ***argv);
void tt_mesh_fini(tt_mesh *m); /* Collective. MPI_Finalize */
/* Collective. Makes the mesh dp x tp (after tt_mesh_init: tp 1). TT_EJOB, on all ranks: tp does not divide their number. */
tt_err tt_mesh_split(tt_mesh *m, int tp);
/* Local. Ends all ranks at once with exit code 1, also when MPI itself hangs. */
_Noreturn void tt_mesh_abort(void);

/* Collective. The one way an error of one rank becomes an error of all: returns TT_OK if every rank passes TT_OK;
 * otherwise every rank returns the code of the first failing rank, and every rank's tt_fail_text becomes that rank's
 * text with "(first on rank 2; 2 of 4 ranks failed)" appended, unless all failed: a wrong job file needs no rank.
 * The caller that ends the run prints it (rank 0, once). Agreeing again on an agreed failure changes nothing, so
 * functions that agree may be nested. */
tt_err tt_agree(const tt_mesh *m, tt_err local);

/* Collective, blocking, any count. */
void tt_bcast(const tt_mesh *m, void *buf, size_t bytes, int root);
void tt_allsum_f64(const tt_mesh *m, double *x,
                   int64_t n); /* MPI's order: for statistics only, never for training bits */
void tt_allsum_i64(const tt_mesh *m, int64_t *x, int64_t n);
void tt_allmax_i64(const tt_mesh *m, int64_t *x, int64_t n);
void tt_allsum_f32(const tt_mesh *m, float *x, int64_t n); /* reduce: mpi, to compare with the exact sum */
/* Each rank contributes bytes; *all (heap, caller frees) receives them in rank order; off[size+1] are byte offsets. */
void tt_allgatherv(const tt_mesh *m, const void *mine, size_t bytes, void **all, size_t *off);
void tt_gatherv(const tt_mesh *m, const void *mine, size_t bytes, void **all, size_t *off,
                int root); /* *all only on root */
/* Every rank to every rank: bytes to[r] .. to[r+1] of mine go to rank r. *all (heap, caller frees) receives them in rank order;
 * off[size+1] are byte offsets. */
void tt_alltoallv(const tt_mesh *m, const void *mine, const size_t *to, void **all, size_t *off);
void tt_barrier(const tt_mesh *m);
/* In-place all-gather of float slabs: rank r owns x[cut[r] .. cut[r+1]). */
void tt_allgather_cuts(const tt_mesh *m, float *x, const int64_t *cut);

/* Point to point with 64-bit float counts, non-blocking; used by the exact sum. Requests are handles of this layer. */
typedef struct tt_reqs tt_reqs;
tt_reqs *tt_reqs_new(void);
void tt_isend_f32(const tt_mesh *m, tt_reqs *q, const float *x, int64_t n, int to, int tag);
void tt_irecv_f32(const tt_mesh *m, tt_reqs *q, float *x, int64_t n, int from, int tag);
/* Collective, non-blocking: x[n] becomes the sum over all ranks, in MPI's order. */
void tt_iallsum_f32(const tt_mesh *m, tt_reqs *q, float *x, int64_t n);
/* Collective, non-blocking: x[lo[r]] .. x[hi[r]] is rank r's and comes to all others. */
void tt_iallgather_f32(const tt_mesh *m, tt_reqs *q, float *x, const int64_t *lo, const int64_t *hi);
bool tt_reqs_test(tt_reqs *q); /* all done? also lets MPI make progress */
void tt_reqs_wait(tt_reqs *q); /* afterwards q is empty and may be used again */
void tt_reqs_free(tt_reqs *q);

/* Collective over the tp ranks of one dp_rank; nothing happens where tp is 1. Messages are cut at m->chunk bytes.
 * Sums are in the order of tp ranks: every tp rank gets the same bits, every time. */
void tt_tp_sum(const tt_mesh *m, float *x, int64_t n);
/* The same, a part at a time: between begin and end x belongs to the sum; test moves it on and says whether it is done.
 * One at a time; no other collective over tp before its end. */
void tt_tp_sum_begin(const tt_mesh *m, float *x, int64_t n);
bool tt_tp_sum_test(const tt_mesh *m);
void tt_tp_sum_end(const tt_mesh *m);
void tt_tp_max_f64(const tt_mesh *m, double *x, int64_t n);
void tt_tp_sum_f64(const tt_mesh *m, double *x, int64_t n);
/* bytes of every tp rank, in rank order, to all [tp * bytes]; one message to each. For small things, to be combined by the caller. */
void tt_tp_gather(const tt_mesh *m, const void *mine, size_t bytes, void *all);

/* Signals: SIGTERM, SIGUSR1 (and SIGINT once) set a flag; nothing else happens in the handler. Local; the training
 * step carries the flag to all ranks in its own reduction. */
void tt_signals_install(void);
int tt_signal_pending(void); /* 0 or the signal number */
const char *tt_signal_name(int sig);

/* A watchdog thread: if tt_watch_kick is not called for seconds, it prints where the rank stands (the last label)
 * and aborts the whole job with exit code 1, so that a lost rank never leaves the others waiting for the time limit.
 * seconds 0: off. */
void tt_watch_start(const tt_mesh *m, int seconds);
void tt_watch_kick(const char *label);
void tt_watch_stop(void);

int64_t tt_rss_bytes(void); /* resident set of this process */
int64_t tt_rss_peak_bytes(void);

#endif
