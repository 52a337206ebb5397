/* Attention in fp32 by AVX2. */
#include "attn.h"

#if ATTN_X86
#pragma GCC target("arch=x86-64-v3")
#pragma GCC optimize("fp-contract=fast")
#define TALL 6
#define WIDE 1
#define HALF 0
#include "attn_lanes.h"
#include "attn_tile.h"
#include "attn_pack.h"
#include "attn_fwd.h"
#include "attn_bwd.h"

const attn_set tt_attn_v3 = {group_fwd, group_bwd};
#else
const attn_set tt_attn_v3 = {0};
#endif
