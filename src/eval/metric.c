/* The table of metrics, and scorings: a metric with its options and the numbers of its examples. */
#include "metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT (TT_NEED_PREDICTION | TT_NEED_REFERENCE)

const tt_metric tt_metrics[] = {
    {"rouge", "ROUGE-1, 2, 3, L, Lsum: overlap of words with the reference, for summaries", TEXT, 1, 0, 1,
     "stem split_sentences aggregate", "rouge_score 0.1.2", "rouge1.f1 rouge2.f1 rougeL.f1", &tt_def_rouge},
    {"bleu", "BLEU: precision of n-grams times a brevity penalty, for translations", TEXT, 1, 0, 100,
     "tokenize smooth smooth_value effective_order max_order lowercase", "sacrebleu 2.6.0", NULL, &tt_def_bleu},
    {"chrf", "chrF: F-score of character n-grams", TEXT, 1, 0, 100,
     "char_order word_order beta lowercase whitespace eps_smoothing", "sacrebleu 2.6.0", NULL, &tt_def_chrf},
    {"exact_match", "the prediction is one of the references", TEXT, 1, 0, 1,
     "ignore_case ignore_punctuation ignore_numbers", "lm-evaluation-harness", NULL, &tt_def_exact_match},
    {"squad", "exact match and F1 of normalised words, best over the references", TEXT, 1, 0, 100, "",
     "SQuAD 1.1's evaluate script", "exact_match f1", &tt_def_squad},
    {"squad_v2", "the same where a question may have no answer (no reference)", TT_NEED_PREDICTION, 1, 0, 100,
     "threshold", "SQuAD's evaluate-v2.0.py", "exact f1", &tt_def_squad_v2},
    {"trivia_qa", "exact match and F1 with TriviaQA's normalisation", TEXT, 1, 0, 100, "", "T5 qa_utils", "em f1",
     &tt_def_trivia_qa},
    {"record", "ReCoRD: exact match and F1, best over the references", TEXT, 1, 0, 1, "", "SuperGLUE's ReCoRD script",
     "exact_match f1", &tt_def_record},
    {"accuracy", "share of predictions that are the reference, as labels", TEXT, 1, 0, 1, "", "scikit-learn 1.2.1",
     NULL, &tt_def_accuracy},
    {"f1", "F1 of one class", TEXT, 1, 0, 1, "positive", "scikit-learn 1.2.1", NULL, &tt_def_f1},
    {"f1_macro", "mean of the F1 of all classes", TEXT, 1, 0, 1, "classes", "scikit-learn 1.2.1", NULL,
     &tt_def_f1_macro},
    {"f1_micro", "F1 of the counts over all classes", TEXT, 1, 0, 1, "", "scikit-learn 1.2.1", NULL, &tt_def_f1_micro},
    {"f1_weighted", "mean of the F1 of all classes by their references", TEXT, 1, 0, 1, "", "scikit-learn 1.2.1", NULL,
     &tt_def_f1_weighted},
    {"matthews", "Matthews correlation of labels, any number of classes", TEXT, 1, -1, 1, "", "scikit-learn 1.2.1",
     NULL, &tt_def_matthews},
    {"pearson", "Pearson correlation of numbers", TEXT, 1, -1, 1, "", "scipy 1.10.1", NULL, &tt_def_pearson},
    {"spearman", "Spearman correlation of numbers, ties by their mean rank", TEXT, 1, -1, 1, "", "scipy 1.10.1", NULL,
     &tt_def_spearman},
    {"multirc", "MultiRC: F1 over all answer options, and questions with every option right", TEXT | TT_NEED_GROUP, 1,
     0, 1, "positive", "SuperGLUE, jiant", "f1a exact_match", &tt_def_multirc},
    {"choice", "the option of the highest log-likelihood is right: as it is, per character, per byte, per token",
     TT_NEED_OPTIONS, 1, 0, 1, "", "lm-evaluation-harness", "acc acc_norm", &tt_def_choice},
    {"brier", "Brier score of the options' probabilities", TT_NEED_OPTIONS, -1, 0, 2, "", "lm-evaluation-harness", NULL,
     &tt_def_brier},
    {"calibration", "expected calibration error and selective accuracy", TT_NEED_CONFIDENCE, -1, 0, 1, "",
     "HELM, verified_calibration", "ece_10_bin selective_acc@10", &tt_def_calibration},
    {"loss", "mean negative log-likelihood of a target token, nats", TT_NEED_LIKELIHOOD, -1, 0, INFINITY, "",
     "what training minimises", NULL, &tt_def_loss},
    {"perplexity", "perplexity and bits per byte of texts", TT_NEED_LIKELIHOOD, -1, 0, INFINITY, "",
     "lm-evaluation-harness", "perplexity bits_per_byte", &tt_def_perplexity},
    {0},
};

