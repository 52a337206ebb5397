/* tutti bench versus: training steps of T5 1.1 small beside eager PyTorch's, in turns, each a process of its own. */
#include "bench.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *peer, *cases, *json;
    int64_t rounds, steps;
    bool quick;
} options;

#define AT(field) offsetof(options, field)
static const tt_keyrow keys[] = {
    {"peer", TT_KTEXT, AT(peer), NULL, NULL, "torch_t5.py, or $TUTTI_PEER; without: tutti alone"},
    {"cases", TT_KTEXT, AT(cases), "fp32 bf16 fp32-real bf16-real", NULL, "which of these"},
    {"rounds", TT_KINT, AT(rounds), "3", "1..32", "turns of tutti and the peer"},
    {"steps", TT_KINT, AT(steps), "2", "1..", "timed steps in a turn"},
    {"quick", TT_KBOOL, AT(quick), "false", NULL, "small sizes: does it run?"},
    {"json", TT_KTEXT, AT(json), NULL, NULL, "file for the numbers"},
    {0}};

/* Rows of DialogSum's lengths: ours is a batch of 32; the peer's rows are padded to the longest of it. What a padded token costs the peer
 * does not depend on how many rows there are, and 32 would take it a minute a step. */
typedef struct kind {
    const char *name, *ours, *quick;
    const char *dtype;
    bool real;
} kind;

static const kind kinds[] = {
    {"fp32", "batch=4 enc=512 dec=128", "batch=2 enc=9 dec=5", "fp32", false},
    {"bf16", "precision=bf16 batch=4 enc=512 dec=128", "precision=bf16 batch=2 enc=9 dec=5", "bf16", false},
    {"fp32-real", "batch=32 enc=0", "batch=2 enc=0", "fp32", true},
    {"bf16-real", "precision=bf16 batch=32 enc=0", "precision=bf16 batch=2 enc=0", "bf16", true},
    {0},
};

/* Ways to start the peer. Its user would try them, so the best counts. By default glibc gives each step's memory back to the system and
 * asks for it again; the thresholds keep it, as the allocators that PyTorch's tuning guide recommends do. */
static const struct {
    const char *name, *env;
} starts[] = {
    {"as it is", ""},
    {"BLAS kernels of its own choice", "env -u OPENBLAS_CORETYPE"},
    {"memory kept", "env MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_MMAP_THRESHOLD_=4000000000"},
};
enum { STARTS = sizeof starts / sizeof *starts, MOST = 32 };

typedef struct side {
    int n;
    double x[MOST]; /* one a round: real tokens a second */
    double rss;     /* MiB */
} side;

typedef struct bench {
    const options *o;
    tt_arena *a;
    const char *peer;
    side ours, theirs[STARTS], padded; /* padded: the peer's run of full rows, its tokens times our fill */
    side peak_share;                   /* of our steps, in the peak that each run measured itself */
    double fill, cpu_share;
    int best; /* of theirs */
} bench;

/* ---- one turn -------------------------------------------------------------------------------------------------------------*/

static void note(side *s, double x, double rss)
{
    if (x > 0 && s->n < MOST) s->x[s->n++] = x;
    if (rss > s->rss) s->rss = rss;
}

static double number(const json_t *j, const char *key) { return json_number_value(json_object_get(j, key)); }

static bool our_turn(bench *b, const kind *k)
{
    const char *command =
        tt_sprintf(b->a, "'%s' bench step %s steps=%lld peer= %s 2>&1", tt_bench_self(),
                   b->o->quick ? k->quick : k->ours, (long long)b->o->steps, b->o->quick ? "layers=1 vocab=200" : "");
    json_t *j = tt_bench_child(tt_sprintf(b->a, "unset TUTTI_PEER; %s", command), false);
    if (!j) return false;
    note(&b->ours, number(j, "tok_s"), number(j, "rss_mib"));
    b->fill = number(j, "fill");
    double cpu = number(j, "step_cpu_s") / number(j, "step_s");
    if (cpu < b->cpu_share) b->cpu_share = cpu;
    note(&b->peak_share, number(j, "gflops") / number(j, "peak_gflops"), 0);
    json_decref(j);
    return true;
}

