/* Sources: one parser per file format, all feeding one reader that checks rows. Private to data. */
#ifndef TUTTI_DATA_SOURCE_H
#define TUTTI_DATA_SOURCE_H

#include "entry.h"
#include "rows.h"

/* A row in progress and the rows so far. */
typedef struct tt_reader {
    const tt_spec *spec;
    bool fail;            /* data.on_bad_row: fail */
    bool empty_fine;      /* an empty target is allowed: the objective makes its own */
    bool whole;           /* take all rows: the split is applied later */
    bool done;            /* the limit is reached or the file left out: parsers stop */
    int64_t line;         /* where the row in progress starts */
    tt_cell *cell;        /* [ncol] */
    const tt_cell *fixed; /* [ncol]: cells that all rows share (n > 0), of the file's header; NULL: none */
    int64_t mark[3];      /* sizes of rows.value, rows.text and rows.nvalue before the row */
    char trouble[200];    /* of a value of the row: why the row is bad; "": none */
    tt_rows rows;
} tt_reader;

typedef struct tt_format {
    const char *name, *ends[4]; /* file names that mean this format when none is given */
    const char *const *columns; /* NULL-terminated; NULL: what the file has */
    bool numbered;              /* a missing column "x" may stand in the file as x1, x2, ... (references) */
    /* Local. text[size] is 0-terminated and may be changed. */
    tt_err (*parse)(tt_reader *r, char *text, size_t size);
    tt_pattern_text templates[4]; /* defaults; the unused ones are zero */
} tt_format;

const tt_format *tt_format_named(const char *name);
const tt_format *tt_format_of(const char *path); /* by the end of the name; NULL: unknown */
const char *tt_format_names(void);

/* Local. The file of spec as rows. TT_EDATA (file cannot be read; a bad row when fail), TT_EJOB. Free r->rows in any case. */
tt_err tt_source_read(const tt_spec *spec, bool fail, bool empty_fine, tt_arena *a, tt_reader *r);

/* For parsers: begin, values (all of a column in a run, columns in any order), end; or bad. A value with a zero byte or that is
 * not UTF-8 makes the row bad. */
void tt_row_begin(tt_reader *r, int64_t line);
void tt_row_value(tt_reader *r, int col, const char *text, size_t size);
void tt_row_trouble(tt_reader *r, const char *fmt, ...)
    TT_PRINTF(2, 3);                    /* the row in progress will be bad; the first reason stays */
int tt_row_missing(const tt_reader *r); /* first column that is needed and has no value, or -1 */
tt_err tt_row_end(tt_reader *r);
/* The reason continues "line 40 ...": has no "output" */
tt_err tt_row_bad(tt_reader *r, int64_t line, const char *fmt, ...) TT_PRINTF(3, 4);

tt_err tt_parse_jsonl(tt_reader *r, char *text, size_t size);
tt_err tt_parse_json(tt_reader *r, char *text, size_t size); /* one array of objects, or JSONL */
tt_err tt_parse_superni(tt_reader *r, char *text, size_t size);
tt_err tt_parse_headed(tt_reader *r, char *text, size_t size);
tt_err tt_parse_nested(tt_reader *r, char *text, size_t size);
tt_err tt_parse_tsv(tt_reader *r, char *text, size_t size);
tt_err tt_parse_csv(tt_reader *r, char *text, size_t size);
tt_err tt_parse_text(tt_reader *r, char *text, size_t size);

#endif
