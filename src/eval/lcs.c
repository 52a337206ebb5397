/* Longest common subsequences of lists of words, 64 rows at a time. */
#include "text.h"

/* Rows a[0..na), na <= 64, against all of b. carry[j]: what the addition for column j hands from the rows before to those behind. */
static int block(const int32_t *a, int na, const int32_t *b, int nb, uint64_t *mask, uint8_t *carry, uint64_t *column)
{
    uint64_t v = ~(uint64_t)0;
    for (int i = 0; i < na; i++) mask[a[i]] |= (uint64_t)1 << i;
    for (int j = 0; j < nb; j++) {
        uint64_t m = mask[b[j]], sum = v + (v & m), all = sum + carry[j];
        carry[j] = (uint8_t)((sum < v) | (all < sum));
        v = all | (v & ~m);
        if (column) column[j] = v;
    }
    for (int i = 0; i < na; i++) mask[a[i]] = 0;
    return 64 - __builtin_popcountll(v);
}

int64_t tt_lcs(const int32_t *a, int na, const int32_t *b, int nb, uint64_t *mask, uint8_t *carry, uint64_t *column)
{
    int64_t longest = 0;
    for (int j = 0; j < nb; j++) carry[j] = 0;
    for (int i = 0; i < na; i += 64) {
        uint64_t *c = column ? column + (size_t)(i / 64) * (size_t)nb : NULL;
        longest += block(a + i, na - i < 64 ? na - i : 64, b, nb, mask, carry, c);
    }
    return longest;
}

/* With L the lengths: on unequal words L[i][j] = max(L[i-1][j], L[i][j-1]), so L[i][j-1] > L[i-1][j] exactly where row i is one more
 * than row i-1: the bit says where to go. */
void tt_lcs_mark(const int32_t *a, int na, const int32_t *b, int nb, const uint64_t *column, uint8_t *marked)
{
    for (int i = na - 1, j = nb - 1; i >= 0 && j >= 0;) {
        if (a[i] == b[j]) {
            marked[i] = 1;
            i--;
            j--;
        } else if (column[(size_t)(i / 64) * (size_t)nb + (size_t)j] >> (i % 64) & 1)
            i--;
        else
            j--;
    }
}
