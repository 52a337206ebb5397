/* Writing a checkpoint: reserve, write, fsync, read back, agree, rename. See h5.h for why no collective MPI-IO. */
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
    const tt_ckpt *c;
    const char *path;
    const char *dir; /* NULL: a file for itself, with no owner and no pointer */
    char *tmp;
    tt_ckrow *row;
    tt_blocks blocks;
} job;

/* ---- rank 0: structure and space -----------------------------------------------------------------------------------------*/
static int64_t bytes_needed(const tt_ckpt *c)
{
    int64_t n = 1 << 20; /* groups, headers */
    for (int i = 0; i < c->narray; i++) n += c->array[i].n * 4 + 4096 + 1024;
    for (int i = 0; i < c->ntext; i++) n += c->text[i].text ? (int64_t)strlen(c->text[i].text) + 1024 : 0;
    return n;
}

/* Asks the file system for the bytes before anything is written. Where it cannot reserve, free space must do. */
static tt_err reserve(int fd, const char *path, int64_t bytes)
{
    struct rlimit most; /* asked for here, because going beyond it would be a signal */
    if (getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur != RLIM_INFINITY && (rlim_t)bytes > most.rlim_cur)
        return tt_disk_fail(path, "no room for the checkpoint", EFBIG);
    if (fallocate(fd, 0, 0, bytes) == 0) return TT_OK;
    if (errno != EOPNOTSUPP && errno != ENOSYS) return tt_disk_fail(path, "no room for the checkpoint", errno);
    struct statvfs v;
    if (fstatvfs(fd, &v) == 0 && (double)v.f_bavail * (double)v.f_frsize < (double)bytes)
        return tt_disk_fail(path, "no room for the checkpoint", ENOSPC);
    return TT_OK;
}

