/* cli: the verbs. One row of the verb table per verb: name, arguments, help, function. */
#ifndef TUTTI_CLI_H
#define TUTTI_CLI_H

#include "tutti/comm.h"

typedef struct tt_args {
    int n; /* positional arguments */
    char **pos;
    int nset; /* key=value arguments, as given */
    char **set;
} tt_args;

typedef struct tt_verb {
    const char *name;
    const char *usage; /* "train job.yaml [key=value ...]" */
    const char *help;  /* one line */
    bool mpi;          /* collective: run under mpirun or srun; others run on rank 0 only and need no mesh */
    tt_err (*run)(const tt_mesh *m, const tt_args *args);
} tt_verb;
extern const tt_verb tt_verbs[];

/* key=value options of a small verb: rows as in conf.h. */
struct tt_keyrow;
tt_err tt_args_bind(const tt_args *args, const struct tt_keyrow *rows, void *out);

tt_err tt_verb_train(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_audit(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_prepare(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_help(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_doctor(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_tokenize(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_probe(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_inspect(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_import(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_export(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_generate(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_score(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_eval(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_synth(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_plan(const tt_mesh *m, const tt_args *args);
tt_err tt_verb_bench(const tt_mesh *m, const tt_args *args);

/* Below the verb's line in tutti help VERB: its options, what it prints. */
void tt_score_help(FILE *f);
void tt_generate_help(FILE *f);

#endif
