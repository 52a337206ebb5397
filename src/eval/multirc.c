/* MultiRC (Khashabi et al. 2018) as SuperGLUE scores it: F1 over all answers, and questions with every answer right. */
#include "numbers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { GROUP, GOLD, PRED, WIDTH };
enum { WRONG, RIGHT, NEITHER, CLASSES }; /* what an answer is said to be */

static tt_err open(tt_scoring *s)
{
    s->state = tt_names_new();
    return TT_OK;
}

static void close(tt_scoring *s) { tt_names_free(s->state); }

static const struct {
    const char *label;
    int class;
} labels[] = {{"0", WRONG}, {"1", RIGHT}, {"false", WRONG}, {"true", RIGHT}, {"no", WRONG}, {"yes", RIGHT}};

/* Words in any case; a prediction may be NEITHER. */
static int class_of(const char *text)
{
    static const char blank[] = " \t\n\v\f\r";
    const char *s = text + strspn(text, blank);
    size_t n = strcspn(s, blank);
    bool whole = s[n + strspn(s + n, blank)] == 0;
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        const char *l = labels[i].label;
        if (tt_same_label(text, l) || (whole && n == strlen(l) && !strncasecmp(s, l, n))) return labels[i].class;
    }
    return NEITHER;
}

static tt_err each(tt_scoring *s, const tt_case *c, double *stat)
{
    int gold = class_of(c->ref[0]);
    if (gold == NEITHER)
        return tt_fail(TT_EDATA, "%s: the label '%.40s' says neither right nor wrong; give 0 or 1, false or true",
                       tt_case_at(c), c->ref[0]);
    stat[GROUP] = tt_names_put(s->state, c->group);
    stat[GOLD] = gold;
    stat[PRED] = class_of(c->prediction);
    return TT_OK;
}

/* Of one question, or of all: how often a class is met as label, as prediction, as both. */
typedef struct tally {
    double gold[CLASSES], pred[CLASSES], both[CLASSES];
} tally;

static void count(tally *t, const double *stat, double weight)
{
    int gold = (int)stat[GOLD], pred = (int)stat[PRED];
    t->gold[gold] += weight;
    t->pred[pred] += weight;
    if (gold == pred) t->both[gold] += weight;
}

static double f1(const tally *t, int k)
{
    double sides = t->gold[k] + t->pred[k];
    return sides > 0 ? 2 * t->both[k] / sides : 0;
}

static double mass(const tally *t) { return t->gold[WRONG] + t->gold[RIGHT]; }
static bool all_right(const tally *t) { return t->both[WRONG] + t->both[RIGHT] == mass(t); }

/* Over the classes that occur. */
static double f1_macro(const tally *t)
{
    double sum = 0;
    int there = 0;
    for (int k = 0; k < CLASSES; k++) {
        there += t->gold[k] + t->pred[k] > 0;
        sum += f1(t, k);
    }
    return sum / there;
}

/* Means over the questions of which an answer is there. */
static void over_questions(int n, const tally *t, double *exact, double *macro)
{
    double questions = 0, right = 0, sum = 0;
    for (int g = 0; g < n; g++) {
        if (!(mass(&t[g]) > 0)) continue;
        questions++;
        right += all_right(&t[g]);
        sum += f1_macro(&t[g]);
    }
    *exact = right / questions;
    *macro = sum / questions;
}

static void total(const tt_scoring *s, int64_t n, const double *stat, const double *weight, bool one, double *value)
{
    int questions = tt_names_count(s->state);
    tally all = {0}, *each_question = tt_malloc((size_t)questions * sizeof all + 1);
    memset(each_question, 0, (size_t)questions * sizeof all);
    for (int64_t i = 0; i < n; i++, stat += WIDTH) {
        double w = weight ? weight[i] : 1;
        count(&all, stat, w);
        count(&each_question[(size_t)stat[GROUP]], stat, w);
    }
    value[0] = f1(&all, RIGHT);
    over_questions(questions, each_question, &value[1], &value[2]);
    value[3] = (value[0] + value[1]) / 2;
    free(each_question);
}

static const char *const values[] = {"f1a", "exact_match", "f1m", "mean", NULL};
const tt_metric_def tt_def_multirc = {
    .values = values, .main = 3, .width = WIDTH, .open = open, .close = close, .each = each, .total = total};
