// TEST np=1
// Picked rows: has, rows and at agree with a plain list, at every size around the block ends.
#include "../../src/data/pick.h"
#include "../tap.h"

static int64_t check(int64_t n, uint64_t keep_of_8)
{
    tt_pick *p = tt_pick_new(n);
    int64_t *list = malloc(sizeof *list * (size_t)(n + 1)), taken = 0, wrong = tt_pick_rows(p) != n;
    for (int64_t i = 0; i < n; i++) {
        if (tt_mix64((uint64_t)(i + n)) % 8 < keep_of_8)
            list[taken++] = i;
        else
            tt_pick_drop(p, i);
    }
    tt_pick_count(p);
    wrong += tt_pick_rows(p) != taken;
    for (int64_t k = 0; k < taken; k++) wrong += tt_pick_at(p, k) != list[k] || !tt_pick_has(p, list[k]);
    int64_t has = 0;
    for (int64_t i = 0; i < n; i++) has += tt_pick_has(p, i);
    wrong += has != taken;
    tt_pick_free(p);
    free(list);
    return wrong;
}

int main(void)
{
    static const int64_t size[] = {0, 1, 63, 64, 65, 511, 512, 513, 1023, 1024, 1025, 100000};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        int64_t wrong = 0;
        for (uint64_t keep = 0; keep <= 8; keep += 4) wrong += check(size[i], keep);
        ok(!wrong, "%lld rows: none, half and all of them taken", (long long)size[i]);
    }
    return tap_done();
}
