/* A checkpoint of a model, beside a plain file of as many bytes on the same disk. */
#include "bench.h"
#include "tutti/optim.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct disk {
    char dir[4096], file[4200];
    size_t bytes; /* of the checkpoint */
    double raw, ckpt;
} disk;

/* Seconds to write bytes and have them on the disk, as dd bs=4M conv=fsync. */
static tt_err write_plain(disk *d, double *seconds)
{
    enum { PIECE = 4 << 20 };
    char *piece = tt_malloc_large(PIECE);
    for (size_t i = 0; i < PIECE; i++) piece[i] = (char)(tt_mix64(i) >> 56); /* disks that compress gain nothing */
    double start = tt_now();
    int fd = open(d->file, O_CREAT | O_WRONLY | O_TRUNC, 0600), bad = fd < 0;
    for (size_t at = 0; at < d->bytes && !bad;) {
        ssize_t n = write(fd, piece, d->bytes - at < PIECE ? d->bytes - at : PIECE);
        bad = n <= 0;
        if (!bad) at += (size_t)n;
    }
    bad = bad || fsync(fd) != 0;
    int why = errno;
    *seconds = tt_now() - start;
    if (fd >= 0) close(fd);
    unlink(d->file);
    free(piece);
    return bad ? tt_fail(TT_ERUN, "%s: cannot be written: %s; choose a folder with disk=DIR", d->file, strerror(why))
               : TT_OK;
}

static tt_err write_checkpoint(const tt_mesh *m, disk *d, const tt_ckpt *c, double *seconds)
{
    double start = tt_now();
    TT_TRY(tt_ckpt_write(m, d->dir, 1, c));
    *seconds = tt_now() - start;
    struct stat st;
    snprintf(d->file, sizeof d->file, "%s/step-00000001.h5", d->dir);
    if (stat(d->file, &st) == 0) d->bytes = (size_t)st.st_size;
    unlink(d->file);
    snprintf(d->file, sizeof d->file, "%s/plain", d->dir);
    return TT_OK;
}

static tt_err take_turns(const tt_mesh *m, disk *d, const tt_ckpt *c, int times)
{
    for (int t = 0; t < times; t++) {
        double s;
        TT_TRY(write_checkpoint(m, d, c, &s));
        if (d->ckpt == 0 || s < d->ckpt) d->ckpt = s;
        TT_TRY(write_plain(d, &s));
        if (d->raw == 0 || s < d->raw) d->raw = s;
    }
    return TT_OK;
}

static tt_err with_model(const tt_mesh *m, const tt_bench_dims *dims, disk *d, int times)
{
    tt_arena *a = tt_arena_new(1 << 16);
    tt_job *job;
    tt_model *model = NULL;
    tt_ckpt c = {0};
    tt_err e = tt_job_read(a, NULL, 1, (char *[]){"optim.name=adamw"}, &job);
    if (e == TT_OK) e = tt_bench_build(dims, &model);
    if (e == TT_OK) {
        tt_pars_draw(tt_model_pars(model), 1);
        tt_pars *pars = tt_model_pars(model);
        tt_zero *z = tt_zero_new(m, job, pars, pars, 1, NULL, NULL, &tt_kern_fast);
        tt_optim *opt = tt_optim_new(m, job, pars, z, &tt_kern_fast);
        tt_optim_arrays(opt, a, false, &c.narray, &c.array); /* weights and both moments, as a run with AdamW saves */
        e = take_turns(m, d, &c, times);
        tt_optim_free(opt);
        tt_zero_free(z);
    }
    if (model) tt_model_free(model);
    tt_arena_free(a);
    return e;
}

static tt_err make_folder(const char *dir, disk *d)
{
    const char *tmp = getenv("TMPDIR");
    if (!dir || !*dir) dir = tmp && *tmp ? tmp : "/tmp";
    snprintf(d->dir, sizeof d->dir, "%s/tutti-bench.XXXXXX", dir);
    return mkdtemp(d->dir) ? TT_OK : tt_fail(TT_ERUN, "%s: cannot be made; choose a folder with disk=DIR", d->dir);
}

static void remove_folder(disk *d)
{
    static const char *const left[] = {"plain", "latest", "owner", "step-00000001.h5", "step-00000001.h5.tmp"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        snprintf(d->file, sizeof d->file, "%s/%s", d->dir, left[i]);
        unlink(d->file);
    }
    rmdir(d->dir);
}

tt_err tt_bench_disk(const tt_mesh *m, const tt_bench_dims *dims, const char *dir, int64_t mb, int times, json_t **out)
{
    tt_bench_dims cut = *dims; /* fewer layers, and then fewer words, until 12 bytes a parameter fit */
    while (cut.L > 1 && 12 * tt_bench_params(&cut) > mb << 20) cut.L--;
    while (cut.V > 128 && 12 * tt_bench_params(&cut) > mb << 20) cut.V /= 2;
    disk d = {0};
    TT_TRY(make_folder(dir, &d));
    tt_err e = with_model(m, &cut, &d, times);
    remove_folder(&d);
    if (e != TT_OK) return e;
    double raw = 1e-6 * (double)d.bytes / d.raw, ckpt = 1e-6 * (double)d.bytes / d.ckpt;
    printf(
        "disk %s, MB/s: written and synced %.0f; a checkpoint of %.0f MB (%lld + %lld layers), read back and compared, "
        "%.0f: %.2f of it\n",
        dir && *dir ? dir : "of temporary files", raw, 1e-6 * (double)d.bytes, (long long)cut.L, (long long)cut.L, ckpt,
        ckpt / raw);
    *out = json_pack("{s:f,s:f,s:f,s:f}", "bytes", (double)d.bytes, "raw_mb_s", raw, "checkpoint_mb_s", ckpt, "ratio",
                     ckpt / raw);
    return TT_OK;
}
