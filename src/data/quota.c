#include "quota.h"

#include <stdlib.h>
#include <string.h>

enum { PERIOD = 1 << 16, SETTLE = 1024 };

typedef struct job { /* the next draw of a set */
    int64_t deadline, release;
    uint64_t tie;
    int set;
} job;

struct tt_quota {
    int n;
    int64_t C, period, nperiod;
    int64_t *e;
    uint64_t *tie;
    int64_t at;     /* number of the period that the tables are of; -1: none */
    int64_t *first; /* [n]: counts at its beginning */
    int64_t *next;  /* [n]: counts at its end */
    int32_t *set;   /* [period] */
    int32_t *use;   /* [period]: draws of the set in this period before */
    job *ready, *later;
    int nready, nlater;
    int64_t *done; /* [n], for walks */
};

tt_quota *tt_quota_new(int n, const int64_t *e, tt_rkey key, int64_t period)
{
    tt_quota *q = tt_malloc(sizeof *q);
    size_t N = (size_t)n + 1;
    *q = (tt_quota){.n = n, .at = -1};
    q->e = tt_malloc(sizeof *q->e * N);
    q->tie = tt_malloc(sizeof *q->tie * N);
    for (int i = 0; i < n; i++) {
        q->e[i] = e[i];
        q->C += e[i];
        q->tie[i] = tt_rand64(key, (uint64_t)i);
    }
    q->period = period > 0 ? period : PERIOD;
    if (q->period > q->C) q->period = q->C;
    q->nperiod = (q->C + q->period - 1) / q->period;
    q->first = tt_malloc(sizeof *q->first * N);
    q->next = tt_malloc(sizeof *q->next * N);
    q->done = tt_malloc(sizeof *q->done * N);
    q->set = tt_malloc(sizeof *q->set * (size_t)q->period);
    q->use = tt_malloc(sizeof *q->use * (size_t)q->period);
    q->ready = tt_malloc(sizeof *q->ready * N);
    q->later = tt_malloc(sizeof *q->later * N);
    return q;
}

void tt_quota_free(tt_quota *q)
{
    if (!q) return;
    free(q->e);
    free(q->tie);
    free(q->first);
    free(q->next);
    free(q->done);
    free(q->set);
    free(q->use);
    free(q->ready);
    free(q->later);
    free(q);
}

int64_t tt_quota_cycle(const tt_quota *q) { return q->C; }

/* ---- counts at the ends of periods ---------------------------------------------------------------------------------------*/

static int64_t mul_div(int64_t a, int64_t b, int64_t c) { return (int64_t)((__int128)a * b / c); }
static int64_t mul_div_up(int64_t a, int64_t b, int64_t c) { return (int64_t)(((__int128)a * b + c - 1) / c); }

typedef struct rest { /* a set that may get one draw more before the boundary */
    int64_t deadline;
    uint64_t tie;
    int set;
} rest;

static int by_deadline(const void *x, const void *y)
{
    const rest *a = x, *b = y;
    if (a->deadline != b->deadline) return a->deadline < b->deadline ? -1 : 1;
    return a->tie < b->tie ? -1 : a->tie > b->tie;
}

/* From the counts at one boundary to those at the boundary after N draws: every set gets the whole draws that the ideal line gives it, and
 * what is missing goes to those whose next deadline is the earliest. now may be next. */
static void advance(const tt_quota *q, int64_t N, const int64_t *now, int64_t *next)
{
    int64_t left = N;
    int n = 0;
    rest *r = tt_malloc(sizeof *r * ((size_t)q->n + 1));
    for (int i = 0; i < q->n; i++) {
        int64_t low = mul_div(N, q->e[i], q->C), high = mul_div_up(N, q->e[i], q->C);
        int64_t c = low > now[i] ? low : now[i];
        left -= c;
        if (c < high) r[n++] = (rest){mul_div_up(c + 1, q->C, q->e[i]), q->tie[i], i};
        next[i] = c;
    }
    if (n) qsort(r, (size_t)n, sizeof *r, by_deadline);
    for (int k = 0; k < n && left > 0; k++, left--) next[r[k].set]++;
    free(r);
    /* A set that was rounded up before and has not reached that draw since leaves one too many: then the latest deadlines wait. */
    while (left < 0) {
        int latest = -1;
        int64_t worst = -1;
        for (int i = 0; i < q->n; i++) {
            if (next[i] == now[i] || next[i] == 0) continue;
            int64_t deadline = mul_div_up(next[i], q->C, q->e[i]);
            if (deadline > worst) worst = deadline, latest = i;
        }
        assert(latest >= 0);
        next[latest]--;
        left++;
    }
    assert(left == 0);
}

