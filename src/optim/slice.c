/* Runs of a stretch of the whole table that a part holds, and messages made of them. */
#include "zero.h"

#include <string.h>

typedef struct walk {
    void (*fn)(void *ctx, run r);
    void *ctx;
} walk;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* The elements [from,to) of the parameter that lie in [a,b): one run. */
static void emit(const walk *w, int64_t whole, int64_t part, int64_t from, int64_t to, int64_t a, int64_t b)
{
    int64_t x = most(from, a), y = least(to, b);
    if (x < y) w->fn(w->ctx, (run){whole + x, part + x - from, y - x});
}

/* Columns [s.lo, s.hi) of the rows that [a,b) touches. */
static void emit_columns(const walk *w, const tt_par *p, slice s, int64_t part, int64_t a, int64_t b)
{
    int64_t cols = p->shape[p->ndim - 1], width = s.hi - s.lo;
    for (int64_t r = a / cols; r * cols < b; r++)
        emit(w, p->at, part + r * width, r * cols + s.lo, r * cols + s.hi, a, b);
}

static void emit_row(const tt_zero *z, const walk *w, stretch t, int i)
{
    const tt_par *p = &z->whole->p[i], *own = &z->part->p[i];
    slice s = z->slice[t.tp * z->whole->n + i];
    int64_t a = most(t.lo - p->at, 0), b = least(t.hi - p->at, p->n), part = own->at - z->part->group[t.group].at;
    if (a >= b || (t.once && s.axis < 0 && t.tp != 0)) return;
    int64_t inner = p->n / p->shape[0];
    if (s.axis < 0)
        emit(w, p->at, part, 0, p->n, a, b);
    else if (s.axis == 0)
        emit(w, p->at, part, s.lo * inner, s.hi * inner, a, b);
    else
        emit_columns(w, p, s, part, a, b);
}

/* Offsets of other parts than this rank's own are meaningless, and nobody asks for them. */
void slice_each(const tt_zero *z, stretch s, void (*fn)(void *ctx, run r), void *ctx)
{
    const tt_group *g = &z->whole->group[s.group];
    walk w = {fn, ctx};
    for (int i = g->first; i < g->end; i++) emit_row(z, &w, s, i);
}

static void count(void *ctx, run r) { *(int64_t *)ctx += r.n; }

int64_t slice_floats(const tt_zero *z, stretch s)
{
    int64_t n = 0;
    slice_each(z, s, count, &n);
    return n;
}

typedef struct copy {
    const float *from;
    float *to;
    int64_t lo;
} copy;

static void part_to_msg(void *ctx, run r)
{
    copy *c = ctx;
    memcpy(c->to, c->from + r.part, sizeof(float) * (size_t)r.n);
    c->to += r.n;
}

static void msg_to_part(void *ctx, run r)
{
    copy *c = ctx;
    memcpy(c->to + r.part, c->from, sizeof(float) * (size_t)r.n);
    c->from += r.n;
}

static void whole_to_msg(void *ctx, run r)
{
    copy *c = ctx;
    memcpy(c->to, c->from + (r.whole - c->lo), sizeof(float) * (size_t)r.n);
    c->to += r.n;
}

static void msg_to_whole(void *ctx, run r)
{
    copy *c = ctx;
    memcpy(c->to + (r.whole - c->lo), c->from, sizeof(float) * (size_t)r.n);
    c->from += r.n;
}

void slice_pack_part(const tt_zero *z, stretch s, const float *part, float *msg)
{
    copy c = {part, msg, s.lo};
    slice_each(z, s, part_to_msg, &c);
}

void slice_unpack_part(const tt_zero *z, stretch s, const float *msg, float *part)
{
    copy c = {msg, part, s.lo};
    slice_each(z, s, msg_to_part, &c);
}

void slice_pack_whole(const tt_zero *z, stretch s, const float *whole, float *msg)
{
    copy c = {whole, msg, s.lo};
    slice_each(z, s, whole_to_msg, &c);
}

void slice_unpack_whole(const tt_zero *z, stretch s, const float *msg, float *whole)
{
    copy c = {msg, whole, s.lo};
    slice_each(z, s, msg_to_whole, &c);
}
