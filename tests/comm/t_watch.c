// TEST np=1,2
/* Without arguments: the watchdog stays silent while kicked. t_watch.sh starts it with a fault to inject on the last rank. */
#include "tutti/comm.h"
#include "../tap.h"

#include <signal.h>
#include <time.h>

static void nap(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    nanosleep(&t, NULL);
}

static int fault(const tt_mesh *m, const char *what)
{
    tt_watch_start(m, 2);
    tt_watch_kick("step 7: reduce");
    if (m->rank == m->size - 1) {
        if (!strcmp(what, "hang")) nap(600);
        if (!strcmp(what, "kill")) raise(SIGKILL);
        if (!strcmp(what, "bug")) TT_BUG("slab of %d floats has no owner", 16);
    }
    tt_barrier(m);
    return 0;
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    if (argc > 1) return fault(&m, argv[1]);

    tt_watch_kick("nobody listens");
    tt_watch_start(&m, 0);
    tt_watch_stop();
    tt_watch_start(&m, 4);
    for (int i = 0; i < 9; i++) {
        nap(0.5);
        tt_watch_kick("busy");
    }
    tt_watch_start(&m, 3600); /* starting again replaces the first */
    ok(1, "a watchdog of 4 s lets 4.5 s of work pass");
    tt_mesh_fini(&m);
    return tap_done();
}
