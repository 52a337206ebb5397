/* Sums over the tp ranks: each adds up one piece of everybody's numbers in rank order and sends the result to all.
 *
 * A long array goes in sections, so that the memory for what comes in is bounded and stays in cache. While the results of a section
 * travel the numbers of the next one do, too: there are two rooms. */
#include "coll.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 16, ADD_RUN = 1024 }; /* floats of one rank in a section; floats added at once */

/* The sum that is under way. */
typedef struct sum {
    float *x;
    int64_t n, at; /* elements; the section that is being received begins here */
    int room;      /* in which its numbers arrive */
    bool active;
} sum;

struct tt_tp {
    tt_reqs *in, *out; /* numbers of a section; results of the one before */
    float *room[2];    /* [tp, PIECE] */
    double *all;       /* of the reductions of doubles */
    int64_t cap;
    sum s;
};

struct tt_tp *tt_tp_new(int tp)
{
    struct tt_tp *w = tt_malloc(sizeof *w);
    float *room = tt_malloc_large(2 * sizeof *room * (size_t)tp * PIECE);
    *w = (struct tt_tp){.in = tt_reqs_new(), .out = tt_reqs_new(), .room = {room, room + (size_t)tp * PIECE}};
    return w;
}

void tt_tp_free(struct tt_tp *w)
{
    if (!w) return;
    assert(!w->s.active);
    tt_reqs_free(w->in);
    tt_reqs_free(w->out);
    free(w->room[0]);
    free(w->all);
    free(w);
}

/* The tp ranks as a mesh of their own. */
static tt_mesh inner(const tt_mesh *m)
{
    return (tt_mesh){.world = m->tp_comm, .rank = m->tp_rank, .size = m->tp, .chunk = m->chunk};
}

static int64_t section(const tt_mesh *m, const sum *s)
{
    int64_t most = (int64_t)PIECE * m->tp, left = s->n - s->at;
    return left < most ? left : most;
}

/* Rank r's piece [lo, hi) of x in the section that begins at at. */
static void piece(const tt_mesh *m, const sum *s, int r, int64_t *lo, int64_t *hi)
{
    tt_share(section(m, s), r, m->tp, lo, hi);
    *lo += s->at;
    *hi += s->at;
}

/* Everybody's numbers of my piece come in, mine of the others' pieces go out. */
static void send_numbers(const tt_mesh *m, struct tt_tp *w)
{
    tt_mesh in = inner(m);
    int64_t mine, end, lo, hi;
    piece(m, &w->s, m->tp_rank, &mine, &end);
    for (int i = 1; i < m->tp; i++) {
        int from = (m->tp_rank + m->tp - i) % m->tp, to = (m->tp_rank + i) % m->tp;
        tt_irecv_f32(&in, w->in, w->room[w->s.room] + (int64_t)from * PIECE, end - mine, from, TAG_TP);
        piece(m, &w->s, to, &lo, &hi);
        tt_isend_f32(&in, w->in, w->s.x + lo, hi - lo, to, TAG_TP);
    }
}

/* x = the sum over ranks, in their order, of room[r] or, for this rank, of x. */
static void add_up(const tt_mesh *m, const float *room, float *x, int64_t n)
{
    float run[ADD_RUN];
    for (int64_t at = 0; at < n; at += ADD_RUN) {
        int64_t k = n - at < ADD_RUN ? n - at : ADD_RUN;
        for (int r = 0; r < m->tp; r++) {
            const float *from = r == m->tp_rank ? x + at : room + (int64_t)r * PIECE + at;
            if (r == 0) memcpy(run, from, sizeof *run * (size_t)k);
            for (int64_t i = 0; i < k && r > 0; i++) run[i] += from[i];
        }
        memcpy(x + at, run, sizeof *run * (size_t)k);
    }
}

static void send_results(const tt_mesh *m, struct tt_tp *w, const sum *s)
{
    tt_mesh in = inner(m);
    int64_t mine, end, lo, hi;
    piece(m, s, m->tp_rank, &mine, &end);
    for (int i = 1; i < m->tp; i++) {
        int from = (m->tp_rank + m->tp - i) % m->tp, to = (m->tp_rank + i) % m->tp;
        piece(m, s, from, &lo, &hi);
        tt_irecv_f32(&in, w->out, s->x + lo, hi - lo, from, TAG_TP_DONE);
        tt_isend_f32(&in, w->out, s->x + mine, end - mine, to, TAG_TP_DONE);
    }
}

