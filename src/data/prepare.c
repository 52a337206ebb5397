/* tutti prepare: which files have to be done, and rounds in which the ranks do them.
 *
 * All ranks hold the same manifest and the same list of work and plan each round alike; only the chunks' results travel. */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 20, ROUND = 32 << 20, LISTS = 3 };

typedef struct work { /* a set that the job needs */
    const tt_spec *spec;
    tt_want want;
    int64_t id; /* of the set in the manifest; -1: none yet */
    bool todo;
    bool lines_alone;
    bool packed;
    int64_t estimate;  /* bytes, unpacked */
    tt_stream *stream; /* open while this rank reads the file */
} work;

typedef struct task { /* a chunk of a round */
    int work, rank;
    int64_t lo, hi;
} task;

typedef struct job_state {
    const tt_mesh *m;
    const tt_job *job;
    const tt_tok *tok;
    tt_prepare_opts o;
    tt_arena *a;
    const char *dir;
    bool empty_fine;
    int lock; /* rank 0; -1: none */
    tt_specs list[LISTS];
    tt_manifest man;
    int n;
    work *work;
    tt_fileid *file; /* [n] */
    int ntask, cap;
    task *task;
    double start, told;
    int64_t read, total; /* bytes by this run, of this run */
    tt_prepared *out;
} state;

/* ---- the job's data sets ---------------------------------------------------------------------------------------------*/

static bool covered(const state *s, const tt_want *want)
{
    for (int i = 0; i < s->n; i++) {
        const tt_manifest one = {.n = 1, .set = &(tt_kept){.want = s->work[i].want}};
        if (tt_manifest_find(&one, want) == 0) return true;
    }
    return false;
}

static void add_work(state *s, const tt_spec *spec)
{
    tt_want want = tt_want_of(spec, s->empty_fine, s->a);
    if (covered(s, &want)) return;
    tt_spec *own = TT_NEW(s->a, tt_spec, 1);
    *own = *spec;
    own->category = NULL; /* the entry's is its own business; the store keeps the header's */
    if (!*want.cut) own->limit = 0;
    s->work[s->n++] = (work){.spec = own, .want = want, .id = -1};
}

static tt_err read_lists(state *s)
{
    const tt_yaml *list[LISTS] = {s->job->data.train, s->job->data.validation, s->job->data.test};
    static const char *const what[LISTS] = {"data.train", "data.validation", "data.test"};
    int total = 0;
    for (int i = 0; i < LISTS; i++) {
        TT_TRY(tt_specs_read(s->a, s->job, list[i], what[i], &s->list[i]));
        total += s->list[i].n;
    }
    s->work = TT_NEW(s->a, work, total + 1);
    for (int pass = 0; pass < 2; pass++) /* whole files first: they serve the entries with a limit, too */
        for (int i = 0; i < LISTS; i++)
            for (int k = 0; k < s->list[i].n; k++)
                if ((s->list[i].spec[k].limit > 0) == (pass == 1)) add_work(s, &s->list[i].spec[k]);
    s->file = TT_ZNEW(s->a, tt_fileid, s->n + 1);
    for (int i = 0; i < s->n; i++) s->file[i].path = s->work[i].want.path;
    return TT_OK;
}

/* ---- the folder ------------------------------------------------------------------------------------------------------*/

/* Rank 0. The lock goes with the process, however it ends. */
static tt_err take_lock(state *s)
{
    char path[4096], who[300] = "", host[200] = "?";
    snprintf(path, sizeof path, "%s/lock", s->dir);
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (s->lock < 0)
        return tt_fail(TT_ERUN, "%s: cannot be made: %s; choose another folder for data.store", path, strerror(errno));
    if (flock(s->lock, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK) {
            tt_log("warning: %s: no locks on this file system (%s); see to it that one prepare runs at a time", path,
                   strerror(errno));
            return TT_OK;
        }
        if (pread(s->lock, who, sizeof who - 1, 0) < 0) who[0] = 0;
        return tt_fail(TT_ERUN, "%s: another tutti prepare is at work on this store (%s); wait for it", s->dir, who);
    }
    gethostname(host, sizeof host - 1);
    int n = snprintf(who, sizeof who, "process %d on %s", (int)getpid(), host);
    if (ftruncate(s->lock, 0) || pwrite(s->lock, who, (size_t)n, 0) != n)
        return tt_fail(TT_ERUN, "%s: cannot be written: %s; is the disk full?", path, strerror(errno));
    return TT_OK;
}

