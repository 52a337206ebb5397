/* Private to cli: the parts of tutti plan. */
#ifndef TUTTI_CLI_PLAN_H
#define TUTTI_CLI_PLAN_H

#include "tutti/cli.h"

/* Collective. Times messages between the ranks it is started on; prints the keys plan.latency ... that say the same. */
tt_err tt_plan_calibrate(const tt_mesh *m, const tt_args *args);

#endif
