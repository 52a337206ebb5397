/* Between whole parameters and a part's slices of them. */
#include "tutti/tensor.h"

#include <string.h>

/* The whole is [rows, cols]; the slice is the same columns [lo, hi) of every row. A slice of rows, or of all, is one row of this. */
typedef struct cut {
    int64_t rows, cols, lo, hi;
} cut;

static cut cut_of(const tt_par *p)
{
    if (p->axis < 0) return (cut){1, p->n, 0, p->n};
    int64_t inner = p->n / p->shape[0];
    if (p->axis == 0) return (cut){1, p->of * inner, p->lo * inner, p->hi * inner};
    assert(p->axis == 1 && p->ndim == 2);
    return (cut){p->shape[0], p->of, p->lo, p->hi};
}

int64_t tt_par_whole(const tt_par *part)
{
    cut c = cut_of(part);
    return c.rows * c.cols;
}

/* Elements at .. at+n-1 of the whole, row by row; of each row the columns that the slice has. */
static void move(const tt_par *part, int64_t at, int64_t n, float *some, float *slice, bool out)
{
    cut c = cut_of(part);
    assert(at >= 0 && n >= 0 && at + n <= c.rows * c.cols);
    for (int64_t r = at / c.cols; r * c.cols < at + n; r++) {
        int64_t lo = r * c.cols + c.lo, hi = r * c.cols + c.hi;
        if (lo < at) lo = at;
        if (hi > at + n) hi = at + n;
        if (lo >= hi) continue;
        float *own = slice + r * (c.hi - c.lo) + lo - r * c.cols - c.lo, *its = some + lo - at;
        memcpy(out ? own : its, out ? its : own, sizeof *own * (size_t)(hi - lo));
    }
}

void tt_par_slice_some(const tt_par *part, int64_t at, int64_t n, const float *some, float *out)
{
    move(part, at, n, (float *)some, out, true);
}

void tt_par_unslice_some(const tt_par *part, int64_t at, int64_t n, const float *slice, float *some)
{
    move(part, at, n, some, (float *)slice, false);
}

void tt_par_slice(const tt_par *part, const float *whole, float *out)
{
    tt_par_slice_some(part, 0, tt_par_whole(part), whole, out);
}

void tt_par_unslice(const tt_par *part, const float *slice, float *whole)
{
    tt_par_unslice_some(part, 0, tt_par_whole(part), slice, whole);
}
