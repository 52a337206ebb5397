// TEST np=1
/* Schedules against transformers' rates (golden/hf/facts/schedules.json), and a few points worked out by hand. */
#include "tutti/optim.h"
#include "../tap.h"

#include <jansson.h>

static const struct {
    const char *name;
    int kind;
} known[] = {
    {"constant", TT_SCHED_CONSTANT},  {"constant_with_warmup", TT_SCHED_CONSTANT},
    {"linear", TT_SCHED_LINEAR},      {"linear_no_warmup", TT_SCHED_LINEAR},
    {"cosine", TT_SCHED_COSINE},      {"cosine_min_lr", TT_SCHED_COSINE},
    {"inverse_sqrt", TT_SCHED_RSQRT},
};

static double number(const json_t *o, const char *key, double none)
{
    json_t *v = json_object_get(o, key);
    return v ? json_number_value(v) : none;
}

static void against_golden(const char *dir)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/hf/facts/schedules.json", dir);
    json_t *root = json_load_file(path, 0, NULL), *all = json_object_get(root, "schedules");
    double base = number(root, "base_lr", 0);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        json_t *s = json_object_get(all, known[k].name), *args = json_object_get(s, "args"),
               *lr = json_object_get(s, "lr");
        double worst = json_array_size(lr) == 25 ? 0 : INFINITY;
        for (size_t i = 0; i < json_array_size(lr); i++) {
            double want = json_number_value(json_array_get(lr, i));
            double got = base * tt_schedule(known[k].kind, (int64_t)i, (int64_t)number(args, "warmup", 0),
                                            (int64_t)number(args, "total", 0), number(args, "min_lr_rate", 0));
            double d = fabs(got - want) / (want != 0 ? fabs(want) : 1e-3);
            if (!(d <= worst)) worst = d;
        }
        ok(worst < 1e-9, "%s: largest relative difference %.2g", known[k].name, worst);
    }
    json_decref(root);
}

static int is(double got, double want) { return fabs(got - want) < 1e-15; }

int main(void)
{
    ok(is(tt_schedule(TT_SCHED_LINEAR, 0, 4, 20, 0), 0) && is(tt_schedule(TT_SCHED_COSINE, 3, 4, 20, 0), 0.75),
       "the first update with warm-up has rate 0, then it rises evenly");
    ok(is(tt_schedule(TT_SCHED_LINEAR, 12, 4, 20, 0.2), 0.6) && is(tt_schedule(TT_SCHED_COSINE, 20, 4, 20, 0.1), 0.1),
       "the rate ends at min_ratio");
    ok(is(tt_schedule(TT_SCHED_LINEAR, 99, 4, 20, 0), 0), "linear stays at 0 after its end");
    ok(is(tt_schedule(TT_SCHED_RSQRT, 30000, 0, 0, 0), 0.5), "inverse square root without warm-up starts at 10000");
    ok(is(tt_schedule(TT_SCHED_RSQRT, 400, 100, 0, 0), 0.5), "inverse square root after a warm-up of 100");
    if (shared_dir())
        against_golden(shared_dir());
    else
        skip(1, "no shared folder: rates of transformers not compared");
    return tap_done();
}
