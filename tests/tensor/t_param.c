// TEST np=1
#include "tutti/tensor.h"
#include "../tap.h"

static void fill(tt_pars *t)
{
    const int64_t big[] = {300, 500}, odd[] = {7}, cube[] = {3, 5, 11};
    tt_pars_init(t);
    tt_pars_add(t, "big.weight", 2, big, TT_INIT_NORMAL, 0.5, false);
    tt_pars_add(t, "norm.weight", 1, odd, TT_INIT_ONE, 0, true);
    tt_pars_add(t, "relative_attention_bias.weight", 3, cube, TT_INIT_NORMAL, 1, false);
    tt_pars_add(t, "zero.weight", 1, odd, TT_INIT_ZERO, 0, false);
    tt_pars_seal(t);
}

static bool blocks_tile(const tt_pars *t)
{
    bool good = t->block[0] == 0 && t->block[t->nblock] == t->size;
    for (int64_t b = 0; b < t->nblock; b++) {
        good &= t->block[b] < t->block[b + 1] && t->block[b + 1] - t->block[b] <= TT_BLOCK;
        for (int i = 0; i < t->n; i++) good &= !(t->block[b] < t->p[i].at && t->p[i].at < t->block[b + 1]);
    }
    return good;
}

int main(void)
{
    tt_pars t, u;
    fill(&t);
    ok(t.size == 150000 + 16 + 176 + 16 && t.nblock == 3 + 1 + 1 + 1, "layout: %lld floats, %lld blocks",
       (long long)t.size, (long long)t.nblock);
    ok(blocks_tile(&t), "blocks tile the slab and cross no parameter");
    bool aligned = true;
    for (int i = 0; i < t.n; i++) aligned &= ((uintptr_t)t.p[i].w & 63) == 0 && t.p[i].w == t.w + t.p[i].at;
    ok(aligned, "parameters start at 64-byte boundaries");
    ok(tt_pars_count(&t, false) == 150000 + 7 + 165 + 7, "count of elements without padding");
    tt_pars_find(&t, "big.weight")->trained = false;
    ok(tt_pars_count(&t, true) == 7 + 165 + 7, "count of trained elements");
    ok(!tt_pars_find(&t, "big.weight")->no_decay && tt_pars_find(&t, "norm.weight")->no_decay &&
           tt_pars_find(&t, "relative_attention_bias.weight")->no_decay && !tt_pars_find(&t, "big"),
       "found by name; norm scales and biases are not decayed");

    tt_pars_draw(&t, 3);
    const tt_par *big = tt_pars_find(&t, "big.weight");
    ok(big->w[1234] == (float)(0.5 * tt_rand_normal(tt_key(3, "big.weight", 0, 0, 0), 1234)),
       "a drawn value is a function of seed, name and index");
    fill(&u);
    tt_pars_draw(&u, 3);
    ok(!memcmp(t.w, u.w, sizeof(float) * (size_t)t.size), "drawn twice: the same");
    float pad = 0;
    for (int i = 0; i < t.n; i++)
        for (int64_t e = t.p[i].at + t.p[i].n; e < (i + 1 < t.n ? t.p[i + 1].at : t.size); e++) pad += fabsf(t.w[e]);
    ok(pad == 0 && t.p[1].w[6] == 1 && t.p[3].w[6] == 0, "padding is zero");
    tt_pars_grads(&t);
    ok(t.p[2].g == t.g + t.p[2].at, "gradients lie as the weights do");
    tt_pars_fini(&t);
    tt_pars_fini(&u);
    return tap_done();
}
