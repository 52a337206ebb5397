// TEST np=1
/* Multiple choice: samples worked out by hand and lm-evaluation-harness's numbers. */
#include "scoring.h"

enum { MOST = 32 };

static double value(const tt_scoring *s, int64_t i, const char *name)
{
    return s->stat[i * s->width + value_at(s, name)];
}

/* "漢字" is 2 characters and 6 bytes. */
static void t_hand(void)
{
    const char *option[] = {"\xe6\xbc\xa2\xe5\xad\x97", "abcdef"};
    const double ll[] = {-6, -6.5}, alone[] = {-1, -2};
    const int64_t tokens[] = {1, 3};
    const bool greedy[] = {true, false};
    const int gold[] = {0, 1};
    tt_case c = {.nopt = 2, .option = option, .ll = ll, .ngold = 1, .gold = gold};
    tt_metric m;
    tt_scoring *s = scoring(&m, "choice", &tt_def_choice);
    scoring_add(s, &c);
    ok(value(s, 0, "acc") == 1 && value(s, 0, "acc_norm") == 0 && value(s, 0, "acc_bytes") == 1,
       "choice: raw, per character, per byte");
    ok(isnan(value(s, 0, "acc_token")) && isnan(value(s, 0, "acc_mutual_info")) && isnan(value(s, 0, "exact_match")),
       "choice: what is not known is NaN");
    double p = 1 / (1 + exp(-.5));
    ok(same(value(s, 0, "prob_norm"), p) && same(value(s, 0, "brier"), 2 * (1 - p) * (1 - p)), "choice: probabilities");
    c.ll_alone = alone, c.ntoken = tokens, c.is_greedy = greedy;
    scoring_add(s, &c);
    ok(value(s, 1, "acc_token") == 0 && value(s, 1, "acc_mutual_info") == 0 && value(s, 1, "exact_match") == 1,
       "choice: per token, beyond alone, greedy");
    const int64_t unknown[] = {1, 0};
    c.ngold = 2, c.ntoken = tokens;
    scoring_add(s, &c);
    ok(value(s, 2, "acc_token") == 1 && value(s, 2, "prob_norm") == 1 && isnan(value(s, 2, "brier")),
       "choice: any of several; they have no Brier score");
    c.ntoken = unknown;
    scoring_add(s, &c);
    ok(isnan(value(s, 3, "acc_token")), "choice: a count of tokens that is not known");
    const double close[] = {-6, -19.5};
    c.ll = close, c.ngold = 1;
    scoring_add(s, &c);
    ok(value(s, 4, "acc_norm") == 1 && value(s, 4, "acc_bytes") == 1, "choice: characters are code points");
    double total[16];
    scoring_total(s, total);
    ok(total[0] == 1 && isnan(total[value_at(s, "brier")]) && isnan(total[value_at(s, "acc_token")]),
       "choice: known of all, or not known");
    scoring_free(s);
}

static void t_edges(void)
{
    const char *option[] = {"a", "b", ""};
    double ll[] = {-INFINITY, -INFINITY, -INFINITY};
    const int gold[] = {1};
    tt_case c = {.nopt = 2, .option = option, .ll = ll, .ngold = 1, .gold = gold};
    tt_metric m;
    tt_scoring *s = scoring(&m, "choice", &tt_def_choice);
    ok(scoring_add(s, &c) == TT_OK && value(s, 0, "acc") == 0 && isnan(value(s, 0, "brier")),
       "all impossible: the first");
    c.ll_alone = ll;
    ok(scoring_add(s, &c) == TT_OK && value(s, 1, "acc_mutual_info") == 0, "all undefined: the first");
    s->n = 1, c.ll_alone = NULL;
    ll[1] = -3;
    ok(scoring_add(s, &c) == TT_OK && value(s, 1, "acc") == 1 && value(s, 1, "brier") == 0, "-inf: probability 0");
    ll[0] = ll[1];
    ok(scoring_add(s, &c) == TT_OK && value(s, 2, "acc") == 0 && value(s, 2, "brier") == .5, "the first of equals");
    c.nopt = 3, ll[2] = -1;
    ok(scoring_add(s, &c) == TT_OK && value(s, 3, "acc_norm") == 0, "an empty option per character: -inf");
    scoring_free(s);
}

