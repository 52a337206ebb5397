// TEST np=1
/* Standard errors by resampling: the draws bit for bit against a plain version, the errors against a plain loop and against
 * lm-evaluation-harness's numbers. */
#include "scoring.h"

/* ---- the plain version: MT19937 a word at a time, an example at a time -------------------------------------------------*/

typedef struct plain {
    uint32_t s[624];
    int at;
} plain;

static void plain_seed(plain *m, uint32_t word)
{
    uint32_t *s = m->s;
    s[0] = 19650218;
    for (uint32_t i = 1; i < 624; i++) s[i] = 1812433253U * (s[i - 1] ^ (s[i - 1] >> 30)) + i;
    for (int k = 0, i = 1; k < 624; k++) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1664525U)) + word;
        if (++i == 624) s[0] = s[623], i = 1;
    }
    for (int k = 0, i = 2; k < 623; k++) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1566083941U)) - (uint32_t)i;
        if (++i == 624) s[0] = s[623], i = 1;
    }
    s[0] = 0x80000000U;
    m->at = 0;
}

static uint32_t plain_next(plain *m)
{
    uint32_t *s = m->s;
    int i = m->at, j = (i + 1) % 624;
    uint32_t y = (s[i] & 0x80000000U) | (s[j] & 0x7fffffffU);
    s[i] = s[(i + 397) % 624] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfU : 0);
    y = s[i];
    m->at = j;
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680U;
    y ^= (y << 15) & 0xefc60000U;
    return y ^ (y >> 18);
}

static double plain_01(plain *m)
{
    uint64_t a = plain_next(m) >> 5, b = plain_next(m) >> 6;
    return (double)(a << 26 | b) / 9007199254740992.0;
}

static void plain_errors(const tt_scoring *s, double *error)
{
    int64_t iters = s->o.bootstrap, chunk = iters < 1000 ? iters : 1000, all = iters / chunk * chunk;
    size_t width = (size_t)s->width;
    double *stat = tt_malloc((size_t)s->n * width * sizeof *stat),
           *x = tt_malloc((size_t)(all * s->nvalue) * sizeof *x);
    plain m;
    for (int64_t i = 0; i < all; i++) {
        double value[32];
        if (i % chunk == 0) plain_seed(&m, (uint32_t)(i / chunk));
        for (int64_t k = 0; k < s->n; k++) {
            size_t at = (size_t)floor(plain_01(&m) * (double)s->n);
            memcpy(stat + (size_t)k * width, s->stat + at * width, width * sizeof *stat);
        }
        values_of(s, s->n, stat, NULL, value);
        for (int v = 0; v < s->nvalue; v++) x[v * all + i] = value[v];
    }
    for (int v = 0; v < s->nvalue; v++) error[v] = tt_sample_sd(all, x + v * all);
    free(stat);
    free(x);
}

/* ---- draws ---------------------------------------------------------------------------------------------------------------*/

static void t_draws(void)
{
    static const int64_t sizes[] = {1, 2, 3, 7, 10, 256, 1000, 1043, 65537, 1000003, INT32_MAX};
    bool good = true;
    uint32_t index[5000];
    for (uint32_t seed = 0; seed < 110; seed++) {
        int64_t n = sizes[seed % 11];
        tt_mt m;
        plain p;
        tt_mt_seed_words(&m, 1, &seed);
        plain_seed(&p, seed);
        for (uint64_t round = 0; round < 12; round++) {
            int64_t k = (int64_t)tt_rand_below(seed, round, 5000);
            if (round % 4 == 3) good = good && tt_mt_next(&m) == plain_next(&p); /* pairs that lie across a refill */
            tt_mt_choices(&m, n, k, index);
            for (int64_t i = 0; i < k; i++) good = good && index[i] == (uint32_t)floor(plain_01(&p) * (double)n);
        }
        good = good && tt_mt_next(&m) == plain_next(&p);
    }
    ok(good, "draws: bit for bit those of the plain version");
}

