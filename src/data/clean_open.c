/* Duplicates and contamination of a job, searched once and kept with its token store. */
#include "tutti/data.h"

#include <stdlib.h>

/* Collective. */
static tt_err load(const tt_mesh *m, const char *path, const tt_job *job, tt_sets *train, tt_sets *validation,
                   tt_sets *test, bool all, tt_clean **out)
{
    tt_err e = tt_clean_load(m, path, job, train, validation, test, all, out);
    if (e != TT_EFILE) return e;
    tt_log("warning: %s; it is searched anew", tt_fail_text());
    tt_fail_clear();
    *out = NULL;
    return TT_OK;
}

/* Collective. Another job's result is replaced: a store mostly serves one. */
static void save(const tt_mesh *m, const char *path, const tt_clean *c)
{
    if (tt_clean_save(m, c, path) == TT_OK) return;
    tt_log("warning: %s; the search will be made again at the next start", tt_fail_text());
    tt_fail_clear();
}

/* Collective. path NULL: nothing is kept. */
static tt_err search(const tt_mesh *m, const char *path, const tt_job *job, tt_sets *train, tt_sets *validation,
                     tt_sets *test, bool all, tt_clean **out)
{
    if (path) TT_TRY(load(m, path, job, train, validation, test, all, out));
    if (*out) return TT_OK;
    TT_TRY(tt_clean_run(m, job, train, validation, test, all, out));
    if (path) save(m, path, *out);
    return TT_OK;
}

tt_err tt_clean_open(const tt_mesh *m, const tt_job *job, tt_sets *train, tt_sets *validation, tt_sets *test, bool all,
                     tt_clean **out)
{
    *out = NULL;
    bool look = all || job->data.deduplicate != TT_FOUND_OFF || job->data.decontaminate != TT_FOUND_OFF;
    if (!look || !train || !train->n) return TT_OK;
    char *path = NULL;
    if (job->data.store && asprintf(&path, "%s/clean.json", job->data.store) < 0) TT_BUG("out of memory");
    tt_err e = search(m, path, job, train, validation, test, all, out);
    free(path);
    return e;
}
