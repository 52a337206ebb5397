/* Time, files, words. */
#include "tutti/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

double tt_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static tt_err slurp_open(gzFile z, const char *path, char **text, size_t *size)
{
    size_t cap = 1 << 16, n = 0;
    char *buf = tt_malloc(cap + 1);
    for (;;) {
        int got = gzread(z, buf + n, (unsigned)(cap - n < (1u << 30) ? cap - n : 1u << 30));
        if (got < 0) {
            int code;
            tt_err e = tt_fail(TT_EDATA, "%s: cannot be read: %s; the file is damaged or incomplete, copy it again",
                               path, gzerror(z, &code));
            free(buf);
            return e;
        }
        if (got == 0) break;
        n += (size_t)got;
        if (n == cap) buf = tt_realloc(buf, (cap *= 2) + 1);
    }
    buf[n] = 0;
    *text = buf;
    *size = n;
    return TT_OK;
}

tt_err tt_slurp(const char *path, char **text, size_t *size)
{
    struct stat st;
    *text = NULL;
    *size = 0;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return tt_fail(TT_EDATA, "%s: is a folder, a file is needed", path);
    gzFile z = gzopen(path, "rb");
    if (!z) return tt_fail(TT_EDATA, "%s: cannot be opened: %s", path, strerror(errno));
    gzbuffer(z, 1 << 18);
    tt_err e = slurp_open(z, path, text, size);
    /* A gzip stream cut short reads as an early end; only gzclose tells. */
    if (gzclose_r(z) != Z_OK && e == TT_OK) {
        free(*text);
        *text = NULL;
        *size = 0;
        e = tt_fail(TT_EDATA, "%s: ends in the middle of its compressed data; copy it again", path);
    }
    return e;
}

void tt_share(int64_t total, int rank, int size, int64_t *lo, int64_t *hi)
{
    *lo = (int64_t)((__int128)total * rank / size);
    *hi = (int64_t)((__int128)total * (rank + 1) / size);
}

int64_t tt_deal_nth(const tt_deal *d, int64_t total, int64_t k)
{
    int64_t lo, hi;
    tt_share(total, d->rank, d->size, &lo, &hi);
    int64_t i = d->turns ? d->rank + k * d->size : lo + k;
    return i < (d->turns ? total : hi) ? i : -1;
}

bool tt_deal_has(const tt_deal *d, int64_t total, int64_t i)
{
    int64_t lo, hi;
    tt_share(total, d->rank, d->size, &lo, &hi);
    return d->turns ? i % d->size == d->rank : i >= lo && i < hi;
}

bool tt_exists(const char *path) { return access(path, F_OK) == 0; }

tt_err tt_mkdirs(const char *path)
{
    char *p = strdup(path);
    for (char *s = p + 1; *s; s++)
        if (*s == '/') {
            *s = 0;
            mkdir(p, 0777);
            *s = '/';
        }
    int rc = mkdir(p, 0777), why = errno;
    free(p);
    struct stat st;
    if (rc == 0 || (stat(path, &st) == 0 && S_ISDIR(st.st_mode))) return TT_OK;
    return tt_fail(TT_ERUN, "%s: cannot be made: %s; choose another folder", path, strerror(why));
}

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

static int edit_distance(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > 127 || m > 127) return 1000;
    int row[128];
    for (int j = 0; j <= m; j++) row[j] = j;
    for (int i = 1; i <= n; i++) {
        int diag = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            int up = row[j];
            row[j] = min3(up + 1, row[j - 1] + 1, diag + (a[i - 1] != b[j - 1]));
            diag = up;
        }
    }
    return row[m];
}

const char *tt_nearest(const char *w, const char *const *words, int n)
{
    const char *best = NULL;
    int least = 2 + (int)strlen(w) / 4;
    for (int i = 0; i < n; i++) {
        int d = edit_distance(w, words[i]);
        if (d < least) {
            least = d;
            best = words[i];
        }
    }
    return best;
}
