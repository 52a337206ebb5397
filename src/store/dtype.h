/* Private to store. */
#ifndef TUTTI_STORE_DTYPE_H
#define TUTTI_STORE_DTYPE_H

#include "tutti/store.h"

int tt_dtype_order(tt_dtype d); /* HF's writer puts higher orders first */

#endif
