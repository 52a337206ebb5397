/* Files that appear whole or not at all: temporary name, fsync, rename, fsync of the folder. */
#include "file.h"
#include "tutti/store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

tt_err tt_disk_fail(const char *path, const char *what, int why)
{
    const char *remedy = why == ENOSPC || why == EDQUOT ? "free some space or choose another folder"
                         : why == EFBIG                 ? "raise the file size limit (ulimit -f)"
                         : why == ENOENT                ? "make the folder or choose another one"
                         : why == EACCES || why == EPERM || why == EROFS
                             ? "make the folder writable or choose another one"
                             : "check the file system";
    return tt_fail(TT_ERUN, "%s: %s: %s; %s", path, what, strerror(why), remedy);
}

tt_err tt_write_at(int fd, const char *path, const void *p, size_t bytes, off_t at)
{
    const char *s = p;
    while (bytes > 0) {
        ssize_t n = pwrite(fd, s, bytes < (1u << 30) ? bytes : 1u << 30, at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return tt_disk_fail(path, "cannot be written", n < 0 ? errno : ENOSPC);
        s += n;
        at += n;
        bytes -= (size_t)n;
    }
    return TT_OK;
}

tt_err tt_read_at(int fd, const char *path, void *p, size_t bytes, off_t at)
{
    char *s = p;
    while (bytes > 0) {
        ssize_t n = pread(fd, s, bytes < (1u << 30) ? bytes : 1u << 30, at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return tt_fail(TT_EFILE, "%s: cannot be read: %s; check the file system", path, strerror(errno));
        if (n == 0)
            return tt_fail(TT_EFILE, "%s: ends at byte %lld, more is needed; copy it again", path, (long long)at);
        s += n;
        at += n;
        bytes -= (size_t)n;
    }
    return TT_OK;
}

tt_err tt_sync_fd(int fd, const char *path)
{
    return fsync(fd) == 0 ? TT_OK : tt_disk_fail(path, "cannot be written through to the disk", errno);
}

tt_err tt_sync_folder_of(const char *path)
{
    char *copy = strdup(path);
    const char *dir = dirname(copy);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tt_err e = fd < 0 ? tt_disk_fail(dir, "cannot be opened", errno) : TT_OK;
    /* Some network file systems cannot fsync a folder (EINVAL); their rename is durable by itself. */
    if (e == TT_OK && fsync(fd) != 0 && errno != EINVAL) e = tt_disk_fail(dir, "cannot be written through", errno);
    if (fd >= 0) close(fd);
    free(copy);
    return e;
}

tt_err tt_rename(const char *from, const char *to)
{
    if (rename(from, to) != 0) return tt_disk_fail(to, "cannot be put in place", errno);
    return tt_sync_folder_of(to);
}

tt_err tt_out_begin(tt_out *o, const char *path)
{
    o->path = strdup(path);
    o->tmp = tt_malloc(strlen(path) + 5);
    strcat(strcpy(o->tmp, path), ".tmp");
    o->fd = open(o->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (o->fd >= 0) return TT_OK;
    tt_err e = tt_disk_fail(path, "cannot be made", errno);
    tt_out_drop(o);
    return e;
}

tt_err tt_out_write(tt_out *o, const void *p, size_t bytes)
{
    return tt_write_at(o->fd, o->path, p, bytes, lseek(o->fd, 0, SEEK_END));
}

tt_err tt_out_seal(tt_out *o)
{
    tt_err e = tt_sync_fd(o->fd, o->path);
    int rc = close(o->fd);
    o->fd = -1;
    return e == TT_OK && rc != 0 ? tt_disk_fail(o->path, "cannot be closed", errno) : e;
}

tt_err tt_out_rename(tt_out *o)
{
    TT_TRY(tt_rename(o->tmp, o->path));
    free(o->tmp);
    o->tmp = NULL;
    return TT_OK;
}

void tt_out_drop(tt_out *o)
{
    if (o->fd >= 0) close(o->fd);
    if (o->tmp) unlink(o->tmp);
    free(o->tmp);
    free(o->path);
    *o = (tt_out){.fd = -1};
}

tt_err tt_file_put(const char *path, const char *text)
{
    tt_out o = {.fd = -1};
    TT_TRY(tt_out_begin(&o, path));
    tt_err e = tt_out_write(&o, text, strlen(text));
    if (e == TT_OK) e = tt_out_seal(&o);
    if (e == TT_OK) e = tt_out_rename(&o);
    tt_out_drop(&o);
    return e;
}