enum { PEER_ROWS = 8, PEER_ENC = 512, PEER_DEC = 90 }; /* of DialogSum's lengths: the longest of bench_lengths.c */

/* Real tokens a second. The peer draws the lengths that fill its rows from one seed, few of them, and so counts the same wrong number of
 * tokens in every run. Its steps take the time of the padded rows whatever is in them: our share of those is what counts. Its best step. */
static double peer_rate(const json_t *j, const kind *k, double fill)
{
    double step = number(j, "step_s");
    if (!k->real || step <= 0) return number(j, "tok_s");
    return PEER_ROWS * (PEER_ENC + PEER_DEC) * fill / step;
}

static void peer_turn(bench *b, const kind *k, int start, double fill, side *s)
{
    const char *python = getenv("PYTHON"), *sizes = "--batch 4 --enc 512 --dec 128";
    if (k->real) sizes = tt_sprintf(b->a, "--batch %d --enc %d --dec %d", PEER_ROWS, PEER_ENC, PEER_DEC);
    json_t *j = tt_bench_child(tt_sprintf(b->a, "%s '%s' '%s' --dtype %s --threads 1 %s --steps %lld --fill %.4f",
                                          starts[start].env, python && *python ? python : "/usr/bin/python3", b->peer,
                                          k->dtype, sizes, (long long)b->o->steps, fill),
                               false);
    note(s, peer_rate(j, k, b->fill), number(j, "rss_mib"));
    json_decref(j);
}

static double median(const side *s) { return s->n ? tt_bench_stat_of(s->n, s->x).median : 0; }

/* The first turn tries all ways to start the peer, the next ones take the best of them. */
static void peer_turns(bench *b, const kind *k, bool first)
{
    double fill = k->real ? b->fill : 1;
    for (int i = 0; i < STARTS; i++)
        if (first || i == b->best) peer_turn(b, k, i, fill, &b->theirs[i]);
    for (int i = 0; i < STARTS && first; i++)
        if (median(&b->theirs[i]) > median(&b->theirs[b->best])) b->best = i;
    if (k->real) peer_turn(b, k, b->best, 1, &b->padded);
}

/* ---- what is printed --------------------------------------------------------------------------------------------------------*/

static json_t *side_json(const side *s)
{
    if (s->n == 0) return json_null();
    tt_bench_stat t = tt_bench_stat_of(s->n, s->x);
    return json_pack("{s:o,s:f}", "tok_s", tt_bench_stat_json(&t), "rss_mib", s->rss);
}

static void show_side(const char *name, const side *s, double ours)
{
    if (s->n == 0) return;
    tt_bench_stat t = tt_bench_stat_of(s->n, s->x);
    printf("  %-44s %9.1f %9.1f %9.1f %6d %10.2f", name, t.median, t.least, t.most, s->n, s->rss / 1024);
    printf(ours > 0 ? " %8.2f\n" : "\n", ours / t.median);
}

static double ratio_to(const bench *b, double theirs) { return theirs > 0 ? median(&b->ours) / theirs : 0; }

/* The best of the ways that leave the peer's memory to glibc. */
static double plain(const bench *b)
{
    double best = 0;
    for (int i = 0; i + 1 < STARTS; i++)
        if (median(&b->theirs[i]) > best) best = median(&b->theirs[i]);
    return best;
}

