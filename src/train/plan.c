/* A plan: memory, work and time of a job on a machine, put together. */
#include "plan.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const tt_plan_kinds[TT_PLAN_KINDS] = {
    [TT_PLAN_BASE] = "program and data", [TT_PLAN_WEIGHTS] = "weights",  [TT_PLAN_GRADS] = "gradients",
    [TT_PLAN_MOMENTS] = "moments",       [TT_PLAN_ACTS] = "activations", [TT_PLAN_BUFFERS] = "buffers"};

/* ---- the planner -----------------------------------------------------------------------------------------------------------*/

/* config.json of model.config, of a folder, or of a checkpoint. */
static tt_err read_config(tt_planner *p)
{
    const tt_job *j = p->job;
    char *json = NULL;
    size_t size;
    if (!j->model.path && !j->model.config)
        return tt_fail(TT_EJOB, "%s: no model; set model.path or model.config", j->file);
    const char *path = j->model.config ? j->model.config : tt_sprintf(p->a, "%s/config.json", j->model.path);
    const char *ckpt = j->model.path && !tt_exists(path) ? tt_ckpt_find(j->model.path, p->a) : NULL;
    if (ckpt) {
        TT_TRY(tt_ckpt_text(ckpt, "model_config", p->a, &json));
        if (!json) return tt_fail(TT_EFILE, "%s: has no model_config; it is no checkpoint of this program", ckpt);
        p->json = json;
        return TT_OK;
    }
    if (tt_slurp(path, &json, &size) != TT_OK) return TT_EFILE;
    p->json = tt_strdup(p->a, json);
    free(json);
    return TT_OK;
}

tt_planner *plan_begin(const tt_job *job, double base)
{
    tt_arena *a = tt_arena_new(1 << 16);
    tt_planner *p = TT_ZNEW(a, tt_planner, 1);
    *p = (tt_planner){.a = a, .job = job, .base = base};
    p->rates = (rates){.budget = job->plan.calibrate ? 1.2 : 0, .known = TT_NEW(a, rate_of, RATES_MOST)};
    return p;
}

/* base: products are computed once before it is measured, as a run does: the library takes its buffers then. */
tt_err tt_planner_new(const tt_job *job, double base, tt_planner **out)
{
    tt_planner *p = *out = plan_begin(job, base);
    tt_err e = tt_optim_check(job);
    if (e == TT_OK) e = tt_blas_verify();
    if (e == TT_OK) e = read_config(p);
    if (e == TT_OK) e = plan_lengths(p);
    if (p->base == 0) p->base = (double)tt_rss_bytes();
    if (e == TT_OK) return TT_OK;
    tt_planner_free(p);
    *out = NULL;
    return e;
}

void tt_planner_free(tt_planner *p)
{
    if (!p) return;
    free(p->rates.room);
    tt_arena_free(p->a);
}

void tt_planner_repeat(tt_planner *p, int64_t copies)
{
    const pbatch *b = &p->batch[0];
    int64_t top = plan_fullest(b, p->grains), n = 0;
    pexample *ex = TT_NEW(p->a, pexample, b->n * copies);
    for (int64_t c = 0; c < copies; c++)
        for (int i = 0; i < b->n; i++)
            if (b->ex[i].grain == top) ex[n++] = (pexample){b->ex[i].S, b->ex[i].T, c};
    p->batch[0] = (pbatch){.n = (int)n, .ex = ex};
    p->nbatch = 1;
    p->grains = copies;
}

const char *tt_planner_lengths(const tt_planner *p) { return p->lengths; }