static bool known_part(const tt_manifest *man, const char *name)
{
    char path[4096];
    for (int i = 0; i < man->npart; i++) {
        tt_part_path("", man->part[i].number, path);
        if (!strcmp(path + 1, name)) return true;
    }
    return false;
}

/* Rank 0. Parts that no manifest tells of: of a run that was killed between the two. */
static void remove_strays(const state *s)
{
    char path[4096 + 300];
    DIR *d = opendir(s->dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strncmp(e->d_name, "part-", 5) || known_part(&s->man, e->d_name)) continue;
        snprintf(path, sizeof path, "%s/%s", s->dir, e->d_name);
        unlink(path);
    }
    if (d) closedir(d);
}

/* Rank 0 reads, all parse. Collective. */
static tt_err open_manifest(state *s)
{
    char *text = NULL, hash[33];
    tt_err e = s->m->rank == 0 ? tt_mkdirs(s->dir) : TT_OK;
    if (e == TT_OK && s->m->rank == 0) e = take_lock(s);
    if (e == TT_OK && s->m->rank == 0) e = tt_manifest_load(s->dir, &text);
    TT_TRY(tt_agree(s->m, e));
    uint64_t n = text ? strlen(text) + 1 : 0;
    tt_bcast(s->m, &n, sizeof n, 0);
    if (n && s->m->rank) text = tt_malloc(n);
    tt_bcast(s->m, text, n, 0);
    tt_tok_hash(s->tok, hash);
    s->man = (tt_manifest){.a = n ? NULL : tt_arena_new(1 << 12)};
    if (n) e = tt_manifest_parse(s->dir, text, &s->man);
    free(text);
    TT_TRY(tt_agree(s->m, e));
    if (s->man.n && strcmp(s->man.tokenizer, hash)) {
        tt_log("%s: was made with another tokenizer (%s, now %s): everything is done anew", s->dir, s->man.tokenizer,
               hash);
        s->man.n = 0;
    }
    memcpy(s->man.tokenizer, hash, sizeof hash);
    if (s->m->rank == 0) remove_strays(s);
    return TT_OK;
}

/* ---- what has to be done ----------------------------------------------------------------------------------------------*/

static tt_kept *kept_of(const state *s, const work *w)
{
    for (int i = 0; i < s->man.n; i++)
        if (s->man.set[i].id == w->id) return &s->man.set[i];
    TT_BUG("set %lld is not in the manifest", (long long)w->id);
}

static void forget_set(state *s, int64_t id)
{
    for (int i = 0; i < s->man.n; i++)
        if (s->man.set[i].id == id) {
            tt_manifest_drop(&s->man, i);
            return;
        }
}

/* Collective. Contents of the files that need comparing: those without a set, and those that look changed. */
static tt_err hash_files(const state *s, char (*hex)[33])
{
    tt_fileid *file = tt_malloc(sizeof *file * (size_t)(s->n + 1));
    int *at = tt_malloc(sizeof *at * (size_t)(s->n + 1)), n = 0;
    for (int i = 0; i < s->n; i++) {
        int k = tt_manifest_find(&s->man, &s->work[i].want);
        const tt_kept *have = k < 0 ? NULL : &s->man.set[k];
        hex[i][0] = 0;
        if (have && have->size == s->file[i].size && have->mtime == s->file[i].mtime && !s->o.rehash) continue;
        at[n] = i;
        file[n++] = s->file[i];
    }
    char(*got)[33] = tt_malloc(sizeof *got * (size_t)(n + 1));
    tt_err e = tt_files_hash(s->m, n, file, got);
    for (int i = 0; i < n; i++) memcpy(hex[at[i]], got[i], 33);
    free(got);
    free(at);
    free(file);
    return e;
}

