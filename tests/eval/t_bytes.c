// TEST np=1
/* Broken UTF-8 gives some score, and no text is read or written beyond its end: to be run under the address sanitizer. */
#include "../../src/eval/metric.h"

#include "lines.h"

static const tt_metric_def *const def[] = {&tt_def_rouge, &tt_def_bleu,     &tt_def_chrf,      &tt_def_exact_match,
                                           &tt_def_squad, &tt_def_squad_v2, &tt_def_trivia_qa, &tt_def_record};
enum { DEFS = sizeof def / sizeof *def, MOST_NUMBERS = 256 };

/* Bytes that begin, continue and break characters, and what the tokenizers look at; as long as its allocation. */
static char *bytes(uint64_t *seed)
{
    static const char piece[] =
        "aA1.,-& \n<;tl\xc3\xc4\xb0\xce\xa3\xe2\x84\xaa\xf0\x9f\x98\x80\xff\xe3\xc2\x85\xed\xa0";
    int n = (int)(draw(seed) % (draw(seed) % 8 ? 12 : 200));
    char *s = malloc((size_t)n + 1);
    for (int i = 0; i < n; i++) s[i] = piece[draw(seed) % (sizeof piece - 1)];
    s[n] = 0;
    return s;
}

static bool sane(const tt_metric_def *d, tt_mopts o, const tt_case *c)
{
    tt_scoring s = {.o = o, .width = d->width, .nref = 2, .n = 1};
    double stat[MOST_NUMBERS], value[16];
    if (d->open && d->open(&s) != TT_OK) return false;
    if (s.width == 0) s.width = d->width;
    d->each(&s, c, stat);
    if (d->total)
        d->total(&s, 1, stat, NULL, true, value);
    else
        memcpy(value, stat, sizeof *value * (size_t)s.width);
    if (d->close) d->close(&s);
    bool good = true;
    for (int k = 0; d->values[k]; k++) good &= value[k] >= 0 && value[k] <= 100 + 1e-9;
    return good;
}

int main(void)
{
    uint64_t seed = 4711;
    int bad = 0, n = 1500;
    for (int i = 0; i < n; i++) {
        tt_mopts o = {.stem = i & 1,
                      .split_sentences = i & 2,
                      .lowercase = i & 4,
                      .tokenize = i / 8 % 4,
                      .smooth_value = NAN,
                      .effective_order = 2,
                      .max_order = 4,
                      .char_order = 6,
                      .word_order = i % 3,
                      .beta = 2,
                      .whitespace = i & 8,
                      .ignore_case = i & 4,
                      .ignore_punctuation = i & 8,
                      .threshold = 1};
        char *t[3] = {bytes(&seed), bytes(&seed), bytes(&seed)};
        tt_case c = {.prediction = t[0], .nref = 2, .ref = (const char *const *)t + 1, .no_answer = NAN};
        for (int k = 0; k < DEFS; k++) bad += !sane(def[k], o, &c);
        for (int k = 0; k < 3; k++) free(t[k]);
    }
    ok(bad == 0, "%d examples of broken texts: scores from 0 to 100", n);
    return tap_done();
}