const char *tt_planner_rates(tt_planner *p)
{
    const tt_job *j = p->job;
    if (!j->plan.calibrate)
        return tt_sprintf(p->a, "not measured: %g GFLOP/s, %g GB/s a rank (plan.gflops, plan.pass)", j->plan.gflops,
                          j->plan.pass);
    double work = 0, time = 0;
    for (int i = 0; i < p->rates.n; i++)
        if (p->rates.known[i].call.kind == TT_DRY_GEMM) {
            work += p->rates.known[i].call.work;
            time += p->rates.known[i].call.work * p->rates.known[i].per_work;
        }
    double gflops = work > 0 ? 1e-9 * work / time : j->plan.gflops;
    return tt_sprintf(p->a, "%s; products at the model's sizes %.0f GFLOP/s, copying %.1f GB/s a rank%s",
                      tt_blas_describe(), gflops, 1e-9 * plan_copy_rate(p),
                      p->rates.guessed ? "; no time was left to measure some sizes" : "");
}

/* ---- the model without weights ----------------------------------------------------------------------------------------------*/

static tt_err cut_key(json_t *o, const char *key, int64_t tp)
{
    int64_t n = json_integer_value(json_object_get(o, key));
    if (n % tp)
        return tt_fail(TT_EJOB, "mesh.tp: %lld does not divide the model's %s (%lld)", (long long)tp, key,
                       (long long)n);
    json_object_set_new(o, key, json_integer(n / tp));
    return TT_OK;
}

/* The part of one tp rank: heads, feed-forward columns and vocabulary are cut. */
static tt_err part_of_model(const tt_planner *p, int64_t tp, tt_model **out)
{
    json_t *o = json_loads(p->json, 0, NULL);
    tt_err e = TT_OK;
    const char *const cut[] = {"num_heads", "d_ff"};
    for (size_t i = 0; tp > 1 && i < 2 && e == TT_OK; i++) e = cut_key(o, cut[i], tp);
    if (tp > 1) {
        int64_t V = json_integer_value(json_object_get(o, "vocab_size"));
        json_object_set_new(o, "vocab_size", json_integer((V + tp - 1) / tp));
    }
    char *json = o ? json_dumps(o, 0) : NULL;
    if (e == TT_OK) e = tt_model_shape(tp > 1 ? json : p->json, strlen(tp > 1 ? json : p->json), p->job->file, out);
    free(json);
    json_decref(o);
    return e;
}

typedef struct phantom { /* addresses for weights and gradients that nobody reads */
    void *mem;
    size_t bytes;
} phantom;

static phantom place(tt_pars *t)
{
    phantom x = {.bytes = 2 * sizeof(float) * (size_t)t->size};
    x.mem = mmap(NULL, x.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (x.mem == MAP_FAILED) TT_BUG("%zu bytes of address space were refused; raise ulimit -v", x.bytes);
    float *w = x.mem;
    for (int g = 0; g < t->ngroup; g++) tt_pars_place(t, g, w + t->group[g].at, w + t->size + t->group[g].at, NULL);
    return x;
}

/* ---- memory -----------------------------------------------------------------------------------------------------------------*/

typedef struct shares { /* floats, of a tp rank */
    double all, largest, resident, own;
} shares;

static shares shares_of(const tt_pars *t, const layout *l)
{
    shares s = {.all = (double)t->size, .resident = (double)t->group[0].n};
    for (int g = 1; g < t->ngroup; g++) s.largest = fmax(s.largest, (double)t->group[g].n);
    s.own = s.all / (double)l->dp;
    return s;
}

static double weight_bytes(const tt_job *j, const shares *s, const layout *l)
{
    double half = j->precision == TT_PRECISION_BF16 ? 2 : 0;
    if (j->mesh.zero < 3 || l->dp == 1) return s->all * (4 + half);
    return s->own * 4 + (3 * s->largest + s->resident) * (half > 0 ? half : 4);
}

/* Without a whole gradient: two buffers of the largest group, group 0, and the shares of sums that wait: with several grains a copy those
 * of every rank's subtrees, which do not shrink with the number of ranks. */
static double gradient_bytes(const tt_job *j, const shares *s, const layout *l, int slabs)
{
    bool block = j->optim.update == TT_UPDATE_BLOCK;
    if (!block && (j->mesh.zero < 2 || l->dp == 1)) return 4 * s->all * (1 + slabs);
    double waiting = slabs * s->all + (block ? 0 : s->own);
    return 4 * (2 * s->largest + s->resident + waiting);
}

/* A rank of the copies' mesh. */
static tt_mesh rank_of(const tt_job *j, const layout *l, int64_t rank)
{
    bool cut = j->mesh.zero > 0;
    return (tt_mesh){.rank = cut ? (int)rank : 0, .size = cut ? (int)l->dp : 1, .chunk = (size_t)1 << 30};
}

static tt_optim_size fullest_optim(const tt_job *j, const layout *l, tt_pars *pars)
{
    tt_optim_size most = {0};
    for (int64_t i = 0; i < 4; i++) {
        tt_mesh m = rank_of(j, l, i * (l->dp - 1) / 3);
        tt_optim_size s = tt_optim_sizes(&m, j, pars);
        if (s.moments + s.work > most.moments + most.work) most = s;
    }
    return most;
}

static tt_xsum_size sum_size(const tt_job *j, const layout *l, const tt_pars *pars)
{
    tt_mesh m = {.rank = 0, .size = (int)l->dp, .chunk = (size_t)1 << 30};
    int64_t *cut = tt_malloc(sizeof *cut * (size_t)(l->dp + 1));
    tt_cuts(pars, m.size, tt_optim_whole(j), cut);
    tt_xsum_size s = tt_xsum_sizes(&m, pars, cut, l->grains, j->mesh.reduce);
    free(cut);
    return s;
}

static double node_memory(const tt_job *j)
{
    if (j->plan.memory > 0) return 1073741824.0 * j->plan.memory;
    double have = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE), limit;
    FILE *f = fopen("/sys/fs/cgroup/memory.max", "r");
    if (f && fscanf(f, "%lf", &limit) == 1 && limit < have) have = limit;
    if (f) fclose(f);
    return have;
}

