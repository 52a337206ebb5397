/* Attention in fp32 on any processor. */
#include "attn.h"

#define TALL 2
#define WIDE 1
#define HALF 0
#include "attn_lanes.h"
#include "attn_tile.h"
#include "attn_pack.h"
#include "attn_fwd.h"
#include "attn_bwd.h"

const attn_set tt_attn_any = {group_fwd, group_bwd};