#define AT(field) offsetof(tt_mopts, field)
const tt_keyrow tt_mopt_keys[] = {
    {"stem", TT_KBOOL, AT(stem), "false", NULL, "rouge: Porter stems of words of more than three letters"},
    {"split_sentences", TT_KBOOL, AT(split_sentences), "false", NULL,
     "rouge: \" . \" ends a line, as T5 and BIG-bench have it for Lsum"},
    {"aggregate", TT_KENUM, AT(aggregate), "mean", "mean|bootstrap",
     "rouge: also the percentiles of rouge_score's BootstrapAggregator"},
    {"tokenize", TT_KENUM, AT(tokenize), "13a", "13a|intl|char|none", "bleu: tokenizer"},
    {"smooth", TT_KENUM, AT(smooth), "exp", "exp|floor|add-k|none", "bleu: what stands for a count of 0"},
    {"smooth_value", TT_KREAL, AT(smooth_value), NULL, "0..", "bleu: of floor (0.1 if not given) and add-k (1)"},
    {"effective_order", TT_KENUM, AT(effective_order), "auto", "0|1|auto",
     "bleu: only orders that the prediction has; auto: for one example alone"},
    {"max_order", TT_KINT, AT(max_order), "4", "1..16", "bleu: longest n-gram"},
    {"lowercase", TT_KBOOL, AT(lowercase), "false", NULL, "bleu, chrf: lower-case both sides"},
    {"char_order", TT_KINT, AT(char_order), "6", "1..16", "chrf: longest n-gram of characters"},
    {"word_order", TT_KINT, AT(word_order), "0", "0..16", "chrf: longest n-gram of words; 2: chrF++"},
    {"beta", TT_KREAL, AT(beta), "2", "(0..", "chrf: how much recall counts beside precision"},
    {"whitespace", TT_KBOOL, AT(whitespace), "false", NULL, "chrf: blanks are characters"},
    {"eps_smoothing", TT_KBOOL, AT(eps_smoothing), "false", NULL, "chrf: as NLTK and Moses"},
    {"positive", TT_KTEXT, AT(positive), NULL, NULL, "f1, multirc: the class that counts (1 if not given)"},
    {"classes", TT_KINT, AT(classes), "0", "0..", "f1_macro: the classes are 0 to classes-1, present or not"},
    {"ignore_case", TT_KBOOL, AT(ignore_case), "false", NULL, "exact_match"},
    {"ignore_punctuation", TT_KBOOL, AT(ignore_punctuation), "false", NULL, "exact_match"},
    {"ignore_numbers", TT_KBOOL, AT(ignore_numbers), "false", NULL, "exact_match: digits are left out"},
    {"threshold", TT_KREAL, AT(threshold), "1", "0..1", "squad_v2: more probably unanswerable than this: no answer"},
    {"bootstrap", TT_KINT, AT(bootstrap), "1000", "2..", "resamples of a standard error that has no formula"},
    {0},
};

