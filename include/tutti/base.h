/* base: errors, log, arena, random streams. Everything here is local; nothing knows of MPI. */
#ifndef TUTTI_BASE_H
#define TUTTI_BASE_H

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TT_VERSION "0.1.0"

#ifdef __cplusplus
#define restrict __restrict__
extern "C" {
#endif

/* ---- errors -------------------------------------------------------------------------------------------------
 * An error code is the exit code of the program. The first failure of a process keeps its text (fact, place, remedy);
 * later ones are consequences and are dropped. A caller that recovers from a failure clears it. */
typedef enum tt_err {
    TT_OK = 0,
    TT_ERUN = 1,   /* the run failed: memory, disk, a library */
    TT_EJOB = 2,   /* usage or job file */
    TT_EDATA = 3,  /* data sets, tokenizers */
    TT_EFILE = 4,  /* checkpoint or model file */
    TT_ESTOP = 75, /* stopped by a signal after a clean checkpoint (EX_TEMPFAIL: requeue) */
} tt_err;

#define TT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

tt_err tt_fail(tt_err code, const char *fmt, ...) TT_PRINTF(2, 3); /* returns code */
const char *tt_fail_text(void);                                    /* "" if nothing failed */
tt_err tt_fail_code(void);
void tt_fail_clear(void);

#define TT_TRY(expr)                          \
    do {                                      \
        tt_err tt_try_ = (expr);              \
        if (tt_try_ != TT_OK) return tt_try_; \
    } while (0)

/* ---- log ----------------------------------------------------------------------------------------------------
 * Lines go to stderr and, once opened, to the run's log.txt. Only rank 0 speaks (tt_log_rank); a failing rank's text is
 * carried to rank 0 by tt_agree. stdout is for a verb's result. */
void tt_log_rank(int rank);
tt_err tt_log_open(const char *path); /* append; TT_ERUN if it cannot be opened */
void tt_log_close(void);
void tt_log(const char *fmt, ...) TT_PRINTF(1, 2);
void tt_warn_once(const char *key, const char *fmt, ...) TT_PRINTF(2, 3); /* once per key and process */
/* One line that stays below the others on a terminal and is redrawn in place; "" removes it. Nothing when stderr is no terminal. */
void tt_log_status(const char *fmt, ...) TT_PRINTF(1, 2);
void tt_log_quiet(bool quiet); /* file only */

/* A bug of ours: prints host, rank, file:line and calls the hook (comm sets it to MPI_Abort), then abort(). */
#define TT_BUG(...) tt_bug(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void tt_bug(const char *file, int line, const char *fmt, ...) TT_PRINTF(3, 4);
void tt_bug_hook(void (*hook)(void));

/* ---- arena --------------------------------------------------------------------------------------------------
 * A growing stack of blocks; every allocation is 64-byte aligned. After the first step a step arena holds all it needs and
 * asks the system for nothing more. Running out of memory is fatal (tt_bug with the size): no caller checks for NULL. */
typedef struct tt_arena tt_arena;
typedef struct tt_mark {
    int block;
    size_t used;
} tt_mark;

tt_arena *tt_arena_new(size_t first_bytes);
void tt_arena_free(tt_arena *a);
void *tt_alloc(tt_arena *a, size_t bytes);  /* not cleared */
void *tt_zalloc(tt_arena *a, size_t bytes); /* cleared */
char *tt_strdup(tt_arena *a, const char *s);
char *tt_sprintf(tt_arena *a, const char *fmt, ...) TT_PRINTF(2, 3);
tt_mark tt_arena_mark(const tt_arena *a);
void tt_arena_rewind(tt_arena *a, tt_mark m); /* frees nothing, forgets everything after m */
void tt_arena_reset(tt_arena *a);
size_t tt_arena_peak(const tt_arena *a); /* bytes held from the system */
/* For dry runs: address space alone. Lays things out exactly as tt_arena_new with the same first block; what nobody writes to costs nothing. */
tt_arena *tt_arena_new_phantom(size_t first_bytes);
size_t tt_arena_touched(const tt_arena *a); /* bytes that were ever handed out, in pages of the system */

#define TT_NEW(a, type, n) ((type *)tt_alloc((a), sizeof(type) * (size_t)(n)))
#define TT_ZNEW(a, type, n) ((type *)tt_zalloc((a), sizeof(type) * (size_t)(n)))

/* Heap memory that must exist: as malloc/realloc, but never NULL for bytes > 0 (tt_bug). Freed with free(). */
void *tt_malloc(size_t bytes);
void *tt_realloc(void *p, size_t bytes);
/* As tt_malloc, 64-byte aligned; memory of some megabytes lies in large pages where the system gives them. */
void *tt_malloc_large(size_t bytes);

/* ---- random streams -----------------------------------------------------------------------------------------
 * Counter-based: a value is a function of (key, counter), so any rank can draw any value in O(1).
 * Philox 4x32-10 (Salmon et al., SC'11). A key names the use: tt_key(seed, "dropout", step, grain, op). */
typedef uint64_t tt_rkey;
tt_rkey tt_key(uint64_t seed, const char *use, uint64_t a, uint64_t b, uint64_t c);
void tt_rand4(tt_rkey key, uint64_t counter, uint32_t out[4]);
uint64_t tt_rand64(tt_rkey key, uint64_t counter);
double tt_rand01(tt_rkey key, uint64_t counter);                   /* [0, 1), 53 bits */
uint64_t tt_rand_below(tt_rkey key, uint64_t counter, uint64_t n); /* 0..n-1, unbiased to 2^-64 * n */
double tt_rand_normal(tt_rkey key, uint64_t counter);              /* N(0,1), Box-Muller */
uint64_t tt_mix64(uint64_t x);                                     /* splitmix64 finalizer */

/* A permutation of 0..n-1 evaluated at i in O(1): a 4-round Feistel network over the next even power of two, walked until
 * the value falls below n (expected < 4 steps). */
uint64_t tt_permute(tt_rkey key, uint64_t n, uint64_t i);

/* ---- small things -------------------------------------------------------------------------------------------*/
double tt_now(void); /* seconds, monotonic */
/* Whole file into memory (0-terminated; *size without the 0). gz by content. TT_EDATA with path and errno's text; *text is NULL then. */
tt_err tt_slurp(const char *path, char **text, size_t *size);
bool tt_exists(const char *path);
/* Rank r's run [lo,hi) of total things: contiguous, sizes differ by at most one, [total r/size, total (r+1)/size). */
void tt_share(int64_t total, int rank, int size, int64_t *lo, int64_t *hi);
/* Who has thing i of total among size: runs as tt_share gives them, or in turns (i mod size). */
typedef struct tt_deal {
    int rank, size;
    bool turns;
} tt_deal;
bool tt_deal_has(const tt_deal *d, int64_t total, int64_t i);
/* Thing k of d->rank, -1 when it has no more. */
int64_t tt_deal_nth(const tt_deal *d, int64_t total, int64_t k);
tt_err tt_mkdirs(const char *path); /* like mkdir -p; TT_ERUN */
/* The closest of n words to w by edit distance, or NULL if none is near (distance > 1 + strlen/4). */
const char *tt_nearest(const char *w, const char *const *words, int n);

#ifdef __cplusplus
}
#endif
#endif
