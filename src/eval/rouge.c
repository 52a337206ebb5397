/* ROUGE-N, ROUGE-L and ROUGE-Lsum as google-research's rouge_score 0.1.2 (C.-Y. Lin, "ROUGE", 2004). Sums are integers; one division
 * each for precision, recall and F, in the reference's order, so results are equal to the last bit. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* ---- tokens ----------------------------------------------------------------------------------------------------------*/

/* Lower case of what belongs to a token, 0 for what separates. Two characters beyond ASCII lower into it; their first bytes are LOOK. */
enum { LOOK = 1 };
static const char letter_table[256] = {
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6',   ['7'] = '7',
    ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e',   ['f'] = 'f',
    ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm',   ['n'] = 'n',
    ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u',   ['v'] = 'v',
    ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c',   ['D'] = 'd',
    ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k',   ['L'] = 'l',
    ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's',   ['T'] = 't',
    ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z', [0xc4] = LOOK, [0xe2] = LOOK};

/* U+212A KELVIN SIGN (E2 84 AA) is k; U+0130 (C4 B0) is i and a combining dot, which separates. 0: another character. */
static char wide_letter(const char *s, int *len, bool *ends)
{
    if (!strncmp(s, "\xe2\x84\xaa", 3)) {
        *len = 3;
        return 'k';
    }
    if (strncmp(s, "\xc4\xb0", 2) != 0) return 0;
    *len = 2;
    *ends = true;
    return 'i';
}

/* The next token, lower case, into buf, which has room for the whole text; its length, 0 at the end. *line: the text went on in
 * another line before the token. */
static size_t next_token(const char **text, char *buf, bool *line)
{
    const char *s = *text;
    size_t n = 0;
    for (bool ends = false; *s && !ends;) {
        int len = 1;
        char c = letter_table[(unsigned char)*s];
        if (c == LOOK) c = wide_letter(s, &len, &ends);
        if (c)
            buf[n++] = c;
        else if (n)
            break;
        else if (*s == '\n')
            *line = true;
        s += len;
    }
    *text = s;
    return n;
}

char *tt_rouge_tokens(const char *text, bool stem)
{
    size_t size = strlen(text) + 2; /* no token is longer than its text */
    char *out = tt_malloc(size), *o = out, *buf = tt_malloc(size);
    bool line;
    for (size_t n; (n = next_token(&text, buf, &line)) != 0;) {
        buf[n] = 0;
        if (stem && n > 3) tt_porter(buf);
        if (o > out) *o++ = ' ';
        o = stpcpy(o, buf);
    }
    *o = 0;
    free(buf);
    return out;
}

/* ---- work memory -----------------------------------------------------------------------------------------------------*/

typedef struct side {
    tt_ids32 word, line; /* the words; where each line that has any ends */
} side;

typedef struct word { /* what is known of a word, by its number */
    int32_t stem;     /* number of its stem, -1: not yet known */
    int32_t left;     /* ROUGE-Lsum: those of the guess that no hit has used; 0 between calls */
} word;

struct tt_rouge {
    bool stem;
    tt_words words;
    word *word;
    uint64_t *mask; /* of tt_lcs */
    int word_cap;
    side target, guess;
    tt_grams grams;
    char *buf;
    uint8_t *carry, *marked;
    uint64_t *column;
    size_t buf_cap, carry_cap, marked_cap, column_cap;
};

tt_rouge *tt_rouge_new(bool stem)
{
    tt_rouge *w = tt_malloc(sizeof *w);
    *w = (tt_rouge){.stem = stem};
    tt_words_init(&w->words);
    tt_grams_init(&w->grams);
    return w;
}

static void free_side(side *s)
{
    free(s->word.v);
    free(s->line.v);
}

void tt_rouge_free(tt_rouge *w)
{
    if (!w) return;
    tt_words_fini(&w->words);
    tt_grams_fini(&w->grams);
    free_side(&w->target);
    free_side(&w->guess);
    free(w->word);
    free(w->mask);
    free(w->buf);
    free(w->carry);
    free(w->marked);
    free(w->column);
    free(w);
}

static void *room(void *p, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap) return p;
    *cap = need + need / 2 + 64;
    return tt_realloc(p, *cap * size);
}

/* Keeps what is known of words in step with the list of words. */
static void learn(tt_rouge *w, int32_t id)
{
    if (id < w->word_cap) return;
    int old = w->word_cap;
    w->word_cap = 2 * id + 256;
    w->word = tt_realloc(w->word, sizeof *w->word * (size_t)w->word_cap);
    w->mask = tt_realloc(w->mask, sizeof *w->mask * (size_t)w->word_cap);
    for (int i = old; i < w->word_cap; i++) {
        w->word[i] = (word){-1, 0};
        w->mask[i] = 0;
    }
}

/* The number of the stem of the word buf[0..n), which is overwritten. */
static int32_t number(tt_rouge *w, char *buf, size_t n)
{
    int32_t id = tt_words_id_padded(&w->words, buf, n);
    learn(w, id);
    if (!w->stem || n <= 3) return id;
    if (w->word[id].stem >= 0) return w->word[id].stem;
    buf[n] = 0;
    tt_porter(buf);
    int32_t stem = tt_words_id_padded(&w->words, buf, strlen(buf));
    learn(w, stem);
    return w->word[id].stem = stem;
}

