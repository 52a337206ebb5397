/* Text to ids: SentencePiece on whole texts, and the fast way, word by word through a cache. */
#include "tok.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- whole texts ----------------------------------------------------------------------------------------------------*/

static void push_all(tt_ids *out, const int32_t *ids, int n)
{
    tt_ids_reserve(out, n);
    for (int i = 0; i < n; i++) out->id[out->n + i] = ids[i]; /* a word has one or two: not worth a memcpy */
    out->n += n;
}

tt_err tt_tok_plain(const tt_tok *t, const char *text, size_t size, tt_ids *out)
{
    if (!size) return TT_OK;
    int32_t *ids;
    int n = tt_spm_encode(t->spm, text, size, &ids);
    if (n < 0) return tt_fail(TT_EDATA, "the tokenizer could not encode a text of %zu bytes; shorten it", size);
    push_all(out, ids, n);
    free(ids);
    return TT_OK;
}

/* ---- words ----------------------------------------------------------------------------------------------------------*/

/* The normalized word, mark in front, for the lattice. */
static char *normal(const tt_tok *t, const char *word, size_t size, uint8_t seen, size_t *len)
{
    if ((seen & TT_BYTE_OTHER) || !t->ascii_same) return tt_spm_normal(t->spm, word, size, len);
    char *p = tt_malloc(size + 3);
    memcpy(p, "\xe2\x96\x81", 3);
    memcpy(p + 3, word, size);
    *len = size + 3;
    return p;
}

/* cost and slack of a word with these ids. A word that normalization makes vanish does not shield its neighbours from each other, and one
 * that is not ASCII may be normalized together with its blank: both are no words (slack 0). */
static void weigh(const tt_tok *t, const char *word, size_t size, uint8_t seen, const tt_ids *ids, tt_word *out)
{
    out->slack = out->cost = 0;
    if (!ids->n || ids->n > TT_WORD_IDS) return;
    if ((seen & TT_BYTE_OTHER) && !tt_tok_fits(t, word, size, ids)) return;
    out->slack = INFINITY;
    if (!t->lattice) return;
    size_t len = 0;
    char *p = normal(t, word, size, seen, &len);
    out->slack = p ? tt_lattice_slack(t->lattice, p, len, ids->id, ids->n, &out->cost) : 0;
    free(p);
}

static tt_err new_word(const tt_tok *t, const char *word, size_t size, uint8_t seen, tt_ids *out, tt_firm *f)
{
    tt_ids ids = {0};
    TT_TRY(tt_tok_plain(t, word, size, &ids));
    tt_word w;
    weigh(t, word, size, seen, &ids, &w);
    w.ids = ids.id;
    w.n = w.slack > 0 ? ids.n : 0;
    tt_words_put(t->words, word, size, &w);
    push_all(out, w.ids, w.n);
    f->cost += w.cost;
    f->slack = fminf(f->slack, w.slack);
    tt_ids_fini(&ids);
    return TT_OK;
}

static tt_err put_word(const tt_tok *t, const char *word, size_t size, uint8_t seen, tt_ids *out, tt_firm *f)
{
    tt_word w;
    if (size > TT_WORD_BYTES) {
        f->slack = 0;
        return TT_OK;
    }
    if (!tt_words_get(t->words, word, size, &w)) return new_word(t, word, size, seen, out, f);
    push_all(out, w.ids, w.n);
    f->cost += w.cost;
    f->slack = w.slack < f->slack ? w.slack : f->slack;
    return TT_OK;
}

static tt_err put_words(const tt_tok *t, const char *text, size_t size, tt_ids *out, tt_firm *f)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0, from; i < size && f->slack > 0; i++) {
        uint8_t seen = 0, b;
        for (from = i; i < size && !((b = t->byte[s[i]]) & TT_BYTE_CUT); i++) seen |= b;
        if (i > from) TT_TRY(put_word(t, text + from, i - from, seen, out, f));
    }
    return TT_OK;
}

