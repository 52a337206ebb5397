/* A data file's bytes, unpacked if it is gzipped, as runs of whole lines anywhere in it. Private to data. */
#ifndef TUTTI_DATA_STREAM_H
#define TUTTI_DATA_STREAM_H

#include "tutti/base.h"

typedef struct tt_stream tt_stream;
/* Local. TT_EDATA. */
tt_err tt_stream_open(const char *path, tt_stream **out);
void tt_stream_close(tt_stream *s);        /* NULL: nothing */
bool tt_stream_packed(const tt_stream *s); /* gzip: places are reached by unpacking all that stands before them */
int64_t tt_stream_size(
    const tt_stream *s); /* bytes unpacked; of a packed file what its trailer says: modulo 2^32, of its last member */

/* Local. The start of the file, through the end of the first line that is not blank; 0-terminated, lives as long as s. */
tt_err tt_stream_head(tt_stream *s, const char **text, size_t *size);
/* Local. The whole lines that start in [lo, hi); the first line starts at place first. They are 0-terminated, may be changed and live
 * until the next call. *last: no line starts behind them. Memory: hi - lo and the last line. Quick for lo at or behind the last call's hi.
 * TT_EDATA: the file cannot be read or is damaged. */
tt_err tt_stream_lines(tt_stream *s, int64_t first, int64_t lo, int64_t hi, char **text, size_t *size, bool *last);

#endif
