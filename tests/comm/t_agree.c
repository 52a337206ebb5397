// TEST np=1,2,4
#include "tutti/comm.h"
#include "../tap.h"

#include <signal.h>

static void t_one_rank(const tt_mesh *m)
{
    int bad = m->size / 2;
    tt_err e = m->rank == bad ? tt_fail(TT_EDATA, "shard %d: line 40 has no \"output\"", bad) : TT_OK;
    e = tt_agree(m, e);
    char want[200];
    snprintf(want, sizeof want, "shard %d: line 40 has no \"output\"", bad);
    if (m->size > 1) snprintf(want + strlen(want), 100, " (first on rank %d; 1 of %d ranks failed)", bad, m->size);
    ok(e == TT_EDATA && tt_fail_code() == TT_EDATA, "all ranks return the code of the failing one");
    ok(!strcmp(tt_fail_text(), want), "text: %s", tt_fail_text());
    e = tt_agree(m, e);
    ok(e == TT_EDATA && !strcmp(tt_fail_text(), want), "agreeing again changes nothing");
    tt_fail_clear();
    e = tt_agree(m, tt_fail(TT_EJOB, "wrong key"));
    ok(e == TT_EJOB && !strcmp(tt_fail_text(), "wrong key"), "what fails on all ranks alike names none of them");
    tt_fail_clear();
}

static void t_several(const tt_mesh *m)
{
    if (m->size < 4) return;
    tt_err e = TT_OK;
    if (m->rank == 1) e = tt_fail(TT_EFILE, "one");
    if (m->rank == 3) e = tt_fail(TT_ERUN, "three");
    e = tt_agree(m, e);
    ok(e == TT_EFILE && !strcmp(tt_fail_text(), "one (first on rank 1; 2 of 4 ranks failed)"),
       "the lowest rank counts: %s", tt_fail_text());
    tt_fail_clear();
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    tt_signals_install();

    ok(tt_agree(&m, TT_OK) == TT_OK && tt_fail_code() == TT_OK, "nothing failed");
    t_one_rank(&m);
    t_several(&m);
    ok(tt_agree(&m, m.rank ? TT_OK : TT_EJOB) == TT_EJOB && *tt_fail_text(), "a failure without a text gets one");
    tt_fail_clear();
    if (m.rank == 0) tt_fail(TT_EDATA, "recovered from");
    ok(tt_agree(&m, TT_OK) == TT_OK, "a text without an error is no error");

    ok(tt_signal_pending() == 0, "no signal yet");
    raise(SIGUSR1);
    ok(tt_signal_pending() == SIGUSR1 && !strcmp(tt_signal_name(SIGUSR1), "SIGUSR1"), "SIGUSR1 is remembered");
    raise(SIGTERM);
    ok(tt_signal_pending() == SIGTERM, "SIGTERM is remembered");
    tt_mesh_fini(&m);
    return tap_done();
}