static json_t *show_case(const bench *b, const kind *k)
{
    double ours = median(&b->ours), theirs = median(&b->theirs[b->best]);
    json_t *ways = json_object();
    printf("%s: %s\n", k->name, k->ours);
    show_side("tutti", &b->ours, 0);
    for (int i = 0; i < STARTS; i++) {
        show_side(tt_sprintf(b->a, "the peer, %s", starts[i].name), &b->theirs[i], ours);
        json_object_set_new(ways, starts[i].name, side_json(&b->theirs[i]));
    }
    show_side("the peer, its best way, all rows padded", &b->padded, ours);
    if (b->fill < 1)
        printf("  %.0f%% of a padded batch would be real tokens; with its padding tutti makes %.1f tokens/s\n",
               100 * b->fill, ours / b->fill);
    if (b->cpu_share < 0.95)
        printf("  tutti had a processor only %.0f%% of the time: others use this machine, and the times tell little\n",
               100 * b->cpu_share);
    return json_pack("{s:o,s:o,s:o,s:s,s:f,s:f,s:f,s:f,s:f,s:f}", "ours", side_json(&b->ours), "peer", ways,
                     "peer_padded", side_json(&b->padded), "best_start", starts[b->best].name, "ratio",
                     ratio_to(b, theirs), "ratio_plain", ratio_to(b, plain(b)), "fill", b->fill,
                     "padded_equivalent_tok_s", b->fill > 0 ? ours / b->fill : 0, "peak_share", median(&b->peak_share),
                     "cpu_share", b->cpu_share);
}

static json_t *run_case(const options *o, const kind *k, const char *peer)
{
    bench b = {.o = o, .a = tt_arena_new(1 << 14), .peer = peer, .cpu_share = 1, .fill = 1};
    bool runs = true;
    for (int64_t t = 0; t < o->rounds && runs; t++) {
        runs = our_turn(&b, k);
        if (runs && peer) peer_turns(&b, k, t == 0);
    }
    json_t *j = b.ours.n ? show_case(&b, k) : json_null();
    if (!b.ours.n) printf("%s: tutti bench step %s does not run here\n", k->name, k->ours);
    fflush(stdout);
    tt_arena_free(b.a);
    return j;
}

/* NULL, with a warning, where there is none or it cannot run. */
static const char *find_peer(const options *o, tt_arena *a)
{
    const char *peer = o->peer && *o->peer ? o->peer : getenv("TUTTI_PEER"), *python = getenv("PYTHON");
    if (!peer || !*peer) {
        tt_log("no peer: tutti alone; give the path of torch_t5.py with peer= or TUTTI_PEER");
        return NULL;
    }
    if (!tt_exists(peer)) return tt_log("%s: is not there: tutti alone", peer), NULL;
    if (!python || !*python) python = "/usr/bin/python3";
    int pid;
    FILE *f = tt_bench_spawn(tt_sprintf(a, "'%s' -c 'import torch' 2>/dev/null", python), &pid);
    if (tt_bench_reap(f, pid) == 0) return peer;
    tt_log("%s has no torch: tutti alone. apt-get install --no-install-recommends python3-torch brings it; PYTHON=... "
           "chooses another Python",
           python);
    return NULL;
}

static bool wanted(const char *cases, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = cases; (p = strstr(p, name)); p += n)
        if ((p == cases || strchr(" ,", p[-1])) && (!p[n] || strchr(" ,", p[n]))) return true;
    return false;
}

tt_err tt_bench_versus(const tt_mesh *m, const tt_args *args)
{
    options o = {0};
    TT_TRY(tt_args_bind(args, keys, &o));
    tt_arena *a = tt_arena_new(1 << 14);
    const char *peer = find_peer(&o, a);
    json_t *cases = json_object();
    printf(
        "T5 1.1 small, one core; real tokens a second, %lld turns of %lld steps\n\n  %-44s %9s %9s %9s %6s %10s %8s\n",
        (long long)o.rounds, (long long)o.steps, "", "median", "least", "most", "runs", "GiB", "ratio");
    for (const kind *k = kinds; k->name; k++)
        if (wanted(o.cases, k->name)) json_object_set_new(cases, k->name, run_case(&o, k, peer));
    tt_arena_free(a);
    return tt_bench_print(json_pack("{s:s,s:o}", "part", "versus", "cases", cases), o.json);
}
