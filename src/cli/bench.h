/* Private to cli: the parts of tutti bench, what they share, and kernels under a stopwatch. */
#ifndef TUTTI_CLI_BENCH_H
#define TUTTI_CLI_BENCH_H

#include "tutti/cli.h"
#include "tutti/kern.h"
#include "tutti/model.h"
#include "tutti/optim.h"

struct json_t;

/* ---- the parts: of one process, but ranks and growth, which are Collective -----------------------------------------------*/
tt_err tt_bench_step(const tt_mesh *m, const tt_args *args);
tt_err tt_bench_metrics(const tt_mesh *m, const tt_args *args);
tt_err tt_bench_generate(const tt_mesh *m, const tt_args *args);
tt_err tt_bench_peaks(const tt_mesh *m, const tt_args *args);
tt_err tt_bench_ranks(const tt_mesh *m, const tt_args *args);
tt_err tt_bench_growth(const tt_mesh *m, const tt_args *args);
tt_err tt_bench_start(const tt_mesh *m, const tt_args *args);
tt_err tt_bench_init(const tt_mesh *m, const tt_args *args); /* nothing: MPI has started, and ends */
tt_err tt_bench_versus(const tt_mesh *m, const tt_args *args);
tt_err tt_bench_all(const tt_mesh *m, const tt_args *args);

/* ---- what they share -----------------------------------------------------------------------------------------------------*/
double tt_bench_cpu(void); /* processor seconds of this process so far */
/* T5 1.1 small's shape with the given layers on each side and vocabulary; weights are 0. */
tt_err tt_bench_model(int64_t layers, int64_t vocab, tt_model **out);
/* Runs a Python script ($PYTHON, else /usr/bin/python3) with args as the shell takes them. The last line of its output as JSON, a new
 * reference; NULL, with a warning, where that is no JSON object. */
struct json_t *tt_bench_peer(const char *script, const char *args);
/* One line on stdout, and into the file where path is one; takes the reference. TT_ERUN: the file. */
tt_err tt_bench_print(struct json_t *line, const char *path);

/* Least, median and most of some runs; the spread says how far the machine is to be believed. */
typedef struct tt_bench_stat {
    int n;
    double least, median, most;
} tt_bench_stat;
tt_bench_stat tt_bench_stat_of(int n, const double *x);
struct json_t *tt_bench_stat_json(const tt_bench_stat *s);

/* The sizes of a T5 1.1 model; L layers on each side. */
typedef struct tt_bench_dims {
    char name[8];
    int64_t D, F, L, H, K, V;
} tt_bench_dims;
/* config: a config.json, NULL or "": one of the five by name. TT_EJOB, TT_EFILE. */
tt_err tt_bench_dims_of(const char *size, const char *config, tt_bench_dims *out);
int64_t tt_bench_params(const tt_bench_dims *d); /* of the matrices; norms and biases are not counted */
tt_err tt_bench_build(const tt_bench_dims *d, tt_model **out);

/* A checkpoint of at most mb MiB (fewer layers then) and a plain file of its size, in dir (NULL, "": $TMPDIR, /tmp). Collective. */
tt_err tt_bench_disk(const tt_mesh *m, const tt_bench_dims *d, const char *dir, int64_t mb, int times,
                     struct json_t **out);

/* ---- a training step -------------------------------------------------------------------------------------------------------
 * As in tutti train but for the data: random ids of given lengths. fp32, AdamW. */
typedef struct tt_bench_batch { /* of all ranks */
    int64_t n;
    int *S, *T; /* [n] tokens */
} tt_bench_batch;

/* n examples of enc + dec tokens; or, enc 0, of DialogSum's lengths. In a. */
tt_bench_batch tt_bench_batch_make(tt_arena *a, int64_t n, int64_t enc, int64_t dec);

typedef struct tt_bench_time { /* seconds of one step; all but step are this rank's */
    double step, cpu;
    double sum;    /* over grains and ranks: pushing and finishing it, once all ranks have come so far */
    double wait;   /* for the slowest rank's gradients */
    double gather; /* of the new weights */
    double update; /* the norm and the new weights of the own slice */
} tt_bench_time;

typedef struct tt_bench_work tt_bench_work;
/* Local. *out is to be freed after an error too. The batch is cut into grains in order. reduce: TT_REDUCE_EXACT, TT_REDUCE_MPI.
 * base NULL: a model of its own; else base's model and memory, which must live as long. */
tt_err tt_bench_work_new(const tt_mesh *m, const tt_bench_dims *d, const tt_bench_batch *b, int64_t grains, int reduce,
                         const tt_bench_work *base, tt_bench_work **out);
void tt_bench_work_free(tt_bench_work *w);
int64_t tt_bench_work_tokens(const tt_bench_work *w);        /* of all ranks */
double tt_bench_work_flops(const tt_bench_work *w);          /* of this rank's products in a step */
void tt_bench_work_step(tt_bench_work *w, tt_bench_time *t); /* Collective */
/* Collective. A barrier that leaves the processor to others: for ranks that sit out while one measures. */
void tt_bench_wait(const tt_mesh *m);

/* ---- other programs ------------------------------------------------------------------------------------------------------
 * Each is a shell command, with the environment that this process began with (after MPI has started, getenv has more). */
/* Its output; NULL: it could not be started. End with reap, which returns its exit code, -1 if a signal ended it. */
FILE *tt_bench_spawn(const char *command, int *pid);
int tt_bench_reap(FILE *f, int pid);
/* Waits for its end. The last line of its output as JSON, a new reference; NULL if that is no object or the exit code is not 0. show: its
 * other lines go to stdout. */
struct json_t *tt_bench_child(const char *command, bool show);
const char *tt_bench_self(void); /* the path of this program */

/* ---- bf16 products through oneDNN: operands rounded before, sums in fp32 --------------------------------------------------*/
typedef struct tt_bench_half tt_bench_half;
/* C[m,n] = op(A)[m,k] op(B)[k,n] as tt_kern's gemm, rows without gaps. NULL: this CPU or library cannot. */
tt_bench_half *tt_bench_half_new(bool ta, bool tb, int64_t m, int64_t n, int64_t k);
void tt_bench_half_run(tt_bench_half *h, const uint16_t *A, const uint16_t *B, float *C);
void tt_bench_half_free(tt_bench_half *h);

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
