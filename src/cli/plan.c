/* tutti plan [table|calibrate] job.yaml [nodes=N] [ranks=M] [json=FILE] [key=value ...] */
#include "plan.h"
#include "tutti/train.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double GIB = 1073741824.0;

typedef struct options {
    int64_t nodes, ranks; /* 0: as started */
    const char *json;
} options;

static const tt_keyrow keys[] = {{"nodes", TT_KINT, offsetof(options, nodes), "0", "0..", "nodes"},
                                 {"ranks", TT_KINT, offsetof(options, ranks), "0", "0..", "ranks on all nodes"},
                                 {"json", TT_KTEXT, offsetof(options, json), NULL, NULL, "file for the numbers"},
                                 {0}};

/* ---- arguments --------------------------------------------------------------------------------------------------------------*/

static bool is_own(const char *set)
{
    for (const tt_keyrow *k = keys; k->name; k++)
        if (!strncmp(set, k->name, strlen(k->name)) && set[strlen(k->name)] == '=') return true;
    return false;
}

/* Options of the verb, and what is left for the job. */
static tt_err bind(const tt_args *args, options *o, tt_args *job)
{
    tt_args own = {.set = tt_malloc(sizeof(char *) * (size_t)(args->nset + 1))};
    job->set = tt_malloc(sizeof(char *) * (size_t)(args->nset + 1));
    for (int i = 0; i < args->nset; i++) {
        tt_args *to = is_own(args->set[i]) ? &own : job;
        to->set[to->nset++] = args->set[i];
    }
    tt_err e = tt_args_bind(&own, keys, o);
    free(own.set);
    return e;
}

/* The options, the job's keys, or as this program was started. */
static tt_err places(const tt_mesh *m, const tt_job *j, const options *o, int64_t *nodes, int64_t *per_node)
{
    *nodes = o->nodes ? o->nodes : j->plan.nodes ? j->plan.nodes : m->size / m->node_size;
    *per_node = j->plan.ranks_per_node ? j->plan.ranks_per_node : m->node_size;
    if (!o->ranks) return TT_OK;
    if (o->ranks % *nodes)
        return tt_fail(TT_EJOB, "plan: ranks=%lld cannot be spread evenly over %lld nodes", (long long)o->ranks,
                       (long long)*nodes);
    *per_node = o->ranks / *nodes;
    return TT_OK;
}

/* ---- what is printed ----------------------------------------------------------------------------------------------------------*/

static void print_memory(const tt_plan *p)
{
    printf("\nmemory of a rank                GiB\n");
    for (int i = 0; i < TT_PLAN_KINDS; i++) printf("  %-24s %9.3f\n", tt_plan_kinds[i], p->memory[i] / GIB);
    printf("  %-24s %9.3f\n", "all", p->rank / GIB);
    printf("  a node: %lld ranks, %.2f GiB of %.2f\n", (long long)p->per_node, p->node / GIB, p->limit / GIB);
}

static void print_time(const tt_plan *p)
{
    const struct {
        const char *what;
        double s;
    } row[] = {{"matrix products", p->products},  {"other kernels", p->rest},       {"sums and optimizer", p->update},
               {"waiting for messages", p->wait}, {"(hidden messages)", p->hidden}, {"step", p->step}};
    printf("\ntime of a step                   ms\n");
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) printf("  %-24s %9.1f\n", row[i].what, 1e3 * row[i].s);
    printf("  %.0f tokens/s, %.1f GFLOP/s a rank, %.3g FLOP a step\n", p->tokens / p->step,
           1e-9 * p->flops / p->step / (double)p->ranks, p->flops);
}

