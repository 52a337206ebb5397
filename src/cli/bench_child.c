/* Programs that a benchmark starts: other parts of tutti bench, each with its own peak of memory, peers, mpirun. */
#include "bench.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The environment as it was when this process began: MPI has since added its own variables, with which a child that starts MPI too would
 * take itself for a rank of ours. *memory holds the words. */
static char **first_environment(char **memory)
{
    size_t size = 0, cap = 1 << 16, n = 0;
    *memory = tt_malloc(cap + 1);
    int fd = open("/proc/self/environ", O_RDONLY);
    for (ssize_t got; fd >= 0 && (got = read(fd, *memory + size, cap - size)) > 0;) {
        size += (size_t)got;
        if (size == cap) *memory = tt_realloc(*memory, (cap *= 2) + 1);
    }
    if (fd >= 0) close(fd);
    (*memory)[size] = 0;
    char **word = tt_malloc(sizeof *word * (size / 2 + 2));
    for (char *p = *memory; p < *memory + size; p += strlen(p) + 1)
        if (*p) word[n++] = p;
    word[n] = NULL;
    return word;
}

FILE *tt_bench_spawn(const char *command, int *pid)
{
    int end[2];
    char *memory, **env = first_environment(&memory);
    fflush(NULL);
    *pid = pipe(end) ? -1 : fork();
    if (*pid == 0) {
        dup2(end[1], 1);
        close(end[0]);
        close(end[1]);
        execle("/bin/sh", "sh", "-c", command, (char *)NULL, env);
        _exit(127);
    }
    free(env);
    free(memory);
    if (*pid < 0) return NULL;
    close(end[1]);
    return fdopen(end[0], "r");
}

int tt_bench_reap(FILE *f, int pid)
{
    int status = -1;
    if (f) fclose(f);
    if (pid > 0) waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

json_t *tt_bench_child(const char *command, bool show)
{
    char *line = NULL;
    size_t cap = 0;
    int pid;
    json_t *last = NULL;
    FILE *f = tt_bench_spawn(command, &pid);
    while (f && getline(&line, &cap, f) > 0) {
        json_decref(last);
        last = json_loads(line, 0, NULL);
        if (show && !last) fputs(line, stdout);
    }
    free(line);
    if (tt_bench_reap(f, pid) == 0 && json_is_object(last)) return last;
    json_decref(last);
    return NULL;
}

const char *tt_bench_self(void)
{
    static _Thread_local char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    return path;
}
