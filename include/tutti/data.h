/* data: tokenizers, sources, templates, splits, the mixture, batches of grains. */
#ifndef TUTTI_DATA_H
#define TUTTI_DATA_H

#include "tutti/comm.h"
#include "tutti/conf.h"

/* ---- tokenizers -------------------------------------------------------------------------------------------------*/
typedef struct tt_tok tt_tok;
typedef struct tt_ids {
    int32_t *id; /* heap, grown by the callee; free with tt_ids_fini */
    int n, cap;
} tt_ids;
void tt_ids_push(tt_ids *v, int32_t id);
void tt_ids_fini(tt_ids *v);

/* Local. dir holds spiece.model, tokenizer.model or one *.model (or is that file). The model tells the family: without <s> it is a T5
 * (sentinels <extra_id_k> above the pieces, id = n_pieces + extra_ids - 1 - k; </s> is appended), with <s> a Llama (<s> is put in front).
 * tokenizer_config.json beside it overrides: extra_ids (default 100), add_bos_token, add_eos_token. TT_EDATA. */
tt_err tt_tok_open(const char *dir, tt_tok **out);
void tt_tok_close(tt_tok *t);
int tt_tok_size(const tt_tok *t); /* pieces + sentinels; a model's vocabulary must be at least this */
int tt_tok_pad(const tt_tok *t);  /* -1 if the model has none, so too tt_tok_eos */
int tt_tok_eos(const tt_tok *t);
int tt_tok_unk(const tt_tok *t);
int tt_tok_sentinel(const tt_tok *t, int k); /* -1: no such sentinel */
/* Appends ids. special: as Hugging Face's slow tokenizers: the strings <pad> </s> <unk> <s> <extra_id_k> are cut out of the text first, the
 * pieces between them are encoded one by one, the family's end or start token is added. Any bytes are accepted (invalid UTF-8 becomes
 * U+FFFD as SentencePiece does). */
tt_err tt_tok_encode(const tt_tok *t, const char *text, size_t size, bool special, tt_ids *out);
/* Heap string, as Hugging Face's fast tokenizers (no clean-up of blanks); special tokens are skipped when skip_special, ids past the
 * vocabulary always; a zero byte or broken UTF-8 of byte pieces becomes U+FFFD. */
char *tt_tok_decode(const tt_tok *t, const int32_t *ids, int n, bool skip_special);
void tt_tok_hash(const tt_tok *t, char hex[33]); /* of the model file */

/* ---- data sets ----------------------------------------------------------------------------------------------------
 * In a job:
 *   data:
 *     root: /data
 *     on_bad_row: skip             # fail: the first bad row ends the run
 *     train:
 *       - boolq.jsonl              # a path alone
 *       - name: dialogsum          # default: the file's stem
 *         path: dialogsum/dialogsum.train.jsonl.gz   # under data.root unless absolute; a glob gives one data set per file,
 *                                  # called after it (and its folder, where files of several have one name)
 *         format: dialogsum        # below; default: by the file's ending
 *         fields: {source: article, target: abstract}   # column: its name in the file; a.0.b walks into JSON
 *         columns: [source, target]   # a TSV or CSV without header line
 *         templates:               # one is chosen per example
 *           - {source: "Summarize: {dialogue}", target: "{summary}"}
 *           - {source: "{dialogue}\nTL;DR:"}         # target: the format's; {{ and }} are braces
 *           - {source: "{topic}: {dialogue}", when: topic}   # only rows where topic is not blank; unless: the contrary
 *         category: summarization
 *         cap: 10000               # at most so many examples count in the mixture (data.cap otherwise)
 *         weight: 1                # multiplies the share
 *         split: {take: train, validation: 0.05, test: 0.05, seed: 1}   # cut by the source's content; take says which part this entry is
 *         limit: 0                 # use only the first n usable rows
 *       - path: superni/tasks/task*.gz
 *         format: superni
 *         where: {split: train}    # superni: only files whose header has these values (a list: any of them)
 *         only: names.txt          # of a glob: only files whose stem is the first word of a line
 *       - list: synth/train.yaml   # entries of another file: a list, or under train: (data.train:); their paths start from its folder
 *
 * format             columns                                    default template
 * jsonl json tsv csv the file's                                 {source} -> {target}
 * superni            definition examples input output           Tk-Instruct's zero-shot prompt -> {output}
 * dialogsum samsum   dialogue summary (or summary1, ...) topic  three -> {summary}
 * alpaca             instruction input output                   {instruction} (and {input}, if any) -> {output}
 * flan               inputs targets                             {inputs} -> {targets}
 * prompt_completion  prompt completion                          {prompt} -> {completion}
 * text               text: paragraphs of at most 1500 bytes     {text} -> nothing: train.objective span only
 * Files may be gzipped, JSONL may be one JSON array (but for jsonl), CSV is RFC 4180, TSV has no quotes, lines end at \n alone.
 *
 * A cell may have several values (a JSON list); {column} uses the first, those of the target are references for evaluation. Numbers and
 * booleans become text. A row is bad if it is not JSON or UTF-8, has a zero byte, another number of fields than the header, lacks a
 * column that a template uses (null and [] count as lacking), fits no template, or gives an empty source or target. Bad rows are
 * quarantined: {"dataset", "file", "line", "reason"}. A file without a usable row is an error, but an empty part of a split is not. */
