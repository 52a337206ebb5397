#include "quota.h"

#include <stdlib.h>
#include <string.h>

enum { PERIOD = 1 << 16, MAX_DEPTH = 50 };

typedef struct span { /* draws [from, to) of the cycle; counts[n] at both ends and, once it is halved, in the middle */
    int64_t from, to;
    const int64_t *first, *last;
    int64_t *half; /* owned; valid if halved */
    bool halved;
} span;

typedef struct job { /* the next draw of a set */
    int64_t due;     /* has to be done before this place */
    uint64_t tie;
    int set;
} job;

typedef struct jobs { /* a heap, the earliest on top */
    int n;
    job *at;
} jobs;

typedef struct rest { /* a set that stands between two whole draws at a middle: it may be rounded up */
    int64_t release, due;
    int64_t part; /* of C: how much of the draw the ideal line has done */
    uint64_t tie;
    int set;
} rest;

struct tt_quota {
    int n;
    int64_t C, period;
    int64_t *e, *zero; /* [n] */
    uint64_t *tie;     /* [n] */
    int64_t cycle;     /* that the spans are of; -1: none yet */
    int depth;         /* span[depth] is the piece in the table, span[d + 1] a half of span[d] */
    span span[MAX_DEPTH];
    int32_t *set; /* [period] the table */
    int32_t *use; /* [period]: draws of the set in this piece before */
    jobs ready;
    rest *rest; /* [n] */
    int64_t *done, *edge,
        *due; /* [n] while a piece is walked: counts; end of the job before; deadline of the waiting job */
    int32_t *waiting,
        *next_wait; /* [period], [n]: lists of sets by the place at which their job is released, -1 ends them */
};

tt_quota *tt_quota_new(int n, const int64_t *e, tt_rkey key, int64_t period)
{
    tt_quota *q = tt_malloc(sizeof *q);
    size_t N = (size_t)n + 1;
    *q = (tt_quota){.n = n, .cycle = -1};
    q->e = tt_malloc(sizeof *q->e * N);
    q->zero = tt_malloc(sizeof *q->zero * N);
    q->tie = tt_malloc(sizeof *q->tie * N);
    for (int i = 0; i < n; i++) {
        q->e[i] = e[i];
        q->C += e[i];
        q->zero[i] = 0;
        q->tie[i] = tt_rand64(key, (uint64_t)i);
    }
    assert(q->C > 0 && q->C <= (int64_t)1 << 48);
    q->period = period > 0 ? period : PERIOD;
    if (q->period > q->C) q->period = q->C;
    q->set = tt_malloc(sizeof *q->set * (size_t)q->period);
    q->use = tt_malloc(sizeof *q->use * (size_t)q->period);
    q->waiting = tt_malloc(sizeof *q->waiting * (size_t)q->period);
    q->next_wait = tt_malloc(sizeof *q->next_wait * N);
    q->ready.at = tt_malloc(sizeof *q->ready.at * N);
    q->rest = tt_malloc(sizeof *q->rest * N);
    q->done = tt_malloc(sizeof *q->done * N);
    q->edge = tt_malloc(sizeof *q->edge * N);
    q->due = tt_malloc(sizeof *q->due * N);
    return q;
}

void tt_quota_free(tt_quota *q)
{
    if (!q) return;
    void *own[] = {q->e,         q->zero,     q->tie,  q->set,  q->use,  q->waiting,
                   q->next_wait, q->ready.at, q->rest, q->done, q->edge, q->due};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) free(own[i]);
    for (int d = 0; d < MAX_DEPTH; d++) free(q->span[d].half);
    free(q);
}

int64_t tt_quota_cycle(const tt_quota *q) { return q->C; }

/* floor(a b / c), and what is left of it. */
static int64_t divide(int64_t a, int64_t b, int64_t c, int64_t *left)
{
    int64_t ab;
    if (!__builtin_mul_overflow(a, b, &ab)) {
        *left = ab % c;
        return ab / c;
    }
    *left = (int64_t)((__int128)a * b % c);
    return (int64_t)((__int128)a * b / c);
}

static uint64_t tie_of(const tt_quota *q, int i, int64_t k)
{
    return tt_mix64(q->tie[i] ^ (uint64_t)(q->cycle * q->e[i] + k));
}

/* ---- the heap --------------------------------------------------------------------------------------------------------------*/

static bool sooner(const job *a, const job *b)
{
    if (a->due != b->due) return a->due < b->due;
    return a->tie != b->tie ? a->tie < b->tie : a->set < b->set;
}