/* ---- one period ------------------------------------------------------------------------------------------------------------*/

static bool sooner(const job *a, const job *b)
{
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->tie < b->tie;
}

static bool released(const job *a, const job *b)
{
    return a->release != b->release ? a->release < b->release : a->tie < b->tie;
}

typedef bool before_fn(const job *a, const job *b);

static void push(job *heap, int *n, job x, before_fn *before)
{
    int i = (*n)++;
    for (int up = (i - 1) / 2; i > 0 && before(&x, &heap[up]); up = (i - 1) / 2) {
        heap[i] = heap[up];
        i = up;
    }
    heap[i] = x;
}

static job pop(job *heap, int *n, before_fn *before)
{
    job top = heap[0], x = heap[--*n];
    int i = 0;
    for (;;) {
        int c = 2 * i + 1;
        if (c >= *n) break;
        if (c + 1 < *n && before(&heap[c + 1], &heap[c])) c++;
        if (!before(&heap[c], &x)) break;
        heap[i] = heap[c];
        i = c;
    }
    heap[i] = x;
    return top;
}

static void add_job(tt_quota *q, int i, int64_t k, const int64_t *most, int64_t to)
{
    if (k >= (most ? most[i] : q->e[i])) return;
    int64_t deadline = mul_div_up(k + 1, q->C, q->e[i]);
    if (most && deadline > to) deadline = to; /* it has to be done in this period */
    push(q->later, &q->nlater, (job){deadline, mul_div(k, q->C, q->e[i]), q->tie[i], i}, released);
}

/* An order of [from, to): counts done[n] grow; no set beyond most[n] (NULL: no limit, beyond its quota). out (or NULL) receives the sets. */
static void walk(tt_quota *q, int64_t from, int64_t to, int64_t *done, const int64_t *most, int32_t *out)
{
    q->nready = q->nlater = 0;
    for (int i = 0; i < q->n; i++) add_job(q, i, done[i], most, to);
    for (int64_t t = from; t < to; t++) {
        while (q->nlater && q->later[0].release <= t)
            push(q->ready, &q->nready, pop(q->later, &q->nlater, released), sooner);
        /* The rounding at the ends can leave a place with nothing released: the next to be so comes early. */
        job j = q->nready ? pop(q->ready, &q->nready, sooner) : pop(q->later, &q->nlater, released);
        if (out) out[t - from] = j.set;
        add_job(q, j.set, ++done[j.set], most, to);
    }
}

/* The counts at the end of the period that begins at from with counts now: rounded a little before the end, and walked from there, so
 * that sets with many draws stand there as an unbroken walk would have left them. */
static void end_counts(tt_quota *q, int64_t from, const int64_t *now, int64_t *next)
{
    int64_t to = from + q->period < q->C ? from + q->period : q->C, near = to - SETTLE > from ? to - SETTLE : from;
    advance(q, near, now, next);
    walk(q, near, to, next, NULL, NULL);
}

/* The table of period b. Counts at its beginning come from those of the periods before. */
static void go_to(tt_quota *q, int64_t b)
{
    if (q->at == b) return;
    if (q->at < 0 || q->at > b) {
        memset(q->next, 0, sizeof *q->next * (size_t)q->n);
        q->at = -1;
    }
    while (q->at < b) {
        q->at++;
        memcpy(q->first, q->next, sizeof *q->first * (size_t)q->n);
        end_counts(q, q->at * q->period, q->first, q->next);
    }
    int64_t from = b * q->period, to = from + q->period < q->C ? from + q->period : q->C;
    memcpy(q->done, q->first, sizeof *q->done * (size_t)q->n);
    walk(q, from, to, q->done, q->next, q->set);
    memset(q->done, 0, sizeof *q->done * (size_t)q->n);
    for (int64_t k = 0; k < to - from; k++) q->use[k] = (int32_t)q->done[q->set[k]]++;
}

int tt_quota_draw(tt_quota *q, int64_t at, int64_t *use)
{
    assert(at >= 0 && at < q->C);
    go_to(q, at / q->period);
    int64_t k = at % q->period;
    int set = q->set[k];
    *use = q->first[set] + q->use[k];
    return set;
}

void tt_quota_counts(tt_quota *q, int64_t at, int64_t *count)
{
    assert(at >= 0 && at <= q->C);
    int64_t b = at < q->C ? at / q->period : q->nperiod - 1;
    go_to(q, b);
    memcpy(count, q->first, sizeof *count * (size_t)q->n);
    for (int64_t k = 0; k < at - b * q->period; k++) count[q->set[k]]++;
}