/* ---- the update -------------------------------------------------------------------------------------------------------------*/

static double seconds(tt_planner *p, const tt_job *j, tt_dry_kind k, double work)
{
    return plan_seconds(p, j, &(tt_dry_call){.kind = k, .m = 1, .n = 1, .k = 1, .work = work});
}

/* Sums of this rank's grains, of the owner's share of all subtrees, the norm, the rule, the bf16 copy. */
static double update_seconds(tt_planner *p, const tt_job *j, const layout *l, const shares *s, int64_t nodes)
{
    static const tt_dry_kind kind[] = {
        [TT_OPT_ADAMW] = TT_DRY_ADAM, [TT_OPT_ADAFACTOR] = TT_DRY_ADAFACTOR, [TT_OPT_SGD] = TT_DRY_ADD};
    double grains = ceil((double)l->grains / (double)l->dp), mine = j->mesh.zero ? s->own : s->all, sum = 0;
    double here = j->mesh.zero < 2 ? (grains - 1) * s->all : (double)(l->grains - nodes) * s->own;
    sum += seconds(p, j, TT_DRY_ADD, here + (double)(nodes - 1) * s->own);
    sum += seconds(p, j, TT_DRY_PASS, 8 * floor(grains / 2) * s->all);
    sum += seconds(p, j, TT_DRY_SUMSQ, s->own) + seconds(p, j, kind[j->optim.name], mine);
    if (j->precision == TT_PRECISION_BF16) sum += seconds(p, j, TT_DRY_PASS, 6 * (j->mesh.zero < 3 ? s->all : s->own));
    return sum;
}

/* ---- all of it --------------------------------------------------------------------------------------------------------------*/

