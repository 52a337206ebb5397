/* What a run drew: its own counts, the plan's, and how often every single example came. */
#include "audit.h"
#include "tutti/store.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ---- chi-square ---------------------------------------------------------------------------------------------------*/

/* Upper regularized incomplete gamma function Q(a, x): series below a + 1, continued fraction above (Lentz's method). */
static double gamma_q(double a, double x)
{
    if (x <= 0) return 1;
    double front = exp(-x + a * log(x) - lgamma(a));
    if (x < a + 1) {
        double term = 1 / a, sum = term;
        for (double n = a + 1; term > sum * 1e-16; n++) sum += term *= x / n;
        return 1 - front * sum;
    }
    double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (int i = 1; i < 100000; i++) {
        double an = -i * (i - a);
        b += 2;
        d = 1 / (an * d + b);
        c = b + an / c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-15) break;
    }
    return front * h;
}

double audit_chi_tail(double x, double dof) { return dof > 0 ? gamma_q(dof / 2, x / 2) : 1; }

/* ---- reading ------------------------------------------------------------------------------------------------------*/

/* [[name, examples drawn], ...] of the checkpoint, in the order of the list. */
static tt_err read_usage(const audit *u, const char *path, const char *text, audit_run *r)
{
    json_t *o = text ? json_loads(text, 0, NULL) : NULL;
    bool same = (int)json_array_size(o) == u->train->n;
    for (int i = 0; i < u->train->n && same; i++) {
        const json_t *pair = json_array_get(o, (size_t)i);
        const char *name = json_string_value(json_array_get(pair, 0));
        same = name && !strcmp(name, tt_set_info(u->train->set[i])->name);
        r->used[i] = json_integer_value(json_array_get(pair, 1));
    }
    json_decref(o);
    if (same) return TT_OK;
    return tt_fail(TT_EFILE, "%s: it counts other data sets than %s/job.resolved.yaml lists; was the job file changed?",
                   path, r->dir);
}

static tt_err read_state(const audit *u, const char *path, audit_run *r)
{
    tt_ckattr attr[] = {
        {"step", false, 0, 0}, {"draw", false, 0, 0}, {"skipped_steps", false, 0, 0}, {"mixture", false, 0, 0}};
    tt_cktext text[] = {{"usage", NULL}};
    tt_ckpt c = {.nattr = 4, .attr = attr, .ntext = 1, .text = text};
    TT_TRY(tt_ckpt_read(NULL, path, u->a, &c));
    r->step = attr[0].i;
    r->draw = attr[1].i;
    r->skipped = attr[2].i;
    if (attr[3].i != tt_mix_hash(u->mix))
        return tt_fail(TT_EDATA,
                       "%s: the data of this run have changed since (rows, caps or shares), so its draws cannot be "
                       "told any more; bring the old files back",
                       path);
    return read_usage(u, path, text[0].text, r);
}

/* ---- walking --------------------------------------------------------------------------------------------------------*/

/* This rank's share of the draws; counts of all rows behind one another. */
static void walk(const audit *u, const audit_run *r, const int64_t *first, int64_t *times)
{
    int64_t lo, hi;
    tt_share(r->draw, u->m->rank, u->m->size, &lo, &hi);
    for (int64_t n = lo; n < hi; n++) {
        tt_draw d = tt_mix_draw(u->mix, n);
        times[first[d.set] + d.row]++;
        if (n % 65536 == 0) tt_watch_kick("walking the draws");
    }
}

/* Collective. */
static void count_rows(const audit *u, audit_run *r)
{
    int n = u->train->n;
    int64_t *first = TT_NEW(u->a, int64_t, n + 1);
    first[0] = 0;
    for (int i = 0; i < n; i++) first[i + 1] = first[i] + tt_set_info(u->train->set[i])->rows;
    int64_t *times = tt_malloc(sizeof *times * (size_t)(first[n] + 1));
    memset(times, 0, sizeof *times * (size_t)(first[n] + 1));
    walk(u, r, first, times);
    tt_allsum_i64(u->m, times, first[n]);
    r->times = TT_NEW(u->a, uint32_t *, n + 1);
    for (int i = 0; i < n; i++) {
        r->times[i] = tt_malloc(sizeof(uint32_t) * (size_t)(first[i + 1] - first[i] + 1));
        for (int64_t k = first[i]; k < first[i + 1]; k++) r->times[i][k - first[i]] = (uint32_t)times[k];
    }
    free(times);
}

