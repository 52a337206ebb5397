/* Rows of one data set: growing while a file is parsed, then packed into one contiguous piece that travels between ranks and is
 * read where it lies. Private to data. */
#ifndef TUTTI_DATA_ROWS_H
#define TUTTI_DATA_ROWS_H

#include "tutti/base.h"

typedef struct tt_buf { /* growing bytes */
    char *p;
    size_t n, cap;
} tt_buf;
void tt_buf_add(tt_buf *b, const void *p, size_t n);
void tt_buf_fini(tt_buf *b);

typedef struct tt_cell { /* values first .. first+n-1 of the set */
    uint32_t first, n;
} tt_cell;

/* nrow x ncol cells; a value is a 0-terminated text. Cells may share values (a definition that all rows have). */
typedef struct tt_rows {
    int ncol;
    int64_t nrow, nvalue, nbad;
    bool left_out; /* the file's header does not match the entry's where: it is no data set of the job */
    char category[128];
    tt_buf cell, value, text; /* tt_cell; uint64_t offsets into text; bytes */
    tt_buf line, key;         /* of every row: int64_t where it starts in the file, uint64_t hash of its content */
    tt_buf bad_line, bad_row; /* of every bad one: int64_t line, int64_t row where it is kept (unfit) or -1 */
    tt_buf bad_text;          /* why: 0-terminated texts, one behind the other */
} tt_rows;
void tt_rows_fini(tt_rows *r);
tt_cell tt_rows_value(tt_rows *r, const char *text, size_t size);

/* Everything of rows behind one header; bytes is a multiple of 8. */
typedef struct tt_pack {
    uint64_t bytes;
    int64_t ncol, nrow, nvalue, nbad;
    uint64_t cell, value, text, line, key, bad_line, bad_text; /* places from the start of the header */
    int64_t left_out;
    char category[128];
} tt_pack;
/* Appends to out, whose size is a multiple of 8. */
void tt_rows_pack(const tt_rows *r, tt_buf *out);

/* A run of a data set's rows where they lie: in a pack, or in a mapped token store. Values are numbered within the segment. */
typedef struct tt_segment {
    int64_t first, nrow; /* rows first .. first+nrow-1 of the file's usable rows */
    int ncol;
    const tt_cell *cell;     /* [nrow][ncol] */
    const int64_t *line;     /* [nrow] */
    const uint64_t *key;     /* [nrow] */
    const uint64_t *text_at; /* [nvalue+1]: value i is the 0-terminated text + text_at[i] */
    const char *text;
    const uint64_t *id_at; /* [nvalue+1]: its ids are id[id_at[i] .. id_at[i+1]); NULL: not tokenized */
    const uint8_t *sure;   /* [nvalue+1]: are they tt_tok_sure up to TT_SURE_BYTES? */
    const int32_t *id;
} tt_segment;
void tt_pack_segment(const tt_pack *p, tt_segment *out);

/* Bad rows where they lie: n lines, and why each is bad: 0-terminated texts, one behind the other. */
typedef struct tt_badrun {
    int64_t n;
    const int64_t *line;
    const int64_t *row; /* where an unfit row is kept in its segment, -1: nowhere; NULL: none is kept */
    const char *text;
} tt_badrun;
void tt_pack_bad(const tt_pack *p, tt_badrun *out);
/* A tt_valuefn (template.h) over a segment. */
const char *tt_segment_value(const void *segment, uint32_t value);

#endif
