/* Examples from JSON objects: the lines of a file of predictions. */
#include "metric.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#define AT(field) offsetof(tt_fields, field)
const tt_keyrow tt_field_keys[] = {
    {"fields.prediction", TT_KTEXT, AT(prediction), "prediction", NULL, "key of the prediction: text, number or label"},
    {"fields.references", TT_KTEXT, AT(reference), NULL, NULL,
     "key of the reference, or list of them (default references, else reference)"},
    {"fields.group", TT_KTEXT, AT(group), "group", NULL, "key, or keys with commas, of what multirc takes together"},
    {"fields.options", TT_KTEXT, AT(options), "options", NULL, "key of the list of answers to choose from"},
    {"fields.loglikelihoods", TT_KTEXT, AT(ll), "loglikelihoods", NULL, "key of their log-likelihoods"},
    {"fields.unconditional", TT_KTEXT, AT(alone), "unconditional", NULL, "key of the same without the prompt"},
    {"fields.is_greedy", TT_KTEXT, AT(greedy), "is_greedy", NULL, "key: would greedy decoding give the option?"},
    {"fields.option_tokens", TT_KTEXT, AT(ntoken), "option_tokens", NULL, "key of the options' lengths in tokens"},
    {"fields.gold", TT_KTEXT, AT(gold), "gold", NULL, "key of the right option's number from 0, or list of them"},
    {"fields.loglikelihood", TT_KTEXT, AT(loglik), "loglikelihood", NULL, "key of a text's log-likelihood"},
    {"fields.tokens", TT_KTEXT, AT(tokens), "tokens", NULL, "key of its tokens"},
    {"fields.words", TT_KTEXT, AT(words), "words", NULL, "key of its words"},
    {"fields.bytes", TT_KTEXT, AT(bytes), "bytes", NULL, "key of its bytes"},
    {"fields.confidence", TT_KTEXT, AT(confidence), "confidence", NULL, "key of the prediction's probability"},
    {"fields.correct", TT_KTEXT, AT(correct), "correct", NULL, "key: was it right?"},
    {"fields.no_answer", TT_KTEXT, AT(no_answer), "no_answer", NULL, "key of the probability that there is no answer"},
    {0},
};

typedef struct reader {
    const tt_fields *f;
    tt_arena *a;
    const char *where;
} reader;

/* Text of a value: numbers as they are, true and false as 1 and 0, as in Python. NULL: null, a list, an object. */
static const char *text_of(reader *s, const json_t *v)
{
    if (json_is_string(v)) return tt_strdup(s->a, json_string_value(v));
    if (json_is_integer(v)) return tt_sprintf(s->a, "%lld", (long long)json_integer_value(v));
    if (json_is_real(v)) return tt_sprintf(s->a, "%.17g", json_real_value(v));
    if (json_is_boolean(v)) return json_is_true(v) ? "1" : "0";
    return NULL;
}

/* A number, or one of the texts "nan", "inf", "-inf". */
static bool number_of(const json_t *v, double *out)
{
    static const struct {
        const char *text;
        double x;
    } special[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    if (json_is_number(v) || json_is_boolean(v)) {
        *out = json_is_boolean(v) ? json_is_true(v) : json_number_value(v);
        return true;
    }
    for (size_t i = 0; json_is_string(v) && i < sizeof special / sizeof *special; i++)
        if (!strcasecmp(json_string_value(v), special[i].text)) return *out = special[i].x, true;
    return false;
}

/* NULL: the key is not there, or null. */
static const json_t *value_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_null(v) ? NULL : v;
}

static tt_err wrong(const reader *s, const char *key, const char *needs)
{
    return tt_fail(TT_EDATA, "%s: \"%s\" is not %s", s->where, key, needs);
}

static tt_err take_number(reader *s, const json_t *o, const char *key, double absent, double *out)
{
    const json_t *v = value_of(o, key);
    *out = absent;
    if (!v || number_of(v, out)) return TT_OK;
    return wrong(s, key, "a number");
}

static tt_err take_count(reader *s, const json_t *o, const char *key, int64_t *out)
{
    const json_t *v = value_of(o, key);
    *out = json_integer_value(v);
    if (!v || (json_is_integer(v) && *out >= 0)) return TT_OK;
    return wrong(s, key, "a count, a whole number from 0");
}

/* A list, or one value taken as a list of one. */
static size_t length_of(const json_t *v) { return json_is_array(v) ? json_array_size(v) : v ? 1 : 0; }
static const json_t *member(const json_t *v, size_t i) { return json_is_array(v) ? json_array_get(v, i) : v; }

static tt_err take_numbers(reader *s, const json_t *o, const char *key, int n, const double **out)
{
    const json_t *v = value_of(o, key);
    if (!v) return TT_OK;
    double *x = TT_NEW(s->a, double, n + 1);
    if ((int)length_of(v) != n)
        return tt_fail(TT_EDATA, "%s: \"%s\" has %zu values, but there are %d options", s->where, key, length_of(v), n);
    for (int i = 0; i < n; i++)
        if (!number_of(member(v, (size_t)i), &x[i])) return wrong(s, key, "a list of numbers");
    *out = x;
    return TT_OK;
}

/* Texts of a list; null ones are left out. */
static tt_err take_texts(reader *s, const json_t *v, const char *key, const char *const **out, int *n)
{
    const char **x = TT_NEW(s->a, const char *, length_of(v) + 1);
    *n = 0;
    for (size_t i = 0; i < length_of(v); i++) {
        const json_t *each = member(v, i);
        if (json_is_null(each)) continue;
        if (!(x[*n] = text_of(s, each))) return wrong(s, key, "a text or a list of texts");
        ++*n;
    }
    *out = x;
    return TT_OK;
}

