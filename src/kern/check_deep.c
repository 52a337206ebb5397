/* check: the output head. */
#include "check.h"

#include <math.h>
#include <string.h>

/* ---- head ---------------------------------------------------------------------------------------------------------*/

/* Of token v, which this part has. */
static double logit(const tt_head *t, int64_t r, int64_t v)
{
    v -= t->v0;
    double dot = 0;
    for (int64_t d = 0; d < t->D; d++) dot += (double)t->h[r * t->D + d] * t->W[v * t->D + d];
    return t->scale * dot;
}

static bool has(const tt_head *t, int64_t v) { return v >= t->v0 && v < t->v0 + t->V; }

/* Near ties may fall either way. Where another part has one of the two nothing can be said. */
static void compare_argmax(const tt_where *w, const tt_head *t, const int32_t *ref, double err)
{
    for (int64_t r = 0; r < t->R && t->argmax; r++) {
        int32_t f = t->argmax[r];
        if (f == ref[r] || (t->join && !(has(t, f) && has(t, ref[r])))) continue;
        bool near = f >= 0 && ref[r] >= 0 && !(logit(t, r, f) < logit(t, r, ref[r]) - 2 * err);
        if (!near) tt_check_compare1(w, "argmax", f, ref[r], 0);
    }
}

static double check_head_half(const tt_head *t);

double tt_check_head(const tt_head *t)
{
    if (t->hh) return check_head_half(t);
    tt_copies c = {0};
    WHERE(w, "head", "R %lld D %lld V %lld chunk %lld", (long long)t->R, (long long)t->D, (long long)t->V,
          (long long)t->chunk);
    tt_head u = *t;
    u.token = tt_check_room(&c, t->R);
    u.nll = t->nll ? tt_check_room(&c, t->R) : NULL;
    u.argmax = t->argmax ? (int32_t *)tt_check_room(&c, t->R) : NULL;
    u.dh = tt_check_copy(&c, t->R * t->D, t->dh);
    u.dW = tt_check_copy(&c, t->V * t->D, t->dW);
    double hm = tt_check_widest(t->R, 1, (int)t->D, t->h, t->D), wm = tt_check_widest(t->V, 1, (int)t->D, t->W, t->D);
    if (t->join) wm *= 4; /* the other parts' weights are not known here */
    double top = fabs((double)t->scale) * hm * wm, err = ULP * (top * (8 + sqrt((double)t->D)) + 16);
    double most = top + log((double)head_V(t)), weight = tt_check_largest(t->R, t->weight);
    double was_h = ULP * tt_check_largest(t->R * t->D, t->dh), was_w = ULP * tt_check_largest(t->V * t->D, t->dW);
    double fast = tt_fast_head(t), ref = tt_ref_head(&u);
    double etoken = 2 * err * (1 + 2 * t->zloss * most) + 4 * ULP * most;
    double slope = weight * 2 * (1 + 2 * t->zloss * most) * fabs((double)t->scale);
    double eg = slope * (2 * err + ULP * (8 + sqrt((double)t->V)));
    tt_check_compare(&w, "token", t->R, t->token, u.token, etoken);
    tt_check_compare(&w, "nll", t->R, t->nll, u.nll, etoken);
    compare_argmax(&w, t, u.argmax, err);
    /* ref adds V terms to dh and R to dW one float at a time */
    tt_check_compare(&w, "dh", t->R * t->D, t->dh, u.dh, (eg * 2 + ULP * slope * sqrt((double)t->V)) * wm + 4 * was_h);
    tt_check_compare(&w, "dW", t->V * t->D, t->dW, u.dW, eg * hm * (2 + sqrt((double)t->R)) + 4 * was_w);
    tt_check_compare1(&w, "the loss", fast, ref, (etoken * weight + 4 * ULP * fabs(ref)) * (double)(t->R + 1));
    return fast;
}

/* As above, but d loss / dz is rounded to bf16 in fast alone: its entries, at most slope each, err by 2^-9 of themselves. */
static double check_head_half(const tt_head *t)
{
    tt_copies c = {0};
    WHERE(w, "head", "bf16, R %lld D %lld V %lld chunk %lld", (long long)t->R, (long long)t->D, (long long)t->V,
          (long long)t->chunk);
    int64_t n = t->R * t->D, m = t->V * t->D;
    float *h = tt_check_room(&c, n), *W = tt_check_room(&c, m);
    tt_f32_from_bf16(n, t->hh, h);
    tt_f32_from_bf16(m, t->Wh, W);
    tt_head u = *t, wide = *t;
    wide.h = h, wide.W = W;
    float *mine = tt_check_room(&c, 2 * n);
    u.token = tt_check_room(&c, 3 * t->R);
    u.nll = t->nll ? u.token + t->R : NULL;
    u.argmax = t->argmax ? (int32_t *)u.token + 2 * t->R : NULL;
    u.dhh = NULL;
    u.dh = t->dhh ? memset(mine + n, 0, (size_t)n * sizeof *mine) : tt_check_copy(&c, n, t->dh);
    u.dW = tt_check_copy(&c, m, t->dW);
    double hm = tt_check_widest(t->R, 1, (int)t->D, h, t->D), wm = tt_check_widest(t->V, 1, (int)t->D, W, t->D);
    double top = fabs((double)t->scale) * hm * wm, err = ULP * (top * (8 + sqrt((double)t->D)) + 16);
    double most = top + log((double)t->V), weight = tt_check_largest(t->R, t->weight);
    double was_h = ULP * tt_check_largest(n, t->dh), was_w = ULP * tt_check_largest(m, t->dW);
    double fast = tt_fast_head(t), ref = tt_ref_head(&u);
    double etoken = 2 * err * (1 + 2 * t->zloss * most) + 4 * ULP * most;
    double slope = weight * 2 * (1 + 2 * t->zloss * most) * fabs((double)t->scale), eg = slope * (2 * err + 0x1p-8);
    tt_check_compare(&w, "token", t->R, t->token, u.token, etoken);
    tt_check_compare(&w, "nll", t->R, t->nll, u.nll, etoken);
    compare_argmax(&w, &wide, u.argmax, err);
    if (t->dhh) tt_f32_from_bf16(n, t->dhh, mine);
    tt_check_compare(&w, "dh", n, t->dhh ? mine : t->dh, u.dh, 2 * eg * wm + 4 * was_h);
    tt_check_compare(&w, "dW", m, t->dW, u.dW, eg * hm * (2 + sqrt((double)t->R)) + 4 * was_w);
    tt_check_compare1(&w, "the loss", fast, ref, (etoken * weight + 4 * ULP * fabs(ref)) * (double)(t->R + 1));
    return fast;
}

double tt_check_logsumexp(int64_t n, const float *z, int64_t *best)
{
    WHERE(w, "logsumexp", "n %lld", (long long)n);
    int64_t fast_at, ref_at;
    double fast = tt_fast_logsumexp(n, z, &fast_at), ref = tt_ref_logsumexp(n, z, &ref_at);
    tt_check_compare1(&w, "the place of the largest", (double)fast_at, (double)ref_at, 0);
    tt_check_compare1(&w, "the sum", fast, ref, ULP * (16 + fabs(ref)));
    if (best) *best = fast_at;
    return fast;
}