/* random.Random(0) of CPython 3.11. */
static void t_python(void)
{
    static const uint32_t sevens[] = {5, 5, 2, 1, 3, 2, 5, 2, 3, 4};
    uint32_t seed = 0, index[10];
    tt_mt m;
    tt_mt_seed_words(&m, 1, &seed);
    tt_mt_choices(&m, 7, 10, index);
    ok(!memcmp(index, sevens, sizeof sevens), "draws: random.Random(0).choices(range(7), k=10)");
    tt_mt_seed_words(&m, 1, &seed);
    ok(tt_mt_01(&m) == 0.8444218515250481 && tt_mt_01(&m) == 0.7579544029403025, "draws: random.Random(0).random()");
    tt_mt_seed_words(&m, 1, &seed);
    tt_mt_choices(&m, 1, 10, index);
    ok(index[0] == 0 && index[9] == 0, "draws: of one thing");
}

/* |seed| of an integer as 32-bit words, low first. 0: the seed is a text. */
static int seed_words(const json_t *seed, uint32_t word[2])
{
    if (!json_is_integer(seed)) return 0;
    json_int_t x = json_integer_value(seed);
    uint64_t u = x < 0 ? -(uint64_t)x : (uint64_t)x;
    word[0] = (uint32_t)u;
    word[1] = (uint32_t)(u >> 32);
    return word[1] ? 2 : 1;
}

static bool check_python(json_t *line)
{
    uint32_t word[2];
    int nword = seed_words(json_object_get(line, "seed"), word);
    if (!nword) return true;
    int64_t n;
    double *real = numbers(line, "random5", &n), *bits = numbers(line, "getrandbits32_5", &n);
    tt_mt m;
    tt_mt_seed_words(&m, nword, word);
    bool good = n == 5;
    for (int i = 0; i < 5; i++) good = good && tt_mt_01(&m) == real[i];
    for (int i = 0; i < 5; i++) good = good && tt_mt_next(&m) == (uint32_t)bits[i];
    free(real);
    free(bits);
    return good;
}

/* ---- errors against the plain loop -----------------------------------------------------------------------------------------*/

static tt_scoring *random_labels(tt_metric *m, const tt_metric_def *def, int n, uint64_t classes)
{
    tt_scoring *s = scoring(m, def->values[0], def);
    for (uint64_t i = 0; i < (uint64_t)n; i++) {
        char g[32], p[32];
        uint64_t gold = tt_rand_below(5, 3 * i, classes), pred = tt_rand_below(5, 3 * i + 1, classes);
        const char *ref[] = {g};
        snprintf(g, sizeof g, "%d", (int)gold);
        snprintf(p, sizeof p, "%d", (int)(tt_rand_below(5, 3 * i + 2, 3) ? gold : pred));
        tt_case c = {.nref = 1,
                     .ref = ref,
                     .prediction = p,
                     .group = i % 3 ? g : p,
                     .loglik = -(double)gold - 1,
                     .tokens = (int64_t)pred + 1,
                     .confidence = (double)gold / (double)classes,
                     .correct = gold == pred};
        if (scoring_add(s, &c) != TT_OK) abort();
    }
    return s;
}

static void against_plain(const tt_metric_def *def, int n, uint64_t classes, int64_t iters)
{
    tt_metric m;
    tt_scoring *s = random_labels(&m, def, n, classes);
    double got[8], want[8];
    bool good = true;
    s->o.bootstrap = iters;
    tt_bootstrap_errors(s, got);
    plain_errors(s, want);
    for (int v = 0; v < s->nvalue; v++)
        if (!same(got[v], want[v]))
            good = false, printf("#   %s: %.17g, should be %.17g\n", s->name[v], got[v], want[v]);
    ok(good, "%s: %d examples of %d classes, %d resamples", m.name, n, (int)classes, (int)iters);
    scoring_free(s);
}

/* Selective accuracy depends on the order of equal confidences, in which resamples differ: only its calibration errors. */
static void t_calibration(void)
{
    tt_metric m;
    tt_scoring *s = random_labels(&m, &tt_def_calibration, 120, 1000);
    double got[4], want[4];
    s->o.bootstrap = 500;
    tt_bootstrap_errors(s, got);
    plain_errors(s, want);
    ok(same(got[0], want[0]) && same(got[1], want[1]), "calibration: %.6g %.6g", got[0], got[1]);
    scoring_free(s);
}

