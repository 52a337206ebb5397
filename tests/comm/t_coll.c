// TEST np=1,2,3,4
/* Collectives against the same thing computed locally; a small chunk makes every path take many MPI calls. */
#include "tutti/comm.h"
#include "../tap.h"

static int64_t length(int r) { return r == 1 ? 0 : 7 + 3 * (int64_t)r; }

static void t_gathers(const tt_mesh *m, const char *how)
{
    int32_t mine[64];
    int64_t n = length(m->rank);
    for (int64_t i = 0; i < n; i++) mine[i] = (int32_t)(1000 * m->rank + i);
    size_t off[16], off2[16];
    void *all, *root;
    tt_allgatherv(m, mine, sizeof *mine * (size_t)n, &all, off);
    int last = m->size - 1, bad = 0;
    tt_gatherv(m, mine, sizeof *mine * (size_t)n, &root, off2, last);
    for (int r = 0; r < m->size; r++) {
        const int32_t *x = (const int32_t *)((char *)all + off[r]);
        bad += off[r + 1] - off[r] != sizeof *mine * (size_t)length(r);
        for (int64_t i = 0; i < length(r); i++) bad += x[i] != 1000 * r + i;
    }
    ok(!bad, "%s: allgatherv in rank order", how);
    bad = memcmp(off, off2, sizeof *off * (size_t)(m->size + 1));
    if (m->rank == last)
        bad |= memcmp(all, root, off[m->size]);
    else
        bad |= root != NULL;
    ok(!bad, "%s: gatherv gives the same on the root", how);
    free(all);
    free(root);
}

/* Rank s sends rank r the numbers 1000 s + r, 7 s + r of them, and nothing from an odd rank to rank 0. */
static int64_t sent(int s, int r) { return s % 2 && r == 0 ? 0 : 7 * s + r; }

static void t_alltoall(const tt_mesh *m, const char *how)
{
    int32_t mine[400];
    size_t to[16] = {0}, off[16];
    void *all;
    for (int r = 0; r < m->size; r++) {
        to[r + 1] = to[r] + sizeof *mine * (size_t)sent(m->rank, r);
        for (size_t i = to[r] / sizeof *mine; i < to[r + 1] / sizeof *mine; i++) mine[i] = 1000 * m->rank + r;
    }
    tt_alltoallv(m, mine, to, &all, off);
    int bad = off[0] != 0;
    for (int s = 0; s < m->size; s++) {
        const int32_t *x = (const int32_t *)((char *)all + off[s]);
        bad += off[s + 1] - off[s] != sizeof *mine * (size_t)sent(s, m->rank);
        for (int64_t i = 0; i < sent(s, m->rank); i++) bad += x[i] != 1000 * s + m->rank;
    }
    ok(!bad, "%s: alltoallv brings each rank its own, in rank order", how);
    free(all);
}

static void t_cuts(const tt_mesh *m, const char *how)
{
    int64_t cut[16] = {5}; /* slabs need not start at a cut of 0 */
    for (int r = 0; r < m->size; r++) cut[r + 1] = cut[r] + length(r);
    float x[200];
    for (int i = 0; i < 200; i++) x[i] = i >= cut[m->rank] && i < cut[m->rank + 1] ? (float)i : -1;
    tt_allgather_cuts(m, x, cut);
    int bad = 0;
    for (int i = 0; i < 200; i++) bad += x[i] != (i >= cut[0] && i < cut[m->size] ? (float)i : -1);
    ok(!bad, "%s: allgather_cuts fills every slice and nothing else", how);
}

static void t_sums(const tt_mesh *m, const char *how)
{
    double d[40];
    float f[40];
    int64_t s[40], x[40];
    for (int i = 0; i < 40; i++) {
        d[i] = m->rank + i;
        f[i] = (float)(m->rank * i);
        s[i] = ((int64_t)1 << 40) + m->rank;
        x[i] = i % 2 ? m->rank : -m->rank;
    }
    tt_allsum_f64(m, d, 40);
    tt_allsum_f32(m, f, 40);
    tt_allsum_i64(m, s, 40);
    tt_allmax_i64(m, x, 40);
    int bad = 0, ranks = m->size * (m->size - 1) / 2;
    for (int i = 0; i < 40; i++)
        bad += d[i] != ranks + i * m->size || f[i] != (float)(ranks * i) ||
               s[i] != m->size * ((int64_t)1 << 40) + ranks || x[i] != (i % 2 ? m->size - 1 : 0);
    ok(!bad, "%s: sums and maxima", how);

    char text[100] = "";
    if (m->rank == m->size - 1) memset(text, 'x', 99);
    tt_bcast(m, text, 100, m->size - 1);
    ok(strlen(text) == 99, "%s: bcast", how);
}

static void t_messages(const tt_mesh *m, const char *how)
{
    float out[101], in[101];
    for (int i = 0; i < 101; i++) out[i] = (float)(1000 * m->rank + i);
    int right = (m->rank + 1) % m->size, left = (m->rank + m->size - 1) % m->size;
    tt_reqs *q = tt_reqs_new();
    for (int round = 0; round < 2; round++) {
        tt_irecv_f32(m, q, in, 60, left, 3); /* two messages with one tag arrive in order */
        tt_irecv_f32(m, q, in + 60, 41, left, 3);
        tt_isend_f32(m, q, out, 60, right, 3);
        tt_isend_f32(m, q, out + 60, 41, right, 3);
        if (round)
            while (!tt_reqs_test(q)) {
            }
        else
            tt_reqs_wait(q);
    }
    int bad = 0;
    for (int i = 0; i < 101; i++) bad += in[i] != (float)(1000 * left + i);
    ok(!bad, "%s: messages", how);
    tt_reqs_free(q);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    tt_mesh small = m;
    small.chunk = 24;
    for (int i = 0; i < 2; i++) {
        const tt_mesh *use = i ? &small : &m;
        const char *how = i ? "chunks of 24 bytes" : "one call";
        t_gathers(use, how);
        t_alltoall(use, how);
        t_cuts(use, how);
        t_sums(use, how);
        t_messages(use, how);
    }
    ok(m.node_size == m.size && m.node_rank == m.rank, "all ranks share this node");
    ok(tt_rss_bytes() > 1 << 20 && tt_rss_peak_bytes() >= tt_rss_bytes() / 2, "resident memory is known");
    ok(getenv("OMPI_MCA_fcoll") && !strcmp(getenv("OMPI_MCA_fcoll"), "dynamic_gen2"),
       "the safe MPI-IO component is chosen");
    tt_mesh_fini(&m);
    return tap_done();
}
