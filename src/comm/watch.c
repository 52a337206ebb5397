/* The watchdog: a thread that ends the job when this rank makes no progress. */
#include "tutti/comm.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One per process, as the thread it describes. */
static struct {
    bool on, stop;
    int seconds, rank, size;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    double kicked;
    char label[128];
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Noreturn void give_up(void)
{
    char host[256] = "?";
    gethostname(host, sizeof host - 1);
    fprintf(stderr,
            "tutti: rank %d of %d on %s: no progress for %d s in '%s'; a rank is lost or a file system hangs. "
            "The job is aborted; start it again to resume (mesh.watchdog sets the limit)\n",
            watch.rank, watch.size, host, watch.seconds, watch.label);
    tt_mesh_abort();
}

static void *look_on(void *unused)
{
    pthread_mutex_lock(&watch.lock);
    while (!watch.stop) {
        double until = watch.kicked + watch.seconds;
        if (tt_now() >= until) give_up();
        struct timespec t = {.tv_sec = (time_t)until + 1}; /* tt_now counts on the same clock */
        pthread_cond_timedwait(&watch.wake, &watch.lock, &t);
    }
    pthread_mutex_unlock(&watch.lock);
    return unused;
}

/* The thread takes no signals: they belong to the main thread. */
static bool start_thread(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = pthread_create(&watch.thread, NULL, look_on, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) tt_log("warning: no watchdog: a thread cannot be started: %s", strerror(rc));
    return rc == 0;
}

void tt_watch_start(const tt_mesh *m, int seconds)
{
    tt_watch_stop();
    if (seconds <= 0) return;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&watch.wake, &attr);
    pthread_condattr_destroy(&attr);
    watch.stop = false;
    watch.seconds = seconds;
    watch.rank = m->rank;
    watch.size = m->size;
    watch.on = true;
    tt_watch_kick("start");
    watch.on = start_thread();
}

void tt_watch_kick(const char *label)
{
    if (!watch.on) return;
    pthread_mutex_lock(&watch.lock);
    watch.kicked = tt_now();
    snprintf(watch.label, sizeof watch.label, "%s", label);
    pthread_mutex_unlock(&watch.lock);
}

void tt_watch_stop(void)
{
    if (!watch.on) return;
    pthread_mutex_lock(&watch.lock);
    watch.stop = true;
    pthread_cond_signal(&watch.wake);
    pthread_mutex_unlock(&watch.lock);
    pthread_join(watch.thread, NULL);
    pthread_cond_destroy(&watch.wake);
    watch.on = false;
}
