/* The folder of checkpoints: names, the newest good one, pruning, who may write. */
#include "ckpt.h"
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names ------------------------------------------------------------------------------------------------------------*/
char *tt_ck_path(const char *dir, int64_t step)
{
    char *p = tt_malloc(strlen(dir) + 40);
    sprintf(p, "%s/step-%08lld.h5", dir, (long long)step);
    return p;
}

static int newest_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (y > x) - (y < x);
}

int tt_ck_list(const char *dir, int64_t **steps)
{
    int n = 0;
    *steps = NULL;
    DIR *d = opendir(dir);
    if (!d) return 0;
    for (struct dirent *f; (f = readdir(d));) {
        char *end;
        if (fnmatch("step-[0-9]*.h5", f->d_name, 0)) continue;
        errno = 0;
        long long step = strtoll(f->d_name + 5, &end, 10);
        if (errno || strcmp(end, ".h5")) continue;
        *steps = tt_realloc(*steps, sizeof **steps * ((size_t)n + 1));
        (*steps)[n++] = step;
    }
    closedir(d);
    if (n > 0) qsort(*steps, (size_t)n, sizeof **steps, newest_first);
    return n;
}

/* ---- the claim --------------------------------------------------------------------------------------------------------
 * After a network cut, ranks of a requeued job may go on for minutes beside the new incarnation. The file `owner` names the one that
 * may commit: a process is told from every other by host, pid and start time, a job by its id and restart count. */
static void start_ticks(char out[32])
{
    char line[1024] = "";
    FILE *f = fopen("/proc/self/stat", "r");
    if (f && !fgets(line, sizeof line, f)) line[0] = 0;
    if (f) fclose(f);
    const char *s = strrchr(line, ')');
    for (int field = 2; s && field < 22; field++) s = strchr(s + 1, ' ');
    snprintf(out, 32, "%lld", s ? strtoll(s, NULL, 10) : 0);
}

static void claim_text(char out[512])
{
    char host[128] = "?", start[32];
    const char *job = getenv("SLURM_JOB_ID"), *restart = getenv("SLURM_RESTART_COUNT");
    gethostname(host, sizeof host - 1);
    start_ticks(start);
    snprintf(out, 512, "job %.20s restart %.10s host %s pid %d start %s\n", job ? job : "-", restart ? restart : "0",
             host, (int)getpid(), start);
}

/* The text of dir/owner without its line end; "" if there is none. */
static void owner_text(const char *dir, char out[512])
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/owner", dir);
    FILE *f = fopen(path, "r");
    if (!f || !fgets(out, 512, f)) out[0] = 0;
    if (f) fclose(f);
    out[strcspn(out, "\n")] = 0;
}

static tt_err taken(const char *dir, const char *owner)
{
    return tt_fail(TT_ERUN,
                   "%s: now belongs to another run (%s), so this one commits nothing; let that one go on, or choose "
                   "another folder with run=DIR",
                   dir, owner);
}

tt_err tt_ck_may_commit(const char *dir)
{
    char mine[512], owner[512];
    claim_text(mine);
    mine[strcspn(mine, "\n")] = 0;
    owner_text(dir, owner);
    return !*owner || !strcmp(owner, mine) ? TT_OK : taken(dir, owner);
}

/* A later incarnation of the same job was here already: this one is the orphan. */
static bool is_older(const char *mine, const char *owner)
{
    char job[21], owner_job[21];
    long long restart, owner_restart;
    return sscanf(mine, "job %20s restart %lld", job, &restart) == 2 &&
           sscanf(owner, "job %20s restart %lld", owner_job, &owner_restart) == 2 && strcmp(job, "-") &&
           !strcmp(job, owner_job) && owner_restart > restart;
}

static tt_err claim(const char *dir)
{
    char mine[512], owner[512], path[PATH_MAX];
    TT_TRY(tt_mkdirs(dir));
    claim_text(mine);
    owner_text(dir, owner);
    if (is_older(mine, owner)) return taken(dir, owner);
    snprintf(path, sizeof path, "%s/owner", dir);
    return tt_file_put(path, mine);
}

tt_err tt_ckpt_claim(const tt_mesh *m, const char *dir) { return tt_ck_agree(m, tt_ck_root(m) ? claim(dir) : TT_OK); }

/* ---- pruning ------------------------------------------------------------------------------------------------------------*/
static void remove_temporaries(const char *dir)
{
    DIR *d = opendir(dir);
    char path[PATH_MAX];
    for (struct dirent *f; d && (f = readdir(d));) {
        if (fnmatch("step-[0-9]*.h5.tmp", f->d_name, 0)) continue;
        snprintf(path, sizeof path, "%s/%s", dir, f->d_name);
        unlink(path);
    }
    if (d) closedir(d);
}

