/* A whole HDF5 file under a temporary name: reserve, write, fsync, read back, agree. See h5.h for why no collective MPI-IO. */
#include "ckpt.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

typedef struct job {
    const tt_mesh *m;
    const char *tmp;
    tt_h5plan *p;
    tt_blocks blocks;
} job;

static int64_t size_of(const tt_h5row *r) { return (int64_t)tt_dtype_size(r->type); }

/* ---- rank 0: structure and space -----------------------------------------------------------------------------------------*/
static int64_t bytes_needed(const tt_h5plan *p)
{
    int64_t n = 1 << 20; /* groups, headers */
    for (int i = 0; i < p->narray; i++) n += p->row[i].n * size_of(&p->row[i]) + 4096 + 1024;
    for (int i = 0; i < p->ntext; i++) n += p->text[i].text ? (int64_t)strlen(p->text[i].text) + 1024 : 0;
    return n;
}

/* Asks the file system for the bytes before anything is written. Where it cannot reserve, free space must do. */
static tt_err reserve(int fd, const job *j, int64_t bytes)
{
    const char *what = j->p->kind == TT_H5CKPT ? "no room for the checkpoint" : "no room for the columns";
    struct rlimit most; /* asked for here, because going beyond it would be a signal */
    if (getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur != RLIM_INFINITY && (rlim_t)bytes > most.rlim_cur)
        return tt_disk_fail(j->tmp, what, EFBIG);
    if (fallocate(fd, 0, 0, bytes) == 0) return TT_OK;
    if (errno != EOPNOTSUPP && errno != ENOSYS) return tt_disk_fail(j->tmp, what, errno);
    struct statvfs v;
    if (fstatvfs(fd, &v) == 0 && (double)v.f_bavail * (double)v.f_frsize < (double)bytes)
        return tt_disk_fail(j->tmp, what, ENOSPC);
    return TT_OK;
}

