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
/* The ids between the family's start and end token, and these. encode with special is begin, body, end. */
tt_err tt_tok_body(const tt_tok *t, const char *text, size_t size, tt_ids *out);
/* The same; *sure: tt_tok_sure up to TT_SURE_BYTES. */
tt_err tt_tok_body_sure(const tt_tok *t, const char *text, size_t size, tt_ids *out, bool *sure);
void tt_tok_begin(const tt_tok *t, tt_ids *out);
void tt_tok_end(const tt_tok *t, tt_ids *out);
/* Are the ids of a text those of its words, one after another, cut at blanks (those of ' ' \t \n \r that normalization takes for one)? True
 * for T5's models: they have no piece with a blank past its front, and blanks in a row count as one. Words are then looked up in a cache of at most 64 MiB, and SentencePiece
 * sees only new ones; the ids stay its own of the whole text, to the bit. One thread at a time may use a tokenizer. */
bool tt_tok_by_words(const tt_tok *t);
/* Would the words of this text have the same ids in any text of at most whole bytes? False where a word has two segmentations that are
 * equally likely to within what rounding can do ("mmm": mm m, m mm): there SentencePiece's choice depends on all that stands before. */
bool tt_tok_sure(const tt_tok *t, const char *text, size_t size, size_t whole);
enum { TT_SURE_BYTES = 8192 };
/* A piece of a text, and its ids where they are known and tt_tok_sure up to TT_SURE_BYTES: those of tt_tok_body of the piece alone. */
typedef struct tt_part {
    const char *text;
    size_t size;
    const int32_t *ids; /* NULL: to be tokenized */
    int n;
} tt_part;
/* Appends tt_tok_body of the parts' texts one behind another, to the bit. By words only what stands at the seams is tokenized; otherwise,
 * and where a part is not sure, the whole text is. */
tt_err tt_tok_join(const tt_tok *t, int n, const tt_part *part, tt_ids *out);
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
 *         collection: superni      # what the registry says of it: also dataset (its source), language, licence, mixture (the part of
 *                                  # the mixture it belongs to), rows (how many it should have)
 *         held_out: true           # to test with: left out of data.train, and counted
 *         missing: skip            # no such file: on without it (fail: an error); default: data.missing
 *       - name: anli
 *         path: anli/{name}.jsonl  # {key} is filled in: {name} {collection} {dataset} {category} {mixture}, or a column of a table
 *         tasks: [{name: anli_r1, rows: 16946}, {name: anli_r2}]   # a data set each, with the keys of the entry; dataset: its name
 *       - name: rte                # with a name, a glob must match one file. Of several paths the first that is there counts,
 *         path: ["rte/train.jsonl*", {path: superglue/rte.tsv, format: tsv}]   # with its own keys
 *       - list: synth/train.yaml   # a file of data sets (or registry: ...), below; looked for from data.root, then from where tutti runs
 *         select: {category: [qa, "sum*"]}   # takes what matches: keys or columns of a table; values, globs, lists of them
 *         cap: 1000                # other keys hold for each of its data sets, whatever the file says
 *
 * A file of data sets is a list of entries; or a map with a list under train: (data.train:), by the part of the job; or a TSV table,
 * whose columns are the keys name path format category collection dataset language licence mixture held_out rows cap weight limit missing
 * (others are for select); or a registry:
 *   include: [other.yaml]           # its data sets come first, and rules below see them
 *   defaults: {format: jsonl, path: "{collection}/{name}.jsonl*"}
 *   table: registry.tsv             # a header line, then a data set a line
 *   columns: {name: task, path: file, rows: n}   # key: its column; without this, columns that are called like keys
 *   rules:                          # in order; keys of entries or columns of the table
 *     - {when: {schema: glue, dataset: [CoLA, SST*]}, set: {templates: [...]}}
 *     - {when: {role: eval}, skip: true}
 *   categories: [qa, summarization] # nothing else is allowed; so too collections
 *   datasets: [...]                 # entries, after those of the table
 * Who says a key wins in this order: keys beside list: in the file that names this one; the entry; rules, the last first; the table;
 * defaults. What an included file says of its data sets, entries too, counts like a table, and defaults are for its own data sets alone.
 * A key set to ~ is taken away. Paths in a file (of data sets, include, table) start from its folder, and from data.root for what is not
 * there; those in a table from the table's folder.
 *
 * format             columns                                    default template
 * jsonl json tsv csv the file's                                 {source} -> {target}
 * superni            definition examples input output           Tk-Instruct's zero-shot prompt -> {output}
 * dialogsum samsum   dialogue summary (or summary1, ...) topic  three -> {summary}
 * alpaca             instruction input output                   {instruction} (and {input}, if any) -> {output}
 * flan               inputs targets                             {inputs} -> {targets}
 * prompt_completion  prompt completion                          {prompt} -> {completion}
 * headed             of a row, else of the first line's object  {source} -> {target}
 * nested             of a member, else of its record            {source} -> {target}
 * text               text: paragraphs of at most 1500 bytes     {text} -> nothing: train.objective span only
 * headed is JSON lines whose first line holds what all rows share; where picks rows there. nested is JSON lines of records, whose rows are
 * the members of the list that each names: passage.questions, or passage.questions.answers for a list in each member.
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
    const char *metrics; /* the entry's, for an evaluation; NULL: the job's */
    int answer;          /* TT_ANSWER_GENERATE ...; -1: the job's */
    bool held_out;
    int64_t rows;        /* to draw from: usable, in the split, within the limit, not dropped */
    int64_t file_rows;   /* usable rows of the file */
    int64_t quarantined; /* rows of the file that cannot be used */
    int64_t declared;    /* rows that the registry promises; 0: it does not say */
    int64_t cap;         /* the entry's own: examples that count in the mixture; 0: none */
    double weight;
    int ntemplate;
    bool options; /* the entry names answers to choose from */
} tt_setinfo;

