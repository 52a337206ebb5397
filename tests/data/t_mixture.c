// TEST np=1
// The mixture as a function: exact counts an epoch, rows without replacement, no state.
#include "make.h"

/* Three data sets of 10, 300 and 7 rows. */
static tt_sets *three(place *p, const char *keys[3], tt_job **job)
{
    static const int rows[3] = {10, 300, 7};
    char text[20000], yaml[600] = "data:\n  train:\n";
    for (int i = 0; i < 3; i++) {
        size_t n = 0;
        for (int k = 0; k < rows[i]; k++) n += (size_t)sprintf(text + n, "%d\t%d\n", k, k);
        put_file(p, tt_sprintf(p->a, "m%d.tsv", i), text, n);
        snprintf(yaml + strlen(yaml), 200, "    - {path: m%d.tsv, columns: [source, target]%s}\n", i, keys[i]);
    }
    return sets_of(p, yaml, job);
}

static tt_err mix_of(tt_job *job, const tt_sets *s, int64_t seed, tt_mix **out)
{
    job->seed = seed;
    return tt_mix_new(job, s, out);
}

static void count_epochs(const tt_sets *s, const tt_mix *x, const int64_t want[3])
{
    int64_t E = tt_mix_epoch(x), wrong = 0, again = 0, early = 0;
    for (int epoch = 0; epoch < 6; epoch++) {
        int64_t n[3] = {0};
        for (int64_t i = 0; i < E; i++) n[tt_mix_draw(x, epoch * E + i).set]++;
        for (int i = 0; i < 3; i++) wrong += n[i] != want[i];
    }
    ok(E == want[0] + want[1] + want[2] && !wrong, "every epoch of %lld draws has %lld, %lld and %lld of the sets",
       (long long)E, (long long)want[0], (long long)want[1], (long long)want[2]);
    for (int i = 0; i < 3; i++) ok(fabs(tt_mix_share(x, i) - (double)want[i] / (double)E) < 1e-12, "planned share");
    static int uses[3][300][64];
    memset(uses, 0, sizeof uses);
    for (int64_t i = 0; i < 6 * E; i++) {
        tt_draw d = tt_mix_draw(x, i);
        again += d.epoch < 64 && uses[d.set][d.row][d.epoch]++;
    }
    for (int i = 0; i < 3; i++) { /* all rounds but the last are whole */
        int64_t rows = tt_set_info(s->set[i])->rows, rounds = 6 * want[i] / rows;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t q = 0; q < rounds && q < 64; q++) early += !uses[i][r][q];
    }
    ok(!again && !early, "no row twice in a round, no round before the last is whole (%lld, %lld)", (long long)again,
       (long long)early);
}

static void pure(const tt_mix *x, const tt_mix *y, const tt_mix *other)
{
    int64_t differ = 0, same = 0, in_order = 0, E = tt_mix_epoch(x);
    for (int64_t i = 3 * E - 1; i >= 0; i--) {
        tt_draw a = tt_mix_draw(x, i), b = tt_mix_draw(y, i), c = tt_mix_draw(other, i), next = tt_mix_draw(x, i + 1);
        differ += a.set != b.set || a.row != b.row || a.epoch != b.epoch;
        same += a.set == c.set && a.row == c.row;
        in_order += next.set == a.set && next.row == a.row + 1;
    }
    ok(!differ, "a draw is a function of seed and number, read in any order");
    ok(same < E / 2, "another seed, other draws");
    ok(in_order < E / 3, "the order is shuffled");
    tt_draw far = tt_mix_draw(x, (int64_t)1 << 40);
    ok(far.set >= 0 && far.set < 3 && far.epoch > 1000, "draw 2^40 is there at once");
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    place p = place_new(&m);
    tt_job *job;
    tt_mix *x, *y, *z;

    const char *plain[3] = {"", "", ""};
    tt_sets *s = three(&p, plain, &job);
    ok(s && mix_of(job, s, 1, &x) == TT_OK, "a mixture by size");
    count_epochs(s, x, (int64_t[]){10, 300, 7});
    tt_mix_free(x);
    tt_sets_free(s);

    const char *capped[3] = {", weight: 2.5", ", cap: 20", ", weight: 0"};
    s = three(&p, capped, &job);
    ok(s && mix_of(job, s, 1, &x) == TT_OK && mix_of(job, s, 1, &y) == TT_OK && mix_of(job, s, 2, &z) == TT_OK,
       "a mixture with caps and weights");
    count_epochs(s, x, (int64_t[]){25, 20, 0});
    pure(x, y, z);
    tt_mix_free(x);
    tt_mix_free(y);
    tt_mix_free(z);
    tt_sets_free(s);

    const char *tiny[3] = {", weight: 0.001", "", ""};
    s = three(&p, tiny, &job);
    ok(s && mix_of(job, s, 1, &x) == TT_OK, "a weight near 0");
    count_epochs(s, x, (int64_t[]){1, 300, 7});
    tt_mix_free(x);
    tt_sets_free(s);

    const char *none[3] = {", weight: 0", ", weight: 0", ", weight: 0"};
    s = three(&p, none, &job);
    ok(s && mix_of(job, s, 1, &x) == TT_EDATA, "refused: %s", tt_fail_text());
    tt_fail_clear();
    tt_sets_free(s);
    const char *huge[3] = {", weight: 1e300", "", ""};
    s = three(&p, huge, &job);
    ok(s && mix_of(job, s, 1, &x) == TT_EDATA, "refused: %s", tt_fail_text());
    tt_fail_clear();
    tt_sets_free(s);
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
