// TEST np=1,2,3,4
/* The mesh cut into dp x tp, and sums over tp against the same sums computed locally. */
#include "tutti/comm.h"
#include "../tap.h"

static void t_split(tt_mesh *m)
{
    for (int tp = 1; tp <= m->size + 1; tp++) {
        if (m->size % tp == 0) {
            bool good = tt_mesh_split(m, tp) == TT_OK && m->tp == tp && m->dp == m->size / tp &&
                        m->dp_rank * tp + m->tp_rank == m->rank && m->tp_rank >= 0 && m->tp_rank < tp;
            int n, r;
            MPI_Comm_size(m->tp_comm, &n);
            MPI_Comm_rank(m->tp_comm, &r);
            ok(good && n == tp && r == m->tp_rank, "%d ranks: dp %d x tp %d", m->size, m->dp, tp);
            continue;
        }
        char want[100];
        snprintf(want, sizeof want, "mesh.tp %d does not divide the %d ranks", tp, m->size);
        bool fails = tt_mesh_split(m, tp) == TT_EJOB && !strncmp(tt_fail_text(), want, strlen(want));
        ok(fails && m->tp == 1 && m->dp == m->size, "refused: %s", tt_fail_text());
        tt_fail_clear();
    }
}

/* Sums depend on their order. */
static float number(int rank, int64_t i)
{
    return (float)tt_rand_normal(tt_key(5, "number", (uint64_t)rank, 0, 0), (uint64_t)i) * (i % 3 ? 1.f : 1e6f);
}

static float summed(const tt_mesh *m, int64_t i)
{
    float s = number(m->dp_rank * m->tp, i);
    for (int r = 1; r < m->tp; r++) s += number(m->dp_rank * m->tp + r, i);
    return s;
}

static void t_sum(const tt_mesh *m, int64_t n, bool behind)
{
    float *x = tt_malloc(sizeof *x * (size_t)(n + 2)), *y = x + 1;
    int64_t bad = 0;
    x[0] = x[n + 1] = 7;
    for (int64_t i = 0; i < n; i++) y[i] = number(m->rank, i);
    if (behind) {
        tt_tp_sum_begin(m, y, n);
        for (int i = 0; i < m->rank; i++) tt_tp_sum_test(m);
        while (m->rank % 2 && !tt_tp_sum_test(m)) continue;
        tt_tp_sum_end(m);
    } else {
        tt_tp_sum(m, y, n);
    }
    for (int64_t i = 0; i < n; i++) bad += y[i] != summed(m, i);
    ok(!bad && x[0] == 7 && x[n + 1] == 7, "tp %d: %lld numbers in rank order%s, %lld wrong", m->tp, (long long)n,
       behind ? ", behind something else" : "", (long long)bad);
    free(x);
}

static void t_small(const tt_mesh *m)
{
    double s[3], x[3] = {m->rank, -m->rank, m->tp_rank == m->tp - 1 ? NAN : 1};
    for (int i = 0; i < 3; i++) s[i] = 0.1 * number(m->rank, i);
    double want = 0.1 * number(m->dp_rank * m->tp, 1);
    for (int r = 1; r < m->tp; r++) want += 0.1 * number(m->dp_rank * m->tp + r, 1);
    tt_tp_sum_f64(m, s, 3);
    tt_tp_max_f64(m, x, 3);
    ok(s[1] == want, "tp %d: sum of doubles in rank order", m->tp);
    ok(x[0] == m->dp_rank * m->tp + m->tp - 1 && x[1] == -m->dp_rank * m->tp && isnan(x[2]), "tp %d: largest", m->tp);
    int32_t mine[2] = {m->rank, 3 * m->rank}, all[16];
    tt_tp_gather(m, mine, sizeof mine, all);
    int bad = 0;
    for (int r = 0; r < m->tp; r++)
        bad += all[2 * r] != m->dp_rank * m->tp + r || all[2 * r + 1] != 3 * (m->dp_rank * m->tp + r);
    ok(!bad, "tp %d: gathered in rank order", m->tp);
}

static void t_all(const tt_mesh *m)
{
    static const int64_t n[] = {0, 1, 2, 3, 1000, 65536, 300001};
    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        for (int behind = 0; behind < 2; behind++) t_sum(m, n[i], behind);
    t_small(m);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    t_split(&m);
    for (int tp = 1; tp <= m.size; tp++) {
        if (m.size % tp) continue;
        tt_mesh_split(&m, tp);
        t_all(&m);
        m.chunk = 24;
        t_sum(&m, 5000, true);
        t_small(&m);
        m.chunk = (size_t)1 << 30;
    }
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
