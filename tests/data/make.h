/* Small files and jobs for the tests of data. */
#ifndef TUTTI_TESTS_DATA_MAKE_H
#define TUTTI_TESTS_DATA_MAKE_H

#include "tutti/data.h"
#include "../tap.h"

#include <unistd.h>
#include <zlib.h>

typedef struct place { /* a folder of the test's own, removed at the end */
    char dir[64];
    const tt_mesh *m;
    tt_arena *a;
} place;

__attribute__((unused)) static place place_new(const tt_mesh *m)
{
    place p = {"/tmp/tutti_data_XXXXXX", m, tt_arena_new(1 << 16)};
    if (m->rank == 0 && !mkdtemp(p.dir)) abort();
    tt_bcast(m, p.dir, sizeof p.dir, 0);
    return p;
}

__attribute__((unused)) static void place_free(place *p)
{
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s", p->dir);
    tt_barrier(p->m);
    if (p->m->rank == 0 && system(cmd)) abort();
    tt_arena_free(p->a);
}

/* Rank 0 writes; gz if the name ends so. Collective. */
__attribute__((unused)) static const char *put_file(place *p, const char *name, const void *text, size_t size)
{
    const char *path = tt_sprintf(p->a, "%s/%s", p->dir, name);
    if (p->m->rank == 0) {
        size_t n = strlen(name);
        gzFile z = gzopen(path, n > 3 && !strcmp(name + n - 3, ".gz") ? "wb" : "wbT");
        if (!z || gzwrite(z, text, (unsigned)size) != (int)size || gzclose(z)) abort();
    }
    tt_barrier(p->m);
    return path;
}

#define PUT(p, name, text) put_file(p, name, text, strlen(text))

/* A job of this YAML with data.root = the folder (unless root says another). Collective. */
__attribute__((unused)) static tt_job *job_of(place *p, const char *root, const char *yaml)
{
    const char *path = PUT(p, "job.yaml", yaml);
    char *set = tt_sprintf(p->a, "data.root=%s", root ? root : p->dir);
    tt_job *job = NULL;
    if (tt_job_read(p->a, path, 1, &set, &job)) {
        printf("# the test's job: %s\n", tt_fail_text());
        abort();
    }
    tt_barrier(p->m);
    return job;
}

/* Collective. data.train of the YAML; NULL (and the failure) if it cannot be read. */
__attribute__((unused)) static tt_sets *sets_of(place *p, const char *yaml, tt_job **job)
{
    tt_sets *s = NULL;
    *job = job_of(p, NULL, yaml);
    char *q = tt_sprintf(p->a, "%s/quarantine.jsonl", p->dir);
    if (p->m->rank == 0) remove(q);
    return tt_sets_read(p->m, *job, (*job)->data.train, "data.train", q, &s) ? NULL : s;
}

#endif