/* Collective. Reads the data sets of one list (job->data.train ...): each file is parsed by one rank and shared; with data.store set they
 * are opened from the token store instead, mapped, and hold the same rows. Quarantined rows are
 * appended to quarantine (rank 0; path or NULL) in the order of the data sets. list NULL: an empty collection. what: the key of the list.
 * Names must differ within a list. TT_EDATA / TT_EJOB with file, line, remedy; ranks that see different files are told. */
tt_err tt_sets_read(const tt_mesh *m, const tt_job *job, const tt_yaml *list, const char *what, const char *quarantine,
                    tt_sets **out);
void tt_sets_free(tt_sets *s);
const tt_setinfo *tt_set_info(const tt_set *s);

/* Local. Was the store that the sets stand on made with this tokenizer? TT_EDATA names both hashes. Without a store: yes. */
tt_err tt_sets_check(const tt_sets *s, const tt_tok *t);

/* ---- the token store ------------------------------------------------------------------------------------------------
 * data.store names a folder in which tutti prepare keeps every row of the job's data sets: its fields as text and as token ids, its line,
 * the hash of its content. Opening it parses and tokenizes nothing, whatever the size of the data.
 *
 * Files are cut into chunks of whole lines that the ranks read and tokenize in parallel. In each round they take about 32 MiB each, write
 * one part file together and replace the manifest: memory does not grow with the data, and a run that is killed loses a round at most:
 * the next one goes on from there. A JSON array, a CSV file, a text or a task file of one object has rows that are not lines: one rank
 * reads it in one piece. A file is known by size, time of change and content: one that was only touched is left as it is, a changed one
 * is done anew. A store may serve several jobs; other templates, splits and limits need no new preparation as long as the columns they
 * use are there. A row in which any kept column holds a value that is no text is out for all of them. */
typedef struct tt_prepare_opts {
    bool rehash;    /* compare contents even where size and time are the same */
    bool prune;     /* remove data sets that are not in the job */
    int64_t chunk;  /* bytes of a file that are read at once; 0: 1 MiB */
    int64_t round;  /* bytes a rank reads before a part is written; 0: 32 MiB */
    int64_t rounds; /* stop after so many; 0: at the end */
} tt_prepare_opts;
typedef struct tt_prepared {
    int64_t sets, unchanged, redone, dropped; /* data sets in the job; as they were; of a changed file; removed */
    int64_t rows, bad, tokens;                /* of the job's data sets in the store */
    int64_t read, new_rows;                   /* by this run: bytes (unpacked), rows */
    int64_t bytes, parts;                     /* of the store */
    bool finished;                            /* false: opts.rounds came first */
} tt_prepared;
/* Collective. Brings the job's store up to date for data.train, data.validation and data.test. TT_EJOB: no data.store; TT_EDATA: as
 * tt_sets_read; TT_ERUN: another prepare is at work on it, disk full (what was done before stays). */