static void refused(tt_scoring *s, const tt_case *c, const char *text)
{
    ok(scoring_add(s, c) == TT_EDATA && strstr(tt_fail_text(), text), "refused: %s", tt_fail_text());
    tt_fail_clear();
}

static void t_refused(void)
{
    const char *option[] = {"a", "b"};
    double ll[] = {-1, NAN}, alone[] = {NAN, -1};
    int gold[] = {0, 2};
    tt_case c = {.where = "h.jsonl:4", .nopt = 2, .option = option, .ll = ll, .ngold = 1, .gold = gold};
    tt_metric m;
    tt_scoring *s = scoring(&m, "choice", &tt_def_choice);
    refused(s, &c, "h.jsonl:4: the log-likelihood of option 1 is nan");
    ll[1] = INFINITY;
    refused(s, &c, "h.jsonl:4: the log-likelihood of option 1 is inf");
    ll[1] = -2, c.ll_alone = alone;
    refused(s, &c, "h.jsonl:4: the log-likelihood without the prompt of option 0 is nan");
    c.ll_alone = NULL, c.ngold = 2;
    refused(s, &c, "h.jsonl:4: the right option is 2, but there are 2");
    gold[1] = -1;
    refused(s, &c, "the right option is -1");
    c.ngold = 0;
    refused(s, &c, "no right option");
    scoring_free(s);
    s = scoring(&m, "brier", &tt_def_brier);
    c.ngold = 2, gold[1] = 1;
    refused(s, &c, "2 right options");
    scoring_free(s);
}

/* ---- golden ----------------------------------------------------------------------------------------------------------*/

typedef struct held {
    const char *option[MOST];
    bool greedy[MOST];
    int gold[MOST];
} held;

static void read_lists(json_t *line, held *h, tt_case *c)
{
    json_t *options = json_object_get(line, "choices"), *gold = json_object_get(line, "gold");
    c->nopt = (int)json_array_size(options);
    for (int i = 0; i < c->nopt; i++) {
        h->option[i] = json_string_value(json_array_get(options, (size_t)i));
        h->greedy[i] = json_is_true(json_array_get(json_object_get(line, "is_greedy"), (size_t)i));
    }
    c->ngold = json_is_array(gold) ? (int)json_array_size(gold) : 1;
    for (int i = 0; i < c->ngold; i++)
        h->gold[i] = (int)json_integer_value(json_is_array(gold) ? json_array_get(gold, (size_t)i) : gold);
    c->option = h->option, c->is_greedy = h->greedy, c->gold = h->gold;
}

static bool agree_probabilities(json_t *line, const tt_case *c)
{
    int64_t n;
    double *want = numbers(json_object_get(line, "expected"), "prob_norm", &n), p[MOST];
    tt_prob_norm(c->nopt, c->ll, p);
    bool good = n == c->nopt;
    for (int i = 0; good && i < c->nopt; i++) good = same(p[i], want[i]);
    free(want);
    return good;
}

static bool check_choice(json_t *line)
{
    json_t *want = json_object_get(line, "expected");
    int64_t n;
    double *ll = numbers(line, "loglikelihoods", &n), *alone = numbers(line, "unconditional", &n);
    held h;
    tt_case c = {.ll = ll, .ll_alone = n ? alone : NULL};
    read_lists(line, &h, &c);
    tt_metric m;
    tt_scoring *s = scoring(&m, "choice", &tt_def_choice);
    bool good = scoring_add(s, &c) == TT_OK && agree_probabilities(line, &c);
    for (int v = 0; v < s->nvalue; v++)
        if (strcmp(s->name[v], "prob_norm") != 0) good = good && agrees(want, s->name[v], s->stat[v]);
    scoring_free(s);
    s = scoring(&m, "brier", &tt_def_brier);
    if (c.ngold == 1) good = good && scoring_add(s, &c) == TT_OK && agrees(want, "brier", s->stat[0]);
    scoring_free(s);
    free(ll);
    free(alone);
    return good;
}

int main(void)
{
    t_hand();
    t_edges();
    t_refused();
    golden("lmeval_multiple_choice", NULL, check_choice);
    return tap_done();
}
