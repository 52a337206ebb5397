#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { STEP = 1 << 16 }; /* bytes asked for at once */

struct tt_stream {
    const char *path;
    int fd;
    gzFile gz; /* NULL: a plain file */
    int64_t size;
    /* The window: bytes base .. base+n-1 of the unpacked file. */
    char *p;
    int64_t base;
    size_t n, cap;
    bool end;     /* nothing behind the window */
    size_t ended; /* where the last call put a 0 ... */
    char under;   /* ... over this byte */
    char *head;
    size_t head_size;
};

static tt_err open_packed(tt_stream *s)
{
    uint32_t size;
    if (pread(s->fd, &size, sizeof size, s->size - 4) == 4 && size > s->size) s->size = size;
    int fd = dup(s->fd);
    s->gz = fd < 0 ? NULL : gzdopen(fd, "rb");
    if (!s->gz) return tt_fail(TT_EDATA, "%s: cannot be opened: %s", s->path, strerror(errno));
    gzbuffer(s->gz, 1 << 18);
    return TT_OK;
}

tt_err tt_stream_open(const char *path, tt_stream **out)
{
    struct stat st;
    unsigned char magic[2] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        int why = errno;
        if (fd >= 0) close(fd);
        return tt_fail(TT_EDATA, "%s: cannot be opened: %s", path, strerror(why));
    }
    tt_stream *s = tt_malloc(sizeof *s);
    *s = (tt_stream){.path = path, .fd = fd, .size = st.st_size};
    tt_err e = TT_OK;
    if (S_ISDIR(st.st_mode)) e = tt_fail(TT_EDATA, "%s: is a folder, a file is needed", path);
    if (e == TT_OK && pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b) e = open_packed(s);
    if (e != TT_OK)
        tt_stream_close(s);
    else
        *out = s;
    return e;
}

void tt_stream_close(tt_stream *s)
{
    if (!s) return;
    if (s->gz) gzclose_r(s->gz);
    close(s->fd);
    free(s->p);
    free(s->head);
    free(s);
}

bool tt_stream_packed(const tt_stream *s) { return s->gz != NULL; }
int64_t tt_stream_size(const tt_stream *s) { return s->size; }

/* ---- the window -----------------------------------------------------------------------------------------------------*/

static tt_err read_plain(tt_stream *s, char *to, size_t n, size_t *got)
{
    ssize_t k;
    do k = pread(s->fd, to, n, s->base + (int64_t)s->n);
    while (k < 0 && errno == EINTR);
    *got = k > 0 ? (size_t)k : 0;
    return k >= 0 ? TT_OK : tt_fail(TT_EDATA, "%s: cannot be read: %s", s->path, strerror(errno));
}

static tt_err read_packed(tt_stream *s, char *to, size_t n, size_t *got)
{
    int code = Z_OK, k = gzread(s->gz, to, (unsigned)n);
    *got = k > 0 ? (size_t)k : 0;
    if (k > 0) return TT_OK;
    const char *why = gzerror(s->gz, &code);
    if (code == Z_OK || code == Z_STREAM_END) return TT_OK;
    if (code == Z_BUF_ERROR)
        return tt_fail(TT_EDATA, "%s: ends in the middle of its compressed data; copy it again", s->path);
    return tt_fail(TT_EDATA, "%s: cannot be read: %s; the file is damaged or incomplete, copy it again", s->path, why);
}

/* One more step of the file. */
static tt_err grow(tt_stream *s)
{
    size_t got;
    if (s->n + STEP + 1 > s->cap) {
        s->cap = 2 * (s->n + STEP + 1);
        s->p = tt_realloc(s->p, s->cap);
    }
    TT_TRY((s->gz ? read_packed : read_plain)(s, s->p + s->n, STEP, &got));
    s->n += got;
    s->end = got == 0;
    return TT_OK;
}

