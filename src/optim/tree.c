/* The fixed binary tree of the exact sum. */
#include "tree.h"

#include "tutti/optim.h"

static int root_level(int64_t grains)
{
    int level = 0;
    while (((int64_t)1 << level) < grains) level++;
    return level;
}

static bool is_right(const node *v) { return v->at >> v->level & 1; }

/* The top node and its left sibling become their parent. */
static void merge(fold *f)
{
    node *left = &f->top[f->depth - 2], right = f->top[f->depth - 1];
    float *to = right.x == f->keep ? right.x : left->x, *from = to == left->x ? right.x : left->x;
    f->k->add(f->n, from, to);
    if (f->drop) f->drop(f->ctx, from);
    left->x = to;
    left->level++;
    f->depth--;
}

/* One step up from the top of the stack, if the tree allows. */
static bool grow(fold *f, int root)
{
    node *v = &f->top[f->depth - 1];
    if (v->level == root) return false;
    if (!is_right(v)) {
        bool alone = v->at + ((int64_t)1 << v->level) >= f->grains;
        if (alone) v->level++;
        return alone;
    }
    if (f->depth < 2 || v[-1].level != v->level || v[-1].at != v->at - ((int64_t)1 << v->level)) return false;
    merge(f);
    return true;
}

void tree_push(fold *f, node v)
{
    assert(f->depth < TREE_DEPTH);
    f->top[f->depth++] = v;
    int root = root_level(f->grains);
    while (grow(f, root)) {
    }
}

int tree_cover(int64_t grains, int64_t lo, int64_t hi, node *out)
{
    int n = 0, root = root_level(grains);
    while (lo < hi) {
        int level = 0;
        int64_t end = lo + 1;
        while (level < root && !(lo >> level & 1)) {
            int64_t next = lo + ((int64_t)2 << level);
            if (next > hi && hi < grains) break;
            level++;
            end = next;
        }
        out[n++] = (node){lo, level, NULL};
        lo = end;
    }
    return n;
}

static double tree_value(const double *v, int64_t grains, int64_t at, int64_t width)
{
    if (width == 1) return v[at];
    double left = tree_value(v, grains, at, width / 2);
    int64_t right = at + width / 2;
    return right < grains ? left + tree_value(v, grains, right, width / 2) : left;
}

double tt_xsum_scalar(const tt_mesh *m, int64_t grains, double *vals)
{
    if (grains == 0) return 0;
    tt_allsum_f64(m, vals, grains); /* one value and zeros: exact in any order */
    int64_t width = 1;
    while (width < grains) width *= 2;
    return tree_value(vals, grains, 0, width);
}

int tree_waiting(int64_t grains, int64_t lo, int64_t hi, int64_t round)
{
    fold f = {.grains = grains, .k = &tt_kern_dry};
    float none[1];
    int most = 0;
    for (int64_t g = lo; g < hi; g++) {
        if ((g - lo) % round == 0 && f.depth > most) most = f.depth;
        tree_push(&f, (node){g, 0, none});
    }
    return most;
}