static tt_err prune(const char *dir, int64_t keep, int64_t best)
{
    TT_TRY(tt_ck_may_commit(dir));
    int64_t *step;
    int n = tt_ck_list(dir, &step);
    tt_err e = TT_OK;
    for (int i = 0; i < n; i++) {
        if (keep < 1 || i < keep || step[i] == best) continue;
        char *path = tt_ck_path(dir, step[i]);
        if (unlink(path) != 0 && errno != ENOENT && e == TT_OK) e = tt_disk_fail(path, "cannot be removed", errno);
        free(path);
    }
    free(step);
    remove_temporaries(dir);
    return e;
}

tt_err tt_ckpt_prune(const tt_mesh *m, const char *dir, int64_t keep, int64_t best)
{
    return tt_ck_agree(m, tt_ck_root(m) ? prune(dir, keep, best) : TT_OK);
}

/* ---- the newest good one ------------------------------------------------------------------------------------------------*/
/* Rank 0: structure, state and texts; the rows of *f are filled. */
static tt_err check_structure(tt_ckfile *f, tt_arena *a)
{
    tt_h5 h;
    int n;
    tt_ckattr *attr;
    char **name, *text;
    TT_TRY(tt_h5_open(&h, f->path, TT_H5CKPT));
    tt_err e = tt_h5_rows(&h, &f->n, &f->row);
    if (e == TT_OK) e = tt_h5_attrs(&h, a, &n, &attr);
    if (e == TT_OK) e = tt_h5_texts(&h, a, &n, &name);
    for (int i = 0; e == TT_OK && i < n; i++) e = tt_h5_text(&h, name[i], a, &text);
    tt_h5_close(&h);
    return e;
}

/* Collective. */
static tt_err verify_file(const tt_mesh *m, tt_ckfile *f, tt_arena *a)
{
    tt_mark mark = tt_arena_mark(a);
    tt_err e = tt_ck_agree(m, tt_ck_root(m) ? check_structure(f, a) : TT_OK);
    tt_arena_rewind(a, mark);
    if (e != TT_OK) return e;
    tt_ck_bcast_rows(m, f);
    return tt_ck_verify(m, f);
}

static bool is_good(const tt_mesh *m, const char *path, tt_arena *a)
{
    tt_ckfile f = {.path = path};
    tt_err e = verify_file(m, &f, a);
    free(f.row);
    if (e == TT_OK) return true;
    tt_warn_once(path, "checkpoint skipped: %s", tt_fail_text());
    tt_fail_clear();
    return false;
}

tt_err tt_ckpt_latest(const tt_mesh *m, const char *dir, tt_arena *a, const char **path)
{
    int64_t *step = NULL;
    int n = tt_ck_root(m) ? tt_ck_list(dir, &step) : 0;
    *path = NULL;
    tt_ck_bcast(m, &n, sizeof n);
    if (!tt_ck_root(m)) step = tt_malloc(sizeof *step * ((size_t)n + 1));
    tt_ck_bcast(m, step, sizeof *step * (size_t)n);
    for (int i = 0; i < n && !*path; i++) {
        char *p = tt_ck_path(dir, step[i]);
        if (is_good(m, p, a)) *path = tt_strdup(a, p);
        free(p);
    }
    free(step);
    return TT_OK;
}

/* ---- by a person ---------------------------------------------------------------------------------------------------------*/
static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The name in dir/latest, if it is one of dir's checkpoints. */
static const char *pointed(const char *dir, tt_arena *a)
{
    char name[64] = "";
    FILE *f = fopen(tt_sprintf(a, "%s/latest", dir), "r");
    if (f && !fgets(name, sizeof name, f)) name[0] = 0;
    if (f) fclose(f);
    name[strcspn(name, "\n")] = 0;
    const char *path = tt_sprintf(a, "%s/%s", dir, name);
    return !fnmatch("step-[0-9]*.h5", name, FNM_PATHNAME) && tt_exists(path) ? path : NULL;
}

static const char *newest_in(const char *dir, tt_arena *a)
{
    const char *path = pointed(dir, a);
    int64_t *step;
    int n = path ? 0 : tt_ck_list(dir, &step);
    if (n > 0) {
        char *p = tt_ck_path(dir, step[0]);
        path = tt_strdup(a, p);
        free(p);
        free(step);
    }
    return path;
}

const char *tt_ckpt_find(const char *path, tt_arena *a)
{
    if (!is_folder(path)) return tt_exists(path) ? tt_strdup(a, path) : NULL;
    const char *in_run = newest_in(tt_sprintf(a, "%s/checkpoints", path), a);
    return in_run ? in_run : newest_in(path, a);
}