/* ---- finding -------------------------------------------------------------------------------------------------------------*/

const tt_metric *tt_metric_find(const char *name)
{
    const char *names[64];
    int n = 0;
    for (const tt_metric *m = tt_metrics; m->name; m++) {
        if (!strcmp(m->name, name)) return m;
        names[n++] = m->name;
    }
    const char *near = tt_nearest(name, names, n);
    if (near)
        tt_fail(TT_EJOB, "no such metric '%s'; did you mean '%s'?", name, near);
    else
        tt_fail(TT_EJOB, "no such metric '%s'; tutti help score lists them", name);
    return NULL;
}

static bool has_word(const char *words, const char *w, size_t n)
{
    for (const char *p = words; (p = strstr(p, w)); p++)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || !p[n])) return true;
    return false;
}

static tt_err unknown_option(const char *key)
{
    const char *names[64];
    int n = 0;
    for (const tt_keyrow *r = tt_mopt_keys; r->name; r++) names[n++] = r->name;
    const char *near = tt_nearest(key, names, n);
    if (near) return tt_fail(TT_EJOB, "'%s' is no option of any metric; did you mean '%s'?", key, near);
    return tt_fail(TT_EJOB, "'%s' is no option of any metric; tutti help score lists them", key);
}

/* Is key an option of m? */
static tt_err check_option(const tt_metric *m, const char *key)
{
    const tt_keyrow *row = tt_mopt_keys;
    while (row->name && strcmp(row->name, key)) row++;
    if (row->name && (has_word(m->options, key, strlen(key)) || !strcmp(key, "bootstrap"))) return TT_OK;
    if (!row->name) return unknown_option(key);
    if (!*m->options) return tt_fail(TT_EJOB, "'%s' is no option; %s has none but bootstrap", key, m->name);
    return tt_fail(TT_EJOB, "'%s' is no option; %s has: %s bootstrap", key, m->name, m->options);
}

static tt_err bind_options(tt_scoring *s, int n, char *const *opt)
{
    tt_yaml *root;
    TT_TRY(tt_yaml_parse(s->a, "options", "", 0, &root));
    for (int i = 0; i < n; i++) {
        char *key = tt_strdup(s->a, opt[i]), *eq = strchr(key, '=');
        if (!eq || eq == key) return tt_fail(TT_EJOB, "'%s' is no option; write name=value", opt[i]);
        *eq = 0;
        TT_TRY(check_option(s->m, key));
        TT_TRY(tt_yaml_set(s->a, root, key, eq + 1));
    }
    s->o.smooth_value = NAN;
    return tt_keys_bind(s->a, root, tt_mopt_keys, &s->o, "");
}

/* ---- a scoring ------------------------------------------------------------------------------------------------------------*/

static int count_names(const char *const *name)
{
    int n = 0;
    while (name && name[n]) n++;
    return n;
}

static tt_err open_metric(tt_scoring *s)
{
    const tt_metric_def *d = s->m->def;
    s->name = d->values;
    s->nvalue = count_names(d->values);
    s->width = d->width;
    TT_TRY(d->open ? d->open(s) : TT_OK);
    if (!s->width) s->width = s->nvalue;
    assert(s->nvalue > 0 && d->main < s->nvalue && (d->total || s->width == s->nvalue));
    return TT_OK;
}

tt_err tt_scoring_new(const char *metric, int n, char *const *opt, tt_scoring **out)
{
    *out = NULL;
    const tt_metric *m = tt_metric_find(metric);
    if (!m) return TT_EJOB;
    tt_scoring *s = tt_malloc(sizeof *s);
    *s = (tt_scoring){.m = m, .a = tt_arena_new(1 << 12)};
    tt_err e = bind_options(s, n, opt);
    if (e == TT_OK) e = open_metric(s);
    if (e == TT_OK)
        *out = s;
    else
        tt_scoring_free(s);
    return e;
}

