/* After the run: was the plan right? */
#include "plan.h"
#include "run.h"

enum { SECONDS_LEAST = 20, STEPS_LEAST = 3 }; /* of a run that is worth a second of measuring */

static double percent(double measured, double expected) { return 100 * (measured / expected - 1); }

static void say(const run *r, const tt_plan *p, double rank, double step)
{
    static const double GIB = 1073741824.0;
    tt_log("plan: %.2f GiB a rank expected, %.2f measured (%+.0f %%); step %.0f ms expected, %.0f measured (%+.0f %%)",
           p->rank / GIB, rank / GIB, percent(rank, p->rank), 1e3 * p->step, 1e3 * step, percent(step, p->step));
    if (r->cpu < 0.9 * r->took)
        tt_log("      %.0f ms of a processor's time a step: the first rank had one %.0f %% of the time",
               1e3 * r->cpu / (double)r->timed, 100 * r->cpu / r->took);
}

void plan_check(run *r)
{
    int64_t most[] = {tt_rss_peak_bytes(), (int64_t)(1e6 * r->took)};
    tt_allmax_i64(r->m, most, 2);
    double took = 1e-6 * (double)most[1];
    if (took < SECONDS_LEAST || r->timed < STEPS_LEAST) return;
    tt_planner *p = plan_begin(r->job, r->base);
    tt_plan plan;
    tt_err e = plan_first_batches(p, r->batcher);
    p->json = tt_model_json(r->model);
    if (e == TT_OK && r->m->rank == 0) {
        e = tt_plan_make(p, r->job, r->m->size / r->m->node_size, r->m->node_size, false, &plan);
        if (e == TT_OK) say(r, &plan, (double)most[0], took / (double)r->timed);
    }
    tt_planner_free(p);
    if (e != TT_OK) tt_fail_clear(); /* the run itself is well */
}
