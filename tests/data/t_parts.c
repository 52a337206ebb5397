// TEST np=1
// data.mixture: shares of nested parts, rates, caps, presets, random draws, and what is wrong with a job's parts.
#include "make.h"

/* Six data sets of 10 .. 320 rows in two collections; keys go to all. */
static tt_sets *six(place *p, const char *mixture, tt_job **job)
{
    char text[20000], yaml[4000];
    snprintf(yaml, sizeof yaml, "%sdata:\n  mixture: %s\n  train:\n", "", mixture);
    for (int i = 0; i < 6; i++) {
        size_t n = 0;
        for (int k = 0; k < 10 << i; k++) n += (size_t)sprintf(text + n, "%d\t%d\n", k, k);
        put_file(p, tt_sprintf(p->a, "q%d.tsv", i), text, n);
        snprintf(yaml + strlen(yaml), 300,
                 "    - {path: q%d.tsv, columns: [source, target], collection: %s, category: c%d%s}\n", i,
                 i < 3 ? "niv" : "qa", i, i == 5 ? ", mixture: own" : "");
    }
    return sets_of(p, yaml, job);
}

static double share_of(const tt_mix *x, const tt_sets *s, const char *collection)
{
    double sum = 0;
    for (int i = 0; i < s->n; i++)
        if (!strcmp(tt_set_info(s->set[i])->collection, collection)) sum += tt_mix_share(x, i);
    return sum;
}

static bool about(double a, double b) { return fabs(a - b) < 2e-6; }

static tt_mix *mix_of(place *p, const char *mixture, tt_sets **s)
{
    tt_job *job;
    tt_mix *x = NULL;
    *s = six(p, mixture, &job);
    if (!*s || tt_mix_new(job, *s, &x) != TT_OK) printf("# %s\n", tt_fail_text());
    return x;
}

static void done(tt_mix *x, tt_sets *s)
{
    tt_mix_free(x);
    tt_sets_free(s);
}

static void shares(place *p)
{
    tt_sets *s;
    tt_mix *x = mix_of(p,
                       "{parts: [{name: a, share: 3, cap: 15, from: {collection: niv}},"
                       "{name: b, share: 1, parts: [{name: small, share: 0.2, rate: equal, from: {name: 'q[34]'}}, "
                       "{name: own, share: 0.6}]}]}",
                       &s);
    if (!ok(x != NULL, "nested parts")) return;
    ok(about(share_of(x, s, "niv"), 0.75) && about(tt_mix_share(x, 5), 0.25 * 0.75), "fixed shares: %.6f %.6f",
       share_of(x, s, "niv"), tt_mix_share(x, 5));
    ok(about(tt_mix_share(x, 3), 0.03125) && about(tt_mix_share(x, 4), 0.03125), "equal shares in a part");
    ok(about(tt_mix_share(x, 0), 0.75 * 10 / 40) && about(tt_mix_share(x, 2), 0.75 * 15 / 40),
       "the cap acts per data set");
    ok(tt_mix_parts(x) == 4 && !strcmp(tt_mix_part(x, 3)->path, "b.own") && tt_mix_part(x, 3)->depth == 1 &&
           tt_mix_part(x, 1)->nset == 3 && tt_mix_part_of(x, 5) == 3,
       "parts have paths");
    ok(tt_mix_epoch(x) == 10 + 15 + 15 + 80 + 160 + 320, "an epoch is what counts: %lld", (long long)tt_mix_epoch(x));
    int64_t n[6] = {0}, count[6], off = 0;
    for (int64_t k = 0; k < 30000; k++) {
        n[tt_mix_draw(x, k).set]++;
        for (int i = 0; i < 6; i++) off += fabs((double)n[i] - (double)(k + 1) * tt_mix_share(x, i)) > 1;
    }
    ok(!off, "after every draw each data set is within one of its plan");
    tt_mix_counts(x, 30000, count);
    ok(!memcmp(n, count, sizeof n), "counts without walking");
    done(x, s);
}