tt_err audit_run_read(audit *u, audit_run *r)
{
    const char *path = tt_ckpt_find(r->dir, u->a);
    r->used = TT_ZNEW(u->a, int64_t, u->train->n + 1);
    if (!path)
        return tt_fail(TT_EFILE,
                       "%s: holds no checkpoint, so nothing tells what the run drew; it keeps one every "
                       "checkpoint.every steps and at its end",
                       r->dir);
    TT_TRY(tt_agree(u->m, read_state(u, path, r)));
    count_rows(u, r);
    u->run = r;
    return TT_OK;
}

void audit_run_fini(const audit *u, audit_run *r)
{
    for (int i = 0; r->times && i < u->train->n; i++) free(r->times[i]);
    r->times = NULL;
}

/* ---- the comparison -----------------------------------------------------------------------------------------------*/

enum { LEAST_EXPECTED = 5 }; /* data sets expected more seldom are taken together, as the approximation wants */

static json_t *chi_square(const audit *u, const audit_run *r)
{
    double sum = 0, rest_want = 0, rest_got = 0, worst = 0;
    int cells = 0;
    for (int i = 0; i < u->train->n; i++) {
        double want = tt_mix_share(u->mix, i) * (double)r->draw, got = (double)r->used[i];
        if (fabs(got - want) > worst) worst = fabs(got - want);
        if (want < LEAST_EXPECTED) {
            rest_want += want;
            rest_got += got;
        } else {
            sum += (got - want) * (got - want) / want;
            cells++;
        }
    }
    if (rest_want > 0) {
        sum += (rest_got - rest_want) * (rest_got - rest_want) / rest_want;
        cells++;
    }
    return json_pack("{s:f, s:i, s:f, s:f}", "value", sum, "degrees", cells > 1 ? cells - 1 : 0, "p",
                     audit_chi_tail(sum, cells - 1), "largest_difference", worst);
}

/* {"0": rows never drawn, "1": rows drawn once, ...} */
static json_t *times_json(const audit_run *r, int set, int64_t rows)
{
    json_t *o = json_object();
    char key[16];
    for (int64_t k = 0; k < rows; k++) {
        snprintf(key, sizeof key, "%u", r->times[set][k]);
        json_object_set_new(o, key, json_integer(json_integer_value(json_object_get(o, key)) + 1));
    }
    return o;
}

/* Why rows of a set that can be drawn never were. */
static const char *why_never(const audit *u, const audit_run *r, int set)
{
    const tt_setinfo *info = tt_set_info(u->train->set[set]);
    if (tt_mix_share(u->mix, set) <= 0) return "the data set has no share in the mixture";
    int64_t cap = tt_mix_cap(u->mix, set);
    if (cap > 0 && cap < info->rows && r->draw >= tt_mix_epoch(u->mix))
        return "the cap lets so many pass an epoch; later epochs bring others";
    return "the run ended before their turn";
}

/* Why usable rows of the file are none of the set's. */
static const char *why_out(const audit *u, int set)
{
    bool dropped = u->clean && u->clean->set[set].dropped > 0;
    return dropped ? "left out: in another part of the split, beyond the limit, a duplicate, or known to the evaluation"
                   : "in another part of the split, or beyond the limit";
}

