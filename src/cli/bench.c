/* tutti bench: the table of its parts, and what they share. */
#include "bench.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double tt_bench_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* https://huggingface.co/google/t5-v1_1-small */
static const char shape[] =
    "{\"model_type\":\"t5\",\"d_model\":512,\"d_kv\":64,\"d_ff\":1024,\"num_layers\":%lld,\"num_decoder_layers\":%lld,"
    "\"num_heads\":6,\"vocab_size\":%lld,\"feed_forward_proj\":\"gated-gelu\",\"tie_word_embeddings\":false,"
    "\"relative_attention_num_buckets\":32,\"relative_attention_max_distance\":128,\"layer_norm_epsilon\":1e-6,"
    "\"dropout_rate\":0.0,\"pad_token_id\":0,\"eos_token_id\":1,\"decoder_start_token_id\":0}";

tt_err tt_bench_model(int64_t layers, int64_t vocab, tt_model **out)
{
    char json[sizeof shape + 64];
    snprintf(json, sizeof json, shape, (long long)layers, (long long)layers, (long long)vocab);
    return tt_model_parse(json, strlen(json), "T5 1.1 small", out);
}

json_t *tt_bench_peer(const char *script, const char *args)
{
    const char *python = getenv("PYTHON");
    char command[8192], *line = NULL;
    size_t size = 0;
    json_t *last = NULL;
    snprintf(command, sizeof command, "'%s' '%s' %s", python && *python ? python : "/usr/bin/python3", script, args);
    fflush(NULL);
    FILE *f = popen(command, "r");
    if (!f) return NULL;
    while (getline(&line, &size, f) > 0) {
        json_decref(last);
        last = json_loads(line, 0, NULL);
    }
    free(line);
    pclose(f);
    if (last) return last;
    tt_warn_once(script,
                 "the peer printed no result: %s; torch comes with apt-get install python3-torch, PYTHON=... "
                 "chooses another Python",
                 command);
    return NULL;
}

tt_err tt_bench_print(json_t *line, const char *path)
{
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    printf("\n");
    fflush(stdout);
    int bad = path && *path ? json_dump_file(line, path, JSON_INDENT(1)) : 0;
    json_decref(line);
    return bad ? tt_fail(TT_ERUN, "%s: cannot be written; choose another json=FILE", path) : TT_OK;
}

/* ---- the verb ------------------------------------------------------------------------------------------------------------*/

typedef struct part {
    const char *name;
    bool many; /* of any number of ranks */
    tt_err (*run)(const tt_mesh *m, const tt_args *args);
} part;

static const part parts[] = {
    {"step", false, tt_bench_step}, /* when none is named */
    {"generate", false, tt_bench_generate},
    {"metrics", false, tt_bench_metrics},
    {"peaks", false, tt_bench_peaks},
    {"versus", false, tt_bench_versus},
    {"ranks", true, tt_bench_ranks},
    {"growth", true, tt_bench_growth},
    {"start", false, tt_bench_start},
    {"init", true, tt_bench_init}, /* of start */
    {"all", false, tt_bench_all},  /* of those that speak of training */
    {0},
};

static tt_err no_part(const char *name)
{
    char list[256] = "";
    for (const part *p = parts; p->name; p++) {
        if (*list) strcat(list, ", ");
        strcat(list, p->name);
    }
    return tt_fail(TT_EJOB, "bench: no part '%s'; there are %s", name, list);
}

/* Collective for the parts of many ranks; the others are of one process. */
tt_err tt_verb_bench(const tt_mesh *m, const tt_args *args)
{
    const part *p = parts;
    while (args->n > 0 && p->name && strcmp(p->name, args->pos[0]) != 0) p++;
    if (!p->name) return no_part(args->pos[0]);
    if (m->size > 1 && !p->many) return tt_fail(TT_EJOB, "bench: %s times one process; run it without mpirun", p->name);
    return p->run(m, args);
}