static void begin_set(state *s, work *w, const tt_fileid *f, const char *hash)
{
    tt_kept *k = tt_manifest_add(&s->man, &w->want);
    k->size = f->size;
    k->mtime = f->mtime;
    memcpy(k->hash, hash, 33);
    tt_templates_hash(w->spec, s->empty_fine, k->check, k->keys);
    w->id = k->id;
}

static void compare(state *s, int i, const char *hash)
{
    work *w = &s->work[i];
    const tt_fileid *f = &s->file[i];
    int at = tt_manifest_find(&s->man, &w->want);
    if (at >= 0 && *hash && (s->man.set[at].size != f->size || strcmp(s->man.set[at].hash, hash))) {
        tt_manifest_drop(&s->man, at);
        s->out->redone++;
        at = -1;
    }
    if (at < 0) {
        begin_set(s, w, f, hash);
    } else {
        s->man.set[at].mtime = f->mtime;
        w->id = s->man.set[at].id;
    }
    w->todo = !kept_of(s, w)->done;
    s->out->unchanged += !w->todo;
}

/* Sets of the store that no entry of the job uses. */
static void prune(state *s)
{
    for (int i = s->man.n - 1; i >= 0; i--) {
        bool used = false;
        for (int k = 0; k < s->n && !used; k++) used = s->work[k].id == s->man.set[i].id;
        if (used) continue;
        tt_manifest_drop(&s->man, i);
        s->out->dropped++;
    }
}

/* Collective. How each file is read: the ranks look at them in turn. */
static tt_err look_at_files(state *s)
{
    int64_t *v = tt_malloc(sizeof *v * 3 * (size_t)(s->n + 1));
    memset(v, 0, sizeof *v * 3 * (size_t)(s->n + 1));
    tt_err e = TT_OK;
    for (int i = 0; i < s->n && e == TT_OK; i++) {
        tt_stream *f = NULL;
        bool alone = false;
        if (!s->work[i].todo || i % s->m->size != s->m->rank) continue;
        e = tt_stream_open(s->work[i].want.path, &f);
        if (e == TT_OK) e = tt_chunk_kind(s->work[i].spec, s->empty_fine, f, &alone);
        v[3 * i] = alone;
        v[3 * i + 1] = f && tt_stream_packed(f);
        v[3 * i + 2] = f ? tt_stream_size(f) : 0;
        tt_stream_close(f);
        tt_watch_kick("looking at data files");
    }
    e = tt_agree(s->m, e);
    tt_allsum_i64(s->m, v, 3 * s->n);
    for (int i = 0; i < s->n; i++) {
        work *w = &s->work[i];
        w->lines_alone = v[3 * i];
        w->packed = v[3 * i + 1];
        w->estimate = v[3 * i + 2];
        if (w->todo && e == TT_OK) s->total += w->estimate - kept_of(s, w)->next;
    }
    free(v);
    return e;
}

/* Collective. */
static tt_err find_work(state *s)
{
    tt_files_stat(s->m, s->n, s->file);
    char(*hex)[33] = tt_alloc(s->a, sizeof *hex * (size_t)(s->n + 1));
    TT_TRY(hash_files(s, hex));
    s->out->sets = s->n;
    for (int i = 0; i < s->n; i++) compare(s, i, hex[i]);
    if (s->o.prune) prune(s);
    return look_at_files(s);
}

/* ---- a round ---------------------------------------------------------------------------------------------------------*/

static void add_task(state *s, task t)
{
    if (s->ntask == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->task = tt_realloc(s->task, sizeof *s->task * (size_t)s->cap);
    }
    s->task[s->ntask++] = t;
}

static int least_loaded(const int64_t *load, int n)
{
    int best = 0;
    for (int r = 1; r < n; r++)
        if (load[r] < load[best]) best = r;
    return best;
}

