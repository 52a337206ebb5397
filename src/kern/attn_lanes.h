/* What attention asks of vectors beyond C's operators, for any instruction set. */

INLINE lanes mac(lanes sum, const float *x, lanes y) { return sum + *x * y; }

INLINE lanes lanes_with(lanes x, lanes y, picks m) { return (lanes)(((picks)x & ~m) | ((picks)y & m)); }

/* The larger; y where x is NaN. */
INLINE lanes lanes_max(lanes x, lanes y) { return lanes_with(y, x, x > y); }

/* 2^x, within 2 ulp, for x < 128; 0 below -126. x = n + r, 2^r by the polynomial of degree 5 with the least relative error. */
INLINE lanes lanes_exp2(lanes x)
{
    const float low = -126, round = 12582912.0f /* 1.5 * 2^23 */;
    picks in = ~(x < low); /* NaN stays */
    lanes t = (lanes)((picks)x & in) + round, r = (lanes)((picks)x & in) - (t - round);
    lanes p = r * EXP2_5 + EXP2_4;
    p = p * r + EXP2_3;
    p = p * r + EXP2_2;
    p = p * r + EXP2_1;
    p = p * r + EXP2_0;
    return (lanes)(((picks)p + ((picks)t << 23)) & in);
}

INLINE float lanes_sum(lanes x)
{
    float sum[LANES];
    memcpy(sum, &x, sizeof sum);
    for (int n = LANES / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++) sum[i] += sum[i + n];
    return sum[0];
}

INLINE float lanes_top(lanes x)
{
    float top[LANES];
    memcpy(top, &x, sizeof top);
    for (int n = LANES / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++) top[i] = top[i + n] > top[i] ? top[i + n] : top[i];
    return top[0];
}