tt_err tt_prepare(const tt_mesh *m, const tt_job *job, const tt_tok *tok, const tt_prepare_opts *o, tt_prepared *out);
/* Collective. All checksums of the store. TT_EFILE names the first file and array that differ. */
tt_err tt_store_verify(const tt_mesh *m, const char *dir);

/* ---- prompts ------------------------------------------------------------------------------------------------------
 * An entry says more of its prompts (job keys data.prompts give the rest):
 *   - path: cola.tsv
 *     fields: {text: sentence}
 *     values: {label: {0: no, 1: yes}}     # stored text: text to show; a row with another value is bad
 *     options: [no, yes]                   # answers to choose from; or {column: NAME}, a list of the row (a path finds the
 *                                          # members of a list of objects: question.choices.text)
 *     exemplars: cola                      # validation, test: the set of data.train whose rows may be shown; off: none
 *     prompts: {few_shot: 0.5, shots: 1-5, options: 0.8, cot: 1, invert: 0.3}   # instead of data.prompts
 *     templates:
 *       - {source: "Is this English?\n{text}\n{options}\nAnswer:", target: "{label}", weight: 2}
 *       - {source: "{text}", target: "{why} So: {label}", kind: cot, when: why}
 *       - {source: "Write a sentence. Is it English? {label}", target: "{text}", kind: inverted}
 *       - {head: "Say yes to English.\n\n", source: "{text} ", target: "{label}", exemplar: "For example: {text} ", shot: "-> "}
 *
 * The template is one of those that fit the row, by weight times the weight of its kind: direct 1, prompts.cot, prompts.invert. The
 * prompts of data.validation and data.test take direct ones. Kinds do not count for a row that nothing else fits.
 * Options are shown in a share prompts.options of the draws, in one of several styles, in the order given: at {options}, or below the
 * source of a direct or cot template without that place. A draw that does not show them leaves {options} and the blanks around it out.
 * A share prompts.few_shot of the draws carries exemplars, their number uniform in prompts.shots: other rows of the set itself in
 * data.train, of the set that exemplars names elsewhere, with the same template and the target's first value. Text:
 *   head, exemplar, shot, target, break, exemplar, shot, target, break ..., source, shot without the blanks at its end
 * Never a row with the content of the question, nor two alike. The first exemplars are left out until the source fits data.max_source
 * and prompts.max_tokens; the question alone is cut at its end as always.
 *
 * Every choice is a function of (seed, name of the set, row, epoch), where the row counts among the usable rows of the file: it does not
 * change when other rows are dropped. */
enum { TT_DIRECT, TT_COT, TT_INVERTED }; /* kinds of templates */
const char *tt_prompt_kind(int kind);    /* "direct" ... */
const char *tt_prompt_style(int style);  /* of answer options: "dashes" ...; "none" for -1 */

typedef struct tt_shot {
    int64_t row, line; /* of the pool's file: among its usable rows, where it starts */
} tt_shot;

typedef struct tt_prompt {
    int template, kind; /* number in the entry's list */
    int style;          /* of the answer options; -1: none are shown */
    const tt_set *pool; /* where exemplars come from; NULL: there are none */
    int nshot;          /* exemplars */
    tt_shot *shot;      /* [nshot] */
    int nsource; /* parts of the source: head [0, shot_end[0]), exemplar i [shot_end[i], shot_end[i+1]), the question */
    const tt_part *source;
    int *shot_end; /* [nshot+1] */
    int nlead;     /* of the last parts: what follows the question only where exemplars stand before it */
    int ntarget;
    const tt_part *target;
    int nref;
    char **ref; /* all accepted targets */
} tt_prompt;    /* lives in the arena */

/* Local. Before the first prompt of a set of data.validation or data.test: finds the sets of train that its entries name (data.train finds
 * its own). train stays as long as s. TT_EJOB: no such set, a set to evaluate on, other columns. */
tt_err tt_sets_exemplars(tt_sets *s, const tt_sets *train);

