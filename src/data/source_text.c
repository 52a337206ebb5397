/* Plain text: whole paragraphs up to a bounded size are a row, so that an epoch of a long book means something. */
#include "source.h"
#include "utf8.h"

#include <string.h>

enum { ROW_BYTES = 1500 };

/* Behind the blank line that ends the paragraph at p. */
static const char *paragraph_end(const char *p, const char *end)
{
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl) return end;
        p = nl + 1;
        const char *q = p;
        while (q < end && strchr(" \t\r", *q) && *q) q++;
        if (q < end && *q == '\n') return q + 1;
    }
    return end;
}

/* A place to cut a paragraph that is too long: behind the last line end in reach, else the last blank, else a whole character. */
static const char *cut_long(const char *p, const char *stop)
{
    const char *nl = memrchr(p, '\n', (size_t)(stop - p)), *blank = memrchr(p, ' ', (size_t)(stop - p));
    if (nl && nl > p) return nl + 1;
    if (blank && blank > p) return blank + 1;
    while (stop > p + 1 && ((unsigned char)*stop & 0xc0) == 0x80) stop--;
    return stop;
}

static const char *row_end(const char *p, const char *end)
{
    const char *limit = end - p > ROW_BYTES ? p + ROW_BYTES : end, *to = p;
    for (const char *next; to < limit; to = next) {
        next = paragraph_end(to, end);
        if (next > limit) break;
    }
    return to > p ? to : cut_long(p, limit);
}

static tt_err parse_text(tt_reader *r, char *text, size_t size, int64_t line)
{
    for (const char *p = text, *end = text + size, *to; p < end && !r->done; p = to) {
        to = row_end(p, end);
        size_t n = (size_t)(to - p);
        size_t lead = strspn(p, " \t\r\n");
        tt_row_begin(r, line);
        if (lead < n) {
            for (int c = 0; c < r->rows.ncol; c++) tt_row_value(r, c, p, n);
            TT_TRY(tt_row_end(r));
        }
        for (const char *q = p; q < to; q++) line += *q == '\n';
    }
    return TT_OK;
}

tt_err tt_head_text(tt_reader *r, const char *text, size_t size, tt_filehead *out)
{
    *out = (tt_filehead){.rows = parse_text};
    return TT_OK;
}