static void print_plan(tt_planner *planner, const tt_plan *p)
{
    printf("%.1f M parameters on %lld node%s of %lld rank%s: %lld cop%s of the model, each over %lld\n",
           1e-6 * (double)p->parameters, (long long)p->nodes, p->nodes == 1 ? "" : "s", (long long)p->per_node,
           p->per_node == 1 ? "" : "s", (long long)p->dp, p->dp == 1 ? "y" : "ies", (long long)p->tp);
    printf("lengths: %s\n", tt_planner_lengths(planner));
    printf("rates: %s\n", tt_planner_rates(planner));
    printf("a step: %.0f examples, %.0f tokens in %lld grains\n", p->examples, p->tokens, (long long)p->grains);
    if (p->grains < p->dp)
        printf("%lld of %lld copies have no grain: set train.grains to a multiple of %lld\n",
               (long long)(p->dp - p->grains), (long long)p->dp, (long long)p->dp);
    print_memory(p);
    print_time(p);
    printf("\nmessages of a step: %.3f GiB sent by a rank, %.3f GiB out of a node\n", p->sent / GIB, p->net / GIB);
    printf("files: checkpoint %.2f GiB, exported model %.2f GiB\n", p->checkpoint / GIB, p->exported / GIB);
}

static void print_choice(bool found, const tt_plan_choice *c)
{
    if (found)
        printf(
            "\nThis does not fit. The fastest setting that does: %s\n  %.2f GiB a rank, %.2f a node, %.1f ms a step\n",
            c->text, c->plan.rank / GIB, c->plan.node / GIB, 1e3 * c->plan.step);
    else
        printf("\nThis does not fit, and no setting of mesh.zero, mesh.tp, train.recompute, precision, optim.name, "
               "optim.update makes it fit: more nodes are needed, or a smaller batch a grain (train.grains).\n");
}

static json_t *plan_json(const tt_plan *p)
{
    json_t *memory = json_object();
    for (int i = 0; i < TT_PLAN_KINDS; i++) json_object_set_new(memory, tt_plan_kinds[i], json_real(p->memory[i]));
    json_t *o = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:o}", "nodes", (json_int_t)p->nodes, "ranks_per_node",
                          (json_int_t)p->per_node, "copies", (json_int_t)p->dp, "tp", (json_int_t)p->tp, "parameters",
                          (json_int_t)p->parameters, "grains", (json_int_t)p->grains, "examples", p->examples, "tokens",
                          p->tokens, "memory_bytes", memory);
    const struct {
        const char *key;
        double x;
    } real[] = {{"rank_bytes", p->rank},
                {"node_bytes", p->node},
                {"node_limit_bytes", p->limit},
                {"flops", p->flops},
                {"sent_bytes", p->sent},
                {"node_out_bytes", p->net},
                {"checkpoint_bytes", p->checkpoint},
                {"exported_bytes", p->exported},
                {"products_s", p->products},
                {"rest_s", p->rest},
                {"update_s", p->update},
                {"wait_s", p->wait},
                {"hidden_s", p->hidden},
                {"step_s", p->step}};
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) json_object_set_new(o, real[i].key, json_real(real[i].x));
    json_object_set_new(o, "fits", json_boolean(p->node <= p->limit));
    return o;
}

static tt_err write_json(const options *o, json_t *j)
{
    int bad = o->json ? json_dump_file(j, o->json, JSON_INDENT(1)) : 0;
    json_decref(j);
    return bad ? tt_fail(TT_ERUN, "%s: cannot be written; choose another json=FILE", o->json) : TT_OK;
}

/* ---- the parts ----------------------------------------------------------------------------------------------------------------*/

static tt_err plan_one(tt_planner *p, const tt_job *j, const options *o, int64_t nodes, int64_t per_node)
{
    tt_plan plan;
    TT_TRY(tt_plan_make(p, j, nodes, per_node, false, &plan));
    print_plan(p, &plan);
    json_t *json = plan_json(&plan);
    if (plan.node > plan.limit) {
        tt_plan_choice c;
        bool found = tt_plan_fit(p, j, nodes, per_node, &c);
        print_choice(found, &c);
        json_object_set_new(json, "instead", found ? json_string(c.text) : json_null());
    }
    return write_json(o, json);
}

/* ---- the table ------------------------------------------------------------------------------------------------------------------*/

