/* tutti plan calibrate: what a message costs between the ranks this is started on. */
#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL = 256, LARGE = 1 << 20, TIMES = 12 }; /* floats of a message; exchanges of each */

typedef struct place {
    int node, of; /* node of this rank, nodes */
    int *node_of; /* [size] */
    int *local;   /* [size] place in the node */
} place;

/* Collective. */
static place find(const tt_mesh *m)
{
    place p = {.node_of = tt_malloc(sizeof(int) * (size_t)m->size), .local = tt_malloc(sizeof(int) * (size_t)m->size)};
    int64_t *x = tt_malloc(sizeof *x * (size_t)m->size);
    memset(x, 0, sizeof *x * (size_t)m->size);
    x[m->rank] = m->node_rank;
    tt_allsum_i64(m, x, m->size);
    for (int r = 0; r < m->size; r++) { /* ranks of a node follow one another, as launchers place them */
        p.of += x[r] == 0;
        p.node_of[r] = p.of - 1;
        p.local[r] = (int)x[r];
    }
    free(x);
    p.node = p.node_of[m->rank];
    return p;
}

/* Inside a node everybody talks with everybody; between nodes with the ranks of the same place elsewhere. */
static bool talks(const tt_mesh *m, const place *p, int r, bool near)
{
    if (r == m->rank) return false;
    return near ? p->node_of[r] == p->node : p->node_of[r] != p->node && p->local[r] == m->node_rank;
}

/* Collective. Seconds of one message among the others, all under way at once; the best of some exchanges. */
static double exchange(const tt_mesh *m, const place *p, bool near, int64_t n, float *buf)
{
    double best = INFINITY;
    tt_reqs *q = tt_reqs_new();
    int partners = 0;
    for (int i = 0; i < TIMES; i++) {
        tt_barrier(m);
        double t0 = tt_now();
        partners = 0;
        for (int k = 1; k < m->size; k++) {
            int to = (m->rank + k) % m->size, from = (m->rank + m->size - k) % m->size;
            if (talks(m, p, from, near)) tt_irecv_f32(m, q, buf + n, n, from, 1);
            if (talks(m, p, to, near)) tt_isend_f32(m, q, buf, n, to, 1), partners++;
            if (k % 8 == 0) tt_reqs_wait(q);
        }
        tt_reqs_wait(q);
        int64_t ns = (int64_t)(1e9 * (tt_now() - t0));
        tt_allmax_i64(m, &ns, 1);
        best = fmin(best, 1e-9 * (double)ns);
    }
    tt_reqs_free(q);
    return partners ? best / partners : 0;
}

/* Collective. alpha + bytes * beta through two sizes. */
static void fit(const tt_mesh *m, const place *p, bool near, double *alpha, double *beta)
{
    float *buf = tt_malloc(2 * sizeof *buf * LARGE);
    memset(buf, 0, 2 * sizeof *buf * LARGE);
    double small = exchange(m, p, near, SMALL, buf), large = exchange(m, p, near, LARGE, buf);
    *beta = (large - small) / (sizeof(float) * (LARGE - SMALL));
    *alpha = fmax(0, small - SMALL * sizeof(float) * *beta);
    free(buf);
}

/* Ranks of this node that share a core: a plan reckons them in by itself, so they are taken out here. */
static double crowd(const tt_mesh *m) { return fmax(1, (double)m->node_size / (double)sysconf(_SC_NPROCESSORS_ONLN)); }

tt_err tt_plan_calibrate(const tt_mesh *m, const tt_args *args)
{
    double alpha, beta;
    if (m->size == 1)
        return tt_fail(TT_EJOB,
                       "plan calibrate: times messages; start it as the job will be: mpirun -n 8 tutti plan calibrate");
    if (args->n > 1 || args->nset) return tt_fail(TT_EJOB, "plan calibrate takes nothing else; tutti plan calibrate");
    place p = find(m);
    if (m->rank == 0) printf("%d ranks on %d nodes, all at once:\n", m->size, p.of);
    if (m->node_size > 1) {
        fit(m, &p, true, &alpha, &beta);
        if (m->rank == 0)
            printf("plan.copy_latency=%.3g plan.copy=%.3g\n", 1e6 * alpha / crowd(m), 1e-9 / beta * crowd(m));
    }
    if (p.of > 1) {
        fit(m, &p, false, &alpha, &beta);
        if (m->rank == 0)
            printf("plan.latency=%.3g plan.bandwidth=%.3g\n", 1e6 * alpha, 1e-9 * (double)m->node_size / beta);
    }
    free(p.node_of);
    free(p.local);
    return TT_OK;
}
