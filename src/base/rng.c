/* Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11) and what is drawn from it. */
#include "tutti/base.h"

#include <math.h>

uint64_t tt_mix64(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

tt_rkey tt_key(uint64_t seed, const char *use, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t h = tt_mix64(seed);
    for (const char *p = use; *p; p++) h = tt_mix64(h ^ (unsigned char)*p);
    h = tt_mix64(h ^ a);
    h = tt_mix64(h ^ b);
    return tt_mix64(h ^ c);
}

void tt_rand4(tt_rkey key, uint64_t counter, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32), c2 = 0, c3 = 0;
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int i = 0; i < 10; i++) {
        uint64_t p0 = (uint64_t)0xd2511f53u * c0, p1 = (uint64_t)0xcd9e8d57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t tt_rand64(tt_rkey key, uint64_t counter)
{
    uint32_t r[4];
    tt_rand4(key, counter, r);
    return ((uint64_t)r[1] << 32) | r[0];
}

double tt_rand01(tt_rkey key, uint64_t counter) { return (double)(tt_rand64(key, counter) >> 11) * 0x1p-53; }

uint64_t tt_rand_below(tt_rkey key, uint64_t counter, uint64_t n)
{
    return (uint64_t)(((__uint128_t)tt_rand64(key, counter) * n) >> 64);
}

double tt_rand_normal(tt_rkey key, uint64_t counter)
{
    uint32_t r[4];
    tt_rand4(key, counter, r);
    double u = ((double)r[0] + 0.5) * 0x1p-32, v = (double)r[2] * 0x1p-32;
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

static uint64_t feistel(tt_rkey key, int half, uint64_t x)
{
    uint64_t mask = ((uint64_t)1 << half) - 1, lo = x & mask, hi = x >> half;
    for (uint64_t round = 0; round < 4; round++) {
        uint64_t next = hi ^ (tt_mix64(key ^ tt_mix64(lo + (round << 56))) & mask);
        hi = lo;
        lo = next;
    }
    return (hi << half) | lo;
}

uint64_t tt_permute(tt_rkey key, uint64_t n, uint64_t i)
{
    assert(i < n);
    int half = 1;
    while (half < 31 && ((uint64_t)1 << (2 * half)) < n) half++;
    do i = feistel(key, half, i);
    while (i >= n);
    return i;
}
