/* Which tokenizers go by words. A word starts with the mark U+2581 that stands for its blank, so where no piece has the mark but in front,
 * no piece reaches over a blank, and neither a lattice nor merges do. What is left is normalization (its rule must be one of SentencePiece's
 * own, which have no rule for a letter and a blank together) and what it does to runs of blanks: that is tried out. */
#include "tok.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char mark[] = "\xe2\x96\x81", blanks[] = " \n\t\r";

/* Also no piece with a blank of the raw text: a user-defined piece is matched before normalization. */
static bool pieces_compose(const tt_tok *t)
{
    for (int id = 0; id < t->npiece; id++) {
        const char *p = tt_spm_piece(t->spm, id);
        if (strpbrk(p, blanks) || (*p && strstr(p + 1, mark))) return false;
    }
    return true;
}

static bool specials_compose(const tt_tok *t)
{
    for (int i = 0; i < t->nspecial; i++)
        if (strpbrk(t->special[i].text, blanks)) return false;
    return true;
}

/* The mark must be a piece of its own, lest an unknown word melts into an unknown character before it. */
static bool model_composes(const tt_tok *t)
{
    int id = tt_spm_id(t->spm, mark);
    bool kind = t->file.kind == TT_SPM_UNIGRAM || t->file.kind == TT_SPM_BPE;
    return kind && t->file.known_rule && id >= 0 && t->file.type[id] == TT_PIECE_NORMAL && pieces_compose(t) &&
           specials_compose(t);
}

static bool same_ids(const tt_ids *a, const tt_ids *b)
{
    return a->n == b->n && (!a->n || !memcmp(a->id, b->id, sizeof *a->id * (size_t)a->n));
}

static bool is_cut(const tt_tok *t, char c) { return t->byte[(unsigned char)c] & TT_BYTE_CUT; }

/* SentencePiece on each word for itself. */
static tt_err word_by_word(const tt_tok *t, const char *text, tt_ids *out)
{
    for (const char *p = text; *p; text = p) {
        while (*p && is_cut(t, *p)) p++;
        for (text = p; *p && !is_cut(t, *p);) p++;
        TT_TRY(tt_tok_plain(t, text, (size_t)(p - text), out));
    }
    return TT_OK;
}

static bool composes(const tt_tok *t, const char *text)
{
    tt_ids whole = {0}, words = {0};
    bool same = tt_tok_plain(t, text, strlen(text), &whole) == TT_OK && word_by_word(t, text, &words) == TT_OK &&
                same_ids(&whole, &words);
    tt_ids_fini(&whole);
    tt_ids_fini(&words);
    return same;
}

/* A blank stays a cut if words fall apart at it, alone and beside itself; line ends are no blanks where nothing is normalized. */
static void find_cuts(tt_tok *t)
{
    for (const char *c = blanks; *c; c++) {
        char probe[] = {*c, *c, 'a', *c, 'b', *c, *c, 'a', *c, 0};
        uint8_t *b = &t->byte[(unsigned char)*c];
        *b = TT_BYTE_CUT;
        if (!composes(t, probe)) *b = TT_BYTE_OTHER;
    }
}

static bool blanks_compose(const tt_tok *t)
{
    static const char *const probe[] = {"",         " ",          " \n\t", "a\r\nb", "a \n\t\rb", "\r\n a\r \t\n",
                                        "a b \n c", "a\tb\n\tc\r"};
    bool same = is_cut(t, ' ');
    for (size_t i = 0; same && i < sizeof probe / sizeof *probe; i++) same = composes(t, probe[i]);
    return same;
}

static size_t put(char *to, const char *text, size_t size)
{
    memcpy(to, text, size);
    return size;
}

bool tt_tok_fits(const tt_tok *t, const char *word, size_t size, const tt_ids *ids)
{
    char text[(sizeof blanks - 1) * (TT_WORD_BYTES + 1) + 3];
    size_t n = put(text, "a", 1);
    tt_ids want = {0}, got = {0};
    bool good = tt_tok_plain(t, "a", 1, &want) == TT_OK;
    int na = want.n;
    for (const char *c = blanks; *c; c++) {
        if (!is_cut(t, *c)) continue;
        n += put(text + n, c, 1);
        n += put(text + n, word, size);
        for (int k = 0; k < ids->n; k++) tt_ids_push(&want, ids->id[k]);
    }
    n += put(text + n, " a", 2);
    for (int k = 0; k < na; k++) tt_ids_push(&want, want.id[k]);
    good = good && tt_tok_plain(t, text, n, &got) == TT_OK && same_ids(&want, &got);
    tt_ids_fini(&want);
    tt_ids_fini(&got);
    return good;
}

/* Tries every printable ASCII character as a word; notes whether normalization leaves them as they are. */
static bool ascii_composes(tt_tok *t)
{
    bool good = true;
    t->ascii_same = true;
    for (char c = '!'; good && c <= '~'; c++) {
        tt_ids ids = {0};
        good = tt_tok_plain(t, &c, 1, &ids) == TT_OK && tt_tok_fits(t, &c, 1, &ids);
        tt_ids_fini(&ids);
        size_t n = 0;
        char *norm = tt_spm_normal(t->spm, &c, 1, &n);
        t->ascii_same = t->ascii_same && norm && n == 4 && !memcmp(norm, mark, 3) && norm[3] == c;
        free(norm);
    }
    return good;
}

static void price_pieces(tt_tok *t)
{
    t->cost = tt_malloc(sizeof *t->cost * (size_t)t->npiece);
    for (int id = 0; id < t->npiece; id++)
        t->cost[id] = t->lattice && t->file.type[id] == TT_PIECE_NORMAL ? fabsf(tt_spm_score(t->spm, id)) : 0;
    t->unk_cost = t->lattice ? tt_lattice_unk_cost(t->lattice) : 0;
}

void tt_tok_compose(tt_tok *t)
{
    for (int c = 0; c < 256; c++)
        if (c <= ' ' || c > '~') t->byte[c] |= TT_BYTE_OTHER;
    find_cuts(t);
    if (!model_composes(t) || !blanks_compose(t) || !ascii_composes(t)) return;
    if (t->file.kind == TT_SPM_UNIGRAM && !(t->lattice = tt_lattice_new(t->spm, &t->file))) return;
    price_pieces(t);
    t->words = tt_words_new();
}

bool tt_tok_by_words(const tt_tok *t) { return t->words; }