/* Local. row in [0, rows). O(exemplars), however many rows there are. */
void tt_prompt_make(const tt_set *s, int64_t row, uint64_t seed, int64_t epoch, tt_arena *a, tt_prompt *out);
/* The answers that row (with the prompt made of it) could have: its target with each option of the entry in the place of the right one, in the
 * order of the options. *gold: which is right. *n = 0: it has no options, or its target is none of them. In a. */
void tt_prompt_options(const tt_set *s, int64_t row, const tt_prompt *p, tt_arena *a, int *n, char ***option,
                       int *gold);
/* The source without the first drop exemplars, to out[nsource]; returns how many parts. */
int tt_prompt_source(const tt_prompt *p, int drop, tt_part *out);

/* The prompt as text, with all its exemplars. refs: all accepted targets. */
typedef struct tt_text {
    char *source, *target;
    int nref;
    char **ref;
} tt_text; /* lives in the arena */
/* A usable row of the file, in [0, file_rows): is it drawn from (in the split, within the limit, not dropped), where does it start? */
bool tt_set_takes(const tt_set *s, int64_t file_row);
int64_t tt_set_file_line(const tt_set *s, int64_t file_row);
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
 *   near duplicate   column by column equal, or of 5 words and more and a Jaccard similarity of 5-grams of at least 0.8, and not
 *                    another question or prompt (src/data/minhash.c); pairs are joined to families, whose first row stays. A pair
 *                    is seen with probability 0.9998 at 0.8, more above
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
    /* Rows of a training set. Inside: the row that stays is of the same set. */
    int64_t exact_inside, exact_across, near, conflicts;
    /* Rows of a training set that evaluation rows know; rows of an evaluation set that training rows know. */
    int64_t contaminated;
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

/* From a draw to token ids: the prompt, or with objective span a corrupted window of it. Local. */
typedef struct tt_sizes {
    int32_t S, T;
    int32_t cut; /* 1: source or target was longer than allowed */
} tt_sizes;
typedef struct tt_maker {
    const tt_job *job;
    const tt_sets *sets;
    const tt_tok *tok;
    int max_spans;
    tt_arena *a;             /* one prompt */
    tt_ids src, tgt, longer; /* longer: the source with one exemplar more */
} tt_maker;
typedef struct tt_draw {
    int set;
    int64_t row, epoch; /* epoch of the data set: how often its rows have gone round */
} tt_draw;
void tt_maker_init(tt_maker *k, const tt_job *job, const tt_sets *sets, const tt_tok *tok);
void tt_maker_fini(tt_maker *k);
/* *ids (heap): source then target after truncation; a function of the job's seed, n and the draw alone. */
tt_err tt_maker_ids(tt_maker *k, int64_t n, tt_draw draw, int32_t **ids, tt_sizes *size);

/* The same draw to look at. */
typedef struct tt_shown {
    tt_prompt prompt;
    int kept;              /* of its exemplars: the last ones */
    tt_text text;          /* what was tokenized, and the references */
    char *source, *target; /* what the model sees: the ids as text, special tokens too */
    const int32_t *src, *tgt;
    tt_sizes size;
} tt_shown; /* lives in the maker until its next draw */
tt_err tt_maker_show(tt_maker *k, int64_t n, tt_draw draw, tt_shown *out);

/* ---- the mixture (DESIGN D8) ---------------------------------------------------------------------------------------
 *   data:
 *     cap: 10000
 *     mixture:
 *       preset: flan-t5-paper-b     # brings named parts with shares, caps and prompts (presets.c); the job's parts are merged by name
 *       draw: stratified            # | random
 *       rate: proportional          # in a part: weight * min(rows, cap) | temperature: that to the power 1/temperature | equal | weights
 *       temperature: 1
 *       cap: 30000                  # per data set; its own cap comes before its part's, that before the parent's, that before data.cap
 *       parts:                      # sub-mixtures with fixed shares, nested to any depth
 *         - {name: niv2, share: 0.242, cap: 5000, from: {collection: superni}}   # collection category dataset language licence name
 *         - {name: mine, share: 0.1, prompts: {few_shot: 0.5}}                   # takes the data sets whose key mixture names it
 * A data set belongs to the part that its own key mixture names, else to the first whose from takes it. Shares of siblings are those of
 * the parts that have something to draw. Without parts all data sets share one by the rate.
 *
 * draw stratified: after N draws every data set has had its planned number to within one, at every N (quota.h; proved there, and asserted
 * at every draw), so no small data set is left out by chance, an epoch is exact, and batches vary less than independent draws make
 * them. The plan is a table of whole numbers over a cycle: the epoch where rates are proportional without parts, else of at least 2^30
 * draws (shares are rounded to that, a share above 0 to one draw at least). The order inside a cycle is keyed by the cycle's number. Rows
 * come without replacement: a data set gives all of its rows, in an order keyed by its name, before any comes again, also across epochs.
 * draw random: data set and row are drawn independently with replacement, as seqio does; for comparison. */
