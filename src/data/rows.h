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
    tt_buf bad;               /* quarantined rows: JSON lines */
    char first_bad[400];
} tt_rows;
void tt_rows_fini(tt_rows *r);
tt_cell tt_rows_value(tt_rows *r, const char *text, size_t size);

/* Everything of rows behind one header; bytes is a multiple of 8. */
typedef struct tt_pack {
    uint64_t bytes;
    int64_t ncol, nrow, nvalue, nbad;
    uint64_t cell, value, text, bad, bad_bytes; /* places from the start of the header */
    int64_t left_out;
    char category[128], first_bad[400];
} tt_pack;
/* Appends to out, whose size is a multiple of 8. */
void tt_rows_pack(const tt_rows *r, tt_buf *out);
const tt_cell *tt_pack_cell(const tt_pack *p, int64_t row, int col);
const char *tt_pack_value(const tt_pack *p, uint32_t value);

#endif
