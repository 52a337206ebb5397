/* Hygiene: what the searches for duplicates and contamination share. Private to data.
 *
 * Rows of all data sets are numbered in one order: data.train, data.validation, data.test, each in the job's order, rows as the data sets
 * take them. "First" and "earlier" mean this order, so nothing depends on ranks. */
#ifndef TUTTI_DATA_CLEAN_H
#define TUTTI_DATA_CLEAN_H

#include "sets.h"

/* ---- words (ngram.c) ------------------------------------------------------------------------------------------------*/
typedef struct tt_hashes { /* growing */
    uint64_t *x;
    int64_t n, cap;
} tt_hashes;
void tt_hashes_add(tt_hashes *v, uint64_t h);
void tt_hashes_fini(tt_hashes *v);
void tt_hashes_sort(tt_hashes *v); /* rising, each once */
bool tt_hashes_has(const tt_hashes *sorted, uint64_t h);

/* Texts as hashes of their words: runs of letters and digits, in lower case. A script without blanks between words (Chinese,
 * Japanese, Thai ...) gives a word a character.
 * all: hash of the words and of the symbols between them; the marks of prose ( . , ; : ! ? ' " and their like) and blanks do not count,
 * so that "It's 5 pm." equals "it s 5 PM", but symbols do: "3 - 4" is not "3 + 4", nor 3.5 equal to 35. */
typedef struct tt_rowwords {
    bool symbols; /* are among the words */
    tt_hashes word;
    uint64_t all;
    int ntext;
    int64_t end[TT_MAX_COLS];   /* words of the texts 0..i */
    uint64_t text[TT_MAX_COLS]; /* as all, of one text */
} tt_rowwords;
void tt_rowwords_start(tt_rowwords *w); /* empty, memory and symbols kept */
void tt_rowwords_add(tt_rowwords *w, const char *text);
void tt_rowwords_fini(tt_rowwords *w);

/* Appends the hashes of all runs of k words; none if there are fewer. */
void tt_grams(const uint64_t *word, int64_t n, int k, tt_hashes *out);

/* True if what count of rows have in common is a set's wording (a prompt's template, a licence), not a text of its own: in more than 10
 * of the rows (Brown et al. 2020, appendix C, who leave out 13-grams that collide more than 10 times) and in more than one of a
 * hundred: a passage stands in a large set once for each of its questions, and remains evidence. */
bool tt_is_wording(int64_t count, int64_t rows);

/* ---- rows of all sets (corpus.c) --------------------------------------------------------------------------------------*/
typedef struct tt_member { /* a data set */
    tt_set *set;
    const char *list; /* "train", "validation", "test" */
    int64_t first;    /* of its rows */
    int nsrc, ntgt;
    int src[TT_MAX_COLS],
        tgt[TT_MAX_COLS]; /* own columns, by their number among the templates': differing from row to row */
    uint64_t shared;      /* hash of what all its rows share (a definition) */
    tt_hashes prompt;     /* of each template's own words */
    uint64_t frame;       /* of shared and all prompts: sets of one frame ask alike */
} tt_member;

typedef struct tt_corpus {
    const tt_mesh *m;
    int n, ntrain;
    tt_member *set;
    int64_t train, rows;              /* training rows; all rows */
    int64_t lo, hi, eval_lo, eval_hi; /* this rank's share of training rows, of evaluation rows */
} tt_corpus;
/* Local. The sets stay the caller's and must not be changed until tt_corpus_fini. */
void tt_corpus_init(tt_corpus *c, const tt_mesh *m, const tt_sets *train, const tt_sets *validation,
                    const tt_sets *test);
void tt_corpus_fini(tt_corpus *c);
int tt_corpus_set(const tt_corpus *c, int64_t row); /* the set of a row */
/* The row's own words. src or tgt may be NULL. */
void tt_corpus_read(const tt_corpus *c, int64_t row, tt_rowwords *src, tt_rowwords *tgt);
/* True if both sets have a template in common, and all else that does not differ from row to row: they may ask in the same words. */
bool tt_same_prompt(const tt_member *a, const tt_member *b);
/* Collective. Hash of all rows' texts, of the sets' names, paths and prompts: what a search depends on. */
uint64_t tt_corpus_hash(const tt_corpus *c);

