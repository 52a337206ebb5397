/* Attention in fp32 by AVX-512. */
#include "attn.h"

#if ATTN_X86
#include <immintrin.h>

#pragma GCC target("arch=x86-64-v4")
#pragma GCC optimize("fp-contract=fast")
#define TALL 14
#define WIDE 2
#define HALF 0
#include "attn_lanes512.h"
#include "attn_tile.h"
#include "attn_pack.h"
#include "attn_fwd.h"
#include "attn_bwd.h"

const attn_set tt_attn_v4 = {group_fwd, group_bwd};
#else
const attn_set tt_attn_v4 = {0};
#endif