static json_t *set_json(const audit *u, const audit_run *r, int i)
{
    const tt_setinfo *info = tt_set_info(u->train->set[i]);
    int64_t sum = 0, never = 0;
    for (int64_t k = 0; k < info->rows; k++) {
        sum += r->times[i][k];
        never += r->times[i][k] == 0;
    }
    json_t *o = json_pack("{s:s, s:I, s:f, s:b, s:o}", "name", info->name, "used", (json_int_t)r->used[i], "planned",
                          tt_mix_share(u->mix, i) * (double)r->draw, "counts_agree", sum == r->used[i], "times",
                          times_json(r, i, info->rows));
    if (info->file_rows > info->rows)
        json_object_set_new(
            o, "left_out",
            json_pack("{s:I, s:s}", "rows", (json_int_t)(info->file_rows - info->rows), "why", why_out(u, i)));
    if (never)
        json_object_set_new(o, "never", json_pack("{s:I, s:s}", "rows", (json_int_t)never, "why", why_never(u, r, i)));
    return o;
}

json_t *audit_run_json(const audit *u, const audit_run *r)
{
    int64_t *count = TT_ZNEW(u->a, int64_t, u->train->n + 1);
    tt_mix_counts(u->mix, r->draw, count);
    json_t *sets = json_array();
    bool agree = true;
    for (int i = 0; i < u->train->n; i++) {
        json_t *o = set_json(u, r, i);
        agree = agree && json_is_true(json_object_get(o, "counts_agree")) && count[i] == r->used[i];
        json_array_append_new(sets, o);
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:b, s:o, s:o}", "dir", r->dir, "steps", (json_int_t)r->step, "draws",
                     (json_int_t)r->draw, "skipped_steps", (json_int_t)r->skipped, "counts_agree", agree, "chi_square",
                     chi_square(u, r), "sets", sets);
}

/* ---- every example ------------------------------------------------------------------------------------------------*/

static void write_set(gzFile f, const audit *u, const audit_run *r, int i)
{
    const tt_set *s = u->train->set[i];
    const tt_setinfo *info = tt_set_info(s);
    for (int64_t row = 0, k = 0; row < info->file_rows; row++) {
        bool in = tt_set_takes(s, row);
        uint32_t n = in ? r->times[i][k++] : 0;
        gzprintf(f, "%s\t%s\t%lld\t%u\t%s\n", info->name, info->path, (long long)tt_set_file_line(s, row), n,
                 n    ? ""
                 : in ? why_never(u, r, i)
                      : why_out(u, i));
    }
}

/* Rows of the training sets that could not be used. */
static void write_bad(gzFile f, const audit *u)
{
    FILE *in = fopen(u->quarantine, "r");
    char *line = NULL;
    size_t cap = 0;
    while (in && getline(&line, &cap, in) > 0) {
        json_t *o = json_loads(line, 0, NULL);
        const char *name = json_string_value(json_object_get(o, "dataset"));
        const char *file = json_string_value(json_object_get(o, "file"));
        const char *why = json_string_value(json_object_get(o, "reason"));
        bool train = false;
        for (int i = 0; i < u->train->n && name && file && why && !train; i++)
            train = !strcmp(tt_set_info(u->train->set[i])->name, name) &&
                    !strcmp(tt_set_info(u->train->set[i])->path, file);
        if (train)
            gzprintf(f, "%s\t%s\t%lld\t0\tquarantined: %s\n", name, file,
                     (long long)json_integer_value(json_object_get(o, "line")), why);
        json_decref(o);
    }
    free(line);
    if (in) fclose(in);
}

tt_err audit_run_examples(const audit *u, const audit_run *r, const char *path)
{
    gzFile f = gzopen(path, "wb");
    if (!f) return tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
    gzprintf(f, "dataset\tfile\tline\tused\twhy never\n");
    for (int i = 0; i < u->train->n; i++) write_set(f, u, r, i);
    write_bad(f, u);
    int err;
    gzerror(f, &err);
    if (gzclose(f) != Z_OK || err != Z_OK)
        return tt_fail(TT_ERUN, "%s: cannot be written: %s; is the disk full?", path, strerror(errno));
    return TT_OK;
}
