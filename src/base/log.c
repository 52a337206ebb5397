/* Lines for people: stderr and the run's log.txt. */
#include "tutti/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    int rank;
    bool quiet;
    int terminal; /* 1 yes, -1 no, 0 not yet known */
    char status[256];
    FILE *file;
    int nseen, cap;
    char **seen; /* keys of tt_warn_once */
} lg;

void tt_log_rank(int rank) { lg.rank = rank; }

void tt_log_quiet(bool quiet) { lg.quiet = quiet; }

tt_err tt_log_open(const char *path)
{
    tt_log_close();
    if (lg.rank != 0) return TT_OK;
    lg.file = fopen(path, "a");
    if (!lg.file)
        return tt_fail(TT_ERUN, "%s: cannot be opened for writing: %s; choose another folder with run=DIR", path,
                       strerror(errno));
    setvbuf(lg.file, NULL, _IOLBF, 0);
    return TT_OK;
}

void tt_log_close(void)
{
    if (lg.file) fclose(lg.file);
    lg.file = NULL;
}

static void put(const char *prefix, const char *fmt, va_list ap)
{
    if (lg.rank != 0) return;
    char text[8192];
    vsnprintf(text, sizeof text, fmt, ap);
    if (!lg.quiet) fprintf(stderr, "%s%s%s\n%s", lg.status[0] ? "\r\033[K" : "", prefix, text, lg.status);
    if (lg.file) fprintf(lg.file, "%s%s\n", prefix, text);
}

void tt_log(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put("", fmt, ap);
    va_end(ap);
}

/* mpirun stands between its local ranks and the terminal: then its own stderr decides. */
static bool launcher_on_terminal(void)
{
    char path[64], name[32] = "", to[256] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)getppid());
    FILE *f = fopen(path, "r");
    if (!f) return false;
    bool named = fgets(name, sizeof name, f) != NULL;
    fclose(f);
    if (!named || (strncmp(name, "mpirun", 6) && strncmp(name, "mpiexec", 7) && strncmp(name, "orterun", 7)))
        return false;
    snprintf(path, sizeof path, "/proc/%d/fd/2", (int)getppid());
    return readlink(path, to, sizeof to - 1) > 0 && (!strncmp(to, "/dev/pts/", 9) || !strncmp(to, "/dev/tty", 8));
}

static bool on_terminal(void)
{
    if (!lg.terminal) lg.terminal = isatty(STDERR_FILENO) || launcher_on_terminal() ? 1 : -1;
    return lg.terminal > 0;
}

void tt_log_status(const char *fmt, ...)
{
    if (lg.rank != 0 || lg.quiet || !on_terminal()) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(lg.status, sizeof lg.status, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\r\033[K%s", lg.status);
    fflush(stderr);
}

static bool first_time(const char *key)
{
    for (int i = 0; i < lg.nseen; i++)
        if (!strcmp(lg.seen[i], key)) return false;
    if (lg.nseen == lg.cap) {
        lg.cap = lg.cap ? 2 * lg.cap : 16;
        lg.seen = tt_realloc(lg.seen, sizeof *lg.seen * (size_t)lg.cap);
    }
    lg.seen[lg.nseen++] = strdup(key);
    return true;
}

void tt_warn_once(const char *key, const char *fmt, ...)
{
    if (!first_time(key)) return;
    va_list ap;
    va_start(ap, fmt);
    put("warning: ", fmt, ap);
    va_end(ap);
}