static void print_assumptions(tt_planner *p, const tt_job *j, int64_t per_node)
{
    printf(
        "step time on N nodes of %lld ranks; every copy of the model keeps the job's fullest grain: the batch grows\n",
        (long long)per_node);
    printf("lengths: %s\nrates: %s\n", tt_planner_lengths(p), tt_planner_rates(p));
    printf("network: %g us and %g GB/s a node each way, no hot spots; inside a node %g us a message%s\n",
           j->plan.latency, j->plan.bandwidth, j->plan.copy_latency,
           j->plan.copy > 0 ? "" : ", half of what a rank copies");
    printf("cores of a node: %lld; not in the model: slow nodes, other jobs' messages, memory bandwidth that ranks "
           "share\n\n",
           (long long)(j->plan.cores ? j->plan.cores : sysconf(_SC_NPROCESSORS_ONLN)));
    printf("%6s %8s %9s %10s %9s %9s %9s %7s %9s  %s\n", "nodes", "copies", "tokens", "GiB/node", "compute s",
           "update s", "wait s", "step s", "tokens/s", "efficiency");
}

static void print_row(const tt_plan *p, double alone)
{
    double each = p->tokens / p->step / (double)p->dp;
    printf("%6lld %8lld %9.0f %10.1f %9.2f %9.3f %9.3f %7.2f %9.0f  %.0f %%%s\n", (long long)p->nodes, (long long)p->dp,
           p->tokens, p->node / GIB, p->products + p->rest, p->update, p->wait, p->step, p->tokens / p->step,
           100 * each / alone, p->node > p->limit ? "  does not fit" : "");
}

/* Efficiency: tokens/s of a copy against one that only computes. */
static tt_err print_table(tt_planner *p, const tt_job *j, int64_t per_node)
{
    tt_plan first;
    TT_TRY(tt_plan_make(p, j, 1, per_node, true, &first)); /* measures before the rates are told */
    print_assumptions(p, j, per_node);
    for (int64_t nodes = 1; nodes <= 1024; nodes *= nodes == 1 ? 16 : 2) {
        tt_job job = *j;
        tt_plan plan;
        job.train.grains = nodes * per_node / job.mesh.tp;
        if (job.train.grains < 1) continue;
        tt_planner_repeat(p, job.train.grains);
        TT_TRY(tt_plan_make(p, &job, nodes, per_node, true, &plan));
        print_row(&plan, plan.tokens / (double)plan.dp / (plan.products + plan.rest));
    }
    return TT_OK;
}

static tt_err with_job(const tt_mesh *m, bool table, const options *o, const tt_job *j)
{
    int64_t nodes, per_node;
    tt_planner *p;
    TT_TRY(places(m, j, o, &nodes, &per_node));
    tt_blas_threads((int)j->mesh.threads);
    TT_TRY(tt_planner_new(j, 0, &p));
    tt_err e = table ? print_table(p, j, per_node) : plan_one(p, j, o, nodes, per_node);
    tt_planner_free(p);
    return e;
}

static tt_err run_plan(const tt_mesh *m, const tt_args *args, int skip)
{
    options o = {0};
    tt_args set = {0};
    tt_job *job;
    tt_arena *a = tt_arena_new(1 << 16);
    tt_err e = bind(args, &o, &set);
    if (e == TT_OK && args->n != skip + 1)
        e = tt_fail(TT_EJOB, "plan takes one job file: tutti plan job.yaml nodes=4 ranks=256");
    if (e == TT_OK) e = tt_job_read(a, args->pos[skip], set.nset, set.set, &job);
    if (e == TT_OK) e = with_job(m, skip > 0, &o, job);
    free(set.set);
    tt_arena_free(a);
    return e;
}

/* Collective: rank 0 plans, the others tell by their number how the job would be started. */
tt_err tt_verb_plan(const tt_mesh *m, const tt_args *args)
{
    const char *part = args->n ? args->pos[0] : "";
    if (!strcmp(part, "calibrate")) return tt_plan_calibrate(m, args);
    return tt_agree(m, m->rank == 0 ? run_plan(m, args, !strcmp(part, "table")) : TT_OK);
}
