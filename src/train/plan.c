/* A plan: memory, work and time of a job on a machine, put together. */
#include "plan.h"

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

typedef struct models {
    tt_model *whole, *part; /* part: of the first tp rank; whole itself where that computes everything */
} models;

static void forget(models *m)
{
    if (m->part != m->whole) tt_model_free(m->part);
    tt_model_free(m->whole);
}

static tt_err shape_model(const tt_planner *p, int64_t tp, models *m)
{
    TT_TRY(tt_model_shape(p->json, strlen(p->json), p->job->file, &m->whole));
    m->part = m->whole;
    tt_err e = tp > 1 ? tt_model_part(m->whole, 0, (int)tp, &m->part) : TT_OK;
    if (e != TT_OK) tt_model_free(m->whole);
    return e;
}

typedef struct phantom { /* addresses for weights and gradients that nobody reads */
    void *mem;
    size_t bytes;
} phantom;

static phantom place(tt_pars *t)
{
    phantom x = {.bytes = (2 * sizeof(float) + sizeof(tt_bf16)) * (size_t)t->size};
    x.mem = mmap(NULL, x.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (x.mem == MAP_FAILED) TT_BUG("%zu bytes of address space were refused; raise ulimit -v", x.bytes);
    float *w = x.mem;
    tt_bf16 *h = (tt_bf16 *)(void *)(w + 2 * t->size);
    for (int g = 0; g < t->ngroup; g++) {
        int64_t at = t->group[g].at;
        tt_pars_place(t, g, w + at, w + t->size + at, h + at);
    }
    return x;
}

/* ---- memory -----------------------------------------------------------------------------------------------------------------*/

typedef struct sizes { /* of the rank that owns most */
    tt_zero_size zero;
    tt_optim_size optim;
    double all, own; /* floats: of a tp rank's part; whose sums a rank finishes */
} sizes;

/* Cutting at whole parameters takes the square of the number of ranks; with so many of them cutting at blocks comes to the same. */
enum { RANKS_CUT_WHOLE = 1024 };

static int heaviest(const tt_own *o, int size)
{
    int top = 0;
    for (int r = 1; r < size; r++)
        if (tt_own_total(o, r) > tt_own_total(o, top)) top = r;
    return top;
}

/* The rank with the largest moments among a few: frozen rows have none. */
static int heaviest_moments(const tt_job *j, tt_pars *pars, const tt_own *o, int size)
{
    size_t most = 0;
    int top = 0;
    for (int i = 0; i < 4; i++) {
        int r = (int)((int64_t)i * (size - 1) / 3);
        tt_optim_size s = tt_optim_sizes(j, pars, o, r);
        if (s.moments + s.work <= most) continue;
        most = s.moments + s.work;
        top = r;
    }
    return top;
}

static sizes sizes_of(const tt_job *j, const layout *l, const models *m)
{
    tt_pars *whole = tt_model_pars(m->whole), *part = tt_model_pars(m->part);
    bool at_rows = tt_optim_whole(j) && l->ranks <= RANKS_CUT_WHOLE;
    int size = (int)l->ranks;
    tt_own *own = tt_own_new(whole, size, at_rows), *updated = tt_own_new(whole, j->mesh.zero ? size : 1, at_rows);
    int top = heaviest(own, size);
    sizes s = {.all = (double)part->size, .own = (double)tt_own_total(own, top)};
    s.zero = tt_zero_sizes(j, whole, part, own, size, top);
    s.optim = tt_optim_sizes(j, whole, updated, j->mesh.zero ? heaviest_moments(j, whole, updated, size) : 0);
    tt_own_free(own);
    tt_own_free(updated);
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

static double seconds(tt_planner *p, tt_dry_kind k, double work)
{
    return plan_seconds(p, &(tt_dry_call){.kind = k, .m = 1, .n = 1, .k = 1, .work = work});
}

/* Sums of this rank's grains, of the owner's share of all subtrees, the norm, the rule, the bf16 copy. */
static double update_seconds(tt_planner *p, const tt_job *j, const layout *l, const sizes *s)
{
    static const tt_dry_kind kind[] = {
        [TT_OPT_ADAMW] = TT_DRY_ADAM, [TT_OPT_ADAFACTOR] = TT_DRY_ADAFACTOR, [TT_OPT_SGD] = TT_DRY_ADD};
    double grains = ceil((double)l->grains / (double)l->dp), mine = j->mesh.zero ? s->own : s->own * (double)l->ranks;
    double nodes = (double)s->zero.nodes, here = tt_zero_streams(j) ? 0 : (grains - 1) * s->all;
    double sum = seconds(p, TT_DRY_ADD, here + (nodes - 1) * s->own);
    if (!tt_zero_streams(j)) sum += seconds(p, TT_DRY_PASS, 8 * floor(grains / 2) * s->all);
    sum += seconds(p, TT_DRY_SUMSQ, s->own) + seconds(p, kind[j->optim.name], mine);
    if (j->precision == TT_PREC_BF16) sum += seconds(p, TT_DRY_PASS, 6 * (j->mesh.zero < 3 ? s->all : s->own));
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
    tt_mesh m = {.size = (int)l->ranks, .tp = 1, .dp = (int)l->ranks};
    TT_TRY(tt_zero_check(&m, j));
    l->dp = l->ranks / l->tp;
    return TT_OK;
}

static void fill_memory(const tt_planner *p, const tt_job *j, const layout *l, const sizes *s, const walked *w,
                        tt_plan *o)
{
    o->memory[TT_PLAN_BASE] = p->base;
    o->memory[TT_PLAN_WEIGHTS] = (double)s->zero.weights;
    o->memory[TT_PLAN_GRADS] = (double)s->zero.grads;
    o->memory[TT_PLAN_MOMENTS] = (double)s->optim.moments;
    o->memory[TT_PLAN_ACTS] = w->bytes;
    o->memory[TT_PLAN_BUFFERS] = (double)s->optim.work + (double)s->zero.messages;
    for (int i = 0; i < TT_PLAN_KINDS; i++) o->rank += o->memory[i];
    o->node = o->rank * (double)l->per_node;
    o->limit = node_memory(j);
}

static void fill_times(tt_planner *p, const tt_job *j, const layout *l, const tt_pars *pars, const sizes *s,
                       const walked *w, tt_plan *o)
{
    traffic t = plan_traffic(p, j, l, pars, (double)s->zero.nodes, w);
    o->sent = t.sent;
    o->net = t.net;
    o->products = w->products * l->crowd;
    o->rest = w->rest * l->crowd;
    o->update = update_seconds(p, j, l, s) * l->crowd;
    o->hidden = plan_hidden(j, pars, &t, (o->products + o->rest) * 2 / 3);
    o->wait = t.local + t.network - o->hidden;
    o->step = o->products + o->rest + o->update + o->wait;
}

static void fill_files(const tt_job *j, tt_pars *whole, tt_plan *o)
{
    tt_own *all = tt_own_new(whole, 1, false);
    o->parameters = tt_pars_count(whole, false);
    o->exported = 4.0 * (double)o->parameters;
    o->checkpoint = o->exported + (double)tt_optim_sizes(j, whole, all, 0).moments;
    tt_own_free(all);
}

tt_err tt_plan_make(tt_planner *p, const tt_job *job, int64_t nodes, int64_t per_node, bool quick, tt_plan *out)
{
    layout l;
    models m;
    walked w;
    TT_TRY(lay_out(job, nodes, per_node, &l));
    TT_TRY(shape_model(p, l.tp, &m));
    tt_pars *part = tt_model_pars(m.part);
    phantom mem = place(part);
    plan_walk(p, job, m.part, &l, quick, &w);
    sizes s = sizes_of(job, &l, &m);
    *out = (tt_plan){.nodes = nodes, .per_node = per_node, .ranks = l.ranks, .dp = l.dp, .tp = l.tp};
    out->grains = l.grains;
    out->examples = w.examples;
    out->tokens = w.tokens;
    out->flops = w.flops;
    fill_memory(p, job, &l, &s, &w, out);
    fill_times(p, job, &l, part, &s, &w, out);
    if (!quick) fill_files(job, tt_model_pars(m.whole), out);
    munmap(mem.mem, mem.bytes);
    forget(&m);
    return TT_OK;
}
