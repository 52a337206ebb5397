/* What attention asks of vectors beyond C's operators, by AVX-512; as attn_lanes.h. */

/* Words: floats, or pairs of bf16 whose two products are added. */
INLINE lanes mac(lanes sum, const float *x, lanes y)
{
#if HALF
    int pair;
    memcpy(&pair, x, sizeof pair);
    return (lanes)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32(pair), (__m512bh)y);
#else
    return sum + *x * y;
#endif
}

INLINE lanes lanes_with(lanes x, lanes y, picks m) { return (lanes)(((picks)x & ~m) | ((picks)y & m)); }

INLINE lanes lanes_max(lanes x, lanes y) { return (lanes)_mm512_max_ps((__m512)x, (__m512)y); }

INLINE float lanes_sum(lanes x) { return _mm512_reduce_add_ps((__m512)x); }
INLINE float lanes_top(lanes x) { return _mm512_reduce_max_ps((__m512)x); }

INLINE lanes lanes_exp2(lanes x)
{
    lanes n = (lanes)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = x - n;
    lanes p = r * EXP2_5 + EXP2_4;
    p = p * r + EXP2_3;
    p = p * r + EXP2_2;
    p = p * r + EXP2_1;
    p = p * r + EXP2_0;
    __mmask16 in = _mm512_cmp_ps_mask((__m512)x, _mm512_set1_ps(-126), _CMP_NLT_UQ);
    return (lanes)_mm512_maskz_scalef_ps(in, (__m512)p, (__m512)n);
}

#if HALF
typedef struct lanes2 {
    lanes lo, hi;
} lanes2;

/* Two vectors of floats as 32 bf16. */
INLINE lanes pair_words(lanes a, lanes b) { return (lanes)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a); }

/* a and b hold 32 bf16 each: words of which each has one from a and one from b. */
INLINE lanes2 interleave(lanes a, lanes b)
{
    typedef short halves __attribute__((vector_size(64)));
    halves lo, hi;
    for (int i = 0; i < 32; i++) {
        lo[i] = (short)(i / 2 + (i & 1) * 32);
        hi[i] = (short)(i / 2 + 16 + (i & 1) * 32);
    }
    return (lanes2){(lanes)__builtin_shuffle((halves)a, (halves)b, lo),
                    (lanes)__builtin_shuffle((halves)a, (halves)b, hi)};
}
#endif