static void read_text(tt_rouge *w, const char *text, side *out)
{
    w->buf = room(w->buf, &w->buf_cap, strlen(text) + 2 + TT_WORD_PAD, 1);
    out->word.n = out->line.n = 0;
    for (bool line = false;; line = false) {
        size_t n = next_token(&text, w->buf, &line);
        if ((line || n == 0) && out->word.n) tt_ids32_add(&out->line, out->word.n);
        if (n == 0) return;
        tt_ids32_add(&out->word, number(w, w->buf, n));
    }
}

/* ---- scores ----------------------------------------------------------------------------------------------------------*/

static tt_prf score(int64_t hits, int64_t ntarget, int64_t nguess)
{
    double p = (double)hits / (double)(nguess > 0 ? nguess : 1);
    double r = (double)hits / (double)(ntarget > 0 ? ntarget : 1);
    return (tt_prf){p, r, p + r > 0 ? 2 * p * r / (p + r) : 0};
}

static int64_t longest(tt_rouge *w)
{
    const tt_ids32 *t = &w->target.word, *g = &w->guess.word;
    w->carry = room(w->carry, &w->carry_cap, (size_t)g->n, 1);
    return tt_lcs(t->v, t->n, g->v, g->n, w->mask, w->carry, NULL);
}

/* Marks the words of the target's line [lo,hi) that are in the subsequence with any line of the guess. */
static void mark_line(tt_rouge *w, int lo, int hi)
{
    const tt_ids32 *g = &w->guess.word, *line = &w->guess.line;
    const int32_t *t = w->target.word.v;
    size_t blocks = (size_t)(hi - lo + 63) / 64;
    for (int k = 0, from = 0; k < line->n; from = line->v[k++]) {
        int n = line->v[k] - from;
        w->column = room(w->column, &w->column_cap, blocks * (size_t)n, sizeof *w->column);
        if (tt_lcs(t + lo, hi - lo, g->v + from, n, w->mask, w->carry, w->column) > 0)
            tt_lcs_mark(t + lo, hi - lo, g->v + from, n, w->column, w->marked + lo);
    }
}

/* Each marked word counts while the guess has it left. The reference asks the target too, which always has: it is marked there. */
static int64_t count_marked(tt_rouge *w)
{
    const tt_ids32 *t = &w->target.word, *g = &w->guess.word;
    int64_t hits = 0;
    for (int i = 0; i < g->n; i++) w->word[g->v[i]].left++;
    for (int i = 0; i < t->n; i++) {
        word *x = &w->word[t->v[i]];
        if (!w->marked[i] || x->left == 0) continue;
        hits++;
        x->left--;
    }
    for (int i = 0; i < g->n; i++) w->word[g->v[i]].left = 0;
    return hits;
}

static int64_t union_of_lines(tt_rouge *w)
{
    const tt_ids32 *t = &w->target.word, *line = &w->target.line;
    w->carry = room(w->carry, &w->carry_cap, (size_t)w->guess.word.n, 1);
    w->marked = room(w->marked, &w->marked_cap, (size_t)t->n, 1);
    if (t->n) memset(w->marked, 0, (size_t)t->n);
    for (int k = 0, from = 0; k < line->n; from = line->v[k++]) mark_line(w, from, line->v[k]);
    return count_marked(w);
}

enum {
    ANY_N = 1 << TT_ROUGE_1 | 1 << TT_ROUGE_2 | 1 << TT_ROUGE_3,
    ANY_L = 1 << TT_ROUGE_L | 1 << TT_ROUGE_LSUM,
};

static int order_of(unsigned kinds) { return kinds >> TT_ROUGE_3 & 1 ? 3 : kinds >> TT_ROUGE_2 & 1 ? 2 : 1; }

/* The target read last against the guess. */
static void score_pair(tt_rouge *w, unsigned kinds, tt_prf out[TT_ROUGE_N])
{
    int nt = w->target.word.n, ng = w->guess.word.n;
    int64_t hit[3] = {0};
    if (kinds & ANY_N) tt_grams_match(&w->grams, w->target.word.v, nt, order_of(kinds), false, hit);
    for (int k = 0; k < 3; k++) out[TT_ROUGE_1 + k] = score(hit[k], nt - k, ng - k);
    if (!(kinds & ANY_L)) return;
    /* of one line each, the union is the subsequence */
    bool lines = w->target.line.n > 1 || w->guess.line.n > 1;
    if (!lines || (kinds & 1 << TT_ROUGE_L)) out[TT_ROUGE_L] = score(longest(w), nt, ng);
    if (!lines)
        out[TT_ROUGE_LSUM] = out[TT_ROUGE_L];
    else if (kinds & 1 << TT_ROUGE_LSUM)
        out[TT_ROUGE_LSUM] = score(union_of_lines(w), nt, ng);
}

static void forget_words(tt_rouge *w)
{
    if (!tt_words_trim(&w->words)) return;
    for (int i = 0; i < w->word_cap; i++) w->word[i].stem = -1;
}

void tt_rouge_score(tt_rouge *w, int nref, const char *const *ref, const char *prediction, unsigned kinds,
                    tt_prf out[TT_ROUGE_N])
{
    assert(nref >= 1);
    forget_words(w);
    read_text(w, prediction, &w->guess);
    if (kinds & ANY_N) tt_grams_hold(&w->grams, w->guess.word.v, w->guess.word.n, order_of(kinds));
    for (int i = 0; i < nref; i++) {
        tt_prf x[TT_ROUGE_N];
        read_text(w, ref[i], &w->target);
        score_pair(w, kinds, x);
        for (int k = 0; k < TT_ROUGE_N; k++)
            if (kinds >> k & 1 && (i == 0 || x[k].f > out[k].f)) out[k] = x[k];
    }
}