/* "rouge:stem=1,aggregate=bootstrap" */
tt_err tt_scoring_parse(const char *spec, tt_scoring **out)
{
    char *opt[32], *text = strdup(spec), *save = NULL, *rest = strchr(text, ':');
    int n = 0;
    if (rest) *rest++ = 0;
    for (char *w = rest ? strtok_r(rest, ",", &save) : NULL; w && n < 32; w = strtok_r(NULL, ",", &save)) opt[n++] = w;
    tt_err e = tt_scoring_new(text, n, opt, out);
    free(text);
    return e;
}

char *tt_spec_next(char **rest)
{
    char *word = *rest + strspn(*rest, " \t\r\n,");
    size_t n = strcspn(word, " \t\r\n");
    if (!n) return NULL;
    *rest = word + n + (word[n] != 0);
    word[n] = 0;
    while (n && word[n - 1] == ',') word[--n] = 0;
    return word;
}

void tt_scoring_free(tt_scoring *s)
{
    if (!s) return;
    if (s->m->def->close) s->m->def->close(s);
    tt_arena_free(s->a);
    free(s->stat);
    free(s);
}

const tt_metric *tt_scoring_metric(const tt_scoring *s) { return s->m; }
void tt_scoring_resamples(tt_scoring *s, int64_t n) { s->o.bootstrap = n; }

int64_t tt_scoring_count(const tt_scoring *s) { return s->n; }
int tt_scoring_main(const tt_scoring *s) { return s->m->def->main; }

bool tt_scoring_shown(const tt_scoring *s, int v)
{
    const char *name = s->name[v];
    return s->m->shown ? has_word(s->m->shown, name, strlen(name)) : v == s->m->def->main;
}

int tt_scoring_values(const tt_scoring *s, const char *const **name)
{
    if (name) *name = s->name;
    return s->nvalue;
}

static tt_err lacks(const tt_scoring *s, const tt_case *c, const char *what, const char *field)
{
    return tt_fail(TT_EDATA, "%s: the example has no %s, which %s needs; if its key is another, say fields.%s=KEY",
                   c->where ? c->where : "example", what, s->m->name, field);
}

static tt_err check_needs(const tt_scoring *s, const tt_case *c)
{
    unsigned needs = s->m->needs;
    if ((needs & TT_NEED_PREDICTION) && !c->prediction) return lacks(s, c, "prediction", "prediction");
    if ((needs & TT_NEED_REFERENCE) && c->nref < 1) return lacks(s, c, "reference", "references");
    if ((needs & TT_NEED_GROUP) && !c->group) return lacks(s, c, "group", "group");
    if ((needs & TT_NEED_OPTIONS) && (c->nopt < 1 || !c->ll))
        return lacks(s, c, "log-likelihoods of options", "loglikelihoods");
    if ((needs & TT_NEED_OPTIONS) && c->ngold < 1) return lacks(s, c, "right option", "gold");
    if ((needs & TT_NEED_LIKELIHOOD) && isnan(c->loglik))
        return lacks(s, c, "log-likelihood (or it is nan)", "loglikelihood");
    if ((needs & TT_NEED_CONFIDENCE) && isnan(c->confidence))
        return lacks(s, c, "confidence (or it is nan)", "confidence");
    if ((needs & TT_NEED_CONFIDENCE) && isnan(c->correct)) return lacks(s, c, "mark whether it was right", "correct");
    return TT_OK;
}

tt_err tt_scoring_add(tt_scoring *s, const tt_case *c)
{
    TT_TRY(check_needs(s, c));
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 256;
        s->stat = tt_realloc(s->stat, sizeof *s->stat * (size_t)(s->cap * s->width));
    }
    TT_TRY(s->m->def->each(s, c, s->stat + s->n * s->width));
    s->nref = s->n == 0 || s->nref == c->nref ? c->nref : -1;
    s->n++;
    return TT_OK;
}