/* The numbers of a section are here: those of the next one set out, this one's are added up and sent round. */
static void advance(const tt_mesh *m, struct tt_tp *w)
{
    sum now = w->s;
    int64_t mine, end;
    w->s.at += section(m, &now);
    w->s.room = !now.room;
    if (w->s.at < w->s.n) send_numbers(m, w);
    piece(m, &now, m->tp_rank, &mine, &end);
    add_up(m, w->room[now.room], now.x + mine, end - mine);
    tt_reqs_wait(w->out);
    send_results(m, w, &now);
}

void tt_tp_sum_begin(const tt_mesh *m, float *x, int64_t n)
{
    struct tt_tp *w = m->tp_work;
    if (m->tp == 1) return;
    assert(!w->s.active);
    w->s = (sum){.x = x, .n = n, .active = true};
    if (n > 0) send_numbers(m, w);
}

bool tt_tp_sum_test(const tt_mesh *m)
{
    struct tt_tp *w = m->tp_work;
    if (m->tp == 1 || !w->s.active) return true;
    if (w->s.at < w->s.n) {
        if (tt_reqs_test(w->in)) advance(m, w);
        return false;
    }
    w->s.active = !tt_reqs_test(w->out);
    return !w->s.active;
}

void tt_tp_sum_end(const tt_mesh *m)
{
    struct tt_tp *w = m->tp_work;
    if (m->tp == 1 || !w->s.active) return;
    while (w->s.at < w->s.n) {
        tt_reqs_wait(w->in);
        advance(m, w);
    }
    tt_reqs_wait(w->out);
    w->s.active = false;
}

void tt_tp_sum(const tt_mesh *m, float *x, int64_t n)
{
    tt_tp_sum_begin(m, x, n);
    tt_tp_sum_end(m);
}

/* ---- small things ----------------------------------------------------------------------------------------------------*/

void tt_tp_gather(const tt_mesh *m, const void *mine, size_t bytes, void *all)
{
    char *to = all;
    memcpy(to + (size_t)m->tp_rank * bytes, mine, bytes);
    if (m->tp == 1) return;
    struct tt_tp *w = m->tp_work;
    tt_mesh in = inner(m);
    assert(!w->s.active);
    for (int i = 1; i < m->tp; i++) {
        int from = (m->tp_rank + m->tp - i) % m->tp, dest = (m->tp_rank + i) % m->tp;
        tt_irecv_bytes(&in, w->in, to + (size_t)from * bytes, bytes, from, TAG_TP);
        tt_isend_bytes(&in, w->in, mine, bytes, dest, TAG_TP);
    }
    tt_reqs_wait(w->in);
}

/* [tp, n], in rank order. */
static const double *gather_f64(const tt_mesh *m, const double *x, int64_t n)
{
    struct tt_tp *w = m->tp_work;
    if (w->cap < n * m->tp) {
        w->cap = n * m->tp;
        w->all = tt_realloc(w->all, sizeof *w->all * (size_t)w->cap);
    }
    tt_tp_gather(m, x, sizeof *x * (size_t)n, w->all);
    return w->all;
}

void tt_tp_sum_f64(const tt_mesh *m, double *x, int64_t n)
{
    if (m->tp == 1) return;
    const double *all = gather_f64(m, x, n);
    for (int64_t i = 0; i < n; i++) {
        x[i] = all[i];
        for (int r = 1; r < m->tp; r++) x[i] += all[r * n + i];
    }
}

/* NaN if anybody's is. */
void tt_tp_max_f64(const tt_mesh *m, double *x, int64_t n)
{
    if (m->tp == 1) return;
    const double *all = gather_f64(m, x, n);
    for (int64_t i = 0; i < n; i++) {
        x[i] = all[i];
        for (int r = 1; r < m->tp; r++) x[i] = all[r * n + i] <= x[i] ? x[i] : x[i] != x[i] ? x[i] : all[r * n + i];
    }
}