/* The window reaches to place to, or to the end. */
static tt_err reach(tt_stream *s, int64_t to)
{
    while (!s->end && s->base + (int64_t)s->n < to) TT_TRY(grow(s));
    return TT_OK;
}

static void forget(tt_stream *s, size_t n)
{
    memmove(s->p, s->p + n, s->n - n);
    s->base += (int64_t)n;
    s->n -= n;
}

static tt_err restart(tt_stream *s, int64_t at)
{
    s->base = at;
    s->n = 0;
    s->end = false;
    if (s->gz && gzrewind(s->gz)) return tt_fail(TT_EDATA, "%s: cannot be read again from its start", s->path);
    return TT_OK;
}

/* The window starts at place at, or holds nothing behind it. */
static tt_err move_to(tt_stream *s, int64_t at)
{
    if (s->under || s->ended) s->p[s->ended] = s->under;
    s->under = 0;
    s->ended = 0;
    int64_t stop = s->base + (int64_t)s->n;
    if (at < s->base || (at > stop && !s->gz)) TT_TRY(restart(s, s->gz ? 0 : at));
    while (s->base + (int64_t)s->n < at && !s->end) {
        forget(s, s->n);
        TT_TRY(grow(s));
    }
    if (at > s->base) forget(s, (size_t)(at - s->base) < s->n ? (size_t)(at - s->base) : s->n);
    return TT_OK;
}

/* ---- lines ----------------------------------------------------------------------------------------------------------*/

/* The offset behind the first line end at or behind offset from, reading on as needed; at the end of the file its size. */
static tt_err line_end(tt_stream *s, size_t from, size_t *to)
{
    for (;;) {
        char *nl = from < s->n ? memchr(s->p + from, '\n', s->n - from) : NULL;
        *to = nl ? (size_t)(nl - s->p) + 1 : s->n;
        if (nl || s->end) return TT_OK;
        from = from > s->n ? from : s->n;
        TT_TRY(grow(s));
    }
}

static void end_text(tt_stream *s, size_t at)
{
    if (!s->cap) s->p = tt_realloc(s->p, s->cap = STEP);
    s->ended = at;
    s->under = at < s->n ? s->p[at] : 0;
    s->p[at] = 0;
}

static bool blank(const char *p, size_t n)
{
    while (n && strchr(" \t\r\n", *p) && *p) p++, n--;
    return n == 0;
}

tt_err tt_stream_head(tt_stream *s, const char **text, size_t *size)
{
    size_t to = 0;
    if (!s->head) {
        TT_TRY(move_to(s, 0));
        do TT_TRY(line_end(s, to, &to));
        while (blank(s->p, to) && !(s->end && to == s->n));
        s->head = tt_malloc(to + 1);
        if (to) memcpy(s->head, s->p, to);
        s->head[to] = 0;
        s->head_size = to;
    }
    *text = s->head;
    *size = s->head_size;
    return TT_OK;
}

tt_err tt_stream_lines(tt_stream *s, int64_t first, int64_t lo, int64_t hi, char **text, size_t *size, bool *last)
{
    size_t from = 0, to = 0;
    bool inside = lo > first; /* of a line perhaps: the one before must end first */
    int64_t base = inside ? lo - 1 : first;
    TT_TRY(move_to(s, base));
    TT_TRY(reach(s, hi));
    if (inside && s->n) {
        /* Beyond hi nobody's line starts for us: a long line is not searched to its end by each run that it covers. */
        size_t reachable = (size_t)(hi - base) < s->n ? (size_t)(hi - base) : s->n;
        char *nl = memchr(s->p, '\n', reachable);
        from = nl ? (size_t)(nl - s->p) + 1 : reachable;
    }
    to = from;
    if (base + (int64_t)from < hi && from < s->n) TT_TRY(line_end(s, (size_t)(hi - 1 - base), &to));
    *last = s->end && to == s->n;
    end_text(s, to);
    *text = s->p + from;
    *size = to - from;
    return TT_OK;
}
