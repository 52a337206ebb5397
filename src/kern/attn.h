/* Private to attention: the problem as the instruction sets' versions see it, and the list of these. */
#ifndef TUTTI_KERN_ATTN_H
#define TUTTI_KERN_ATTN_H

#include "linear.h"

#if defined __x86_64__ && defined __GNUC__ && !defined __clang__
#define ATTN_X86 1
#else
#define ATTN_X86 0
#endif

#define LOG2E 1.44269504f
/* 2^r for |r| <= 1/2, relative error 7.5e-8 (Remez). */
#define EXP2_0 1.0000000717f
#define EXP2_1 6.9314696706e-1f
#define EXP2_2 2.4022119724e-1f
#define EXP2_3 5.5507132735e-2f
#define EXP2_4 9.6755413342e-3f
#define EXP2_5 1.3276471979e-3f

/* What may be read beside a table over distances: padded columns of the last panel, a padded row. */
enum { MARGIN = 128 };

/* q .. dv: float, or bf16 in the half versions. */
typedef struct attn_call {
    const tt_attn *a;
    const void *q, *k, *v, *o, *dout;
    const float *lse;
    void *out, *dq, *dk, *dv;
    float *lse_out;
    int64_t ldq, ldk, ldv, ldo;
    int first;         /* the tables over distances begin at this one (key - query) */
    int span;          /* distances in them */
    int64_t row;       /* floats of one head's table, margins included */
    const int *bucket; /* [span] */
    const float *bias; /* [H][row], divided by scale, distance d at MARGIN + d - first; NULL: no bias */
    double *dbias;     /* [nseg][H][nbucket] sums of dS; NULL: not wanted */
} attn_call;

/* One segment and the heads of one head of keys: what a thread does at a time. Scale is positive. */
typedef struct attn_set {
    void (*fwd)(const attn_call *c, int seg, int g);
    void (*bwd)(const attn_call *c, int seg, int g);
} attn_set;

extern const attn_set tt_attn_any;
/* Empty where the compiler has no such instruction set. */
extern const attn_set tt_attn_v3, tt_attn_v4, tt_attn_half;

/* By one of them, on the threads of this rank. The table members take the best that the processor has; tests take each. */
void tt_attn_call_fwd(attn_call *c, const attn_set *set);
void tt_attn_call_bwd(attn_call *c, const attn_set *set, float *dbias);

/* bf16 by the kernels of fp32: operands converted, results rounded. */
void tt_attn_wide_fwd(__typeof__(tt_fast_attn_fwd) *fwd, const attn_call *c);
void tt_attn_wide_bwd(__typeof__(tt_fast_attn_bwd) *bwd, const attn_call *c, float *dbias);

INLINE const float *bias_at(const attn_call *c, const tt_seg *s, int h, int i, int j)
{
    return c->bias + h * c->row + MARGIN + j - (s->p0 + i) - c->first;
}

INLINE int kv_head(const tt_attn *a, int h) { return h / (a->H / a->Hkv); }

#endif