/* Chunks of one file until the round is full. */
static int64_t plan_file(state *s, int i, int64_t left, int64_t *load)
{
    work *w = &s->work[i];
    int64_t lo = kept_of(s, w)->next, taken = 0;
    /* A packed file is unpacked from its start by all who read in it: a small one is one rank's. */
    int one = w->packed && w->estimate <= s->o.round ? least_loaded(load, s->m->size) : -1;
    if (!w->lines_alone || *w->want.cut) {
        int r = least_loaded(load, s->m->size);
        add_task(s, (task){i, r, 0, INT64_MAX});
        load[r] += w->estimate;
        return w->estimate;
    }
    do {
        int r = one >= 0 ? one : least_loaded(load, s->m->size);
        add_task(s, (task){i, r, lo, lo + s->o.chunk});
        load[r] += s->o.chunk;
        taken += s->o.chunk;
        lo += s->o.chunk;
    } while (lo < w->estimate && taken < left);
    return taken;
}

static void plan(state *s)
{
    int64_t *load = tt_malloc(sizeof *load * (size_t)s->m->size);
    memset(load, 0, sizeof *load * (size_t)s->m->size);
    int64_t left = s->o.round * s->m->size;
    s->ntask = 0;
    for (int i = 0; i < s->n && left > 0; i++)
        if (s->work[i].todo) left -= plan_file(s, i, left, load);
    free(load);
}

static tt_err run_task(state *s, const task *t, tt_haul *h, tt_load *out)
{
    work *w = &s->work[t->work];
    tt_chunk c = {
        .spec = w->spec, .empty_fine = s->empty_fine, .lo = t->lo, .hi = t->hi, .step = s->o.chunk, .set = w->id};
    if (!w->stream) TT_TRY(tt_stream_open(w->want.path, &w->stream));
    tt_watch_kick("preparing data sets");
    return tt_chunk_read(&c, w->stream, s->tok, h, out);
}

/* Collective. This rank's chunks; *all (heap) receives those of all ranks, first[size+1] where each rank's begin. */
static tt_err run_tasks(state *s, tt_haul *h, tt_load **all, int *first)
{
    tt_load *mine = tt_malloc(sizeof *mine * (size_t)(s->ntask + 1));
    size_t *off = tt_malloc(sizeof *off * (size_t)(s->m->size + 1));
    void *got = NULL;
    int n = 0;
    tt_err e = TT_OK;
    for (int i = 0; i < s->ntask && e == TT_OK; i++)
        if (s->task[i].rank == s->m->rank) e = run_task(s, &s->task[i], h, &mine[n++]);
    e = tt_agree(s->m, e);
    if (e == TT_OK) tt_allgatherv(s->m, mine, sizeof *mine * (size_t)n, &got, off);
    for (int r = 0; r <= s->m->size && e == TT_OK; r++) first[r] = (int)(off[r] / sizeof(tt_load));
    *all = got;
    free(mine);
    free(off);
    return e;
}

static tt_err refuse_bad(const work *w, const tt_load *l, const tt_place *p)
{
    int64_t line = p->line + l->bad_at;
    return tt_fail(TT_EDATA, "%s: line %lld %s%s or set data.on_bad_row: skip", w->want.path, (long long)line,
                   l->first_bad, strchr(l->first_bad, ';') ? "" : "; mend it");
}

static void close_stream(work *w)
{
    tt_stream_close(w->stream);
    w->stream = NULL;
}

/* A chunk's result joins its set; chunks come in the order of the file. */
static void take_load(state *s, work *w, const task *t, const tt_load *l)
{
    tt_kept *k = kept_of(s, w);
    k->rows += l->nrow;
    k->lines += l->lines;
    k->bad += l->nbad;
    k->values += l->nvalue;
    k->tokens += l->nid;
    k->bytes += l->bytes;
    k->segments += l->nrow || l->nbad;
    k->next = t->hi == INT64_MAX ? k->bytes : t->hi;
    k->left_out = l->left_out;
    if (strcmp(l->category, "none")) memcpy(k->category, l->category, sizeof k->category);
    s->read += l->bytes;
    s->out->new_rows += l->nrow;
    if (l->last) {
        k->done = true;
        w->todo = false;
    } else if (k->next >= w->estimate) /* the trailer of a packed file told less than there is */
        w->estimate = k->next + s->o.chunk * s->m->size;
}

