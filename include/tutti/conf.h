/* conf: YAML with line marks, tables of keys, the job. Local; part of base.
 *
 * One row of a key table yields the default, the range, the help text and the message
 *   job.yaml:14: no such key 'train.lrr'; did you mean 'train.lr'? */
#ifndef TUTTI_CONF_H
#define TUTTI_CONF_H

#include "tutti/base.h"

/* ---- YAML tree (libyaml events; anchors and aliases resolved; duplicate keys refused) --------------------------*/
typedef enum tt_kind { TT_SCALAR, TT_LIST, TT_MAP } tt_kind;
typedef struct tt_yaml {
    tt_kind kind;
    const char *key;  /* in a map: this entry's key */
    const char *text; /* scalar */
    bool quoted;
    const char *file; /* "job.yaml", or "command line" */
    int line;         /* 1-based */
    int n;            /* children */
    struct tt_yaml **child;
} tt_yaml;

/* TT_EJOB: no such file, or "job.yaml:7: <libyaml's problem>". *out lives in a. */
tt_err tt_yaml_read(tt_arena *a, const char *path, tt_yaml **out);
tt_err tt_yaml_parse(tt_arena *a, const char *name, const char *text, size_t size, tt_yaml **out);
const tt_yaml *tt_yaml_get(const tt_yaml *map, const char *key); /* NULL if absent or not a map */
/* Sets a dotted key ("train.lr") from the command line; value is parsed as YAML. Makes maps on the way. */
tt_err tt_yaml_set(tt_arena *a, tt_yaml *root, const char *dotted, const char *value);
/* Lists and maps one entry a line; a scalar after one blank (its key or dash stands before it). */
void tt_yaml_write(FILE *f, const tt_yaml *y, int indent);

/* ---- key tables --------------------------------------------------------------------------------------------------*/
typedef enum tt_ktype {
    TT_KINT,  /* int64_t;  accepts 1e6, 64Ki? no: plain integers, and 10k, 2M as decimal multiples */
    TT_KREAL, /* double */
    TT_KBOOL, /* bool: true false yes no 1 0 */
    TT_KTEXT, /* const char * */
    TT_KENUM, /* int: index into choices "a|b|c" */
    TT_KTREE, /* const tt_yaml *: the subtree as it is */
} tt_ktype;

typedef struct tt_keyrow {
    const char *name; /* dotted */
    tt_ktype type;
    size_t offset;   /* in the struct that is filled */
    const char *def; /* default as YAML text; NULL: none (0, NULL) */
    const char
        *choices;     /* TT_KENUM "a|b|c"; for numbers a range "0..1", "1..", "(0..": '(' excludes the end; NULL: any */
    const char *help; /* one line, with unit */
} tt_keyrow;

/* Fills *out from the map by the table (rows end with name NULL); prefix ("" or "data.train[3].") only colours messages.
 * A key without a value (key:, ~, [], key= on the command line) keeps its default. Unknown keys, wrong types and values
 * out of range are TT_EJOB with file, line and the nearest known key. */
tt_err tt_keys_bind(tt_arena *a, const tt_yaml *map, const tt_keyrow *rows, void *out, const char *prefix);
void tt_keys_help(FILE *f, const tt_keyrow *rows,
                  const char *only_prefix); /* table: key, default, help; only_prefix NULL: all */

/* ---- the job ------------------------------------------------------------------------------------------------------*/
enum { TT_OBJ_SEQ2SEQ, TT_OBJ_SPAN };                     /* train.objective */
enum { TT_NORM_TOKEN, TT_NORM_EXAMPLE };                  /* train.normalise */
enum { TT_RESUME_AUTO, TT_RESUME_NEVER, TT_RESUME_MUST }; /* train.resume */
enum { TT_SCHED_CONSTANT, TT_SCHED_LINEAR, TT_SCHED_COSINE, TT_SCHED_RSQRT };
enum { TT_OPT_ADAMW, TT_OPT_ADAFACTOR, TT_OPT_SGD }; /* optim.name */
enum { TT_RULE_T5X, TT_RULE_HF };                    /* optim.adafactor.rule */
enum { TT_DECAY_ALL, TT_DECAY_HF };                  /* optim.decay: every parameter | HF grouping */
enum { TT_REDUCE_EXACT, TT_REDUCE_MPI };
enum { TT_PREC_FP32, TT_PREC_BF16 };                         /* precision, mesh.wire */
enum { TT_RECOMPUTE_NONE, TT_RECOMPUTE_BLOCK };              /* train.recompute */
enum { TT_UPDATE_STEP, TT_UPDATE_BLOCK };                    /* optim.update */
enum { TT_BAD_SKIP, TT_BAD_FAIL };                           /* data.on_bad_row */
enum { TT_MISSING_FAIL, TT_MISSING_SKIP };                   /* data.missing */
enum { TT_ANSWER_GENERATE, TT_ANSWER_RANK, TT_ANSWER_AUTO }; /* eval.answer */
#define TT_ANSWERS "generate|rank|auto"
enum { TT_RANK_SUM, TT_RANK_TOKEN, TT_RANK_BYTE, TT_RANK_CHAR }; /* eval.rank */
enum { TT_EARLY_NO, TT_EARLY_YES, TT_EARLY_NEVER };              /* eval.early_stopping */
enum { TT_SPLIT_TEST, TT_SPLIT_VALIDATION, TT_SPLIT_TRAIN };     /* eval.split */
enum { TT_FOUND_OFF, TT_FOUND_REPORT, TT_FOUND_DROP };           /* data.decontaminate, data.deduplicate */

