/* The stratified order of draws: integer quotas over a cycle, kept within one of the ideal line at every place. Private to data.
 *
 * A cycle has C draws, of which set i gets e_i, sum e_i = C. Its job k (k = 0 .. e_i - 1) has the window [k C / e_i, (k + 1) C / e_i);
 * when every job is done in its window, the number of set i among the first N draws is within one of N e_i / C. Such an order exists
 * (Tijdeman, "The chairman assignment problem", 1980) and taking the released job with the earliest deadline finds it (Baruah et al.,
 * "Proportionate progress", 1996). That walk starts at the cycle's beginning; to seek, a cycle is cut into periods whose first counts
 * are the ideal ones rounded up or down, and only one period is walked. */
#ifndef TUTTI_DATA_QUOTA_H
#define TUTTI_DATA_QUOTA_H

#include "tutti/base.h"

typedef struct tt_quota tt_quota;
/* e[n] >= 0, sum C > 0 (at most 2^48). key breaks ties between equal deadlines. period: most draws in a period (0: the default, 2^16). */
tt_quota *tt_quota_new(int n, const int64_t *e, tt_rkey key, int64_t period);
void tt_quota_free(tt_quota *q);
int64_t tt_quota_cycle(const tt_quota *q);
/* Draw at (0 <= at < C): its set; *use: how many draws of the set came before it in the cycle. Amortized O(log n) when read in order; a
 * jump to another period costs that period. */
int tt_quota_draw(tt_quota *q, int64_t at, int64_t *use);
/* count[n]: draws of each set among the first at of the cycle (0 <= at <= C). */
void tt_quota_counts(tt_quota *q, int64_t at, int64_t *count);

#endif
