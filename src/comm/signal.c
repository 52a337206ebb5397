/* Signals that ask for a clean stop. */
#include "tutti/comm.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t pending;

static void on_signal(int sig) { pending = sig; }

void tt_signals_install(void)
{
    struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&a.sa_mask);
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGUSR1, &a, NULL);
    a.sa_flags |= SA_RESETHAND; /* the second Ctrl-C ends the program at once */
    sigaction(SIGINT, &a, NULL);
}

int tt_signal_pending(void) { return pending; }

const char *tt_signal_name(int sig)
{
    switch (sig) {
    case SIGTERM: return "SIGTERM";
    case SIGUSR1: return "SIGUSR1";
    case SIGINT: return "SIGINT";
    default: return strsignal(sig);
    }
}