static void t_errors(void)
{
    against_plain(&tt_def_matthews, 300, 2, 2000);
    against_plain(&tt_def_matthews, 3000, 2, 1000);
    against_plain(&tt_def_f1, 90, 3, 1999);
    against_plain(&tt_def_f1_macro, 500, 12, 300);
    against_plain(&tt_def_f1_weighted, 700, 400, 300);
    against_plain(&tt_def_accuracy, 100, 2, 1000);
    against_plain(&tt_def_pearson, 150, 1000, 400);
    against_plain(&tt_def_spearman, 150, 60, 400);
    against_plain(&tt_def_multirc, 200, 2, 300);
    against_plain(&tt_def_perplexity, 100, 50, 1000);
    t_calibration();
}

static void t_none(void)
{
    tt_metric m;
    double error = 0;
    tt_scoring *s = random_labels(&m, &tt_def_matthews, 1, 2);
    s->o.bootstrap = 1000;
    tt_bootstrap_errors(s, &error);
    ok(isnan(error), "one example has no error");
    scoring_free(s);
    static const int64_t few[] = {-1, 0, 1};
    for (int i = 0; i < 3; i++) {
        s = random_labels(&m, &tt_def_matthews, 20, 2);
        s->o.bootstrap = few[i];
        error = 0;
        tt_bootstrap_errors(s, &error);
        ok(isnan(error), "%d resamples give no error", (int)few[i]);
        scoring_free(s);
    }
}

/* ---- golden ----------------------------------------------------------------------------------------------------------------*/

/* A resample's element n/2, of rows in rising order with their counts. */
static void total_median(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one,
                         double *value)
{
    double all = 0, below = 0;
    for (int64_t i = 0; i < n; i++) all += weight[i];
    for (int64_t i = 0; i < n; i++) {
        below += weight[i];
        *value = stat[i];
        if (below > floor(all / 2)) return;
    }
}

static tt_err each_value(tt_scoring *s, const tt_case *c, double *stat)
{
    *stat = c->loglik;
    return TT_OK;
}

static const tt_metric_def def_median = {
    .values = (const char *const[]){"median", NULL}, .width = 1, .each = each_value, .total = total_median};

static void add_values(tt_scoring *s, json_t *line)
{
    int64_t n;
    double *x = numbers(line, "values", &n);
    for (int64_t i = 0; i < n; i++) {
        tt_case c = {.loglik = x[i]};
        scoring_add(s, &c);
    }
    free(x);
}

static void add_pairs(tt_scoring *s, json_t *line)
{
    size_t i;
    json_t *pair;
    json_array_foreach(json_object_get(line, "pairs_gold_pred"), i, pair)
    {
        char g[32], p[32];
        const char *ref[] = {number_text(json_array_get(pair, 0), g)};
        tt_case c = {.nref = 1, .ref = ref, .prediction = number_text(json_array_get(pair, 1), p)};
        scoring_add(s, &c);
    }
}

static bool check_bootstrap(json_t *line)
{
    static const struct {
        const char *name;
        const tt_metric_def *def;
    } rows[] = {{"median", &def_median},        {"perplexity", &tt_def_perplexity}, {"f1", &tt_def_f1},
                {"matthews", &tt_def_matthews}, {"mcc", &tt_def_matthews},          {NULL, NULL}};
    int r = 0;
    while (rows[r].name && strcmp(rows[r].name, json_string_value(json_object_get(line, "statistic"))) != 0) r++;
    if (!rows[r].name) return false;
    tt_metric m;
    tt_scoring *s = scoring(&m, rows[r].name, rows[r].def);
    add_values(s, line);
    add_pairs(s, line);
    s->o.bootstrap = json_integer_value(json_object_get(line, "iters"));
    double error[8];
    tt_bootstrap_errors(s, error);
    scoring_free(s);
    return agrees(json_object_get(line, "expected"), "bootstrap_stderr", error[0]);
}

int main(void)
{
    t_draws();
    t_python();
    t_errors();
    t_none();
    golden("python_random", NULL, check_python);
    golden("lmeval_aggregate", "bootstrap", check_bootstrap);
    return tap_done();
}