static tt_err lay_out(const tt_job *j, int64_t nodes, int64_t per_node, layout *l)
{
    int64_t cores = j->plan.cores > 0 ? j->plan.cores : sysconf(_SC_NPROCESSORS_ONLN);
    *l = (layout){.nodes = nodes, .per_node = per_node, .ranks = nodes * per_node, .tp = j->mesh.tp};
    l->grains = j->train.grains;
    l->crowd = fmax(1, (double)(per_node * j->mesh.threads) / (double)cores);
    if (l->ranks > INT_MAX) return tt_fail(TT_EJOB, "plan: %lld ranks are too many", (long long)l->ranks);
    if (l->ranks % l->tp)
        return tt_fail(TT_EJOB, "mesh.tp: %lld does not divide the %lld ranks", (long long)l->tp, (long long)l->ranks);
    l->dp = l->ranks / l->tp;
    if (j->optim.update == TT_UPDATE_BLOCK && j->optim.clip > 0)
        return tt_fail(TT_EJOB, "optim.update: block needs optim.clip: 0, for the norm is known only when all is over");
    return TT_OK;
}

static void fill_memory(const tt_planner *p, const tt_job *j, const layout *l, tt_pars *pars, const tt_xsum_size *x,
                        const walked *w, tt_plan *o)
{
    shares s = shares_of(pars, l);
    tt_optim_size opt = fullest_optim(j, l, pars);
    o->memory[TT_PLAN_BASE] = p->base;
    o->memory[TT_PLAN_WEIGHTS] = weight_bytes(j, &s, l);
    o->memory[TT_PLAN_GRADS] = gradient_bytes(j, &s, l, x->slabs);
    o->memory[TT_PLAN_MOMENTS] = (double)opt.moments;
    o->memory[TT_PLAN_ACTS] = w->bytes;
    o->memory[TT_PLAN_BUFFERS] = (double)opt.work + (double)x->windows;
    for (int i = 0; i < TT_PLAN_KINDS; i++) o->rank += o->memory[i];
    o->node = o->rank * (double)l->per_node;
    o->limit = node_memory(j);
}

static void fill_times(tt_planner *p, const tt_job *j, const layout *l, const tt_pars *pars, const tt_xsum_size *x,
                       const walked *w, tt_plan *o)
{
    shares s = shares_of(pars, l);
    traffic t = plan_traffic(p, j, l, pars, (double)x->nodes, w);
    o->sent = t.sent;
    o->net = t.net;
    o->products = w->products * l->crowd;
    o->rest = w->rest * l->crowd;
    o->update = update_seconds(p, j, l, &s, x->nodes) * l->crowd;
    o->hidden = plan_hidden(j, pars, &t, (o->products + o->rest) * 2 / 3);
    o->wait = t.local + t.network - o->hidden;
    o->step = o->products + o->rest + o->update + o->wait;
}

static void fill_files(const tt_planner *p, const tt_job *j, tt_plan *o)
{
    tt_model *m;
    if (part_of_model(p, 1, &m) != TT_OK) return;
    tt_mesh one = {.size = 1};
    o->parameters = tt_pars_count(tt_model_pars(m), false);
    o->exported = 4.0 * (double)o->parameters;
    o->checkpoint = o->exported + (double)tt_optim_sizes(&one, j, tt_model_pars(m)).moments;
    tt_model_free(m);
}

tt_err tt_plan_make(tt_planner *p, const tt_job *job, int64_t nodes, int64_t per_node, bool quick, tt_plan *out)
{
    layout l;
    tt_model *m;
    walked w;
    TT_TRY(lay_out(job, nodes, per_node, &l));
    TT_TRY(part_of_model(p, l.tp, &m));
    tt_pars *pars = tt_model_pars(m);
    phantom mem = place(pars);
    plan_walk(p, job, m, &l, quick, &w);
    tt_xsum_size x = sum_size(job, &l, pars);
    *out = (tt_plan){.nodes = nodes, .per_node = per_node, .ranks = l.ranks, .dp = l.dp, .tp = l.tp};
    out->grains = l.grains;
    out->examples = w.examples;
    out->tokens = w.tokens;
    out->flops = w.flops * (double)l.tp;
    fill_memory(p, job, &l, pars, &x, &w, out);
    fill_times(p, job, &l, pars, &x, &w, out);
    if (!quick) fill_files(p, job, out);
    munmap(mem.mem, mem.bytes);
    tt_model_free(m);
    return TT_OK;
}
