// TEST np=1
#include "tutti/base.h"
#include "../tap.h"

int main(void)
{
    /* Known answers of the Random123 distribution (kat_vectors, philox4x32 10), for counters of 64 bits. */
    uint32_t r[4];
    tt_rand4(0, 0, r);
    ok(r[0] == 0x6627e8d5 && r[1] == 0xe169c58d && r[2] == 0xbc57ac4c && r[3] == 0x9b00dbd8,
       "philox4x32-10 known answer");

    for (uint64_t n = 1; n < 70; n++) {
        char seen[70] = {0};
        int distinct = 0;
        for (uint64_t i = 0; i < n; i++) {
            uint64_t j = tt_permute(tt_key(7, "t", n, 0, 0), n, i);
            distinct += j < n && !seen[j]++;
        }
        if (distinct != (int)n) ok(0, "tt_permute is a permutation of %d", (int)n);
    }
    ok(1, "tt_permute permutes 1..69 elements");

    double sum = 0, sq = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        double z = tt_rand_normal(tt_key(1, "n", 0, 0, 0), i);
        sum += z;
        sq += z * z;
    }
    ok(fabs(sum / 1e5) < 0.02 && fabs(sq / 1e5 - 1) < 0.02, "normal draws: mean %.4f variance %.4f", sum / 1e5,
       sq / 1e5);
    ok(tt_key(1, "a", 0, 0, 0) != tt_key(1, "b", 0, 0, 0), "keys of different uses differ");

    tt_arena *a = tt_arena_new(100);
    char *p = tt_zalloc(a, 100000);
    tt_mark m = tt_arena_mark(a);
    char *q = tt_alloc(a, 50);
    tt_arena_rewind(a, m);
    ok(tt_alloc(a, 10) == q && ((uintptr_t)p & 63) == 0, "arena rewinds to the same place, aligned");
    size_t peak = tt_arena_peak(a);
    for (int step = 0; step < 3; step++) {
        tt_arena_reset(a);
        tt_alloc(a, 90000);
    }
    ok(tt_arena_peak(a) == peak, "a step that fitted once asks for nothing more");
    tt_arena_free(a);

    const char *words[] = {"train.lr", "train.steps", "model.path"};
    ok(!strcmp(tt_nearest("train.lrr", words, 3), "train.lr") && !tt_nearest("zebra", words, 3), "nearest word");
    return tap_done();
}