typedef struct tt_set tt_set;

typedef struct tt_absent { /* an entry without its file, passed over (data.missing: skip) */
    const char *name, *category, *collection, *path;
    int64_t declared; /* rows that the registry promises; 0: it does not say */
} tt_absent;

typedef struct tt_sets {
    int n;
    tt_set **set;
    int64_t rows, quarantined;
    int nabsent;
    const tt_absent *absent;
    int held_out; /* entries left out of data.train because the registry holds them out */
} tt_sets;

typedef struct tt_setinfo {
    const char *name, *category, *path, *format;
    const char *collection, *dataset, *language, *licence, *mixture; /* what the registry says; NULL: nothing */
    bool held_out;
    int64_t rows;        /* to draw from: usable, in the split, within the limit, not dropped */
    int64_t file_rows;   /* usable rows of the file */
    int64_t quarantined; /* rows of the file that cannot be used */
    int64_t declared;    /* rows that the registry promises; 0: it does not say */
    int64_t cap;         /* the entry's own: examples that count in the mixture; 0: none */
    double weight;
    int ntemplate;
} tt_setinfo;

/* Collective. Reads the data sets of one list (job->data.train ...): each file is parsed by one rank and shared. Quarantined rows are
 * appended to quarantine (rank 0; path or NULL) in the order of the data sets. list NULL: an empty collection. what: the key of the list.
 * Names must differ within a list. TT_EDATA / TT_EJOB with file, line, remedy; ranks that see different files are told. */
tt_err tt_sets_read(const tt_mesh *m, const tt_job *job, const tt_yaml *list, const char *what, const char *quarantine,
                    tt_sets **out);
void tt_sets_free(tt_sets *s);
const tt_setinfo *tt_set_info(const tt_set *s);

/* One example as text. Local. row in [0, rows); draw picks the template: tt_key(seed, name, row, epoch). refs: all accepted targets. */
typedef struct tt_text {
    char *source, *target;
    int nref;
    char **ref;
} tt_text;                                         /* lives in the arena */
int64_t tt_set_line(const tt_set *s, int64_t row); /* where the row starts in its file */
uint64_t tt_set_key(const tt_set *s, int64_t row); /* hash of its content: equal for equal questions */
void tt_set_text(const tt_set *s, int64_t row, uint64_t seed, int64_t epoch, tt_arena *a, tt_text *out);

/* ---- hygiene ------------------------------------------------------------------------------------------------------------
 * Duplicates inside and across training sets, and evaluation rows that training rows know. Compared are a row's own words: the columns that
 * its templates use, without those that all rows of the data set share (superni's definition) and without the templates' words. Case,
 * blanks and the marks of prose do not count, symbols do.
 *
 * Among training rows that ask alike (the same templates and the same shared columns):
 *   exact duplicate  equal source and target: the first stays (order of the job, then of the file)
 *   near duplicate   column by column equal, or of 5 words and more and a Jaccard similarity of 5-grams of at least 0.8; pairs are
 *                    joined to families, whose first row stays. Found with probability 0.9998 at 0.8 (src/data/minhash.c)
 *   conflict         equal source, another target than the first such row has: reported, never dropped
 * Of evaluation rows (validation, test) against each training set:
 *   exact            equal source, of 13 words or more, or asked in the same words, or with an equal target
 *   13-gram          13 words in a row of the source are in the training row's source (Brown et al. 2020). What stands in more than 10
 *                    rows and in more than 1 % of the rows of either set is wording, no evidence
 *   exemplar leak    an exact one in a set that gives an evaluation set its exemplars
 * What is dropped is always the training row.
 *   listed twice     two sets of the job of which at least 90 % of the smaller one's rows (own words and shared columns) coincide */
