/* Texts as hashes of words, and of runs of words. */
#include "clean.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- growing lists of hashes ------------------------------------------------------------------------------------------*/

void tt_hashes_add(tt_hashes *v, uint64_t h)
{
    if (v->n == v->cap) {
        v->cap = v->cap ? 2 * v->cap : 64;
        v->x = tt_realloc(v->x, sizeof *v->x * (size_t)v->cap);
    }
    v->x[v->n++] = h;
}

void tt_hashes_fini(tt_hashes *v)
{
    free(v->x);
    *v = (tt_hashes){0};
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void tt_hashes_sort(tt_hashes *v)
{
    if (v->n > 1) qsort(v->x, (size_t)v->n, sizeof *v->x, by_value);
    int64_t n = 0;
    for (int64_t i = 0; i < v->n; i++)
        if (!n || v->x[n - 1] != v->x[i]) v->x[n++] = v->x[i];
    v->n = n;
}

bool tt_hashes_has(const tt_hashes *sorted, uint64_t h)
{
    return sorted->n && bsearch(&h, sorted->x, (size_t)sorted->n, sizeof h, by_value);
}

/* ---- characters -------------------------------------------------------------------------------------------------------*/

enum { LETTER, BLANK, MARK, SYMBOL, ALONE }; /* ALONE: a word by itself */

typedef struct range {
    uint32_t lo, hi;
    int what;
} range;

/* What is no letter above U+007F, rising. */
static const range classes[] = {
    {0x80, 0xa0, BLANK},     {0xa1, 0xa1, MARK},       {0xa2, 0xa7, SYMBOL},      {0xa8, 0xa8, MARK},
    {0xa9, 0xa9, SYMBOL},    {0xab, 0xab, MARK},       {0xac, 0xb3, SYMBOL},      {0xb4, 0xb4, MARK},
    {0xb6, 0xb6, SYMBOL},    {0xb7, 0xb8, MARK},       {0xb9, 0xb9, SYMBOL},      {0xbb, 0xbb, MARK},
    {0xbc, 0xbe, SYMBOL},    {0xbf, 0xbf, MARK},       {0xd7, 0xd7, SYMBOL},      {0xf7, 0xf7, SYMBOL},
    {0x0e00, 0x0eff, ALONE}, {0x1000, 0x109f, ALONE},  {0x1780, 0x17ff, ALONE},   {0x2000, 0x200f, BLANK},
    {0x2010, 0x2027, MARK},  {0x2028, 0x202f, BLANK},  {0x2030, 0x2031, SYMBOL},  {0x2032, 0x205f, MARK},
    {0x2060, 0x206f, BLANK}, {0x20a0, 0x20cf, SYMBOL}, {0x2190, 0x2bff, SYMBOL},  {0x3000, 0x3000, BLANK},
    {0x3001, 0x3003, MARK},  {0x3008, 0x301f, MARK},   {0x3040, 0x30ff, ALONE},   {0x3400, 0x9fff, ALONE},
    {0xf900, 0xfaff, ALONE}, {0xfeff, 0xfeff, BLANK},  {0xff01, 0xff0f, MARK},    {0xff1a, 0xff20, MARK},
    {0xff3b, 0xff40, MARK},  {0xff5b, 0xff65, MARK},   {0x1f000, 0x1faff, ALONE}, {0x20000, 0x3ffff, ALONE},
};

static int class_high(uint32_t c)
{
    size_t lo = 0, hi = sizeof classes / sizeof *classes;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c > classes[mid].hi)
            lo = mid + 1;
        else
            hi = mid;
    }
    bool in = lo < sizeof classes / sizeof *classes && c >= classes[lo].lo;
    return in ? classes[lo].what : LETTER;
}

static int class_ascii(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return LETTER;
    if (c <= ' ' || c == 127) return BLANK;
    return strchr(".,;:!?'\"`", c) ? MARK : SYMBOL;
}

/* Capitals whose small letter is a step away; where every second is a capital, step 1 and the parity of the first. */
static const struct {
    uint32_t lo, hi;
    int step;
} capitals[] = {
    {0xc0, 0xde, 32},   {0x100, 0x137, 1},   {0x139, 0x148, 1},   {0x14a, 0x177, 1},    {0x178, 0x178, -121},
    {0x179, 0x17e, 1},  {0x386, 0x386, 38},  {0x388, 0x38a, 37},  {0x38c, 0x38c, 64},   {0x38e, 0x38f, 63},
    {0x391, 0x3ab, 32}, {0x3c2, 0x3c2, 1}, /* the sigma at a word's end */
    {0x400, 0x40f, 80}, {0x410, 0x42f, 32},  {0x460, 0x481, 1},   {0x48a, 0x4bf, 1},    {0x4d0, 0x52f, 1},
    {0x531, 0x556, 48}, {0x1e00, 0x1e95, 1}, {0x1ea0, 0x1eff, 1}, {0xff21, 0xff3a, 32},
};

