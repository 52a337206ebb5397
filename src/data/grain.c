/* Whole examples side by side: no padding exists (DESIGN D2). */
#include "tutti/data.h"

#include <string.h>

/* label -> label and decoder input: HF's shift_tokens_right, pad_id as the start token and in place of ignored labels. */
static void shift_right(const int32_t *tgt, int T, int pad_id, int32_t *dec_in, int32_t *label)
{
    for (int t = 0; t < T; t++) {
        label[t] = tgt[t] < 0 ? -1 : tgt[t];
        dec_in[t] = t == 0 || tgt[t - 1] < 0 ? pad_id : tgt[t - 1];
    }
}

void tt_grain_make(tt_arena *a, int B, const tt_ex *ex, int pad_id, tt_grain *out)
{
    int32_t *s_off = TT_NEW(a, int32_t, B + 1), *t_off = TT_NEW(a, int32_t, B + 1);
    s_off[0] = t_off[0] = 0;
    for (int b = 0; b < B; b++) {
        s_off[b + 1] = s_off[b] + ex[b].S;
        t_off[b + 1] = t_off[b] + ex[b].T;
    }
    int32_t *src = TT_NEW(a, int32_t, s_off[B]), *dec_in = TT_NEW(a, int32_t, t_off[B]);
    int32_t *label = TT_NEW(a, int32_t, t_off[B]);
    tt_ex *own = TT_NEW(a, tt_ex, B);
    for (int b = 0; b < B; b++) {
        own[b] = ex[b];
        if (ex[b].S) memcpy(src + s_off[b], ex[b].src, sizeof *src * (size_t)ex[b].S);
        shift_right(ex[b].tgt, ex[b].T, pad_id, dec_in + t_off[b], label + t_off[b]);
    }
    *out = (tt_grain){.B = B,
                      .ex = own,
                      .Rs = s_off[B],
                      .Rt = t_off[B],
                      .src = src,
                      .dec_in = dec_in,
                      .label = label,
                      .s_off = s_off,
                      .t_off = t_off};
}