static void push(jobs *h, job x)
{
    int i = h->n++;
    for (int up = (i - 1) / 2; i > 0 && sooner(&x, &h->at[up]); up = (i - 1) / 2) {
        h->at[i] = h->at[up];
        i = up;
    }
    h->at[i] = x;
}

static job pop(jobs *h)
{
    assert(h->n > 0);
    job top = h->at[0], x = h->at[--h->n];
    int i = 0;
    for (int c = 1; c < h->n; c = 2 * i + 1) {
        if (c + 1 < h->n && sooner(&h->at[c + 1], &h->at[c])) c++;
        if (!sooner(&h->at[c], &x)) break;
        h->at[i] = h->at[c];
        i = c;
    }
    h->at[i] = x;
    return top;
}

/* ---- counts in the middle of a span ----------------------------------------------------------------------------------------
 * The ideal line gives set i at place N = low_i + part_i / C draws. The count there is low_i or low_i + 1; R = N - sum low_i sets are
 * rounded up. Not any R will do. With too many that are not due for long, the others cannot all be served in time afterwards; with
 * too many released just now, they cannot all have been served before. By Hall's theorem both halves can be walked if for every
 * place t > N at most S(t) = sum_i frac(t e_i / C) of those rounded up are due behind t, and for every t < N at most
 * P(t) = N - t - sum_i max(0, low_i - ceil(t e_i / C)) of them are released at or behind t.
 *
 * The parts themselves, as fractions of a set, keep to both: the sum of part_i / C over the sets due behind t is at most S(t), over those
 * released at or behind t at most P(t). Rounding them keeps to both as well if it keeps to two lower bounds: among the sets released before
 * t at least the floor of their sum is rounded up, and among the sets due by t at least the floor of theirs (S and P are whole numbers).
 * So lay the parts end to end, in the order of release, on a line of R slots, and let each slot take, of the sets that have begun on
 * the line by its end and are not taken, the one that is due first: earliest deadline first once more, on a line where a slot is a
 * whole draw.
 *
 * Sets whose count is settled by the ends of the span come first: one that was rounded up at its beginning and has not come to the
 * end of that draw stays up; one that is not to have its draw by the end of the span stays down. To make up for them, parts are
 * taken from the sets due last, or given to those released first; neither breaks a bound that the span's ends can meet. */

static int by_release(const void *x, const void *y)
{
    const rest *a = x, *b = y;
    if (a->release != b->release) return a->release < b->release ? -1 : 1;
    if (a->tie != b->tie) return a->tie < b->tie ? -1 : 1;
    return a->set - b->set;
}

static int last_due_first(const void *x, const void *y)
{
    const rest *a = x, *b = y;
    return a->due != b->due ? (a->due < b->due ? 1 : -1) : by_release(x, y);
}

static rest rest_of(const tt_quota *q, int i, int64_t low, int64_t part)
{
    int64_t left, release = divide(low, q->C, q->e[i], &left), due = divide(low + 1, q->C, q->e[i], &left);
    return (rest){release, due + (left > 0), part, tie_of(q, i, low), i};
}

/* s->half[]: what is settled, low for the others. Returns how many are in q->rest. *up: sets left to round up; *over: by how much, in
 * units of 1 / C, the settled ones exceed their parts. */
static int settle(tt_quota *q, span *s, int64_t N, int64_t *up, __int128 *over)
{
    int n = 0;
    *up = N;
    *over = 0;
    for (int i = 0; i < q->n; i++) {
        int64_t part, low = divide(N, q->e[i], q->C, &part);
        s->half[i] = low + (s->first[i] > low);
        *up -= s->half[i];
        if (part == 0) continue;
        if (s->first[i] > low)
            *over += q->C - part;
        else if (s->last[i] <= low)
            *over -= part;
        else
            q->rest[n++] = rest_of(q, i, low, part);
    }
    return n;
}

static void take_from_last_due(rest *r, int n, __int128 over)
{
    qsort(r, (size_t)n, sizeof *r, last_due_first);
    for (int i = 0; i < n && over > 0; i++) {
        int64_t take = over < r[i].part ? (int64_t)over : r[i].part;
        r[i].part -= take;
        over -= take;
    }
}

/* r in the order of release. */
static void give_to_first_released(const tt_quota *q, rest *r, int n, __int128 lack)
{
    for (int i = 0; i < n && lack > 0; i++) {
        int64_t room = q->C - r[i].part, give = lack < room ? (int64_t)lack : room;
        r[i].part += give;
        lack -= give;
    }
}

