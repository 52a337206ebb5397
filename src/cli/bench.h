/* Private to cli: the parts of tutti bench, what they share, and kernels under a stopwatch. */
#ifndef TUTTI_CLI_BENCH_H
#define TUTTI_CLI_BENCH_H

#include "tutti/cli.h"
#include "tutti/kern.h"
#include "tutti/model.h"

struct json_t;

/* ---- the parts: each of one process --------------------------------------------------------------------------------------*/
tt_err tt_bench_step(const tt_mesh *m, const tt_args *args);
tt_err tt_bench_metrics(const tt_mesh *m, const tt_args *args);
tt_err tt_bench_generate(const tt_mesh *m, const tt_args *args);

/* ---- what they share -----------------------------------------------------------------------------------------------------*/
double tt_bench_cpu(void); /* processor seconds of this process so far */
/* T5 1.1 small's shape with the given layers on each side and vocabulary; weights are 0. */
tt_err tt_bench_model(int64_t layers, int64_t vocab, tt_model **out);
/* Runs a Python script ($PYTHON, else /usr/bin/python3) with args as the shell takes them. The last line of its output as JSON, a new
 * reference; NULL, with a warning, where that is no JSON object. */
struct json_t *tt_bench_peer(const char *script, const char *args);
/* One line on stdout, and into the file where path is one; takes the reference. TT_ERUN: the file. */
tt_err tt_bench_print(struct json_t *line, const char *path);

/* ---- the stopwatch -------------------------------------------------------------------------------------------------------*/

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
