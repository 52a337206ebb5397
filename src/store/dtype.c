/* The element types of safetensors. */
#include "tutti/store.h"
#include "dtype.h"

#include <string.h>

/* order: the rank in HF's writer (its Dtype enum), which puts higher ranks first in the file. */
static const struct {
    const char *name;
    size_t size;
    int order;
} dtypes[] = {
    [TT_F32] = {"F32", 4, 11},  [TT_F16] = {"F16", 2, 7},         [TT_BF16] = {"BF16", 2, 8},
    [TT_I64] = {"I64", 8, 13},  [TT_I32] = {"I32", 4, 9},         [TT_U8] = {"U8", 1, 1},
    [TT_BOOL] = {"BOOL", 1, 0}, [TT_F64] = {"F64", 8, 12},        [TT_I8] = {"I8", 1, 2},
    [TT_I16] = {"I16", 2, 5},   [TT_U16] = {"U16", 2, 6},         [TT_U32] = {"U32", 4, 10},
    [TT_U64] = {"U64", 8, 14},  [TT_F8_E5M2] = {"F8_E5M2", 1, 3}, [TT_F8_E4M3] = {"F8_E4M3", 1, 4},
};
enum { NDTYPE = sizeof dtypes / sizeof *dtypes };

size_t tt_dtype_size(tt_dtype d) { return dtypes[d].size; }
const char *tt_dtype_name(tt_dtype d) { return dtypes[d].name; }
int tt_dtype_order(tt_dtype d) { return dtypes[d].order; }

bool tt_dtype_parse(const char *name, tt_dtype *out)
{
    for (int d = 0; d < NDTYPE; d++)
        if (!strcmp(dtypes[d].name, name)) {
            *out = (tt_dtype)d;
            return true;
        }
    return false;
}
