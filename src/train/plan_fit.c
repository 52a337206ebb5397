/* Which setting would fit? All combinations of a few keys, in classes by how much they change the numbers of a run. */
#include "plan.h"

#include <string.h>

enum { SAME_BITS, OTHER_BITS, OTHER_METHOD, CLASSES };

/* A value that a key may take. Kept: the job's own value is always tried, too. */
typedef struct option {
    const char *text; /* "mesh.zero=2"; NULL ends a key's options */
    int class;
    void (*set)(tt_job *j, const tt_job *was);
} option;

static void zero2(tt_job *j, const tt_job *was) { j->mesh.zero = 2; }
static void zero3(tt_job *j, const tt_job *was) { j->mesh.zero = 3; }
static void zero1(tt_job *j, const tt_job *was) { j->mesh.zero = 1; }
static void recompute(tt_job *j, const tt_job *was) { j->train.recompute = TT_RECOMPUTE_BLOCK; }
static void half(tt_job *j, const tt_job *was) { j->precision = TT_PREC_BF16; }
static void tp2(tt_job *j, const tt_job *was) { j->mesh.tp = 2; }
static void tp4(tt_job *j, const tt_job *was) { j->mesh.tp = 4; }
static void tp8(tt_job *j, const tt_job *was) { j->mesh.tp = 8; }
static void adafactor(tt_job *j, const tt_job *was) { j->optim.name = TT_OPT_ADAFACTOR; }

static void by_block(tt_job *j, const tt_job *was)
{
    j->optim.update = TT_UPDATE_BLOCK;
    j->optim.clip = 0;
}

enum { OPTIONS_MOST = 4 };
static const option table[][OPTIONS_MOST] = {
    {{"mesh.zero=1", SAME_BITS, zero1}, {"mesh.zero=2", SAME_BITS, zero2}, {"mesh.zero=3", SAME_BITS, zero3}},
    {{"train.recompute=block", SAME_BITS, recompute}},
    {{"precision=bf16", OTHER_BITS, half}},
    {{"mesh.tp=2", OTHER_BITS, tp2}, {"mesh.tp=4", OTHER_BITS, tp4}, {"mesh.tp=8", OTHER_BITS, tp8}},
    {{"optim.name=adafactor", OTHER_METHOD, adafactor}},
    {{"optim.update=block optim.clip=0", OTHER_METHOD, by_block}},
};
enum { KEYS = sizeof table / sizeof *table };

typedef struct search {
    tt_planner *p;
    const tt_job *was;
    int64_t nodes;
    int class;
    tt_plan_choice *best; /* text is empty until something fits */
} search;

/* Grains of a copy wait for their sum in as many slabs as their tree is deep; one grain a rank waits for nothing. */
static void fit_grains(tt_plan_choice *c, const search *s)
{
    int64_t dp = s->nodes * c->per_node / c->job.mesh.tp;
    if (s->class < OTHER_BITS || dp < 1 || c->job.train.grains <= dp) return;
    c->job.train.grains = dp;
    snprintf(c->text + strlen(c->text), sizeof c->text - strlen(c->text), " train.grains=%lld", (long long)dp);
}

static void judge(search *s, const tt_plan_choice *candidate)
{
    tt_plan_choice c = *candidate;
    fit_grains(&c, s);
    if (!*c.text || tt_plan_make(s->p, &c.job, s->nodes, c.per_node, true, &c.plan) != TT_OK) {
        tt_fail_clear();
        return;
    }
    if (c.plan.node > c.plan.limit || (*s->best->text && c.plan.step >= s->best->plan.step)) return;
    *s->best = c;
}

static void add_text(tt_plan_choice *c, const char *text)
{
    size_t n = strlen(c->text);
    snprintf(c->text + n, sizeof c->text - n, "%s%s", n ? " " : "", text);
}

/* The job's own value, then every option of the key; so for all keys from key on. */
static void try_keys(search *s, int key, const tt_plan_choice *c)
{
    if (key == KEYS) {
        judge(s, c);
        return;
    }
    try_keys(s, key + 1, c);
    for (const option *o = table[key]; o < table[key] + OPTIONS_MOST && o->text; o++) {
        tt_plan_choice with = *c;
        o->set(&with.job, s->was);
        if (o->class > s->class || !memcmp(&with.job, &c->job, sizeof with.job)) continue;
        add_text(&with, o->text);
        try_keys(s, key + 1, &with);
    }
}

static void try_ranks(search *s, int64_t per_node)
{
    for (int64_t n = per_node, halvings = 0; n >= 1 && halvings < 4 && !*s->best->text; n /= 2, halvings++) {
        tt_plan_choice c = {.job = *s->was, .per_node = n};
        if (n != per_node) snprintf(c.text, sizeof c.text, "plan.ranks_per_node=%lld", (long long)n);
        try_keys(s, 0, &c);
    }
}

bool tt_plan_fit(tt_planner *p, const tt_job *job, int64_t nodes, int64_t per_node, tt_plan_choice *out)
{
    *out = (tt_plan_choice){.job = *job};
    for (int class = 0; class < CLASSES && !*out->text; class ++) {
        search s = {p, job, nodes, class, out};
        try_ranks(&s, per_node);
    }
    return *out->text;
}
