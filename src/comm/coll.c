/* Collectives and messages with 64-bit counts: every MPI call here moves at most m->chunk bytes. */
#include "coll.h"

#include <stdlib.h>
#include <string.h>

enum { REQS_KEEP = 16 };

struct tt_reqs {
    int n, cap;
    MPI_Request *r;
    int nkeep;
    void *keep[REQS_KEEP]; /* arguments of calls under way */
};

tt_reqs *tt_reqs_new(void)
{
    tt_reqs *q = tt_malloc(sizeof *q);
    *q = (tt_reqs){0};
    return q;
}

void tt_reqs_free(tt_reqs *q)
{
    if (!q) return;
    assert(q->n == 0);
    free(q->r);
    free(q);
}

static MPI_Request *reqs_next(tt_reqs *q)
{
    if (q->n == q->cap) {
        q->cap = q->cap ? 2 * q->cap : 16;
        q->r = tt_realloc(q->r, sizeof *q->r * (size_t)q->cap);
    }
    return &q->r[q->n++];
}

static void *reqs_keep(tt_reqs *q, size_t bytes)
{
    assert(q->nkeep < REQS_KEEP);
    return q->keep[q->nkeep++] = tt_malloc(bytes);
}

static void reqs_done(tt_reqs *q)
{
    q->n = 0;
    while (q->nkeep) free(q->keep[--q->nkeep]);
}

bool tt_reqs_test(tt_reqs *q)
{
    int done;
    MPI_Testall(q->n, q->r, &done, MPI_STATUSES_IGNORE);
    if (done) reqs_done(q);
    return done;
}

void tt_reqs_wait(tt_reqs *q)
{
    MPI_Waitall(q->n, q->r, MPI_STATUSES_IGNORE);
    reqs_done(q);
}

static size_t chunk_bytes(const tt_mesh *m)
{
    size_t c = m->chunk ? m->chunk : (size_t)1 << 30;
    return c < sizeof(double) ? sizeof(double) : c;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

void tt_isend_bytes(const tt_mesh *m, tt_reqs *q, const void *x, size_t bytes, int to, int tag)
{
    for (size_t at = 0, c = chunk_bytes(m); at < bytes; at += c)
        MPI_Isend((const char *)x + at, (int)least(c, bytes - at), MPI_BYTE, to, tag, m->world, reqs_next(q));
}

void tt_irecv_bytes(const tt_mesh *m, tt_reqs *q, void *x, size_t bytes, int from, int tag)
{
    for (size_t at = 0, c = chunk_bytes(m); at < bytes; at += c)
        MPI_Irecv((char *)x + at, (int)least(c, bytes - at), MPI_BYTE, from, tag, m->world, reqs_next(q));
}

void tt_isend_f32(const tt_mesh *m, tt_reqs *q, const float *x, int64_t n, int to, int tag)
{
    tt_isend_bytes(m, q, x, sizeof *x * (size_t)n, to, tag);
}

void tt_irecv_f32(const tt_mesh *m, tt_reqs *q, float *x, int64_t n, int from, int tag)
{
    tt_irecv_bytes(m, q, x, sizeof *x * (size_t)n, from, tag);
}

void tt_barrier(const tt_mesh *m) { MPI_Barrier(m->world); }

void tt_bcast(const tt_mesh *m, void *buf, size_t bytes, int root)
{
    for (size_t at = 0, c = chunk_bytes(m); at < bytes; at += c)
        MPI_Bcast((char *)buf + at, (int)least(c, bytes - at), MPI_BYTE, root, m->world);
}

static void allreduce(const tt_mesh *m, void *x, int64_t n, size_t size, MPI_Datatype type, MPI_Op op)
{
    size_t c = chunk_bytes(m) / size, count = (size_t)n;
    for (size_t at = 0; at < count; at += c)
        MPI_Allreduce(MPI_IN_PLACE, (char *)x + at * size, (int)least(c, count - at), type, op, m->world);
}

void tt_allsum_f64(const tt_mesh *m, double *x, int64_t n) { allreduce(m, x, n, sizeof *x, MPI_DOUBLE, MPI_SUM); }
void tt_allsum_i64(const tt_mesh *m, int64_t *x, int64_t n) { allreduce(m, x, n, sizeof *x, MPI_INT64_T, MPI_SUM); }
void tt_allmax_i64(const tt_mesh *m, int64_t *x, int64_t n) { allreduce(m, x, n, sizeof *x, MPI_INT64_T, MPI_MAX); }
void tt_allsum_f32(const tt_mesh *m, float *x, int64_t n) { allreduce(m, x, n, sizeof *x, MPI_FLOAT, MPI_SUM); }

void tt_iallsum_f32(const tt_mesh *m, tt_reqs *q, float *x, int64_t n)
{
    int64_t c = (int64_t)(chunk_bytes(m) / sizeof *x);
    for (int64_t at = 0; at < n; at += c)
        MPI_Iallreduce(MPI_IN_PLACE, x + at, (int)(n - at < c ? n - at : c), MPI_FLOAT, MPI_SUM, m->world,
                       reqs_next(q));
}

static void iallgather_pairs(const tt_mesh *m, tt_reqs *q, float *x, const int64_t *lo, const int64_t *hi)
{
    for (int k = 1; k < m->size; k++) {
        int from = (m->rank + m->size - k) % m->size, to = (m->rank + k) % m->size;
        tt_irecv_f32(m, q, x + lo[from], hi[from] - lo[from], from, TAG_PARTS);
        tt_isend_f32(m, q, x + lo[m->rank], hi[m->rank] - lo[m->rank], to, TAG_PARTS);
    }
}

void tt_iallgather_f32(const tt_mesh *m, tt_reqs *q, float *x, const int64_t *lo, const int64_t *hi)
{
    int64_t sum = 0;
    for (int r = 0; r < m->size; r++) sum += hi[r] - lo[r];
    if (m->size == 1) return;
    if (sizeof *x * (size_t)sum > chunk_bytes(m)) {
        iallgather_pairs(m, q, x, lo, hi);
        return;
    }
    int *n = reqs_keep(q, 2 * sizeof *n * (size_t)m->size), *at = n + m->size; /* must live as long as the call */
    for (int r = 0; r < m->size; r++) {
        n[r] = (int)(hi[r] - lo[r]);
        at[r] = (int)(lo[r]);
    }
    MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, x, n, at, MPI_FLOAT, m->world, reqs_next(q));
}

