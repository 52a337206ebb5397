/* tutti bench all: every part in a process of its own, one file of numbers, and the targets beside what was measured.
 *
 * The file: {"tutti": version, "blas": kernels, "host": name, "cores": n, "parts": {NAME: what that part printed, or null}, "targets":
 * [{"name", "target", "measured" (null: not), "met" (null: not judged)}]}. Each part's object:
 *   peaks   fp32_gflops, bf16_gflops: best square; products.<layer>.<direction>: mnk, fp32_gflops, bf16_gflops;
 *           memory: memcpy_gb_s, triad_gb_s; disk: bytes, raw_mb_s, checkpoint_mb_s, ratio
 *   versus  cases.<fp32|bf16|fp32-real|bf16-real>: ours, peer.<way to start it>, peer_padded: tok_s {n, least, median, most}, rss_mib;
 *           ratio to the peer's best way, ratio_plain to its best without MALLOC_... (0: no peer), fill, padded_equivalent_tok_s, peak_share, cpu_share
 *   step_*  tutti bench step: peak_gflops, step_s, step_cpu_s, gflops, tok_s, rss_mib, fill, kernels.<name>: calls, seconds, gflop
 *   ranks   rows [{name, ranks, threads, step_s, speedup, sum_s, sum_share, wait_s, gather_s, update_s, comm_share, cpu_share}],
 *           ceiling: most speed-up that the machine gives; network: *_gb_s a rank sends, allreduce_us, latency_us
 *   growth  rows [{of, x, seconds, exponent, last: of the last two}]
 *   start   launcher_s, mpi_s, ready_s, step_s, end_s since the launcher's start; to_step {n, least, median, most} */
#include "bench.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    const char *peer, *mpirun, *json, *only;
    int64_t ranks;
    bool quick;
} options;

#define AT(field) offsetof(options, field)
static const tt_keyrow keys[] = {
    {"only", TT_KTEXT, AT(only), NULL, NULL, "one part by its name"},
    {"peer", TT_KTEXT, AT(peer), NULL, NULL, "torch_t5.py, or $TUTTI_PEER"},
    {"ranks", TT_KINT, AT(ranks), "2", "1..", "ranks of the parts that have several"},
    {"mpirun", TT_KTEXT, AT(mpirun), "mpirun", NULL, "what starts them; -n RANKS is added"},
    {"quick", TT_KBOOL, AT(quick), "false", NULL, "small sizes: does it run?"},
    {"json", TT_KTEXT, AT(json), NULL, NULL, "file for the numbers"},
    {0}};

static const struct {
    const char *name, *args, *quick;
    bool many;
} parts[] = {
    {"peaks", "peaks", "quick=1", false},
    {"step_fp32", "step", "layers=1 vocab=200 batch=2 enc=9 dec=5 steps=1", false},
    {"step_bf16", "step precision=bf16", "layers=1 vocab=200 batch=2 enc=9 dec=5 steps=1", false},
    {"versus", "versus", "quick=1 rounds=1 steps=1", false},
    {"ranks", "ranks", "quick=1", true},
    {"growth", "growth", "quick=1 times=1", true},
    {"start", "start", "quick=1", false},
};

/* A number in the parts' objects; dots go down, in an array to the object of that name. */
static const struct {
    const char *name, *at;
    double target;
    bool below;
} targets[] = {
    {"fp32: share of the products' peak, median", "versus.cases.fp32.peak_share", 0.85, false},
    {"bf16: share of the products' peak, median", "versus.cases.bf16.peak_share", 0.80, false},
    {"fp32: times the peer", "versus.cases.fp32.ratio_plain", 1.6, false},
    {"fp32: times the peer that keeps its memory", "versus.cases.fp32.ratio", 1.6, false},
    {"bf16: times the peer", "versus.cases.bf16.ratio_plain", 2.0, false},
    {"bf16: times the peer that keeps its memory", "versus.cases.bf16.ratio", 2.0, false},
    {"bf16, real lengths: times the peer, padded", "versus.cases.bf16-real.ratio_plain", 4.0, false},
    {"the same, times the peer that keeps its memory", "versus.cases.bf16-real.ratio", 4.0, false},
    {"fp32: GiB of memory at most", "versus.cases.fp32.ours.rss_mib", 1.87 * 1024, true},
    {"speed-up of 2 ranks, best steps", "ranks.rows.2 ranks.speedup", 1.9, false},
    {"exact sum: share of the step", "ranks.rows.2 ranks.sum_share", 0.05, true},
    {"seconds from mpirun to the first step, best", "start.to_step.least", 1.0, true},
};

