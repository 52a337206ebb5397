/* Contents of files as hashes: of blocks, so that all ranks share the work, and of these the whole. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { BLOCK = 8 << 20 };

static tt_err hash_block(const char *path, int64_t at, char *buf, uint64_t *out)
{
    size_t n = 0;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tt_fail(TT_EDATA, "%s: cannot be opened: %s", path, strerror(errno));
    while (n < BLOCK && (got = pread(fd, buf + n, BLOCK - n, at + (int64_t)n)) != 0) {
        if (got < 0 && errno != EINTR) break;
        if (got > 0) n += (size_t)got;
    }
    int why = errno;
    close(fd);
    if (got < 0) return tt_fail(TT_EDATA, "%s: cannot be read: %s", path, strerror(why));
    *out = XXH3_64bits(buf, n);
    return TT_OK;
}

static int64_t blocks_of(int64_t size) { return (size + BLOCK - 1) / BLOCK; }

tt_err tt_files_hash(const tt_mesh *m, int n, const tt_fileid *file, char (*hex)[33])
{
    int64_t total = 0, k = 0;
    for (int i = 0; i < n; i++) total += blocks_of(file[i].size);
    uint64_t *hash = tt_malloc(sizeof *hash * (size_t)(total + 1));
    memset(hash, 0, sizeof *hash * (size_t)(total + 1));
    char *buf = tt_malloc(BLOCK);
    tt_err e = TT_OK;
    for (int i = 0; i < n; i++)
        for (int64_t b = 0; b < blocks_of(file[i].size); b++, k++) {
            if (k % m->size != m->rank || e != TT_OK) continue;
            e = hash_block(file[i].path, b * BLOCK, buf, &hash[k]);
            tt_watch_kick("comparing data files");
        }
    free(buf);
    e = tt_agree(m, e);
    tt_allsum_i64(m, (int64_t *)(void *)hash, total); /* each was computed by one rank and is 0 on the others */
    for (int i = 0, at = 0; i < n; i++) {
        XXH128_hash_t h = XXH3_128bits(hash + at, sizeof *hash * (size_t)blocks_of(file[i].size));
        snprintf(hex[i], 33, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
        at += (int)blocks_of(file[i].size);
    }
    free(hash);
    return e;
}
