/* The tokens of BLEU: sacrebleu's 13a, intl, char and none. Its regular expressions pass over the text three or four times; here one pass
 * gives the same tokens. What decides are runs of points ('.' and ',' in 13a, all punctuation in intl). A pass takes a character that
 * is no digit together with the point behind it and goes on after both, so of "a..." it sees "a." and "..", of "1..." ".." and ". ":
 *
 *   before the run      the run is taken as      the last point is loose if their number is
 *   another character   x. .. .. ..              even
 *   a digit, no text    .. .. .. .               odd
 *
 * A point that was taken stands alone. So does a loose one if what follows is no digit: the next pass sees to it. Before a digit a loose
 * point belongs to the digit's token, and if it is the only one of its run, to the token before it too: "1.5".
 * 13a puts blanks at both ends of the text. intl does not, so its text may end in a loose point: "1." */
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum {
    ORD,
    SPACE,
    SYMBOL,
    POINT,
    DIGIT,
    DASH,
    LOOK,
    NONE
}; /* LOOK: of a byte that the character's class is to be looked up */

typedef struct rules {
    uint8_t table[256];
    uint8_t other, n, p, s; /* of a character that is looked up: its class, by class of Unicode */
    bool padded;
} rules;

/* Bytes that begin white space in UTF-8 beyond ASCII: U+0085 U+00A0, U+1680, U+2000.., U+3000. */
#define WIDE_SPACE [0xc2] = LOOK, [0xe1] = LOOK, [0xe2] = LOOK, [0xe3] = LOOK
#define ASCII_SPACE [9 ... 13] = SPACE, [28 ... 32] = SPACE

static const rules all_rules[] = {
    [TT_BLEU_13A] = {.table = {ASCII_SPACE, WIDE_SPACE, ['!' ... '&'] = SYMBOL, ['(' ... '+'] = SYMBOL, ['/'] = SYMBOL,
                               [':' ... '@'] = SYMBOL, ['[' ... '`'] = SYMBOL,
                               ['{' ... '~'] = SYMBOL, ['.'] = POINT, [','] = POINT, ['-'] = DASH,
                               ['0' ... '9'] = DIGIT},
                     .padded = true},
    [TT_BLEU_INTL] =
        {.table = {ASCII_SPACE, ['!' ... '#'] = POINT, ['%' ... '*'] = POINT, [',' ... '/'] = POINT,
                   [':' ... ';'] = POINT, ['?' ... '@'] = POINT,
                   ['[' ... ']'] = POINT, ['_'] = POINT, ['{'] = POINT, ['}'] = POINT, ['$'] = SYMBOL, ['+'] = SYMBOL,
                   ['<' ... '>'] = SYMBOL, ['^'] = SYMBOL, ['`'] = SYMBOL, ['|'] = SYMBOL, ['~'] = SYMBOL,
                   ['0' ... '9'] = DIGIT, [0x80 ... 0xff] = LOOK},
         .n = DIGIT,
         .p = POINT,
         .s = SYMBOL},
    [TT_BLEU_CHAR] = {.table = {[1 ... 8] = SYMBOL,
                                [14 ... 27] = SYMBOL,
                                [33 ... 0x7f] = SYMBOL,
                                ASCII_SPACE,
                                [0x80 ... 0xff] = LOOK},
                      .other = SYMBOL,
                      .n = SYMBOL,
                      .p = SYMBOL,
                      .s = SYMBOL},
    [TT_BLEU_NONE] = {.table = {ASCII_SPACE, WIDE_SPACE}},
};

static void add(tt_spans *x, const char *s, const char *end)
{
    if (x->n == x->cap) x->v = tt_realloc(x->v, sizeof *x->v * (x->cap = 2 * x->cap + 64));
    x->v[x->n++] = (tt_span){s, (size_t)(end - s)};
}

static int look(const rules *r, const char *s, int *len)
{
    uint32_t c = tt_uc_next(s, len);
    if (tt_uc_space(c)) return SPACE;
    if (r->other == r->p) return r->other;
    switch (tt_uc_class(c)) {
    case TT_UC_N: return r->n;
    case TT_UC_P: return r->p;
    case TT_UC_S: return r->s;
    default: return r->other;
    }
}

static int class_at(const rules *r, const char *s, const char *end, int *len)
{
    *len = 1;
    if (s == end) return NONE;
    int c = r->table[(unsigned char)*s];
    return c == LOOK ? look(r, s, len) : c;
}