/* Greater counts are no integers in a double, let alone tokens of an option. */
static const double most_tokens = 0x1p53;

static tt_err take_counts(reader *s, const json_t *o, const char *key, int n, const int64_t **out)
{
    const double *x = NULL;
    TT_TRY(take_numbers(s, o, key, n, &x));
    int64_t *count = TT_NEW(s->a, int64_t, n + 1);
    for (int i = 0; x && i < n; i++) {
        if (!(x[i] >= 0 && x[i] <= most_tokens && x[i] == trunc(x[i]))) return wrong(s, key, "a list of counts");
        count[i] = (int64_t)x[i];
    }
    *out = x ? count : NULL;
    return TT_OK;
}

static tt_err take_flags(reader *s, const json_t *o, const char *key, int n, const bool **out)
{
    const double *x = NULL;
    TT_TRY(take_numbers(s, o, key, n, &x));
    bool *flag = TT_NEW(s->a, bool, n + 1);
    for (int i = 0; x && i < n; i++) flag[i] = x[i] != 0;
    *out = x ? flag : NULL;
    return TT_OK;
}

static int clamp(json_int_t g) { return g < INT32_MIN ? INT32_MIN : g > INT32_MAX ? INT32_MAX : (int)g; }

static tt_err take_gold(reader *s, const json_t *o, tt_case *c)
{
    const json_t *gold = value_of(o, s->f->gold);
    int *right = TT_NEW(s->a, int, length_of(gold) + 1);
    for (size_t i = 0; i < length_of(gold); i++) {
        if (!json_is_integer(member(gold, i)))
            return wrong(s, s->f->gold, "the number of an option, from 0, or a list of them");
        right[i] = clamp(json_integer_value(member(gold, i)));
    }
    c->ngold = (int)length_of(gold);
    c->gold = right;
    return TT_OK;
}

static tt_err take_options(reader *s, const json_t *o, tt_case *c)
{
    const json_t *ll = value_of(o, s->f->ll), *options = value_of(o, s->f->options);
    int n = 0;
    if (!ll) return TT_OK;
    c->nopt = (int)length_of(ll);
    TT_TRY(take_numbers(s, o, s->f->ll, c->nopt, &c->ll));
    TT_TRY(take_numbers(s, o, s->f->alone, c->nopt, &c->ll_alone));
    TT_TRY(take_flags(s, o, s->f->greedy, c->nopt, &c->is_greedy));
    TT_TRY(take_counts(s, o, s->f->ntoken, c->nopt, &c->ntoken));
    TT_TRY(take_gold(s, o, c));
    if (!options) return TT_OK;
    TT_TRY(take_texts(s, options, s->f->options, &c->option, &n));
    if (n == c->nopt) return TT_OK;
    return tt_fail(TT_EDATA, "%s: \"%s\" has %d texts, but \"%s\" %d values; each option needs both", s->where,
                   s->f->options, n, s->f->ll, c->nopt);
}

static tt_err take_group(reader *s, const json_t *o, tt_case *c)
{
    char *keys = tt_strdup(s->a, s->f->group), *save = NULL;
    for (char *k = strtok_r(keys, ",", &save); k; k = strtok_r(NULL, ",", &save)) {
        const json_t *v = value_of(o, k);
        if (!v) return c->group = NULL, TT_OK;
        const char *text = text_of(s, v);
        if (!text) return wrong(s, k, "a text or a number");
        c->group = tt_sprintf(s->a, "%s%s%s", c->group ? c->group : "", c->group ? "\x1f" : "", text);
    }
    return TT_OK;
}

static tt_err take_references(reader *s, const json_t *o, tt_case *c)
{
    const char *key = s->f->reference ? s->f->reference : json_object_get(o, "references") ? "references" : "reference";
    const json_t *v = json_object_get(o, key);
    return v ? take_texts(s, v, key, &c->ref, &c->nref) : TT_OK;
}

static tt_err take_prediction(reader *s, const json_t *o, tt_case *c)
{
    const json_t *v = value_of(o, s->f->prediction);
    if (v && !(c->prediction = text_of(s, v))) return wrong(s, s->f->prediction, "a text, a number or a label");
    TT_TRY(take_references(s, o, c));
    return take_number(s, o, s->f->no_answer, NAN, &c->no_answer);
}

static tt_err take_likelihood(reader *s, const json_t *o, tt_case *c)
{
    TT_TRY(take_number(s, o, s->f->loglik, NAN, &c->loglik));
    TT_TRY(take_count(s, o, s->f->tokens, &c->tokens));
    TT_TRY(take_count(s, o, s->f->words, &c->words));
    return take_count(s, o, s->f->bytes, &c->bytes);
}

static tt_err take_confidence(reader *s, const json_t *o, tt_case *c)
{
    TT_TRY(take_number(s, o, s->f->confidence, NAN, &c->confidence));
    return take_number(s, o, s->f->correct, NAN, &c->correct);
}

tt_err tt_case_read(const tt_fields *f, unsigned needs, tt_arena *a, const char *where, const json_t *o, tt_case *c)
{
    static const struct {
        unsigned need;
        tt_err (*take)(reader *, const json_t *, tt_case *);
    } parts[] = {{TT_NEED_PREDICTION | TT_NEED_REFERENCE, take_prediction},
                 {TT_NEED_GROUP, take_group},
                 {TT_NEED_OPTIONS, take_options},
                 {TT_NEED_LIKELIHOOD, take_likelihood},
                 {TT_NEED_CONFIDENCE, take_confidence}};
    reader r = {f, a, where};
    *c = (tt_case){.where = where, .loglik = NAN, .confidence = NAN, .correct = NAN, .no_answer = NAN};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (needs & parts[i].need) TT_TRY(parts[i].take(&r, o, c));
    return TT_OK;
}
