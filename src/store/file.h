/* Private to store: files that appear whole or not at all, and reads and writes that say what went wrong. */
#ifndef TUTTI_STORE_FILE_H
#define TUTTI_STORE_FILE_H

#include "tutti/base.h"
#include <sys/types.h>

typedef struct tt_out {
    int fd; /* -1: none */
    char *path, *tmp;
} tt_out;

/* path.tmp is written; commit makes it durable and renames it to path; drop removes it. TT_ERUN with errno's text. */
tt_err tt_out_begin(tt_out *o, const char *path);
tt_err tt_out_write(tt_out *o, const void *p, size_t bytes);
tt_err tt_out_seal(tt_out *o); /* fsync and close: what is left needs no space */
tt_err tt_out_rename(tt_out *o);
void tt_out_drop(tt_out *o); /* also after a commit: frees */

/* Whole transfers at an offset. read_at: TT_EFILE, also for an early end of the file; write_at: TT_ERUN. */
tt_err tt_read_at(int fd, const char *path, void *p, size_t bytes, off_t at);
tt_err tt_write_at(int fd, const char *path, const void *p, size_t bytes, off_t at);
tt_err tt_sync_fd(int fd, const char *path);
tt_err tt_sync_folder_of(const char *path);
tt_err tt_rename(const char *from, const char *to);
tt_err tt_disk_fail(const char *path, const char *what, int why); /* TT_ERUN: path: what: strerror; remedy */

#endif
