/* MT19937, after the authors' mt19937ar.c (2002), as Python and numpy draw from it. */
#include "metric.h"

/* From one source for AVX-512, AVX2 and plain x86-64; the loader picks. Integers and exact products: all give the same. */
#if defined __x86_64__ && defined __GNUC__ && !defined __clang__ && !defined __SANITIZE_ADDRESS__
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

enum { N = 624, M = 397 };

void tt_mt_seed(tt_mt *m, uint32_t seed)
{
    m->s[0] = seed;
    for (uint32_t i = 1; i < N; i++) m->s[i] = 1812433253U * (m->s[i - 1] ^ (m->s[i - 1] >> 30)) + i;
    m->at = N;
}

void tt_mt_seed_words(tt_mt *m, int n, const uint32_t *word)
{
    tt_mt_seed(m, 19650218U);
    uint32_t *s = m->s;
    int i = 1, j = 0;
    for (int k = n > N ? n : N; k > 0; k--) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1664525U)) + word[j] + (uint32_t)j;
        if (++i == N) s[0] = s[N - 1], i = 1;
        if (++j == n) j = 0;
    }
    for (int k = N - 1; k > 0; k--) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1566083941U)) - (uint32_t)i;
        if (++i == N) s[0] = s[N - 1], i = 1;
    }
    s[0] = 0x80000000U;
}

static inline uint32_t twist(uint32_t high, uint32_t low, uint32_t far)
{
    uint32_t y = (high & 0x80000000U) | (low & 0x7fffffffU);
    return far ^ (y >> 1) ^ (-(y & 1U) & 0x9908b0dfU);
}

/* Each word is made of itself, the next and one 397 ahead or 227 behind: up to 227 at once. */
CLONES static void refill(uint32_t *s)
{
#pragma omp simd
    for (int i = 0; i < N - M; i++) s[i] = twist(s[i], s[i + 1], s[i + M]);
#pragma omp simd safelen(N - M)
    for (int i = N - M; i < N - 1; i++) s[i] = twist(s[i], s[i + 1], s[i + M - N]);
    s[N - 1] = twist(s[N - 1], s[0], s[M - 1]);
}

static inline uint32_t temper(uint32_t y)
{
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680U;
    y ^= (y << 15) & 0xefc60000U;
    return y ^ (y >> 18);
}

uint32_t tt_mt_next(tt_mt *m)
{
    if (m->at == N) refill(m->s), m->at = 0;
    return temper(m->s[m->at++]);
}

static inline double join(uint32_t a, uint32_t b) { return ((a >> 5) * 67108864.0 + (b >> 6)) / 9007199254740992.0; }

double tt_mt_01(tt_mt *m)
{
    uint32_t a = tt_mt_next(m), b = tt_mt_next(m);
    return join(a, b);
}

/* Pairs of state words to indices. Signed conversions: they are instructions everywhere. */
CLONES static void choose(const uint32_t *restrict s, int pairs, double n, uint32_t *restrict index)
{
#pragma omp simd
    for (int i = 0; i < pairs; i++) {
        int32_t a = (int32_t)(temper(s[2 * i]) >> 5), b = (int32_t)(temper(s[2 * i + 1]) >> 6);
        index[i] = (uint32_t)(int32_t)((a * 67108864.0 + b) * 0x1p-53 * n);
    }
}

void tt_mt_choices(tt_mt *m, int64_t n, int64_t k, uint32_t *index)
{
    while (k > 0) {
        if (m->at == N) refill(m->s), m->at = 0;
        int left = (N - m->at) / 2, pairs = k < left ? (int)k : left;
        if (pairs == 0) { /* the two words lie on both sides of a refill */
            *index++ = (uint32_t)(int64_t)(tt_mt_01(m) * (double)n);
            k--;
            continue;
        }
        choose(m->s + m->at, pairs, (double)n, index);
        m->at += 2 * pairs;
        index += pairs;
        k -= pairs;
    }
}

uint32_t tt_mt_masked(tt_mt *m, uint32_t most)
{
    if (most == 0) return 0;
    uint32_t mask = most, x;
    for (int k = 1; k < 32; k *= 2) mask |= mask >> k;
    do x = tt_mt_next(m) & mask;
    while (x > most);
    return x;
}