static void rates(place *p)
{
    tt_sets *s;
    tt_mix *x = mix_of(p, "{rate: temperature, temperature: 2}", &s);
    double sum = 0;
    for (int i = 0; i < 6; i++) sum += sqrt(10 << i);
    ok(x && about(tt_mix_share(x, 4), sqrt(160) / sum) && tt_mix_parts(x) == 0, "temperature 2: square roots");
    done(x, s);
    x = mix_of(p, "{rate: equal}", &s);
    ok(x && about(tt_mix_share(x, 0), 1. / 6) && about(tt_mix_share(x, 5), 1. / 6), "equal");
    done(x, s);
    x = mix_of(p, "{rate: weights}", &s);
    ok(x && about(tt_mix_share(x, 0), 1. / 6), "weights");
    done(x, s);
    x = mix_of(p, "{cap: 20}", &s);
    ok(x && tt_mix_epoch(x) == 110 && about(tt_mix_share(x, 5), 20. / 110) && tt_mix_cap(x, 5) == 20, "a cap");
    done(x, s);
    x = mix_of(p, "{parts: [{name: own}, {name: z, from: {collection: [niv, qa]}}]}", &s);
    ok(x && about(tt_mix_share(x, 5), 320. / 630), "parts without shares share by size");
    done(x, s);
    x = mix_of(p, "{draw: random}", &s);
    int64_t n[6] = {0}, count[6], epochs = 0;
    for (int64_t k = 0; k < 20000; k++) {
        tt_draw d = tt_mix_draw(x, k);
        n[d.set]++;
        epochs += d.epoch == k;
    }
    tt_mix_counts(x, 20000, count);
    ok(llabs(n[5] - 20000 * 320 / 630) < 400 && n[5] != 20000 * 320 / 630 && epochs == 20000, "random draws: %lld",
       (long long)n[5]);
    ok(!memcmp(n, count, sizeof n), "counts of random draws");
    done(x, s);
}

static void presets(place *p)
{
    tt_sets *s;
    tt_mix *x = mix_of(p,
                       "{preset: flan-t5-paper-b, parts: [{name: niv2, from: {collection: niv}}, {name: flan, cap: 7, "
                       "from: {category: [c3, c4, c5]}}]}",
                       &s);
    ok(x && about(share_of(x, s, "niv"), 0.242 / (0.242 + 0.46)), "a preset's shares, those of empty parts given away");
    ok(x && tt_mix_cap(x, 0) == 5000 && tt_mix_cap(x, 3) == 7, "its caps, unless the job says otherwise");
    done(x, s);
    x = mix_of(p,
               "{preset: flan-t5-paper-a, parts: [{name: niv2, from: {collection: niv}}, {name: flan, from: "
               "{collection: qa}}]}",
               &s);
    ok(x && about(share_of(x, s, "niv"), 0.30 / 0.82), "proportion A");
    done(x, s);
    x = mix_of(p,
               "{preset: flan2022-release, parts: [{name: dialog, from: {collection: niv}}, {name: cot, from: "
               "{collection: qa}}]}",
               &s);
    ok(x && about(share_of(x, s, "niv"), 0.03 / 0.08) && tt_mix_cap(x, 0) == 200000, "the release's");
    done(x, s);
}

static void refuse(place *p, const char *mixture, const char *want)
{
    tt_job *job;
    tt_mix *x = NULL;
    tt_sets *s = six(p, mixture, &job);
    tt_err e = s ? tt_mix_new(job, s, &x) : TT_OK;
    ok(e == TT_EJOB && strstr(tt_fail_text(), want) && strstr(tt_fail_text(), "job.yaml:2"), "refused: %s",
       tt_fail_text());
    tt_fail_clear();
    tt_mix_free(x);
    tt_sets_free(s);
}

static void faults(place *p)
{
    refuse(p, "{preset: flan-t5-paper-c}", "did you mean 'flan-t5-paper-");
    refuse(p, "{parts: [{name: a, from: {collection: nif}}, {name: own}]}", "did you mean 'niv'?");
    refuse(p, "{parts: [{name: a, from: {colection: niv}}, {name: own}]}", "did you mean 'collection'?");
    refuse(p, "{parts: [{name: a, from: {category: Sumarization}}]}", "no data set of data.train has category");
    refuse(p, "{parts: [{name: a, from: {collection: niv}}]}", "q3 and 2 more (collection qa) belong to no part");
    refuse(p, "{parts: [{name: own2, from: {collection: niv}}, {name: z, from: {name: 'q[34]'}}]}",
           "mixture own: did you mean 'own2'?");
    refuse(p, "{parts: [{name: a, from: {name: '*'}}, {name: a}]}", "two parts are called a");
    refuse(p, "{parts: [{name: a, share: 1, from: {name: '*'}}, {name: b}]}", "part b has no share but a has one");
    refuse(p, "{parts: [{name: a.b}]}", "has no dot");
    refuse(p, "{parts: [{share: 1}]}", "needs a name");
    refuse(p, "{parts: [{name: a, shares: 1}]}", "did you mean 'mixture.parts.share'?");
    refuse(p, "{parts: [{name: a, from: {name: q1}, parts: [{name: b, from: {name: '*'}}]}]}", "takes no data sets");
    refuse(p, "{rate: proportionate}", "one of proportional|temperature");
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tt_log_quiet(true);
    place p = place_new(&m);
    shares(&p);
    rates(&p);
    presets(&p);
    faults(&p);
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
