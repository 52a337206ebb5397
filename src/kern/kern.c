/* The three tables and the choice between them; small things all kernels share. */
#include "impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What split.c divides among threads in the fast table. */
#define KERN_SPLIT(p)                                                                                                 \
    .rms_fwd = p##_rms_fwd, .rms_bwd = p##_rms_bwd, .ln_fwd = p##_ln_fwd, .ln_bwd = p##_ln_bwd,                       \
    .act_fwd = p##_act_fwd, .act_bwd = p##_act_bwd, .glu_fwd = p##_glu_fwd, .glu_bwd = p##_glu_bwd,                   \
    .embed_fwd = p##_embed_fwd, .embed_bwd = p##_embed_bwd, .linear = p##_linear, .add = p##_add, .scale = p##_scale, \
    .adam = p##_adam, .add_rms_fwd = p##_add_rms_fwd, .add_rms_bwd = p##_add_rms_bwd, .to_half = p##_to_half,         \
    .add_half = p##_add_half, .act_fwd_half = p##_act_fwd_half, .act_bwd_half = p##_act_bwd_half,                     \
    .glu_fwd_half = p##_glu_fwd_half, .glu_bwd_half = p##_glu_bwd_half
#define KERN_WHOLE(p)                                                                                   \
    .gemm = p##_gemm, .attn_fwd = p##_attn_fwd, .attn_bwd = p##_attn_bwd, .dropout = p##_dropout,       \
    .dropout_part = p##_dropout_part, .head = p##_head, .logsumexp = p##_logsumexp, .sumsq = p##_sumsq, \
    .adafactor = p##_adafactor, .gemm_half = p##_gemm_half, .dropout_half = p##_dropout_half,           \
    .attn_fwd_half = p##_attn_fwd_half, .attn_bwd_half = p##_attn_bwd_half

const tt_kern tt_kern_ref = {.name = "ref", KERN_WHOLE(tt_ref), KERN_SPLIT(tt_ref)};
const tt_kern tt_kern_fast = {.name = "fast", KERN_WHOLE(tt_fast), KERN_SPLIT(tt_split)};
const tt_kern tt_kern_check = {.name = "check", KERN_WHOLE(tt_check), KERN_SPLIT(tt_check)};

const tt_kern *tt_kern_get(void)
{
    const char *name = getenv("TUTTI_KERN");
    if (!name || !*name) return &tt_kern_fast;
    const tt_kern *all[] = {&tt_kern_ref, &tt_kern_fast, &tt_kern_check};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(name, all[i]->name)) return all[i];
    tt_fail(TT_EJOB, "TUTTI_KERN=%s: no such kernel table; use ref, fast or check", name);
    return NULL;
}

bool tt_act_parse(const char *name, tt_act *out)
{
    static const struct {
        const char *name;
        tt_act act;
    } known[] = {
        {"relu", TT_RELU},
        {"gelu", TT_GELU},
        {"gelu_new", TT_GELU_NEW},
        {"gelu_pytorch_tanh", TT_GELU_NEW},
        {"silu", TT_SILU},
        {"swish", TT_SILU},
        {"quick_gelu", TT_QUICK_GELU},
        {"tanh", TT_TANH},
        {"identity", TT_IDENTITY},
        {"linear", TT_IDENTITY},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i].name)) {
            *out = known[i].act;
            return true;
        }
    return false;
}

int tt_rel_bucket(int relative, bool bidirectional, int nbucket, int max_distance)
{
    int first = 0, n = nbucket, distance = -relative;
    if (bidirectional) {
        n /= 2;
        first = relative > 0 ? n : 0;
        distance = abs(relative);
    }
    if (distance < 0) distance = 0;
    int exact = n / 2;
    if (distance < exact) return first + distance;
    /* Logarithms in float32 as modeling_t5.py: the last bit decides at bucket borders. */
    float far = logf((float)distance / (float)exact) / (float)log((double)max_distance / exact) * (float)(n - exact);
    int bucket = exact + (int)far;
    return first + (bucket < n ? bucket : n - 1);
}

size_t tt_head_work(int64_t chunk, int64_t V, int64_t D) { return (size_t)chunk * (size_t)(V + 2 * D); }

void *tt_scratch(int slot, size_t bytes)
{
    static _Thread_local struct {
        void *mem;
        size_t size;
    } held[SCRATCH_SLOTS];
    assert(slot >= 0 && slot < SCRATCH_SLOTS);
    if (held[slot].size < bytes) {
        free(held[slot].mem);
        size_t size = (bytes + bytes / 4 + 4095) & ~(size_t)4095;
        held[slot].mem = aligned_alloc(64, size);
        if (!held[slot].mem) TT_BUG("out of memory: %zu bytes of kernel scratch were refused", size);
        held[slot].size = size;
    }
    return held[slot].mem;
}