static void halve(tt_quota *q, span *s)
{
    int64_t up;
    __int128 over, begin = 0; /* of the next part on the line */
    if (!s->half) s->half = tt_malloc(sizeof *s->half * (size_t)(q->n + 1));
    int n = settle(q, s, s->from + (s->to - s->from) / 2, &up, &over), i = 0;
    if (over > 0) take_from_last_due(q->rest, n, over);
    qsort(q->rest, (size_t)n, sizeof *q->rest, by_release);
    give_to_first_released(q, q->rest, n, -over);
    q->ready.n = 0;
    for (int64_t slot = 0; slot < up; slot++) {
        for (; i < n && begin < (__int128)(slot + 1) * q->C; i++) {
            const rest *r = &q->rest[i];
            begin += r->part;
            if (r->part) push(&q->ready, (job){r->due, r->tie, r->set});
        }
        s->half[pop(&q->ready).set]++;
    }
    s->halved = true;
}

/* ---- one piece -------------------------------------------------------------------------------------------------------------*/

/* The next job of set i, if the piece has one: to be done at place t or later. */
static void offer(tt_quota *q, const span *s, int i, int64_t t)
{
    int64_t k = q->done[i], release = q->edge[i], left;
    if (k >= s->last[i]) return;
    q->edge[i] = divide(k + 1, q->C, q->e[i], &left);
    q->due[i] = q->edge[i] + (left > 0);
    if (q->due[i] > s->to) q->due[i] = s->to; /* rounded up at the end of the piece */
    if (release <= t) {
        push(&q->ready, (job){q->due[i], tie_of(q, i, k), i});
    } else {
        q->next_wait[i] = q->waiting[release - s->from];
        q->waiting[release - s->from] = i;
    }
}

static void walk(tt_quota *q, const span *s)
{
    int64_t size = s->to - s->from, left;
    q->ready.n = 0;
    memset(q->waiting, 0xff, sizeof *q->waiting * (size_t)size);
    for (int i = 0; i < q->n; i++) {
        q->done[i] = s->first[i];
        q->edge[i] = q->e[i] ? divide(q->done[i], q->C, q->e[i], &left) : 0;
        offer(q, s, i, s->from);
    }
    for (int64_t k = 0; k < size; k++) {
        for (int i = q->waiting[k]; i >= 0; i = q->next_wait[i])
            push(&q->ready, (job){q->due[i], tie_of(q, i, q->done[i]), i});
        job j = pop(&q->ready);
        assert(j.due > s->from + k);
        q->set[k] = j.set;
        q->use[k] = (int32_t)(q->done[j.set]++ - s->first[j.set]);
        offer(q, s, j.set, s->from + k + 1);
    }
}

static bool in_span(const span *s, int64_t k) { return s->from <= k && k < s->to; }

static void descend(tt_quota *q, int64_t k)
{
    span *s = &q->span[q->depth], *part = s + 1;
    assert(q->depth + 1 < MAX_DEPTH);
    if (!s->halved) halve(q, s);
    int64_t middle = s->from + (s->to - s->from) / 2;
    part->from = k < middle ? s->from : middle;
    part->to = k < middle ? middle : s->to;
    part->first = k < middle ? s->first : s->half;
    part->last = k < middle ? s->half : s->last;
    part->halved = false;
    q->depth++;
}

/* The piece of draw at in the table; returns the draw's place in its cycle. */
static int64_t go_to(tt_quota *q, int64_t at, const span **piece)
{
    int64_t cycle = at / q->C, k = at % q->C;
    *piece = &q->span[q->depth];
    if (cycle == q->cycle && in_span(*piece, k)) return k;
    if (cycle != q->cycle) {
        q->cycle = cycle;
        q->depth = 0;
        q->span[0].from = 0;
        q->span[0].to = q->C;
        q->span[0].first = q->zero;
        q->span[0].last = q->e;
        q->span[0].halved = false;
    }
    while (!in_span(&q->span[q->depth], k)) q->depth--;
    while (q->span[q->depth].to - q->span[q->depth].from > q->period) descend(q, k);
    *piece = &q->span[q->depth];
    walk(q, *piece);
    return k;
}

int tt_quota_draw(tt_quota *q, int64_t at, int64_t *use)
{
    const span *s;
    int64_t k = go_to(q, at, &s);
    int set = q->set[k - s->from];
    *use = q->cycle * q->e[set] + s->first[set] + q->use[k - s->from];
    return set;
}

void tt_quota_counts(tt_quota *q, int64_t at, int64_t *count)
{
    const span *s;
    int64_t k = go_to(q, at, &s);
    for (int i = 0; i < q->n; i++) count[i] = q->cycle * q->e[i] + s->first[i];
    for (int64_t j = 0; j < k - s->from; j++) count[q->set[j]]++;
}