/* ---- rows by key (keyed.c) --------------------------------------------------------------------------------------------*/
typedef struct tt_keyed {
    uint64_t key;
    int64_t row;
} tt_keyed;
typedef struct tt_keyeds { /* growing */
    tt_keyed *x;
    int64_t n, cap;
} tt_keyeds;
void tt_keyeds_add(tt_keyeds *v, uint64_t key, int64_t row);
void tt_keyeds_reserve(tt_keyeds *v, int64_t n); /* room for n in all */
void tt_keyeds_fini(tt_keyeds *v);
void tt_keyeds_sort(tt_keyeds *v);                          /* by key; equal keys keep their order */
void tt_keyeds_unique(tt_keyeds *v);                        /* by key, then row; each once */
int64_t tt_keyeds_run(const tt_keyeds *sorted, int64_t at); /* end of the run of at's key */
/* Collective. Every key's owner (a function of the key) gets its rows from all ranks, sorted by key, then by rank and order there.
 * 32 bytes an entry here and 32 there while it lasts. */
void tt_keyeds_exchange(const tt_mesh *m, tt_keyeds *v);
void tt_keyeds_share(const tt_mesh *m, tt_keyeds *v); /* Collective. All ranks' on all ranks, in rank order */

typedef struct tt_counts { /* key to number; a key is below 2^64-1 */
    tt_keyed *x;
    int64_t n, cap;
} tt_counts;
int64_t *tt_counts_at(tt_counts *t, uint64_t key);       /* 0 at first; until the next call */
void tt_counts_list(const tt_counts *t, tt_keyeds *out); /* appended, in no order */
void tt_counts_fini(tt_counts *t);

/* ---- findings ---------------------------------------------------------------------------------------------------------*/
typedef struct tt_tally_row {
    int32_t kind, a, b; /* tt_finding_kind; sets */
    int32_t unused;
    int64_t count, arow, brow; /* arow, brow: the first example */
} tt_tally_row;
typedef struct tt_tally {
    tt_tally_row *x;
    int64_t n, cap;
} tt_tally;
void tt_tally_add(tt_tally *t, const tt_corpus *c, int kind, int64_t count, int64_t arow, int64_t brow);
void tt_tally_share(const tt_mesh *m,
                    tt_tally *t); /* Collective. Sums over the ranks, on all of them; rows by kind, a, b */

typedef struct tt_search {
    const tt_corpus *c;
    bool duplicates, contamination; /* what is looked for */
    tt_tally tally;                 /* each finding on one rank, until the end */
    tt_keyeds dup;                  /* {earlier row, training row that equals it} */
    tt_keyeds near;                 /* the same, nearly equal */
    tt_keyeds exact;                /* {evaluation row, training row that equals it}: the first of each training set */
    tt_keyeds dirty;                /* {0, training row that some evaluation row knows} */
    tt_keyeds soiled;               /* {evaluation row that some training row knows, 0} */
    int64_t *distinct;              /* [c->n]: rows of each set that differ; summed up at the end */
} tt_search; /* but for the tally, whole and sorted on every rank in the end: 16 bytes an entry */
/* Collective, one after the other. */
void tt_find_equal(tt_search *s);  /* equal.c: exact duplicates, conflicts, rows listed twice, equal evaluation rows */
void tt_find_near(tt_search *s);   /* minhash.c; after tt_find_equal */
void tt_find_contam(tt_search *s); /* contam.c: shared 13-grams; after tt_find_equal */

/* ---- the report (report.c) --------------------------------------------------------------------------------------------*/
typedef struct tt_range { /* rows of a file */
    int64_t first, n;
} tt_range;
typedef struct tt_ranges {
    tt_range *x; /* heap */
    int64_t n, cap;
} tt_ranges;
typedef struct tt_report {
    tt_clean clean; /* its first member: what the caller holds */
    tt_arena *a;
    uint64_t key; /* tt_corpus_hash of what was searched */
    tt_clean_set *set;
    tt_ranges *dup, *dirty; /* [nset] */
    tt_finding *finding;
} tt_report;
tt_report *tt_report_new(const tt_corpus *c, uint64_t key); /* no findings, nothing looked for */
void tt_ranges_add(tt_ranges *v, int64_t row);              /* rows rise */
/* Local. Drops what the job says from the sets of c, and adds up the totals. */
void tt_report_apply(tt_report *r, const tt_job *job, const tt_corpus *c, tt_sets *train);
/* Local. fits: the file was made for r->key, and r is filled in from it. TT_EFILE. */
tt_err tt_report_parse(tt_report *r, const tt_corpus *c, const char *path, const char *text, bool *fits);

#endif
