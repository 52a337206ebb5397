/* The token store. Private to data.
 *
 *   STORE/manifest.json    which files in which reading are kept, how far each is done, which parts hold them; replaced whole
 *   STORE/part-000000.h5   column files; text "segments" (JSON) says which run of which set lies where in the arrays
 *   STORE/lock             held while tutti prepare runs
 *
 * A set is one file in one reading (tt_want). Its rows lie in segments, in order, each from one run of its lines (a chunk); what no
 * template of the time of preparing could use is kept, too, and noted as bad, because templates change. */
#ifndef TUTTI_DATA_STORE_H
#define TUTTI_DATA_STORE_H

#include "sets.h"
#include "source.h"
#include "stream.h"
#include "tutti/store.h"

enum { TT_STORE_FORMAT = 1 };

/* ---- what an entry needs -----------------------------------------------------------------------------------------------*/
typedef struct tt_want {
    const char *path, *format;
    const char *header; /* names of a table's columns that the job gives; "" */
    const char *where;  /* of a superni header; and the entry's values; "" */
    const char *cut;    /* with a limit: what decides where reading stops; "": the whole file is read */
    int ncol;
    const char **col, **key; /* the columns' names and those in the file */
    uint64_t tag;            /* hash of path, format, header and where: differs for nearly all wants that differ */
} tt_want;
uint64_t tt_want_tag(const tt_want *w);
tt_want tt_want_of(const tt_spec *s, bool empty_fine, tt_arena *a);
/* What decides which rows the templates can use, and what row keys are made of: two hashes. */
void tt_templates_hash(const tt_spec *s, bool empty_fine, char check[33], char keys[33]);

/* ---- files ---------------------------------------------------------------------------------------------------------*/
typedef struct tt_fileid { /* as stat tells */
    const char *path;
    int64_t size, mtime; /* bytes, nanoseconds */
} tt_fileid;
/* Collective. Hashes of the files' contents, the same on all ranks: of 8 MiB blocks that the ranks share. file is the same on all. */
tt_err tt_files_hash(const tt_mesh *m, int n, const tt_fileid *file, char (*hex)[33]);
/* Collective. Fills in size and mtime as rank 0 sees them; -1: there is no such file. */
void tt_files_stat(const tt_mesh *m, int n, tt_fileid *file);

/* ---- the manifest -----------------------------------------------------------------------------------------------------*/
typedef struct tt_kept { /* a set */
    tt_want want;
    int64_t id;
    int64_t size, mtime;
    char hash[33], check[33], keys[33]; /* of the file; of the templates it was checked with */
    bool done, left_out;
    int64_t next;                                              /* place in the file where the next chunk begins */
    int64_t rows, lines, bad, values, tokens, bytes, segments; /* so far; bytes: of the file, unpacked */
    char category[128];                                        /* the header's; "none" */
} tt_kept;

typedef struct tt_partinfo {
    int64_t number, bytes;
    int n;
    int64_t *set; /* ids of the sets with segments in it */
} tt_partinfo;

typedef struct tt_manifest {
    tt_arena *a;
    char tokenizer[33];
    int64_t next_set, next_part;
    int n, npart;
    tt_kept *set;      /* heap */
    tt_partinfo *part; /* heap */
} tt_manifest;
/* Local. The manifest's text (heap), NULL if the store has none. TT_EDATA. */
tt_err tt_manifest_load(const char *dir, char **text);
/* Local. TT_EDATA: damaged, or of a newer format. */
tt_err tt_manifest_parse(const char *dir, const char *text, tt_manifest *out);
tt_err tt_manifest_write(const char *dir, const tt_manifest *s); /* Local; TT_ERUN */
void tt_manifest_fini(tt_manifest *s);
/* The set that serves want: a whole one or one with the same cut, with all its columns. -1: none. */
int tt_manifest_find(const tt_manifest *s, const tt_want *want);
tt_kept *tt_manifest_add(tt_manifest *s, const tt_want *want);
void tt_manifest_drop(tt_manifest *s, int i);
bool tt_part_lives(const tt_manifest *s, const tt_partinfo *p);
void tt_part_path(const char *dir, int64_t number, char path[4096]);

/* ---- preparing ------------------------------------------------------------------------------------------------------*/
typedef struct tt_haul { /* this rank's share of a part */
    tt_buf line, key, task, cell, text_at, text, id_at, id, sure, bad_line, bad_row, bad_text;
} tt_haul;
void tt_haul_fini(tt_haul *h);

typedef struct tt_load { /* what became of a chunk; plain bytes, sent between ranks */
    int64_t set, ncol, nrow, nvalue, text, nid, nbad, bad_text; /* lengths in the part's arrays */
    int64_t lines, bytes;                                       /* of the file */
    int64_t last, left_out;                                     /* nothing follows; where leaves the file out */
    int64_t bad_at;                                             /* line of the first bad row */
    char category[128], first_bad[300];
} tt_load;

typedef struct tt_chunk {
    const tt_spec *spec;
    bool empty_fine;
    int64_t lo, hi; /* places of the unpacked file */
    int64_t step;   /* of a chunk without end that is read until the limit: so much at once */
    int64_t set;    /* id */
} tt_chunk;
/* Local. Is the file read in chunks, or whole? */
tt_err tt_chunk_kind(const tt_spec *spec, bool empty_fine, tt_stream *s, bool *lines_alone);
/* Local. Reads, checks and tokenizes a chunk and appends it to h. TT_EDATA, TT_EJOB. */
tt_err tt_chunk_read(const tt_chunk *c, tt_stream *s, const tt_tok *tok, tt_haul *h, tt_load *out);

typedef struct tt_place { /* where a chunk goes in its file */
    int64_t first, line;  /* rows and lines before it */
} tt_place;
/* Collective. One part of all ranks' hauls: load[n] in rank order, each rank's in the order of its haul. */
tt_err tt_part_write(const tt_mesh *m, const char *path, tt_haul *h, int n, const tt_load *load, const tt_place *place,
                     const int *first); /* [size+1]: where each rank's begin */

/* ---- opening ----------------------------------------------------------------------------------------------------------*/
typedef struct tt_shelf tt_shelf; /* an open store */
/* Collective. Sets for the specs, in their order, those that where leaves out left out; made in a. TT_EDATA, TT_EFILE. */
tt_err tt_shelf_open(const tt_mesh *m, const tt_job *job, const tt_specs *specs, const char *what, tt_arena *a,
                     tt_shelf **out);
int tt_shelf_count(const tt_shelf *s);
tt_set *tt_shelf_set(const tt_shelf *s, int i);
const char *tt_shelf_tokenizer(const tt_shelf *s, const char **dir); /* hash */
void tt_shelf_close(tt_shelf *s);                                    /* NULL: nothing */

#endif