/* All results in the order of the plan; place[i] of each in the order of load. */
static tt_err take_loads(state *s, const tt_load *load, const int *first, tt_place *place)
{
    int *next = tt_malloc(sizeof *next * (size_t)s->m->size);
    memcpy(next, first, sizeof *next * (size_t)s->m->size);
    tt_err e = TT_OK;
    for (int i = 0; i < s->ntask && e == TT_OK; i++) {
        const task *t = &s->task[i];
        work *w = &s->work[t->work];
        int at = next[t->rank]++;
        const tt_kept *k = kept_of(s, w);
        place[at] = (tt_place){k->rows, k->lines};
        if (load[at].nbad && s->job->data.on_bad_row == TT_BAD_FAIL) e = refuse_bad(w, &load[at], &place[at]);
        if (w->todo) take_load(s, w, t, &load[at]);
    }
    for (int i = 0; i < s->n; i++)
        if (!s->work[i].todo) close_stream(&s->work[i]);
    free(next);
    return e;
}

static void add_part(state *s, int64_t number, int n, const tt_load *load)
{
    char path[4096];
    struct stat st;
    tt_part_path(s->dir, number, path);
    tt_partinfo p = {number, 0, 0, TT_NEW(s->man.a, int64_t, n)};
    for (int i = 0; i < n; i++) {
        bool seen = !load[i].nrow && !load[i].nbad;
        for (int k = 0; k < p.n && !seen; k++) seen = p.set[k] == load[i].set;
        if (!seen) p.set[p.n++] = load[i].set;
    }
    if (s->m->rank == 0 && stat(path, &st) == 0) p.bytes = st.st_size;
    tt_bcast(s->m, &p.bytes, sizeof p.bytes, 0);
    s->man.part = tt_realloc(s->man.part, sizeof *s->man.part * (size_t)(s->man.npart + 1));
    s->man.part[s->man.npart++] = p;
}

/* Collective. */
static tt_err write_part(state *s, tt_haul *h, int n, const tt_load *load, const tt_place *place, const int *first)
{
    char path[4096];
    bool any = false;
    for (int i = 0; i < n; i++) any = any || load[i].nrow || load[i].nbad;
    if (!any) return TT_OK;
    int64_t number = s->man.next_part;
    tt_part_path(s->dir, number, path);
    TT_TRY(tt_part_write(s->m, path, h, n, load, place, first));
    s->man.next_part++;
    add_part(s, number, n, load);
    return TT_OK;
}

static tt_err write_manifest(const state *s)
{
    return tt_agree(s->m, s->m->rank == 0 ? tt_manifest_write(s->dir, &s->man) : TT_OK);
}

