/* Parts to one text's ids. Between the first and the last blank of a part its words are whole, so their ids stand; what is before, after
 * and between such parts is a seam: one or two words that are put together and looked up. */
#include "tok.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct joint {
    const tt_tok *t;
    tt_ids *out;
    tt_firm firm;
    char *seam; /* the word that may go on in the next part */
    size_t size, cap;
} joint;

static void sew(joint *j, const char *text, size_t size)
{
    if (!size) return;
    if (j->size + size > j->cap) {
        j->cap = 2 * (j->size + size);
        j->seam = tt_realloc(j->seam, j->cap);
    }
    memcpy(j->seam + j->size, text, size);
    j->size += size;
}

static tt_err end_seam(joint *j)
{
    size_t size = j->size;
    j->size = 0;
    return size ? tt_tok_firm_body(j->t, j->seam, size, j->out, &j->firm) : TT_OK;
}

/* How many ids a text has: the first or last word of a part. */
static tt_err count(joint *j, const char *text, size_t size, int *n)
{
    int before = j->out->n;
    tt_err e = tt_tok_firm_body(j->t, text, size, j->out, &j->firm);
    *n = j->out->n - before;
    j->out->n = before;
    return e;
}

/* A bound of the copied ids' scores: one unknown id may stand for a run of characters. */
static double cost_of(const tt_tok *t, const int32_t *ids, int n, size_t size)
{
    double cost = 0;
    bool unknown = false;
    for (int i = 0; i < n; i++) {
        if (ids[i] < t->npiece) cost += t->cost[ids[i]];
        unknown |= ids[i] == tt_spm_unk(t->spm);
    }
    return unknown ? cost + (double)t->unk_cost * (double)size : cost;
}

static tt_err copy_inner(joint *j, const tt_part *p, size_t first, size_t last)
{
    int head, tail;
    TT_TRY(count(j, p->text, first, &head));
    TT_TRY(count(j, p->text + last, p->size - last, &tail));
    int n = p->n - head - tail;
    if (n < 0 && j->firm.slack > 0) TT_BUG("a part's ids are not those of its text");
    j->firm.slack = fminf(j->firm.slack, (float)tt_sure_slack(TT_SURE_BYTES)); /* it has at least this */
    if (n <= 0) return TT_OK;
    tt_ids_reserve(j->out, n);
    memcpy(j->out->id + j->out->n, p->ids + head, sizeof *p->ids * (size_t)n);
    j->out->n += n;
    j->firm.cost += cost_of(j->t, p->ids + head, n, p->size);
    return TT_OK;
}

static bool is_cut(const tt_tok *t, char c) { return t->byte[(unsigned char)c] & TT_BYTE_CUT; }

static tt_err add_part(joint *j, const tt_part *p)
{
    size_t first = 0, last = p->size;
    while (first < p->size && !is_cut(j->t, p->text[first])) first++;
    sew(j, p->text, first);
    if (first == p->size) return TT_OK;
    while (!is_cut(j->t, p->text[last - 1])) last--;
    TT_TRY(end_seam(j));
    TT_TRY(p->ids ? copy_inner(j, p, first, last)
                  : tt_tok_firm_body(j->t, p->text + first, last - first, j->out, &j->firm));
    sew(j, p->text + last, p->size - last);
    return TT_OK;
}

/* *firm: the ids are those of the whole text. */
static tt_err join_words(const tt_tok *t, int n, const tt_part *part, tt_ids *out, bool *firm)
{
    joint j = {.t = t, .out = out, .firm = TT_FIRM};
    tt_err e = TT_OK;
    for (int i = 0; e == TT_OK && i < n && j.firm.slack > 0; i++) e = add_part(&j, &part[i]);
    if (e == TT_OK) e = end_seam(&j);
    free(j.seam);
    *firm = tt_firm_ok(&j.firm);
    return e;
}

static tt_err join_texts(const tt_tok *t, int n, const tt_part *part, tt_ids *out)
{
    size_t size = 0;
    for (int i = 0; i < n; i++) size += part[i].size;
    char *text = tt_malloc(size + 1);
    size = 0;
    for (int i = 0; i < n; size += part[i++].size)
        if (part[i].size) memcpy(text + size, part[i].text, part[i].size);
    tt_err e = tt_tok_body(t, text, size, out);
    free(text);
    return e;
}

tt_err tt_tok_join(const tt_tok *t, int n, const tt_part *part, tt_ids *out)
{
    int before = out->n;
    bool firm = false;
    if (t->words) TT_TRY(join_words(t, n, part, out, &firm));
    if (firm) return TT_OK;
    out->n = before;
    return join_texts(t, n, part, out);
}