/* HDF5 does not survive a disk that fills while it closes a file, so room for everything is proved before it begins. */
static tt_err prove_room(const job *j)
{
    int fd = open(j->tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return tt_disk_fail(j->tmp, "cannot be made", errno);
    tt_err e = reserve(fd, j->tmp, bytes_needed(j->c));
    close(fd);
    return e;
}

static tt_err reserve_all(const job *j)
{
    int fd = open(j->tmp, O_RDWR | O_CLOEXEC);
    struct stat st;
    tt_err e = fd < 0 || fstat(fd, &st) != 0 ? tt_disk_fail(j->tmp, "cannot be opened", errno)
                                             : reserve(fd, j->tmp, st.st_size);
    if (fd >= 0) close(fd);
    return e;
}

static tt_err prepare(job *j)
{
    if (j->dir) {
        TT_TRY(tt_mkdirs(j->dir));
        TT_TRY(tt_ck_may_commit(j->dir));
    }
    TT_TRY(prove_room(j));
    TT_TRY(tt_h5_create(j->tmp, j->c, j->row));
    return reserve_all(j);
}

/* ---- all ranks: the numbers ------------------------------------------------------------------------------------------------*/
static tt_err write_parts(job *j, int fd)
{
    for (int i = 0; i < j->c->narray; i++) {
        const tt_ckarray *a = &j->c->array[i];
        if (a->lo >= a->hi) continue;
        /* Cuts lie between blocks: tt_cuts and the owners of whole arrays see to it. */
        if (a->lo % TT_BLOCK || (a->hi % TT_BLOCK && a->hi != a->n) || a->lo < 0 || a->hi > a->n)
            TT_BUG("%s: part %lld..%lld of %lld is not cut at blocks", a->path, (long long)a->lo, (long long)a->hi,
                   (long long)a->n);
        tt_blocks_add(&j->blocks, i, a->lo, a->hi, a->x);
        TT_TRY(tt_write_at(fd, j->tmp, a->x, (size_t)(a->hi - a->lo) * 4, j->row[i].at + a->lo * 4));
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

/* Every element was given by exactly one rank. */
static void check_cover(const tt_blocks *b)
{
    for (int i = 0; i < b->n; i++)
        for (int64_t k = b->first[i]; k < b->first[i + 1]; k++)
            if (b->times[k] != 1)
                TT_BUG("%s: block %lld was given by %s rank", b->row[i].path, (long long)(k - b->first[i]),
                       b->times[k] ? "more than one" : "no");
}

static tt_err seal(job *j)
{
    for (int i = 0; i < j->c->narray; i++) tt_blocks_sum(&j->blocks, i, j->row[i].hash);
    TT_TRY(tt_h5_seal(j->tmp, j->c->narray, j->row));
    int fd;
    TT_TRY(tt_ck_open_read(j->tmp, &fd));
    tt_err e = tt_sync_fd(fd, j->tmp);
    close(fd);
    return e;
}

/* ---- reading back ------------------------------------------------------------------------------------------------------------*/
/* Rank 0: the file opens, and its table of contents says what was meant. */
static tt_err check_structure(const job *j)
{
    tt_h5 h;
    int n;
    tt_ckrow *row = NULL;
    TT_TRY(tt_h5_open(&h, j->tmp));
    tt_err e = tt_h5_rows(&h, &n, &row);
    tt_h5_close(&h);
    for (int i = 0; i < j->c->narray && e == TT_OK; i++) {
        const tt_ckrow *r = tt_ck_find_row(n, row, j->row[i].path);
        if (!r || r->at != j->row[i].at || r->n != j->row[i].n || strcmp(r->hash, j->row[i].hash))
            e = tt_fail(TT_ERUN, "%s: %s came back from the disk changed; check the file system", j->tmp,
                        j->row[i].path);
    }
    free(row);
    return e;
}

static tt_err check_mine(job *j)
{
    int fd;
    TT_TRY(tt_ck_open_read(j->tmp, &fd));
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* from the disk, not from this node's memory */
    tt_err e = tt_blocks_each(j->m, fd, j->tmp, &j->blocks, false, tt_block_compare);
    close(fd);
    return e == TT_OK && tt_ck_root(j->m) ? check_structure(j) : e;
}

/* ---- the commit -----------------------------------------------------------------------------------------------------------------*/
/* The pointer is written before the rename, so that after the rename nothing needs space. */
static tt_err commit(const job *j)
{
    if (!j->dir) return tt_rename(j->tmp, j->path);
    tt_out pointer = {.fd = -1};
    char *latest = tt_malloc(strlen(j->dir) + 8), name[64];
    strcat(strcpy(latest, j->dir), "/latest");
    snprintf(name, sizeof name, "%s\n", strrchr(j->path, '/') + 1);
    tt_err e = tt_out_begin(&pointer, latest);
    free(latest);
    if (e != TT_OK) return e;
    e = tt_out_write(&pointer, name, strlen(name));
    if (e == TT_OK) e = tt_out_seal(&pointer);
    if (e == TT_OK) e = tt_ck_may_commit(j->dir);
    if (e == TT_OK) e = tt_rename(j->tmp, j->path);
    if (e == TT_OK) e = tt_out_rename(&pointer);
    tt_out_drop(&pointer);
    return e;
}

/* Collective: each stage ends in an agreement, so no rank is left waiting in the next one. */
static tt_err stages(job *j)
{
    const tt_mesh *m = j->m;
    bool root = tt_ck_root(m);
    TT_TRY(tt_ck_agree(m, root ? prepare(j) : TT_OK));
    tt_ck_bcast(m, j->row, sizeof *j->row * (size_t)j->c->narray);
    TT_TRY(tt_ck_agree(m, write_mine(j)));
    tt_blocks_exchange(m, &j->blocks);
    check_cover(&j->blocks);
    TT_TRY(tt_ck_agree(m, root ? seal(j) : TT_OK));
    TT_TRY(tt_ck_agree(m, check_mine(j)));
    return tt_ck_agree(m, root ? commit(j) : TT_OK);
}

static tt_ckrow *plan_rows(const tt_ckpt *c)
{
    size_t bytes = sizeof(tt_ckrow) * ((size_t)c->narray + 1);
    tt_ckrow *row = tt_malloc(bytes);
    memset(row, 0, bytes);
    for (int i = 0; i < c->narray; i++) {
        const tt_ckarray *a = &c->array[i];
        memcpy(row[i].path, a->path, sizeof row[i].path);
        memcpy(row[i].shape, a->shape, sizeof row[i].shape);
        row[i].ndim = a->ndim;
        row[i].n = a->n;
    }
    return row;
}

static tt_err save(const tt_mesh *m, const char *path, const char *dir, const tt_ckpt *c)
{
    job j = {.m = m, .c = c, .path = path, .dir = dir, .row = plan_rows(c), .tmp = tt_malloc(strlen(path) + 5)};
    strcat(strcpy(j.tmp, path), ".tmp");
    tt_blocks_init(&j.blocks, c->narray, j.row);
    tt_err e = stages(&j);
    if (e != TT_OK && tt_ck_root(m)) unlink(j.tmp);
    tt_blocks_fini(&j.blocks);
    free(j.row);
    free(j.tmp);
    return e;
}

tt_err tt_ckpt_save(const tt_mesh *m, const char *path, const tt_ckpt *c) { return save(m, path, NULL, c); }

tt_err tt_ckpt_write(const tt_mesh *m, const char *dir, int64_t step, const tt_ckpt *c)
{
    char *path = tt_ck_path(dir, step);
    tt_err e = save(m, path, dir, c);
    free(path);
    return e;
}