/* A text without special tokens: by words, or whole where a word's ids hang on its surroundings. */
static tt_err put_stretch(const tt_tok *t, const char *text, size_t size, tt_ids *out, tt_firm *f)
{
    int n = out->n;
    tt_firm own = TT_FIRM;
    TT_TRY(put_words(t, text, size, out, &own));
    f->cost += own.cost;
    f->slack = fminf(f->slack, own.slack);
    if (tt_firm_ok(&own)) return TT_OK;
    out->n = n;
    return tt_tok_plain(t, text, size, out);
}

/* ---- special tokens -------------------------------------------------------------------------------------------------*/

/* The longest special token at the start of text. */
static const tt_special *special_at(const tt_tok *t, const char *text, size_t size)
{
    if (!(t->byte[(unsigned char)*text] & TT_BYTE_SPECIAL)) return NULL;
    const tt_special *best = NULL;
    for (const tt_special *s = t->special; s < t->special + t->nspecial; s++)
        if (s->len <= size && !memcmp(s->text, text, s->len) && (!best || s->len > best->len)) best = s;
    return best;
}

/* A special token from text[*i] on, whose start becomes *i (size if there is none). */
static const tt_special *next_special(const tt_tok *t, const char *text, size_t size, size_t *i)
{
    for (; *i < size; ++*i) {
        const tt_special *s = special_at(t, text + *i, size - *i);
        if (s) return s;
    }
    return NULL;
}

tt_err tt_tok_firm_body(const tt_tok *t, const char *text, size_t size, tt_ids *out, tt_firm *f)
{
    size_t from = 0, i = 0;
    for (const tt_special *s; (s = next_special(t, text, size, &i)); from = i) {
        TT_TRY(put_stretch(t, text + from, i - from, out, f));
        tt_ids_push(out, s->id);
        i += s->len;
    }
    return put_stretch(t, text + from, size - from, out, f);
}

tt_err tt_tok_body_plain(const tt_tok *t, const char *text, size_t size, tt_ids *out)
{
    size_t from = 0, i = 0;
    for (const tt_special *s; (s = next_special(t, text, size, &i)); from = i) {
        TT_TRY(tt_tok_plain(t, text + from, i - from, out));
        tt_ids_push(out, s->id);
        i += s->len;
    }
    return tt_tok_plain(t, text + from, size - from, out);
}

/* ---- for all ----------------------------------------------------------------------------------------------------------*/

tt_err tt_tok_body(const tt_tok *t, const char *text, size_t size, tt_ids *out)
{
    tt_firm f = TT_FIRM;
    return t->words ? tt_tok_firm_body(t, text, size, out, &f) : tt_tok_body_plain(t, text, size, out);
}

tt_err tt_tok_body_sure(const tt_tok *t, const char *text, size_t size, tt_ids *out, bool *sure)
{
    tt_firm f = TT_FIRM;
    *sure = false;
    if (!t->words) return tt_tok_body_plain(t, text, size, out);
    TT_TRY(tt_tok_firm_body(t, text, size, out, &f));
    *sure = f.slack > tt_sure_slack(TT_SURE_BYTES);
    return TT_OK;
}

bool tt_tok_sure(const tt_tok *t, const char *text, size_t size, size_t whole)
{
    tt_ids ids = {0};
    tt_firm f = TT_FIRM;
    tt_err e = t->words ? tt_tok_firm_body(t, text, size, &ids, &f) : TT_ERUN;
    tt_ids_fini(&ids);
    return e == TT_OK && f.slack > tt_sure_slack(whole);
}

void tt_tok_begin(const tt_tok *t, tt_ids *out)
{
    if (t->add_bos) tt_ids_push(out, tt_spm_bos(t->spm));
}

void tt_tok_end(const tt_tok *t, tt_ids *out)
{
    if (t->add_eos) tt_ids_push(out, tt_spm_eos(t->spm));
}

tt_err tt_tok_encode(const tt_tok *t, const char *text, size_t size, bool special, tt_ids *out)
{
    tt_firm f = TT_FIRM;
    if (!special) return t->words ? put_stretch(t, text, size, out, &f) : tt_tok_plain(t, text, size, out);
    tt_tok_begin(t, out);
    TT_TRY(tt_tok_body(t, text, size, out));
    tt_tok_end(t, out);
    return TT_OK;
}
