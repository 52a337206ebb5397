/* Private to store: the tensors of a Hugging Face folder, whatever files they lie in. */
#ifndef TUTTI_STORE_HF_H
#define TUTTI_STORE_HF_H

#include "tutti/store.h"

typedef struct tt_hfset {
    const char *dir;
    int nfile;
    tt_stfile **file;
    char **file_name;
    int n;
    const tt_sten **t; /* in name order; they live in the mapped files */
} tt_hfset;

tt_err tt_hfset_open(tt_hfset *s, const char *dir); /* close also after a failure */
void tt_hfset_close(tt_hfset *s);

const char *tt_shape_text(int ndim, const int64_t *shape, char buf[96]); /* "[32,128]"; returns buf */

#endif
