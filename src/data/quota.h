/* The stratified order of draws: integer quotas over a cycle, kept within one of the ideal line at every place. Private to data.
 *
 * A cycle has C draws, of which set i gets e_i, sum e_i = C. Its job k (k = 0 .. e_i - 1) has the window [k C / e_i, (k + 1) C / e_i),
 * rounded outwards. When every job is done in its window, the number of set i among the first N draws is less than one off N e_i / C,
 * whatever N. Such an order exists (Tijdeman, "The chairman assignment problem", 1980), and taking the released job with the earliest
 * deadline finds it (Baruah et al., "Proportionate progress", 1996). Equal deadlines are decided by the key and the job, so that
 * equal sets come in another order every time.
 *
 * That walk starts at the cycle's beginning. To seek, the cycle is halved until a piece is short enough to be walked; the counts at
 * each middle are chosen so that both halves can be done in their windows (quota.c tells how, and why that is so). A seek thus costs
 * log2(C / period) middles of O(n log n) and one piece, and the bound holds in long cycles as it does in short ones. */
#ifndef TUTTI_DATA_QUOTA_H
#define TUTTI_DATA_QUOTA_H

#include "tutti/base.h"

typedef struct tt_quota tt_quota;
/* e[n] >= 0, 0 < sum C <= 2^48. period: most draws in a piece (0: the default, 2^16); it changes the order, not the bound. */
tt_quota *tt_quota_new(int n, const int64_t *e, tt_rkey key, int64_t period);
void tt_quota_free(tt_quota *q);
int64_t tt_quota_cycle(const tt_quota *q);
/* Draw at (at >= 0; cycle follows cycle): its set; *use: how many draws of the set came before it, over all cycles. A function of
 * the arguments alone, but q remembers the piece it read last: amortized O(log n) in order, a seek elsewhere. */
int tt_quota_draw(tt_quota *q, int64_t at, int64_t *use);
/* count[n]: draws of each set among the first at. One seek at most. */
void tt_quota_counts(tt_quota *q, int64_t at, int64_t *count);

#endif