typedef struct tt_job {
    const char *file;    /* where it was read */
    const tt_yaml *root; /* the whole tree with command-line overrides */
    const char *run;     /* run folder */
    int precision;
    int64_t seed;
    struct {
        const char *path, *config;
    } model; /* path: HF folder to start from; config: config.json to start from scratch with drawn weights */
    struct {
        const char *path;
    } tokenizer; /* default: model.path */
    struct {
        const char *root;
        const tt_yaml *train, *validation, *test; /* lists of data sets, see data.h */
        const tt_yaml *mixture;                   /* shares and rates, see data.h; NULL: by size */
        int64_t cap;                              /* examples per data set in the mixture */
        int64_t max_source, max_target;           /* tokens, end token included */
        int on_bad_row, missing;
        const char *store; /* folder of the token store; NULL: the files are parsed at every start */
        int decontaminate, deduplicate;
        struct {                /* how prompts are made, unless a part of the mixture or an entry says otherwise */
            const char *shots;  /* exemplars of a few-shot prompt: "5", or a range "1-5" */
            double few_shot;    /* share of the draws with exemplars */
            double options;     /* share of the draws with answer options, where the data set has some */
            double cot, invert; /* weights of templates of kind cot and inverted; a direct one has 1 */
            int64_t max_tokens; /* source with exemplars; 0: max_source */
        } prompts;
    } data;
    struct {
        int64_t steps;
        double epochs; /* one of the two; steps wins when both are given is refused */
        int64_t batch_tokens, grains;
        int objective, normalise, resume, recompute;
        double dropout; /* <0: the model's */
        double label_smoothing, z_loss;
        double span_rate, span_mean; /* 0.15, 3 */
    } train;
    struct {
        int name;
        double lr;
        int schedule;
        int64_t warmup;
        double min_ratio; /* the schedule ends at lr * min_ratio */
        double clip, weight_decay, beta1, beta2, eps;
        bool l2; /* adamw: weight decay is added to the gradient (Adam with L2); sgd always does so */
        double momentum, dampening; /* sgd */
        bool nesterov;              /* sgd */
        int decay;
        int update; /* once a step, or block by block as gradients arrive */
        struct {
            int rule;
            double decay_rate, beta1, clip, eps1, eps2;
            bool scale_parameter;
            bool relative_step; /* hf: the rate is min(1e-2, 1/sqrt(t)), optim.lr is not used */
            bool warmup_init;   /* with relative_step: min(1e-6 t, 1/sqrt(t)) */
            int64_t min_dim;
            int64_t step_offset; /* t5x: t = updates - step_offset */
        } adafactor;
    } optim;
    struct {
        int64_t threads;
        int64_t bucket;   /* MiB in one message at most */
        int64_t zero, tp; /* ZeRO stage; ranks that share one copy of the model's computation */
        int reduce, wire;
        int64_t watchdog; /* seconds without progress before the job is aborted; 0: off */
    } mesh;
    struct {
        int64_t every, keep;
        bool best; /* also keep the checkpoint with the best validation loss */
    } checkpoint;
    struct {
        int64_t every;
        const char *metrics; /* "loss exact_match rouge": space-separated */
        int64_t limit;       /* examples per data set, 0: all */
        int64_t generate;    /* examples per data set that are generated for exact_match and rouge; 0: all */
        int64_t max_new_tokens;
        bool before; /* evaluate before the first step */
        /* tutti eval */
        int split, answer, rank,
            early_stopping; /* TT_SPLIT_TEST ..., TT_ANSWER_RANK ..., TT_RANK_SUM ..., TT_EARLY_NO ... */
        const char *out;
        int64_t min_new_tokens, beams, top_k, no_repeat_ngram, rows, bootstrap;
        double length_penalty, temperature, top_p, repetition_penalty;
        bool sample;
    } eval;
    struct {
        int64_t every;
    } log;
    struct { /* tutti plan: the machine that is planned for */
        int64_t nodes, ranks_per_node, cores;
        double memory;                    /* GiB of a node */
        double latency, bandwidth;        /* of the network: us a message, GB/s of a node each way */
        double copy_latency, copy;        /* inside a node: us a message, GB/s one rank copies */
        double overlap;                   /* <0: as the ZeRO stage allows */
        double gflops, gflops_bf16, pass; /* of one rank, where nothing is measured */
        bool calibrate, data;
    } plan;
} tt_job;

extern const tt_keyrow tt_job_keys[];

/* Local. Reads path (NULL: only overrides), applies "key=value" overrides, fills *out. Everything lives in a. */
tt_err tt_job_read(tt_arena *a, const char *path, int noverride, char **override, tt_job **out);
/* All keys with the values used, defaults marked by a comment; reads back as the same job. */
tt_err tt_job_write(const tt_job *job, const char *path);

#endif
