/* The model of communication: what moves in a step, and how long that takes.
 *
 * A message of b bytes costs alpha + b beta. Between nodes alpha is plan.latency and beta what all ranks of a node, which send at the same
 * time, leave of plan.bandwidth. Inside a node a rank passes on plan.copy bytes a second, and that is work of its core: ranks that share a
 * core (more ranks than cores) slow each other down, and it never hides behind computation. Ranks of one copy of the model (tp) lie on the
 * same node where they fit. The network has no hot spots: full bisection. With N floats of parameters (of a tp rank), d copies, n grains a copy
 * and w bytes of a gradient on the wire, a rank sends:
 *
 *   the exact sum      zero 0, 1   k N w (d-1)/d, all to all, once   k: subtrees of a rank, 1 where grains divide by ranks well
 *                      zero 2, 3   n N w (d-1)/d, all to all, block by block as the backward pass goes
 *   a gather, a ring   zero 0      N 4 (d-1)/d: the gradients' sums     zero 1, 2   the same: the new weights
 *                      zero 3      2 n N 4 (d-1)/d: the weights for forward and backward of every grain
 *   tp                 a ring passes every float of a sum 2 (tp-1)/tp times
 *
 * and a dozen small collectives of log2(ranks) messages each. Of the network's time zero 0 and 1 hide nothing, zero 2 and 3 all but one group's,
 * as far as the backward pass lasts. */
#include "plan.h"

#include <math.h>

typedef struct net {
    double alpha, bytes_s;           /* between nodes */
    double local_alpha, local_bytes; /* seconds a message, bytes a second of a rank: shared cores counted */
    double near, d;                  /* copies with a rank on this node; copies */
    double flows;                    /* ranks of a node that send to other nodes at once, in a ring */
    double per;
    double bucket;
} net;

static net net_of(tt_planner *p, const tt_job *job, const layout *l)
{
    double copy = job->plan.copy > 0 ? 1e9 * job->plan.copy : plan_copy_rate(p) / 2, per = (double)l->per_node;
    double tp = (double)l->tp;
    net n = {.alpha = 1e-6 * job->plan.latency, .bytes_s = 1e9 * job->plan.bandwidth, .d = (double)l->dp, .per = per};
    n.local_alpha = 1e-6 * job->plan.copy_latency * l->crowd;
    n.local_bytes = copy / l->crowd;
    n.near = tp <= per ? fmax(1, per / tp) : 1;
    n.flows = fmin(tp, per);
    n.bucket = 1048576.0 * (double)job->mesh.bucket;
    return n;
}

/* Every copy sends its part of bytes to every other. */
static void all_to_all(const net *n, double bytes, traffic *t)
{
    if (n->d <= 1) return;
    double sent = bytes * (n->d - 1) / n->d, each = bytes / n->d, messages = ceil(each / n->bucket);
    double local = each * (n->near - 1), away = sent - local;
    t->sent += sent;
    t->net += away * n->per;
    t->local += local / n->local_bytes + (n->near - 1) * messages * n->local_alpha;
    t->network += away * n->per / n->bytes_s + (n->d - n->near) * messages * n->alpha;
}

/* In d-1 steps every rank passes a d-th on to the next. The slower of the two kinds of links sets the pace. */
static void ring(const net *n, double bytes, double times, traffic *t)
{
    if (n->d <= 1) return;
    double steps = times * (n->d - 1), each = bytes / n->d, slow = 0;
    double local = n->near > 1 ? n->local_alpha + each / n->local_bytes : 0;
    if (n->d > n->near) slow = n->alpha + each * n->flows / n->bytes_s;
    t->sent += steps * each;
    if (n->d > n->near) t->net += steps * each * n->flows;
    t->local += steps * local;
    t->network += steps * fmax(0, slow - local);
}

/* w->nsum sums of w->sums bytes together over the ranks of one copy. */
static void tensor_sums(const net *n, const layout *l, const walked *w, traffic *t)
{
    if (l->tp == 1) return;
    double tp = (double)l->tp, steps = 2 * (tp - 1) * w->nsum, bytes = 2 * (tp - 1) / tp * w->sums;
    bool inside = l->tp <= l->per_node;
    t->sent += bytes;
    t->local += steps * n->local_alpha + bytes / n->local_bytes;
    if (inside) return;
    t->net += bytes;
    t->network += steps * n->alpha + bytes / n->bytes_s;
}

traffic plan_traffic(tt_planner *p, const tt_job *job, const layout *l, const tt_pars *pars, double nodes,
                     const walked *w)
{
    traffic t = {0};
    net n = net_of(p, job, l);
    double N = (double)pars->size, own = (double)pars->group[0].n, wire = job->mesh.wire == TT_PREC_BF16 ? 2 : 4;
    double grains = ceil((double)l->grains / n.d);
    all_to_all(&n, (tt_zero_streams(job) ? grains : nodes / n.d) * N * wire, &t);
    if (job->mesh.zero < 3) {
        ring(&n, 4 * N, 1, &t);
    } else {
        ring(&n, 4 * (N - own), 2 * grains, &t);
        ring(&n, 4 * own, 1, &t);
    }
    tensor_sums(&n, l, w, &t);
    double hops = 12 * ceil(log2((double)l->ranks));
    if (l->nodes > 1)
        t.network += hops * n.alpha;
    else
        t.local += hops * n.local_alpha;
    return t;
}

double plan_hidden(const tt_job *job, const tt_pars *pars, const traffic *t, double backward)
{
    double share = job->plan.overlap;
    if (share < 0) share = job->mesh.zero >= 2 ? 1 - 1.0 / (double)pars->ngroup : 0;
    return fmin(share * t->network, backward);
}