/* Ring all-gather: in step s every rank passes on the part that came s steps ago. x + off[r] .. x + off[r+1] is rank
 * r's. */
static void allgather_ring(const tt_mesh *m, char *x, const size_t *off)
{
    int right = (m->rank + 1) % m->size, left = (m->rank + m->size - 1) % m->size;
    tt_reqs *q = tt_reqs_new();
    for (int s = 0; s < m->size - 1; s++) {
        int out = (m->rank - s + m->size) % m->size, in = (m->rank - s - 1 + m->size) % m->size;
        tt_irecv_bytes(m, q, x + off[in], off[in + 1] - off[in], left, TAG_RING);
        tt_isend_bytes(m, q, x + off[out], off[out + 1] - off[out], right, TAG_RING);
        tt_reqs_wait(q);
    }
    tt_reqs_free(q);
}

static void allgather_bytes(const tt_mesh *m, char *x, const size_t *off)
{
    if (m->size == 1) return;
    if (off[m->size] > chunk_bytes(m)) {
        allgather_ring(m, x, off);
        return;
    }
    int *n = tt_malloc(2 * sizeof *n * (size_t)m->size), *at = n + m->size;
    for (int r = 0; r < m->size; r++) {
        n[r] = (int)(off[r + 1] - off[r]);
        at[r] = (int)off[r];
    }
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, x, n, at, MPI_BYTE, m->world);
    free(n);
}

void tt_allgather_cuts(const tt_mesh *m, float *x, const int64_t *cut)
{
    size_t *off = tt_malloc(sizeof *off * (size_t)(m->size + 1));
    for (int r = 0; r <= m->size; r++) off[r] = sizeof *x * (size_t)(cut[r] - cut[0]);
    allgather_bytes(m, (char *)(x + cut[0]), off);
    free(off);
}

/* off[size+1] from every rank's byte count. */
static void gather_sizes(const tt_mesh *m, size_t bytes, size_t *off)
{
    uint64_t mine = bytes, *all = tt_malloc(sizeof *all * (size_t)m->size);
    MPI_Allgather(&mine, 1, MPI_UINT64_T, all, 1, MPI_UINT64_T, m->world);
    off[0] = 0;
    for (int r = 0; r < m->size; r++) off[r + 1] = off[r] + (size_t)all[r];
    free(all);
}

void tt_allgatherv(const tt_mesh *m, const void *mine, size_t bytes, void **all, size_t *off)
{
    gather_sizes(m, bytes, off);
    char *x = tt_malloc(off[m->size] + 1);
    if (bytes) memcpy(x + off[m->rank], mine, bytes);
    allgather_bytes(m, x, off);
    x[off[m->size]] = 0;
    *all = x;
}

void tt_gatherv(const tt_mesh *m, const void *mine, size_t bytes, void **all, size_t *off, int root)
{
    gather_sizes(m, bytes, off);
    tt_reqs *q = tt_reqs_new();
    if (m->rank != root) {
        tt_isend_bytes(m, q, mine, bytes, root, TAG_GATHER);
        *all = NULL;
    } else {
        char *x = tt_malloc(off[m->size] + 1);
        for (int r = 0; r < m->size; r++)
            if (r != root) tt_irecv_bytes(m, q, x + off[r], off[r + 1] - off[r], r, TAG_GATHER);
        if (bytes) memcpy(x + off[root], mine, bytes);
        x[off[m->size]] = 0;
        *all = x;
    }
    tt_reqs_wait(q);
    tt_reqs_free(q);
}

/* Pairwise: in step s every rank sends to the s-th on its right and hears from the s-th on its left, so that no rank is everybody's
 * target at once and few messages are under way. */
void tt_alltoallv(const tt_mesh *m, const void *mine, const size_t *to, void **all, size_t *off)
{
    uint64_t *n = tt_malloc(2 * sizeof *n * (size_t)m->size), *in = n + m->size;
    for (int r = 0; r < m->size; r++) n[r] = to[r + 1] - to[r];
    MPI_Alltoall(n, 1, MPI_UINT64_T, in, 1, MPI_UINT64_T, m->world);
    off[0] = 0;
    for (int r = 0; r < m->size; r++) off[r + 1] = off[r] + (size_t)in[r];
    free(n);
    char *x = tt_malloc(off[m->size] + 1);
    const char *own = mine;
    if (off[m->rank + 1] > off[m->rank]) memcpy(x + off[m->rank], own + to[m->rank], off[m->rank + 1] - off[m->rank]);
    tt_reqs *q = tt_reqs_new();
    for (int s = 1; s < m->size; s++) {
        int out = (m->rank + s) % m->size, from = (m->rank + m->size - s) % m->size;
        tt_irecv_bytes(m, q, x + off[from], off[from + 1] - off[from], from, TAG_ALL);
        tt_isend_bytes(m, q, own + to[out], to[out + 1] - to[out], out, TAG_ALL);
        tt_reqs_wait(q);
    }
    tt_reqs_free(q);
    *all = x;
}