/* ---- the parts --------------------------------------------------------------------------------------------------------------*/

static json_t *run_part(const options *o, size_t i, tt_arena *a)
{
    bool start = !strcmp(parts[i].name, "start"), peer = !strcmp(parts[i].name, "versus");
    const char *ranks = tt_sprintf(a, "%s -n %lld", o->mpirun, (long long)o->ranks);
    const char *more = "";
    if (start) more = tt_sprintf(a, " ranks=%lld mpirun='%s'", (long long)o->ranks, o->mpirun);
    if (peer && o->peer && *o->peer) more = tt_sprintf(a, " peer='%s'", o->peer);
    printf("\n==== %s\n", parts[i].name);
    return tt_bench_child(tt_sprintf(a, "%s '%s' bench %s%s %s", parts[i].many ? ranks : "", tt_bench_self(),
                                     parts[i].args, more, o->quick ? parts[i].quick : ""),
                          true);
}

static json_t *run_parts(const options *o, tt_arena *a)
{
    json_t *all = json_object();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (o->only && *o->only && strcmp(o->only, parts[i].name) != 0) continue;
        json_t *j = run_part(o, i, a);
        if (!j) printf("(no numbers)\n");
        fflush(stdout);
        json_object_set_new(all, parts[i].name, j ? j : json_null());
    }
    return all;
}

/* ---- targets -----------------------------------------------------------------------------------------------------------------*/

static const json_t *down(const json_t *j, const char *word)
{
    for (size_t i = 0; i < json_array_size(j); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(j, i), "name"));
        if (name && !strcmp(name, word)) return json_array_get(j, i);
    }
    return json_object_get(j, word);
}

/* False where the number was not measured: no such part, no peer. */
static bool number_at(const json_t *j, const char *at, double *x)
{
    char path[128], *save = NULL;
    snprintf(path, sizeof path, "%s", at);
    for (char *w = strtok_r(path, ".", &save); w && j; w = strtok_r(NULL, ".", &save)) j = down(j, w);
    *x = json_number_value(j);
    return json_is_number(j) && *x != 0;
}

/* Beside a time stands the share of it in which the process had a processor: with less than 0.95 the number says nothing. */
static bool is_busy(const json_t *all, const char *at)
{
    char path[128];
    double share;
    snprintf(path, sizeof path, "%.*s.cpu_share", (int)(strrchr(at, '.') - at), at);
    return number_at(all, path, &share) && share < 0.95;
}

static json_t *show_target(const json_t *all, size_t i)
{
    double x, target = targets[i].target;
    bool known = number_at(all, targets[i].at, &x), busy = is_busy(all, targets[i].at);
    bool met = targets[i].below ? x <= target : x >= target;
    double unit = strstr(targets[i].name, "GiB") ? 1.0 / 1024 : 1; /* of rss_mib */
    printf("%-46s %s %7.2f ", targets[i].name, targets[i].below ? "<=" : ">=", unit * target);
    if (known)
        printf("%10.3f  %s\n", unit * x, busy ? "not judged: others used the machine" : met ? "met" : "not met");
    else
        printf("%10s  not measured\n", "");
    return json_pack("{s:s,s:f,s:o,s:o}", "name", targets[i].name, "target", unit * target, "measured",
                     known ? json_real(unit * x) : json_null(), "met",
                     known && !busy ? json_boolean(met) : json_null());
}

static json_t *show_targets(const json_t *all)
{
    json_t *list = json_array();
    printf("\n==== targets\n%-46s %10s %10s\n", "", "target", "measured");
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) json_array_append_new(list, show_target(all, i));
    return list;
}

tt_err tt_bench_all(const tt_mesh *m, const tt_args *args)
{
    options o = {0};
    char host[128] = "?";
    TT_TRY(tt_args_bind(args, keys, &o));
    tt_arena *a = tt_arena_new(1 << 14);
    gethostname(host, sizeof host - 1);
    json_t *all = run_parts(&o, a), *list = o.quick ? json_array() : show_targets(all); /* of toys it says nothing */
    tt_arena_free(a);
    return tt_bench_print(json_pack("{s:s,s:s,s:s,s:i,s:o,s:o}", "tutti", TT_VERSION, "blas", tt_blas_describe(),
                                    "host", host, "cores", (int)sysconf(_SC_NPROCESSORS_ONLN), "parts", all, "targets",
                                    list),
                          o.json);
}
