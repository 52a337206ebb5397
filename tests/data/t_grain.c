// TEST np=1
#include "tutti/data.h"
#include "../tap.h"

int main(void)
{
    const int32_t s0[] = {5, 6, 1}, s1[] = {7, 1}, t0[] = {8, -100, 9, 1}, t1[] = {1};
    const tt_ex ex[] = {{.S = 3, .T = 4, .src = s0, .tgt = t0}, {.S = 2, .T = 1, .src = s1, .tgt = t1}};
    tt_arena *a = tt_arena_new(0);
    tt_grain g;
    tt_grain_make(a, 2, ex, 0, &g);
    const int32_t src[] = {5, 6, 1, 7, 1}, dec[] = {0, 8, 0, 9, 0}, label[] = {8, -1, 9, 1, 1};
    ok(g.B == 2 && g.Rs == 5 && g.Rt == 5, "sizes");
    ok(!memcmp(g.src, src, sizeof src), "sources side by side");
    ok(!memcmp(g.dec_in, dec, sizeof dec),
       "decoder input: the label shifted right, pad first and for an ignored label");
    ok(!memcmp(g.label, label, sizeof label), "labels: -100 becomes -1");
    ok(g.s_off[0] == 0 && g.s_off[1] == 3 && g.s_off[2] == 5 && g.t_off[1] == 4 && g.t_off[2] == 5, "offsets");
    tt_grain_make(a, 0, NULL, 0, &g);
    ok(g.B == 0 && g.Rs == 0 && g.Rt == 0 && g.s_off[0] == 0, "an empty grain");
    tt_arena_free(a);
    return tap_done();
}