/* Collective. */
static tt_err run_round(state *s)
{
    tt_haul h = {0};
    tt_load *load = NULL;
    int *first = tt_malloc(sizeof *first * (size_t)(s->m->size + 1));
    plan(s);
    tt_place *place = tt_malloc(sizeof *place * (size_t)(s->ntask + 1));
    tt_err e = run_tasks(s, &h, &load, first);
    if (e == TT_OK) e = take_loads(s, load, first, place);
    if (e == TT_OK) e = write_part(s, &h, first[s->m->size], load, place, first);
    if (e == TT_OK) e = write_manifest(s);
    free(place);
    free(load);
    free(first);
    tt_haul_fini(&h);
    return e;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------*/

static bool anything_left(const state *s)
{
    for (int i = 0; i < s->n; i++)
        if (s->work[i].todo) return true;
    return false;
}

static void report(state *s, bool last)
{
    double now = tt_now(), t = now - s->start + 1e-9, share = s->total ? (double)s->read / (double)s->total : 1;
    if (share > 1) share = 1;
    const char *form = "%s: %.0f%% of %.1f MB, %.0f rows/s, %.1f MB/s, %.0f s to go";
    double left = share > 0 ? t / share - t : 0;
    double rate = (double)s->read / t / 1e6, rows = (double)s->out->new_rows / t;
    tt_log_status(form, s->dir, 100 * share, (double)s->total / 1e6, rows, rate, left);
    if (last || now - s->told < 30) return;
    s->told = now;
    tt_log(form, s->dir, 100 * share, (double)s->total / 1e6, rows, rate, left);
}

/* Parts that hold nothing the manifest knows. It is written first, so that none of its parts is ever missing. */
static tt_err remove_dead_parts(state *s)
{
    char path[4096];
    int n = 0, dead = 0;
    tt_partinfo *gone = tt_malloc(sizeof *gone * (size_t)(s->man.npart + 1));
    for (int i = 0; i < s->man.npart; i++) {
        if (tt_part_lives(&s->man, &s->man.part[i]))
            s->man.part[n++] = s->man.part[i];
        else
            gone[dead++] = s->man.part[i];
    }
    s->man.npart = n;
    tt_err e = write_manifest(s);
    for (int i = 0; i < dead && e == TT_OK && s->m->rank == 0; i++) {
        tt_part_path(s->dir, gone[i].number, path);
        unlink(path);
    }
    free(gone);
    return e;
}

/* Collective. A file that changed under the readers has a mixed set: it goes. */
static tt_err check_unchanged(state *s)
{
    const char *changed = NULL;
    tt_fileid *now = TT_NEW(s->a, tt_fileid, s->n + 1);
    memcpy(now, s->file, sizeof *now * (size_t)s->n);
    tt_files_stat(s->m, s->n, now);
    for (int i = 0; i < s->n; i++) {
        if (now[i].size == s->file[i].size && now[i].mtime == s->file[i].mtime) continue;
        changed = now[i].path;
        forget_set(s, s->work[i].id);
    }
    if (!changed) return TT_OK;
    TT_TRY(write_manifest(s));
    return tt_fail(TT_EDATA, "%s: changed while it was read; run tutti prepare again once it is finished", changed);
}

static void count(state *s)
{
    tt_prepared *o = s->out;
    for (int i = 0; i < s->n; i++) {
        const tt_kept *k = kept_of(s, &s->work[i]);
        o->rows += k->rows;
        o->bad += k->bad;
        o->tokens += k->tokens;
    }
    for (int i = 0; i < s->man.npart; i++) o->bytes += s->man.part[i].bytes;
    o->parts = s->man.npart;
    o->read = s->read;
}

/* Collective. */
static tt_err run(state *s)
{
    TT_TRY(tt_agree(s->m, read_lists(s)));
    TT_TRY(open_manifest(s));
    TT_TRY(find_work(s));
    TT_TRY(write_manifest(s));
    for (int64_t k = 0; anything_left(s) && (!s->o.rounds || k < s->o.rounds); k++) {
        TT_TRY(run_round(s));
        report(s, false);
    }
    report(s, true);
    TT_TRY(check_unchanged(s));
    TT_TRY(remove_dead_parts(s));
    s->out->finished = !anything_left(s);
    count(s);
    return TT_OK;
}

tt_err tt_prepare(const tt_mesh *m, const tt_job *job, const tt_tok *tok, const tt_prepare_opts *o, tt_prepared *out)
{
    *out = (tt_prepared){0};
    if (!job->data.store)
        return tt_fail(TT_EJOB, "%s: data.store is not set; say in which folder the tokens are to be kept", job->file);
    state s = {.m = m,
               .job = job,
               .tok = tok,
               .o = *o,
               .a = tt_arena_new(1 << 16),
               .dir = job->data.store,
               .empty_fine = job->train.objective == TT_OBJ_SPAN,
               .lock = -1,
               .start = tt_now(),
               .told = tt_now(),
               .out = out};
    if (!s.o.chunk) s.o.chunk = CHUNK;
    if (!s.o.round) s.o.round = ROUND;
    tt_err e = run(&s);
    tt_log_status("%s", "");
    for (int i = 0; i < s.n; i++) close_stream(&s.work[i]);
    for (int i = 0; i < LISTS; i++) tt_specs_fini(&s.list[i]);
    tt_manifest_fini(&s.man);
    if (s.lock >= 0) close(s.lock);
    free(s.task);
    tt_arena_free(s.a);
    return e;
}
