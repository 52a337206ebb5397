// TEST np=1
/* kill -9 at any moment of writing: what was committed stays whole, and the next run goes on from it. */
#include "ckpt_sample.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static const tt_mesh alone = {.rank = 0, .size = 1};

/* Writes steps for ever; step i is committed before i is put into the pipe. */
static void write_for_ever(const char *dir, int64_t step, int pipe_end)
{
    tt_arena *a = tt_arena_new(1 << 20);
    for (;; step++) {
        sample s;
        tt_arena_reset(a);
        sample_make(&s, &alone, a, 3, step);
        if (tt_ckpt_write(NULL, dir, step, &s.c) != TT_OK || write(pipe_end, &step, sizeof step) != sizeof step)
            _exit(1);
        if (tt_ckpt_prune(NULL, dir, 2, -1) != TT_OK) _exit(1);
    }
}

/* Runs a writer from step on, kills it some time after its first commit; the last step it says it has committed. */
static int64_t killed(const char *dir, int64_t step, long microseconds)
{
    int end[2];
    if (pipe(end) != 0) abort();
    pid_t pid = fork();
    if (pid == 0) write_for_ever(dir, step, end[1]);
    close(end[1]);
    int64_t last = -1, got;
    if (read(end[0], &got, sizeof got) == sizeof got) last = got;
    nanosleep(&(struct timespec){0, microseconds * 1000}, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    while (read(end[0], &got, sizeof got) == sizeof got) last = got;
    close(end[0]);
    return last;
}

/* The newest good step; its numbers are read. -1: none, -2: wrong. */
static int64_t newest(const char *dir)
{
    tt_arena *a = tt_arena_new(1 << 20);
    const char *path;
    long long step = -1;
    if (tt_ckpt_latest(NULL, dir, a, &path) == TT_OK && path) {
        sample s;
        sscanf(strrchr(path, '/'), "/step-%lld.h5", &step);
        sample_make(&s, &alone, a, 3, -1);
        for (int i = 0; i < 4; i++) s.text[i].text = NULL;
        if (tt_ckpt_read(NULL, path, a, &s.c) != TT_OK || sample_wrong(&s, step) != 0) step = -2;
    }
    tt_arena_free(a);
    return step;
}

/* Under its own name a file is whole, whenever the writer died. */
static int torn_files(const char *dir)
{
    char cmd[128], path[256];
    int torn = 0;
    FILE *null = fopen("/dev/null", "w");
    snprintf(cmd, sizeof cmd, "ls %s/step-*.h5", dir);
    FILE *list = popen(cmd, "r");
    while (fgets(path, sizeof path, list)) {
        path[strcspn(path, "\n")] = 0;
        torn += tt_ckpt_inspect(path, null) != TT_OK;
    }
    pclose(list);
    fclose(null);
    return torn;
}

int main(void)
{
    char dir[64] = "/tmp/tutti-kill-XXXXXX", cmd[128];
    if (!mkdtemp(dir)) return 1;
    tt_rkey key = tt_key(11, "kill", 0, 0, 0);
    int64_t step = 0, said = -1, lost = 0, wrong = 0, broken = 0, torn = 0;
    for (int i = 0; i < 25; i++) {
        int64_t last = killed(dir, step, (long)tt_rand_below(key, (uint64_t)i, 200000));
        if (last >= 0) said = last;
        pid_t pid = fork(); /* HDF5 is not started in the parent, so that every child starts it afresh */
        if (pid == 0) {
            int64_t now = newest(dir);
            _exit(now == -2 ? 2 : now < said ? 1 : torn_files(dir) ? 3 : 0);
        }
        int rc;
        waitpid(pid, &rc, 0);
        lost += WEXITSTATUS(rc) == 1 || !WIFEXITED(rc);
        wrong += WEXITSTATUS(rc) == 2;
        broken += WEXITSTATUS(rc) == 3;
        char *tmp = tt_malloc(256);
        snprintf(tmp, 256, "%s/step-%08lld.h5.tmp", dir, (long long)said + 1);
        torn += access(tmp, F_OK) == 0;
        free(tmp);
        step = said + 1;
    }
    ok(said > 0 && lost == 0, "25 kills, %lld steps committed: none is lost (%d)", (long long)said, (int)lost);
    ok(wrong == 0, "and the newest is right each time (%d)", (int)wrong);
    ok(broken == 0, "and every file under its own name is whole (%d)", (int)broken);
    printf("# %d kills left a temporary behind\n", (int)torn);
    ok(tt_ckpt_prune(NULL, dir, 2, -1) == TT_OK && !access(dir, F_OK), "prune: %s", tt_fail_text());
    snprintf(cmd, sizeof cmd, "test -z \"$(ls %s | grep h5.tmp)\"", dir);
    ok(system(cmd) == 0, "removes what the kills left");
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    if (system(cmd) != 0) return 1;
    return tap_done();
}