/* ---- values -----------------------------------------------------------------------------------------------------------------*/

void tt_scoring_weigh(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one, double *value)
{
    if (s->m->def->total) {
        s->m->def->total(s, n, stat, weight, one, value);
        return;
    }
    for (int v = 0; v < s->nvalue; v++) {
        double sum = 0, count = 0;
        for (int64_t i = 0; i < n; i++) {
            double w = weight ? weight[i] : 1;
            sum += w * stat[i * s->width + v];
            count += w;
        }
        value[v] = sum / count;
    }
}

static tt_err ready(const tt_scoring *s)
{
    if (s->n == 0) return tt_fail(TT_EDATA, "%s: there is no example to score", s->m->name);
    return s->m->def->check ? s->m->def->check(s) : TT_OK;
}

tt_err tt_scoring_total(const tt_scoring *s, double *value)
{
    TT_TRY(ready(s));
    tt_scoring_weigh(s, s->n, s->stat, NULL, false, value);
    return TT_OK;
}

void tt_scoring_one(const tt_scoring *s, int64_t i, double *value)
{
    assert(i >= 0 && i < s->n);
    tt_scoring_weigh(s, 1, s->stat + i * s->width, NULL, true, value);
}

static double error_of_mean(const tt_scoring *s, int v, double *column)
{
    for (int64_t i = 0; i < s->n; i++) column[i] = s->stat[i * s->width + v];
    return tt_sample_sd(s->n, column) / sqrt((double)s->n);
}

tt_err tt_scoring_errors(const tt_scoring *s, double *error)
{
    TT_TRY(ready(s));
    if (s->n < 2) {
        for (int v = 0; v < s->nvalue; v++) error[v] = NAN;
    } else if (s->m->def->total) {
        tt_bootstrap_errors(s, error);
    } else {
        double *column = tt_malloc(sizeof *column * (size_t)s->n);
        for (int v = 0; v < s->nvalue; v++) error[v] = error_of_mean(s, v, column);
        free(column);
    }
    return TT_OK;
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------------------*/

json_t *tt_json_number(double x)
{
    if (isnan(x)) return json_string("nan");
    return isinf(x) ? json_string(x > 0 ? "inf" : "-inf") : json_real(x);
}

/* "rouge1.f1" goes into the object rouge1. */
static void put(json_t *out, const char *name, double x)
{
    const char *dot = strchr(name, '.');
    if (!dot) {
        json_object_set_new(out, name, tt_json_number(x));
        return;
    }
    char first[64];
    snprintf(first, sizeof first, "%.*s", (int)(dot - name), name);
    if (!json_object_get(out, first)) json_object_set_new(out, first, json_object());
    json_object_set_new(json_object_get(out, first), dot + 1, tt_json_number(x));
}

static json_t *values_json(const tt_scoring *s, const double *value)
{
    json_t *out = json_object();
    for (int v = 0; v < s->nvalue; v++)
        if (!s->m->def->sparse || !isnan(value[v])) put(out, s->name[v], value[v]);
    return out;
}

tt_err tt_scoring_object(const tt_scoring *s, int64_t i, json_t **out)
{
    double *value = tt_malloc(sizeof *value * (size_t)s->nvalue);
    tt_err e = TT_OK;
    if (i >= 0)
        tt_scoring_one(s, i, value);
    else
        e = tt_scoring_total(s, value);
    *out = e == TT_OK ? values_json(s, value) : NULL;
    if (*out && s->m->def->more) s->m->def->more(s, i, *out);
    free(value);
    return e;
}

tt_err tt_scoring_errors_object(const tt_scoring *s, json_t **out)
{
    double *error = tt_malloc(sizeof *error * (size_t)s->nvalue);
    tt_err e = tt_scoring_errors(s, error);
    *out = e == TT_OK ? values_json(s, error) : NULL;
    free(error);
    return e;
}