typedef enum tt_finding_kind {
    TT_DUP_EXACT,
    TT_DUP_NEAR,
    TT_CONFLICT,
    TT_CONTAM_EXACT,
    TT_CONTAM_NGRAM,
    TT_LEAK,
    TT_LISTED_TWICE,
    TT_FINDING_KINDS
} tt_finding_kind;
const char *tt_finding_name(int kind); /* "exact-duplicate", ... */

typedef struct tt_finding {
    tt_finding_kind kind;
    int a, b; /* tt_clean.set: a has the row that stays, or the evaluation row; b the training row that repeats it */
    int64_t count;          /* rows of b; of contamination rows of a; of listed-twice rows that coincide */
    int64_t line_a, line_b; /* the first example: where both rows start in their files */
} tt_finding;

typedef struct tt_clean_set {
    const char *list, *name, *path; /* list: "train", "validation", "test" */
    int64_t rows;                   /* before anything was dropped */
    int64_t exact_inside, exact_across, near,
        conflicts; /* rows of a training set; inside: the row that stays is of the same set */
    int64_t
        contaminated; /* rows of a training set that evaluation rows know; rows of an evaluation set that training rows know */
    int64_t dropped; /* because the job says so */
} tt_clean_set;

typedef struct tt_clean {
    bool duplicates, contamination; /* what was looked for */
    int nset;
    const tt_clean_set *set; /* train, validation, test, each in the job's order */
    int nfinding;
    const tt_finding *finding;      /* by count, falling */
    tt_clean_set train, evaluation; /* totals of both kinds of sets; list, name, path NULL */
} tt_clean;

/* Collective. Looks for duplicates unless job->data.deduplicate is off, for contamination unless job->data.decontaminate is off, for both
 * if all is set; drops what the job says from the training sets, on all ranks alike. Call it after the sets are read and before anything
 * depends on their rows. validation, test: NULL or empty is fine. *out (tt_clean_free) is a function of the sets alone, not of the ranks.
 * Memory of a rank besides the sets: about 110 bytes for each of its training rows; 20 (52 for a while) for each 13-gram of all
 * evaluation rows; 16 for each row found. Time: a few microseconds a row. */
tt_err tt_clean_run(const tt_mesh *m, const tt_job *job, tt_sets *train, tt_sets *validation, tt_sets *test, bool all,
                    tt_clean **out);
void tt_clean_free(tt_clean *c);
/* Local. A new reference to an object of sets, findings and totals (jansson's json_t). */
struct json_t *tt_clean_json(const tt_clean *c);
/* Collective: rank 0 writes, beside its place and then renamed. The file holds the report, the rows found, and the hash of all texts, names,
 * paths and templates that it stands for. TT_ERUN. */
tt_err tt_clean_save(const tt_mesh *m, const tt_clean *c, const char *path);
/* Collective. As tt_clean_run without a search: *out and the rows to drop come from the file. *out is NULL when there is no file, or when it
 * was made for other data, other templates or a lesser search: then search, and save. TT_EFILE: the file is damaged. */
tt_err tt_clean_load(const tt_mesh *m, const char *path, const tt_job *job, tt_sets *train, tt_sets *validation,
                     tt_sets *test, bool all, tt_clean **out);

/* From a draw to token ids: the template's text, or with objective span a corrupted window of it. Local. */
typedef struct tt_sizes {
    int32_t S, T;
    int32_t cut; /* 1: source or target was longer than allowed */
} tt_sizes;
typedef struct tt_maker {
    const tt_job *job;
    const tt_sets *sets;
    const tt_tok *tok;
    int max_spans;
    tt_arena *a; /* one text */
    tt_ids src, tgt;
} tt_maker;
typedef struct tt_draw {
    int set;
    int64_t row, epoch; /* epoch of the data set: how often its rows have gone round */
} tt_draw;
void tt_maker_init(tt_maker *k, const tt_job *job, const tt_sets *sets, const tt_tok *tok);
void tt_maker_fini(tt_maker *k);
/* *ids (heap): source then target after truncation; a function of the job's seed, n and the draw alone. */
tt_err tt_maker_ids(tt_maker *k, int64_t n, tt_draw draw, int32_t **ids, tt_sizes *size);

