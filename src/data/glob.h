/* Patterns of files, over folders that are listed once each: thousands of data sets may lie in one. Private to data. */
#ifndef TUTTI_DATA_GLOB_H
#define TUTTI_DATA_GLOB_H

#include "tutti/base.h"

typedef struct tt_folders tt_folders;
tt_folders *tt_folders_new(void);
void tt_folders_free(tt_folders *f);

/* The paths that match, in the order of bytes; *path lives in a. 0 if there are none or the folder is not there. */
int tt_glob(tt_folders *f, tt_arena *a, const char *pattern, const char ***path);

#endif
