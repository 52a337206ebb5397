/* Private to kern: what the members of the check table share. */
#ifndef TUTTI_KERN_CHECK_H
#define TUTTI_KERN_CHECK_H

#include "impl.h"

#define ULP 0x1p-23

/* Copies of outputs for ref, in the scratch slots from SCRATCH_CHECK on; valid until the next checked kernel. */
typedef struct tt_copies {
    int used;
} tt_copies;
float *tt_check_room(tt_copies *c, int64_t n);
float *tt_check_copy(tt_copies *c, int64_t n, const float *x); /* NULL stays NULL */

/* The largest finite magnitude of n elements (x may be NULL: 0), and of a matrix with row stride ld. */
double tt_check_largest(int64_t n, const float *x);
double tt_check_largest_rows(int64_t R, int64_t n, const float *x, int64_t ld);
/* The largest Euclidean norm of a head's K elements, of H heads in each of R rows. */
double tt_check_widest(int64_t R, int H, int K, const float *x, int64_t ld);
double tt_check_norm(int64_t n, const float *x, int64_t step); /* Euclidean */

/* What the message of a difference names. */
typedef struct tt_where {
    const char *kernel;
    char shape[200];
} tt_where;
#define WHERE(w, kernel_name, ...)        \
    tt_where w = {.kernel = kernel_name}; \
    snprintf(w.shape, sizeof w.shape, __VA_ARGS__)

/* Ends the run at the worst element with |fast - ref| > 4 ulp of |ref| + allowed. fast may be NULL: nothing was asked for. */
void tt_check_compare(const tt_where *w, const char *array, int64_t n, const float *fast, const float *ref,
                      double allowed);
void tt_check_compare1(const tt_where *w, const char *array, double fast, double ref, double allowed);

#endif
