/* Processors of scores, and drawing. */
#include "logits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void tt_logits_repetition(float *z, const int32_t *ids, int n, double penalty)
{
    for (int i = 0; i < n; i++) {
        bool seen = false;
        for (int j = 0; j < i && !seen; j++) seen = ids[j] == ids[i];
        if (seen) continue;
        float *x = &z[ids[i]], p = (float)penalty;
        *x = *x < 0 ? *x * p : *x / p;
    }
}

void tt_logits_no_repeat(float *z, const int32_t *ids, int n, int size)
{
    if (n + 1 < size) return;
    const int32_t *last = ids + n - (size - 1);
    for (int i = 0; i + size <= n; i++)
        if (!memcmp(ids + i, last, sizeof *ids * (size_t)(size - 1))) z[ids[i + size - 1]] = -INFINITY;
}

void tt_logits_temperature(float *z, int64_t V, double temperature)
{
    float t = (float)temperature;
    for (int64_t v = 0; v < V; v++) z[v] /= t;
}

/* ---- parts of a distribution ---------------------------------------------------------------------------------------*/

static float largest(const float *z, int64_t V)
{
    float top = -INFINITY;
    for (int64_t v = 0; v < V; v++) top = z[v] > top ? z[v] : top;
    return top;
}

void tt_logits_softmax(float *z, int64_t V)
{
    float top = largest(z, V);
    double sum = 0;
    for (int64_t v = 0; v < V; v++) sum += z[v] = z[v] == -INFINITY ? 0 : expf(z[v] - top);
    for (int64_t v = 0; v < V; v++) z[v] = (float)(z[v] / sum);
}

/* The k-th largest of x[n], which is put into another order (Hoare's selection). */
static float kth_largest(float *x, int64_t n, int64_t k)
{
    int64_t lo = 0, hi = n - 1, want = k - 1;
    while (lo < hi) {
        float pivot = x[lo + (hi - lo) / 2];
        int64_t i = lo, j = hi;
        while (i <= j) {
            while (x[i] > pivot) i++;
            while (x[j] < pivot) j--;
            if (i > j) break;
            float swap = x[i];
            x[i++] = x[j];
            x[j--] = swap;
        }
        if (want <= j)
            hi = j;
        else if (want >= i)
            lo = i;
        else
            break;
    }
    return x[want];
}

void tt_logits_top_k(float *z, int64_t V, int64_t k)
{
    if (k <= 0 || k >= V) return;
    float *copy = tt_malloc(sizeof *copy * (size_t)V);
    memcpy(copy, z, sizeof *copy * (size_t)V);
    float least = kth_largest(copy, V, k);
    free(copy);
    for (int64_t v = 0; v < V; v++)
        if (z[v] < least) z[v] = -INFINITY;
}

typedef struct ranked {
    float key, z;
    int32_t id;
} ranked;

static int by_key(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* The tokens that are not ruled out, by key (NULL: by z) from the lowest; heap. */
static ranked *sorted(const float *z, const float *key, int64_t V, int64_t *n)
{
    int64_t many = 0;
    for (int64_t v = 0; v < V; v++) many += z[v] != -INFINITY;
    ranked *r = tt_malloc(sizeof *r * (size_t)(many + 1));
    *n = 0;
    for (int64_t v = 0; v < V; v++)
        if (z[v] != -INFINITY) r[(*n)++] = (ranked){key ? key[v] : z[v], z[v], (int32_t)v};
    qsort(r, (size_t)*n, sizeof *r, by_key);
    return r;
}

void tt_logits_top_p(float *z, int64_t V, double p)
{
    if (p >= 1) return;
    int64_t n;
    ranked *r = sorted(z, NULL, V, &n);
    double sum = 0, below = 0;
    for (int64_t i = 0; i < n; i++) sum += exp((double)r[i].z - r[n - 1].z);
    for (int64_t i = 0; i + 1 < n; i++) {
        below += exp((double)r[i].z - r[n - 1].z) / sum;
        if (below > 1 - p) break;
        z[r[i].id] = -INFINITY;
    }
    free(r);
}

static float *probabilities(const float *z, int64_t V)
{
    float *p = tt_malloc(sizeof *p * (size_t)V);
    memcpy(p, z, sizeof *p * (size_t)V);
    tt_logits_softmax(p, V);
    return p;
}

/* Rules out what is less probable than least; the best stays. */
static void cut_below(float *z, const float *p, int64_t V, double least)
{
    float top = largest(z, V);
    for (int64_t v = 0; v < V; v++)
        if (p[v] < (float)least && z[v] < top) z[v] = -INFINITY;
}

void tt_logits_min_p(float *z, int64_t V, double share)
{
    float *p = probabilities(z, V);
    cut_below(z, p, V, (float)share * largest(p, V));
    free(p);
}

void tt_logits_epsilon(float *z, int64_t V, double least)
{
    float *p = probabilities(z, V);
    cut_below(z, p, V, least);
    free(p);
}

/* Tokens are ranked by how far their surprise is from the expected one. */
void tt_logits_typical(float *z, int64_t V, double mass)
{
    float *p = probabilities(z, V), *far = tt_malloc(sizeof *far * (size_t)V);
    double entropy = 0, sum = 0;
    for (int64_t v = 0; v < V; v++) entropy -= p[v] > 0 ? p[v] * log(p[v]) : 0;
    for (int64_t v = 0; v < V; v++) far[v] = p[v] > 0 ? (float)fabs(-log(p[v]) - entropy) : INFINITY;
    int64_t n, last = 0;
    ranked *r = sorted(z, far, V, &n);
    for (int64_t i = 0; i < n; i++) last += (sum += p[r[i].id]) < mass;
    if (last > n - 1) last = n - 1;
    float most = r[last].key;
    for (int64_t v = 0; v < V; v++)
        if (far[v] > most) z[v] = -INFINITY;
    free(r);
    free(far);
    free(p);
}

int32_t tt_logits_draw(float *z, int64_t V, double u)
{
    tt_logits_softmax(z, V);
    double sum = 0, all = 0;
    int32_t last = 0;
    for (int64_t v = 0; v < V; v++) all += z[v];
    for (int64_t v = 0; v < V; v++) {
        if (z[v] <= 0) continue;
        last = (int32_t)v;
        if ((sum += z[v]) > u * all) break;
    }
    return last;
}
