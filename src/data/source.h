/* Sources: one parser per file format, all feeding one reader that checks rows. Private to data.
 *
 * A file is a head (a table's line of names, a task's header; often nothing) and a body. In most formats the body's rows are lines, so
 * that any run of whole lines can be parsed alone, given the head: the token store is made of such runs, in parallel. */
#ifndef TUTTI_DATA_SOURCE_H
#define TUTTI_DATA_SOURCE_H

#include "entry.h"
#include "rows.h"

/* A row in progress and the rows so far. */
typedef struct tt_reader {
    const tt_spec *spec;
    bool fail;         /* data.on_bad_row: fail */
    bool empty_fine;   /* an empty target is allowed: the objective makes its own */
    bool whole;        /* take all rows: the split is applied later */
    bool unfit;        /* keep rows that no template can use, too, and note why: other templates may */
    bool done;         /* the limit is reached or the file left out: parsers stop */
    int64_t taken;     /* usable rows in the split so far */
    int64_t line;      /* where the row in progress starts */
    int64_t at;        /* place in the file of the text that is parsed, bytes */
    int *field, width; /* tables: the field of each column (-1: none), fields of a row */
    tt_cell *cell;     /* [ncol] */
    tt_cell *fixed;    /* [ncol]: cells that all rows share (n > 0), of the file's header */
    int64_t mark[3];   /* sizes of rows.value, rows.text and rows.nvalue before the row */
    char trouble[200]; /* why the row in progress is bad; "": nothing yet */
    bool hard;         /* a value of it is the trouble: no template could use the row */
    tt_rows rows;
} tt_reader;

/* Local. Rows of text[size], which is 0-terminated and may be changed; its first line is number line of the file. */
typedef tt_err tt_parse(tt_reader *r, char *text, size_t size, int64_t line);

typedef struct tt_filehead { /* what stands before the rows, and how these are read */
    size_t bytes;
    int64_t lines;
    tt_parse *rows;
    bool lines_alone; /* rows are lines: any run of whole lines may be parsed alone */
} tt_filehead;

typedef struct tt_format {
    const char *name, *ends[4]; /* file names that mean this format when none is given */
    const char *const *columns; /* NULL-terminated; NULL: what the file has */
    bool numbered;              /* a missing column "x" may stand in the file as x1, x2, ... (references) */
    /* Local. Reads the head from the first size bytes of the file, which hold at least the first line that is not blank, to its end, and
     * makes r ready for its rows. text is 0-terminated. */
    tt_err (*head)(tt_reader *r, const char *text, size_t size, tt_filehead *out);
    tt_pattern_text templates[4]; /* defaults; the unused ones are zero */
} tt_format;

const tt_format *tt_format_named(const char *name);
const tt_format *tt_format_of(const char *path); /* by the end of the name; NULL: unknown */
const char *tt_format_names(void);

/* Local. The file of spec as rows. TT_EDATA (file cannot be read; a bad row when fail), TT_EJOB. Free r->rows in any case. */
tt_err tt_source_read(const tt_spec *spec, bool fail, bool empty_fine, tt_arena *a, tt_reader *r);

size_t tt_bom(const char *text, size_t size); /* bytes of a byte order mark at the start of a file */
/* Local. A reader of spec without rows, its columns' places in a; the head is read next. */
void tt_reader_init(tt_reader *r, const tt_spec *spec, bool empty_fine, tt_arena *a);
/* Why no example can be made of a row; NULL if one can. cell[templates->ncol]. */
const char *tt_row_fault(const tt_spec *spec, bool empty_fine, const tt_cell *cell, tt_valuefn *value, const void *ctx);

/* For parsers: begin, values (all of a column in a run, columns in any order), end; or bad. A value with a zero byte or that is
 * not UTF-8 makes the row bad. */
void tt_row_begin(tt_reader *r, int64_t line);
void tt_row_value(tt_reader *r, int col, const char *text, size_t size);
void tt_row_trouble(tt_reader *r, const char *fmt, ...)
    TT_PRINTF(2, 3); /* a value makes the row in progress bad; the first reason stays */
void tt_row_lacking(tt_reader *r, const char *fmt, ...)
    TT_PRINTF(2, 3);                    /* the same, but other templates could use the row */
int tt_row_missing(const tt_reader *r); /* first column that is needed and has no value, or -1 */
tt_err tt_row_end(tt_reader *r);
/* The reason continues "line 40 ...": has no "output" */
tt_err tt_row_bad(tt_reader *r, int64_t line, const char *fmt, ...) TT_PRINTF(3, 4);

tt_err tt_head_jsonl(tt_reader *r, const char *text, size_t size, tt_filehead *out);
tt_err tt_head_json(tt_reader *r, const char *text, size_t size, tt_filehead *out); /* one array of objects, or JSONL */
tt_err tt_head_superni(tt_reader *r, const char *text, size_t size, tt_filehead *out);
tt_err tt_head_headed(tt_reader *r, const char *text, size_t size, tt_filehead *out);
tt_err tt_head_nested(tt_reader *r, const char *text, size_t size, tt_filehead *out);
tt_err tt_head_tsv(tt_reader *r, const char *text, size_t size, tt_filehead *out);
tt_err tt_head_csv(tt_reader *r, const char *text, size_t size, tt_filehead *out);
tt_err tt_head_text(tt_reader *r, const char *text, size_t size, tt_filehead *out);

#endif
