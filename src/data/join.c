/* Ids of a text in parts. A tokenizer by words needs only the words at the seams again; the rest is copied. */
#include "tok.h"

#include <string.h>

typedef struct join {
    const tt_tok *t;
    size_t whole; /* bytes of all parts */
    tt_bytes *b;  /* a word that waits for what follows it; later the whole text */
    tt_ids *out;
    bool sure; /* so far word by word is right */
} join;

static void hold(tt_bytes *b, const char *s, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = 2 * (b->n + n) + 64;
        b->p = tt_realloc(b->p, b->cap);
    }
    if (n) memcpy(b->p + b->n, s, n);
    b->n += n;
}

/* Whole words. */
static tt_err put(join *j, const char *s, size_t n, tt_ids *out)
{
    return n && j->sure ? tt_tok_try(j->t, s, n, j->whole, out, &j->sure) : TT_OK;
}

static tt_err flush(join *j)
{
    size_t n = j->b->n;
    j->b->n = 0;
    return put(j, j->b->p, n, j->out);
}

/* Ids of the one word s[0..n). */
static tt_err count(join *j, const char *s, size_t n, int *ids)
{
    tt_ids *scratch = tt_tok_scratch(j->t);
    scratch->n = 0;
    TT_TRY(put(j, s, n, scratch));
    *ids = scratch->n;
    return TT_OK;
}

/* Bytes [from, to) of a part, which begin and end at ends of words. */
static tt_err middle(join *j, const tt_part *p, size_t from, size_t to)
{
    int lead, tail;
    if (from >= to) return TT_OK;
    if (!p->ids || j->whole > TT_SURE_BYTES) return put(j, p->text + from, to - from, j->out);
    TT_TRY(count(j, p->text, from, &lead));
    TT_TRY(count(j, p->text + to, p->size - to, &tail));
    if (j->sure) tt_ids_append(j->out, p->ids + lead, p->n - lead - tail);
    return TT_OK;
}

/* Does a word of part i go on in the next part that is not empty? */
static bool glued(int n, const tt_part *part, int i)
{
    if (tt_is_blank(part[i].text[part[i].size - 1])) return false;
    for (i++; i < n; i++)
        if (part[i].size) return !tt_is_blank(part[i].text[0]);
    return false;
}

static tt_err one_part(join *j, int n, const tt_part *part, int i)
{
    const tt_part *p = &part[i];
    size_t from = 0, to = p->size;
    if (!p->size) return TT_OK;
    if (j->b->n) {
        while (from < p->size && !tt_is_blank(p->text[from])) from++;
        hold(j->b, p->text, from);
        if (from == p->size && glued(n, part, i)) return TT_OK; /* the word goes on */
        TT_TRY(flush(j));
    }
    if (glued(n, part, i))
        while (to > from && !tt_is_blank(p->text[to - 1])) to--;
    TT_TRY(middle(j, p, from, to));
    hold(j->b, p->text + to, p->size - to);
    return TT_OK;
}

static tt_err by_words(join *j, int n, const tt_part *part)
{
    for (int i = 0; i < n && j->sure; i++) TT_TRY(one_part(j, n, part, i));
    return flush(j);
}

tt_err tt_tok_join(const tt_tok *t, int n, const tt_part *part, tt_ids *out)
{
    join j = {.t = t, .b = tt_tok_bytes(t), .out = out, .sure = tt_tok_by_words(t)};
    int before = out->n;
    for (int i = 0; i < n; i++) j.whole += part[i].size;
    j.b->n = 0;
    TT_TRY(by_words(&j, n, part));
    if (j.sure) return TT_OK;
    out->n = before;
    j.b->n = 0;
    for (int i = 0; i < n; i++) hold(j.b, part[i].text, part[i].size);
    return tt_tok_body_plain(t, j.b->p, j.b->n, out);
}
