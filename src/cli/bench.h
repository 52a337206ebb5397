/* Private to cli: kernels under a stopwatch. */
#ifndef TUTTI_CLI_BENCH_H
#define TUTTI_CLI_BENCH_H

#include "tutti/kern.h"

typedef struct tt_lap {
    const char *kernel;
    int64_t calls;
    double seconds, flops; /* flops: of matrix products only */
} tt_lap;

/* The fast table with every kernel timed. One process, one thread: the laps are this thread's. */
extern const tt_kern tt_kern_timed;
const tt_lap *tt_laps(void); /* ended by a row without a name */
void tt_laps_clear(void);

#endif