typedef struct tt_mix tt_mix;
typedef struct tt_mixpart {
    const char *path; /* "niv2", "flan.qa" */
    int depth;        /* 0: at the top */
    double share;     /* of all draws */
    int nset;         /* data sets with something to draw, in it and its parts */
} tt_mixpart;

/* Local. Reads job->data.mixture and gives the sets the prompts of their parts; they must outlive it. TT_EJOB: the mixture's keys; TT_EDATA if nothing can be drawn. */
tt_err tt_mix_new(const tt_job *job, const tt_sets *s, tt_mix **out);
void tt_mix_free(tt_mix *x);
int64_t tt_mix_epoch(const tt_mix *x); /* draws in an epoch: the sum of min(rows, cap) (times weight, without parts) */
double tt_mix_share(const tt_mix *x, int set); /* planned share of the draws */
int64_t tt_mix_cap(const tt_mix *x, int set);  /* the cap that holds for it, above its rows or not; 0: none */
int64_t tt_mix_hash(const tt_mix *x);          /* of all that a draw's number means; 63 bits */
int tt_mix_parts(const tt_mix *x);             /* 0: one flat mixture */
const tt_mixpart *tt_mix_part(const tt_mix *x, int part); /* parents before their parts */
int tt_mix_part_of(const tt_mix *x, int set);             /* -1: there are no parts */
/* Draw n >= 0: a function of (job->seed, n). O(log sets) read in order; a jump elsewhere costs some milliseconds (quota.h). x remembers the last
 * place: one thread at a time. */
tt_draw tt_mix_draw(const tt_mix *x, int64_t n);
/* count[sets]: draws of each among the first n. Stratified: as quick as a jump; random: walks them. */
void tt_mix_counts(const tt_mix *x, int64_t n, int64_t *count);

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
/* Whose grains this rank wants; until then runs of tt_share over all ranks. */
void tt_batcher_deal(tt_batcher *b, tt_deal deal);
/* Collective. The batch that starts at draw first, at most limit draws (limit <= 0: no limit). Lives until the next call. A function of
 * job, data and first alone: any number of ranks, in any order. Own grains are those of tt_batcher_deal. truncated counts examples
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

/* Collective. The search of tt_clean_run, or what it found before for the same data: with data.store the result is kept there (a store that
 * cannot be written is no failure). The last step of reading data, before the mixture: drops rows where the job says so. *out NULL:
 * nothing was to be looked for. */
tt_err tt_clean_open(const tt_mesh *m, const tt_job *job, tt_sets *train, tt_sets *validation, tt_sets *test, bool all,
                     tt_clean **out);

/* ---- lengths --------------------------------------------------------------------------------------------------------
 * What the examples of a data set come to in tokens, as the model sees them in their first draw: template and exemplars chosen, cut to
 * data.max_source and data.max_target. */
enum { TT_LENGTH_BINS = 64 }; /* a quarter of an octave each: bin b holds lengths in [2^(b/4), 2^((b+1)/4)) */
typedef struct tt_spread {
    double mean;
    int32_t p50, p95, max;
    int64_t bin[TT_LENGTH_BINS];
} tt_spread;
typedef struct tt_lengths {
    int64_t rows;    /* that were measured */
    int64_t cut;     /* of them, longer than allowed */
    int64_t cut_row; /* the first row that was cut; -1: none */
    tt_spread source, target;
} tt_lengths;
/* Collective. out[s->n]. Of every data set a seeded sample of at most limit rows (0: all). The same on any number of ranks. Memory: 16 bytes
 * a measured row. */
tt_err tt_lengths_measure(const tt_mesh *m, const tt_job *job, const tt_sets *s, const tt_tok *tok, int64_t limit,
                          tt_lengths *out);

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