typedef struct scan {
    const rules *r;
    tt_spans *out;
    const char *end, *open; /* the token that is not yet closed; NULL: none */
    int before;             /* class of the character before */
    int run;                /* points so far of a run */
    bool after_digit, odd;  /* of the run: what stands before it; with which number the last point is loose */
} scan;

static void close_token(scan *x, const char *s)
{
    if (x->open) add(x->out, x->open, s);
    x->open = NULL;
}

static void alone(scan *x, const char *s, const char *next)
{
    close_token(x, s);
    add(x->out, s, next);
}

static void point(scan *x, const char *s, const char *next)
{
    if (x->run++ == 0) {
        x->after_digit = x->before == DIGIT;
        x->odd = x->after_digit || x->before == NONE;
    }
    int len, follows = class_at(x->r, next, x->end, &len);
    bool into = follows == DIGIT || (follows == NONE && !x->r->padded);
    if (!into || (x->run % 2 == 1) != x->odd) {
        alone(x, s, next);
    } else if (x->run > 1 || !x->after_digit) {
        close_token(x, s);
        x->open = s;
    }
}

static void step(scan *x, int c, const char *s, const char *next)
{
    if (c == POINT) {
        point(x, s, next);
        return;
    }
    x->run = 0;
    if (c == SPACE)
        close_token(x, s);
    else if (c == SYMBOL || (c == DASH && x->before == DIGIT))
        alone(x, s, next);
    else if (!x->open)
        x->open = s;
}

static void split(const rules *r, const char *s, const char *end, tt_spans *out)
{
    scan x = {.r = r, .out = out, .end = end, .before = r->padded ? SPACE : NONE};
    while (s < end) {
        int len, c = class_at(r, s, end, &len);
        step(&x, c, s, s + len);
        x.before = c;
        s += len;
        if (c != ORD) continue;
        while (s < end && r->table[(unsigned char)*s] == ORD) s++;
    }
    close_token(&x, end);
}

/* Every occurrence, from the left, in place; with is not longer than what. */
static void replace(char *s, const char *what, const char *with)
{
    size_t n = strlen(what), m = strlen(with);
    char *to = s, *hit;
    for (; (hit = strstr(s, what)) != NULL; s = hit + n) {
        memmove(to, s, (size_t)(hit - s));
        to += hit - s;
        memcpy(to, with, m);
        to += m;
    }
    memmove(to, s, strlen(s) + 1);
}

/* The part of 13a that does not depend on the language. */
static void unescape(char *s)
{
    replace(s, "<skipped>", "");
    replace(s, "-\n", "");
    replace(s, "\n", " ");
    static const char *const entity[][2] = {{"&quot;", "\""}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}};
    for (int i = 0; i < 4 && strchr(s, '&'); i++) replace(s, entity[i][0], entity[i][1]);
}

/* The text, lower case if asked for, with room behind it. */
static char *copy_of(const tt_mopts *o, const char *text, tt_spans *x)
{
    char *lower = o->lowercase ? tt_uc_lower(text) : NULL;
    const char *s = lower ? lower : text;
    size_t n = strlen(s), need = n + 1 + TT_WORD_PAD;
    if (need > x->copy_cap) {
        free(x->copy);
        x->copy = tt_malloc(x->copy_cap = need + need / 2 + 256);
        memset(x->copy, 0, x->copy_cap);
    }
    memcpy(x->copy, s, n + 1);
    free(lower);
    return x->copy;
}

void tt_bleu_split(const tt_mopts *o, const char *text, tt_spans *x)
{
    char *s = copy_of(o, text, x);
    size_t n = tt_uc_rstrip(s, strlen(s));
    s[n] = 0;
    x->n = 0;
    if (o->tokenize == TT_BLEU_13A && s[strcspn(s, "<&\n")]) {
        unescape(s);
        n = strlen(s);
    }
    split(&all_rules[o->tokenize], s, s + n, x);
}

void tt_spans_fini(tt_spans *x)
{
    free(x->v);
    free(x->copy);
}

char *tt_bleu_tokens(const tt_mopts *o, const char *text)
{
    tt_spans x = {0};
    tt_bleu_split(o, text, &x);
    size_t n = 1;
    for (size_t i = 0; i < x.n; i++) n += x.v[i].n + 1;
    char *out = tt_malloc(n), *p = out;
    for (size_t i = 0; i < x.n; i++) {
        if (i) *p++ = ' ';
        memcpy(p, x.v[i].s, x.v[i].n);
        p += x.v[i].n;
    }
    *p = 0;
    tt_spans_fini(&x);
    return out;
}
