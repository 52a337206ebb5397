/* The inside of a tokenizer. Private to data. */
#ifndef TUTTI_DATA_TOK_H
#define TUTTI_DATA_TOK_H

#include "tutti/data.h"
#include "lattice.h"
#include "spm.h"
#include "spm_file.h"
#include "words.h"

#include <math.h>

typedef struct tt_special {
    char *text;
    size_t len;
    int32_t id;
} tt_special;

enum { TT_BYTE_CUT = 1, TT_BYTE_SPECIAL = 2, TT_BYTE_OTHER = 4 };

struct tt_tok {
    tt_spm *spm;
    tt_spm_file file;
    int npiece, extra; /* extra: sentinels above the pieces */
    bool add_bos, add_eos;
    int nspecial;
    tt_special *special;
    uint8_t
        byte[256]; /* TT_BYTE_CUT: a blank; SPECIAL: a special token's text can begin so; OTHER: not printable ASCII */
    char hash[33];

    tt_words *words;     /* NULL: does not go by words */
    tt_lattice *lattice; /* NULL: decisions do not hang on sums (BPE) */
    float *cost;         /* [npiece] |score|; 0 for all but normal pieces */
    float unk_cost;      /* of an unknown character */
    bool ascii_same;     /* normalization leaves printable ASCII as it is */
};

/* A bound of the scores summed so far, and the least slack of a word. */
typedef struct tt_firm {
    double cost;
    float slack;
} tt_firm;

#define TT_FIRM ((tt_firm){0, INFINITY})

/* No rounding turns a decision with more slack than this (lattice.h), in a text whose scores sum to no more than cost. */
static inline double tt_firm_slack(double cost) { return 0x1.01p-23 * cost; }
/* So in a text of so many bytes: hardly any has more than 3 (natural logarithm) a byte, and tt_tok_join counts. */
static inline double tt_sure_slack(size_t bytes) { return tt_firm_slack(3. * (double)bytes); }

static inline bool tt_firm_ok(const tt_firm *f) { return f->slack > tt_firm_slack(f->cost); }

void tt_ids_reserve(tt_ids *v, int more);

/* Decides whether t goes by words, and prepares that. */
void tt_tok_compose(tt_tok *t);
/* Does SentencePiece give the word the same ids between other words, after each kind of blank? */
bool tt_tok_fits(const tt_tok *t, const char *word, size_t size, const tt_ids *ids);

/* Appends what SentencePiece gives for the text as a whole; special strings are text. */
tt_err tt_tok_plain(const tt_tok *t, const char *text, size_t size, tt_ids *out);
/* tt_tok_body without words: the specification of the fast way. */
tt_err tt_tok_body_plain(const tt_tok *t, const char *text, size_t size, tt_ids *out);
/* tt_tok_body, which tells how firm its words are. t goes by words. */
tt_err tt_tok_firm_body(const tt_tok *t, const char *text, size_t size, tt_ids *out, tt_firm *f);

#endif