/* ---- the mixture (DESIGN D8) ---------------------------------------------------------------------------------------
 * Draw n of the mixture is a function of (seed, n): an epoch is sum_i e_i draws, e_i = round(weight_i * min(rows_i, cap_i)), in an
 * order permuted by the epoch; data set i gives its rows without replacement through its own permutation (keyed by its name), epoch after
 * epoch, also when a cap makes it give fewer than it has. A weight above 0 gives at least one draw an epoch. O(log sets). */
typedef struct tt_mix tt_mix;
tt_err tt_mix_new(const tt_sets *s, uint64_t seed, tt_mix **out); /* TT_EDATA if nothing can be drawn */
void tt_mix_free(tt_mix *x);
int64_t tt_mix_epoch(const tt_mix *x);         /* draws in one epoch */
double tt_mix_share(const tt_mix *x, int set); /* planned share */
tt_draw tt_mix_draw(const tt_mix *x, int64_t n);

/* ---- batches --------------------------------------------------------------------------------------------------------
 * A global batch: consecutive draws while source + target tokens fit batch_tokens (at least one). It is cut into G grains,
 * balanced by cost (longest first, ties by order): the cut depends on the lengths alone. Every rank knows all lengths; ids only of
 * its own grains. */
typedef struct tt_ex {
    int set;
    int64_t draw, row;
    int S, T;                 /* source and target tokens after truncation */
    const int32_t *src, *tgt; /* ids; end token included. NULL on ranks that do not own the grain */
} tt_ex;

typedef struct tt_grain {
    int B;
    tt_ex *ex;
    int64_t Rs, Rt;                /* rows of the encoder, of the decoder */
    const int32_t *src;            /* [Rs] */
    const int32_t *dec_in, *label; /* [Rt]: label shifted right with pad first; label -1: no loss */
    const int32_t *s_off, *t_off;  /* [B+1] */
} tt_grain;

typedef struct tt_batch {
    int64_t first, next;                                 /* draws [first, next) */
    int64_t examples, src_tokens, tgt_tokens, truncated; /* of the global batch */
    int64_t G;
    tt_grain *grain; /* [G]; arrays filled for own grains, B, Rs, Rt for all */
} tt_batch;

typedef struct tt_batcher tt_batcher;
tt_err tt_batcher_new(const tt_mesh *m, const tt_job *job, const tt_sets *sets, const tt_mix *mix, const tt_tok *tok,
                      int pad_id, tt_batcher **out);
void tt_batcher_free(tt_batcher *b);
/* Collective. The batch that starts at draw first, at most limit draws (limit <= 0: no limit). Lives until the next call. A function of
 * job, data and first alone: any number of ranks, in any order. Rank r owns the grains of tt_share(G, r, size). truncated counts examples
 * whose source or target was cut to data.max_source or data.max_target (an end token stays).
 * Objective span: T5 span corruption (Raffel et al. 2020; t5.data random_spans_noise_mask) of the source and target text; a long text gives
 * a window, placed by the draw's key, that fits max_source and max_target after corruption (counted as truncated). */
tt_err tt_batcher_get(tt_batcher *b, int64_t first, int64_t limit, const tt_batch **out);

/* One grain of given ids, for probes, generation and tests. Local; lives in a. labels < 0 are left out of the loss. */
void tt_grain_make(tt_arena *a, int B, const tt_ex *ex, int pad_id, tt_grain *out);

/* Span corruption of ids[n] (no end token), appended to src and tgt with sentinels and end token; keyed. The tokenizer must have
 * sentinels. */
void tt_span_corrupt(const tt_tok *t, const int32_t *ids, int n, double rate, double mean, tt_rkey key, tt_ids *src,
                     tt_ids *tgt);

/* ---- made-up collections ----------------------------------------------------------------------------------------------
 * Little instruction tasks with answers computed by code, for demonstrations and scale tests. */
typedef struct tt_synth_opts {
    int64_t datasets, categories; /* 1 <= categories <= datasets */
    int64_t rows, eval_rows;      /* training rows per data set; validation rows and test rows */
    int64_t seed;
} tt_synth_opts;
/* Local. Writes dir/<name>.{train,validation,test}.jsonl, registry.tsv, and train.yaml, validation.yaml, test.yaml: lists of data sets
 * for a job's entry `list: DIR/train.yaml` (paths in them are relative to the list). The files are a function of the options alone.
 * No question (the fields of a row without the answer) of one split occurs in another split of the whole collection; training rows
 * of one data set repeat only where the task has fewer questions. Memory: 16 bytes a row of one data set. TT_EJOB, TT_ERUN. */
tt_err tt_synth(const char *dir, const tt_synth_opts *o);

#endif