/* HDF5 does not survive a disk that fills while it closes a file, so room for everything is proved before it begins. */
static tt_err prove_room(const job *j)
{
    int fd = open(j->tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return tt_disk_fail(j->tmp, "cannot be made", errno);
    tt_err e = reserve(fd, j, bytes_needed(j->p));
    close(fd);
    return e;
}

static tt_err reserve_all(const job *j)
{
    int fd = open(j->tmp, O_RDWR | O_CLOEXEC);
    struct stat st;
    tt_err e =
        fd < 0 || fstat(fd, &st) != 0 ? tt_disk_fail(j->tmp, "cannot be opened", errno) : reserve(fd, j, st.st_size);
    if (fd >= 0) close(fd);
    return e;
}

static tt_err prepare(const job *j)
{
    TT_TRY(prove_room(j));
    TT_TRY(tt_h5_create(j->tmp, j->p));
    return reserve_all(j);
}

/* ---- the parts of all ranks: once every element --------------------------------------------------------------------------*/
typedef struct span {
    int64_t lo, hi;
} span;

static int by_lo(const void *a, const void *b)
{
    const span *x = a, *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* s: a span of each of size ranks, in any order. */
static void check_array(const tt_h5row *r, int size, span *s)
{
    int64_t at = 0;
    qsort(s, (size_t)size, sizeof *s, by_lo);
    for (int i = 0; i < size; i++) {
        if (s[i].lo == s[i].hi) continue;
        if (s[i].lo != at || s[i].hi < at)
            TT_BUG("%s: the ranks' parts do not meet at element %lld (a part is %lld..%lld)", r->path, (long long)at,
                   (long long)s[i].lo, (long long)s[i].hi);
        at = s[i].hi;
    }
    if (at != r->n) TT_BUG("%s: %lld of %lld elements were given", r->path, (long long)at, (long long)r->n);
}

/* Collective. Rank 0 looks, and ends the run if the caller is wrong. */
static void check_cover(const tt_mesh *m, const tt_h5plan *p)
{
    int size = tt_ck_size(m), n = p->narray;
    span *mine = tt_malloc(sizeof *mine * ((size_t)n + 1)), *all = mine;
    for (int i = 0; i < n; i++) mine[i] = (span){p->part[i].lo, p->part[i].hi};
    size_t *off = tt_malloc(sizeof *off * ((size_t)size + 1));
    void *got = NULL;
    if (size > 1) tt_gatherv(m, mine, sizeof *mine * (size_t)n, &got, off, 0);
    if (got) all = got;
    span *one = tt_malloc(sizeof *one * (size_t)size);
    for (int i = 0; i < n && tt_ck_root(m); i++) {
        for (int r = 0; r < size; r++) one[r] = all[(size_t)r * (size_t)n + (size_t)i];
        check_array(&p->row[i], size, one);
    }
    free(one);
    free(got);
    free(off);
    free(mine);
}

/* ---- all ranks: the numbers ------------------------------------------------------------------------------------------------*/
static tt_err write_parts(job *j, int fd)
{
    for (int i = 0; i < j->p->narray; i++) {
        const tt_h5part *a = &j->p->part[i];
        const tt_h5row *r = &j->p->row[i];
        if (a->lo == a->hi) continue;
        tt_blocks_add(&j->blocks, i, a->lo, a->hi, a->x);
        TT_TRY(tt_write_at(fd, j->tmp, a->x, (size_t)((a->hi - a->lo) * size_of(r)), r->at + a->lo * size_of(r)));
    }
    return tt_sync_fd(fd, j->tmp);
}

static tt_err write_mine(job *j)
{
    int fd = open(j->tmp, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return tt_disk_fail(j->tmp, "cannot be opened on every rank; is the folder shared by all nodes?", errno);
    tt_err e = write_parts(j, fd);
    if (close(fd) != 0 && e == TT_OK) e = tt_disk_fail(j->tmp, "cannot be closed", errno);
    return e;
}

/* ---- reading back ------------------------------------------------------------------------------------------------------------*/
/* Elements lo..hi of array i, which this rank holds, as they are in the file. buf: [TT_BLOCK_BYTES] */
static tt_err compare_piece(const job *j, int fd, int i, int64_t lo, int64_t hi, void *buf)
{
    const tt_h5part *a = &j->p->part[i];
    const tt_h5row *r = &j->p->row[i];
    if (lo >= hi) return TT_OK;
    size_t bytes = (size_t)((hi - lo) * size_of(r));
    TT_TRY(tt_read_at(fd, j->tmp, buf, bytes, r->at + lo * size_of(r)));
    if (!memcmp(buf, (const char *)a->x + (lo - a->lo) * size_of(r), bytes)) return TT_OK;
    return tt_fail(TT_ERUN, "%s: %s came back from the disk changed (elements %lld..%lld); check the file system",
                   j->tmp, r->path, (long long)lo, (long long)hi);
}

/* A block that is cut between ranks has its hash from the file alone: each rank looks at its piece of it. */
static tt_err compare_edges(const job *j, int fd)
{
    void *buf = tt_malloc(TT_BLOCK_BYTES);
    tt_err e = TT_OK;
    for (int i = 0; i < j->p->narray && e == TT_OK; i++) {
        const tt_h5part *a = &j->p->part[i];
        int64_t len = tt_block_len(&j->p->row[i]);
        int64_t front = (a->lo + len - 1) / len * len;
        int64_t back = a->hi == j->p->row[i].n ? a->hi : a->hi / len * len; /* the last block may be shorter */
        if (front > a->hi) front = a->hi;
        if (back < front) back = front;
        e = compare_piece(j, fd, i, a->lo, front, buf);
        if (e == TT_OK) e = compare_piece(j, fd, i, back, a->hi, buf);
    }
    free(buf);
    return e;
}

/* Collective. All hashes, and nothing that was read comes from this node's memory. */
static tt_err hash_all(job *j, int fd)
{
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    tt_err e = tt_blocks_finish(j->m, fd, j->tmp, &j->blocks);
    if (e == TT_OK) e = tt_blocks_compare(j->m, fd, j->tmp, &j->blocks);
    return e == TT_OK ? compare_edges(j, fd) : e;
}

/* Collective. */
static tt_err read_back(job *j)
{
    int fd;
    tt_err e = tt_ck_agree(j->m, tt_ck_open_read(j->tmp, &fd));
    if (e == TT_OK) e = tt_ck_agree(j->m, hash_all(j, fd));
    if (fd >= 0) close(fd);
    return e;
}

/* ---- rank 0: the checksums ---------------------------------------------------------------------------------------------------*/
/* The file opens, and its table of contents says what was meant. */
static tt_err check_structure(const job *j)
{
    tt_h5 h;
    int n;
    tt_h5row *row = NULL;
    TT_TRY(tt_h5_open(&h, j->tmp, j->p->kind));
    tt_err e = tt_h5_rows(&h, &n, &row);
    tt_h5_close(&h);
    for (int i = 0; i < j->p->narray && e == TT_OK; i++) {
        const tt_h5row *want = &j->p->row[i], *r = tt_ck_find_row(n, row, want->path);
        if (!r || r->type != want->type || r->at != want->at || r->n != want->n || strcmp(r->hash, want->hash))
            e = tt_fail(TT_ERUN, "%s: %s came back from the disk changed; check the file system", j->tmp, want->path);
    }
    free(row);
    return e;
}

static tt_err seal(job *j)
{
    for (int i = 0; i < j->p->narray; i++) tt_blocks_sum(&j->blocks, i, j->p->row[i].hash);
    TT_TRY(tt_h5_seal(j->tmp, j->p));
    int fd;
    TT_TRY(tt_ck_open_read(j->tmp, &fd));
    tt_err e = tt_sync_fd(fd, j->tmp);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return e == TT_OK ? check_structure(j) : e;
}

/* Each stage ends in an agreement, so no rank is left waiting in the next one. */
static tt_err stages(job *j)
{
    const tt_mesh *m = j->m;
    check_cover(m, j->p);
    TT_TRY(tt_ck_agree(m, tt_ck_root(m) ? prepare(j) : TT_OK));
    tt_ck_bcast(m, j->p->row, sizeof *j->p->row * (size_t)j->p->narray);
    TT_TRY(tt_ck_agree(m, write_mine(j)));
    TT_TRY(read_back(j));
    return tt_ck_agree(m, tt_ck_root(m) ? seal(j) : TT_OK);
}

tt_err tt_h5_write(const tt_mesh *m, const char *tmp, tt_h5plan *p)
{
    job j = {.m = m, .tmp = tmp, .p = p};
    tt_blocks_init(&j.blocks, p->narray, p->row);
    tt_err e = stages(&j);
    tt_blocks_fini(&j.blocks);
    return e;
}