static uint32_t small_letter(uint32_t c)
{
    for (size_t i = 0; i < sizeof capitals / sizeof *capitals && c >= capitals[i].lo; i++) {
        if (c > capitals[i].hi) continue;
        if (capitals[i].step == 1 && (c - capitals[i].lo) % 2) return c;
        return c + (uint32_t)capitals[i].step;
    }
    return c;
}

static uint32_t decode(const unsigned char *p, size_t n)
{
    if (n == 2) return (p[0] & 31u) << 6 | (p[1] & 63u);
    if (n == 3) return (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    return (p[0] & 7u) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 | (p[3] & 63u);
}

/* ---- words ------------------------------------------------------------------------------------------------------------*/

#define EMPTY UINT64_C(0xcbf29ce484222325) /* FNV-1a, 64 bits; a character at a time */
#define TIMES UINT64_C(0x100000001b3)
#define SHIFT UINT64_C(0x9e3779b97f4a7c15) /* base of the polynomials over words: odd, 5 mod 8 */

typedef struct scan {
    tt_rowwords *w;
    uint64_t h, own; /* of the word in progress; of the text */
    bool in_word;
} scan;

static void token(scan *s, uint64_t h, bool word)
{
    h = tt_mix64(h);
    if (word || s->w->symbols) tt_hashes_add(&s->w->word, h);
    s->w->all = (s->w->all + h) * SHIFT;
    s->own = (s->own + h) * SHIFT;
}

static void end_word(scan *s)
{
    if (s->in_word) token(s, s->h, true);
    s->h = EMPTY;
    s->in_word = false;
}

static void take(scan *s, uint32_t c, int what)
{
    if (what == LETTER) {
        s->h = (s->h ^ c) * TIMES;
        s->in_word = true;
        return;
    }
    end_word(s);
    if (what == SYMBOL || what == ALONE) token(s, (EMPTY ^ c) * TIMES, what == ALONE);
}

static bool digit(char c) { return c >= '0' && c <= '9'; }

void tt_rowwords_start(tt_rowwords *w)
{
    w->word.n = 0;
    w->ntext = 0;
    w->all = 0;
}

void tt_rowwords_fini(tt_rowwords *w) { tt_hashes_fini(&w->word); }

void tt_rowwords_add(tt_rowwords *w, const char *text)
{
    scan s = {w, EMPTY, 0, false};
    size_t size = strlen(text);
    for (size_t i = 0, n; i < size; i += n) {
        unsigned char c = (unsigned char)text[i];
        n = c < 128 ? 1 : tt_utf8_char(text + i, size - i);
        assert(n); /* rows are checked when they are read */
        if (n > 1) {
            uint32_t wide = small_letter(decode((const unsigned char *)text + i, n));
            take(&s, wide, class_high(wide));
            continue;
        }
        int what = class_ascii(c);
        if (what == MARK && i && digit(text[i - 1]) && digit(text[i + 1])) what = SYMBOL;
        take(&s, c >= 'A' && c <= 'Z' ? c + 32u : c, what);
    }
    end_word(&s);
    if (!s.own && !tt_blank(text)) token(&s, XXH3_64bits(text, size), false); /* marks alone: "?" is not "!" */
    if (w->ntext == TT_MAX_COLS) return;
    w->text[w->ntext] = s.own;
    w->end[w->ntext++] = w->word.n;
}

/* H(i) = sum_j word[i+j] SHIFT^(k-1-j), rolled on by one word at a time. Words are 64-bit hashes already, so a sum over the integers
 * mod 2^64 tells runs apart; the mix spreads them over owners and buckets. */
void tt_grams(const uint64_t *word, int64_t n, int k, tt_hashes *out)
{
    uint64_t h = 0, leave = 1;
    for (int i = 0; i < k; i++) leave *= SHIFT;
    for (int64_t i = 0; i < n; i++) {
        h = h * SHIFT + word[i];
        if (i >= k) h -= word[i - k] * leave;
        if (i >= k - 1) tt_hashes_add(out, tt_mix64(h));
    }
}

enum { WORDING_ROWS = 10, WORDING_SHARE = 100 };

bool tt_is_wording(int64_t count, int64_t rows) { return count > WORDING_ROWS && count > rows / WORDING_SHARE; }
