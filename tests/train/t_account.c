// TEST np=1,2,3
/* Every example is accounted for: per-task losses add up to the total, bad rows are quarantined by name, draws are all counted. */
#include "tutti/tutti.h"
#include "../tap.h"

#include <jansson.h>
#include <unistd.h>

#define DIR "." /* the test works in a folder of its own for each rank count: they may run side by side */

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    if (!f) TT_BUG("%s cannot be written", path);
    fputs(text, f);
    fclose(f);
}

static void make_files(void)
{
    put(DIR "/config.json",
        "{\"model_type\":\"t5\",\"vocab_size\":4160,\"d_model\":16,\"d_kv\":4,\"d_ff\":24,\"num_heads\":2,"
        "\"num_layers\":1,\"feed_forward_proj\":\"gated-gelu\",\"tie_word_embeddings\":false,\"dropout_rate\":0.1}");
    FILE *a = fopen(DIR "/a.jsonl", "w"), *b = fopen(DIR "/b.jsonl", "w");
    for (int i = 0; i < 30; i++) fprintf(a, "{\"source\":\"say %d\",\"target\":\"the number %d\"}\n", i, i);
    for (int i = 0; i < 20; i++) fprintf(b, "{\"source\":\"double %d\",\"target\":\"%d\"}\n", i, 2 * i);
    fputs("not json\n{\"source\":\"x\"}\n{\"source\":\"y\",\"target\":\"\"}\n", b);
    fclose(a);
    fclose(b);
    put(DIR "/job.yaml",
        "run: " DIR "/run\n"
        "model: {config: " DIR "/config.json}\n"
        "tokenizer: {path: ../../data/models/nano-t5}\n"
        "data:\n  root: " DIR "\n  train:\n    - {path: a.jsonl, format: jsonl}\n    - {path: b.jsonl, format: jsonl}\n"
        "  test:\n    - {path: a.jsonl, format: jsonl}\n"
        "train: {epochs: 2, batch_tokens: 100, grains: 4}\n"
        "optim: {lr: 1e-3}\nlog: {every: 1}\neval: {metrics: loss exact_match rouge, max_new_tokens: 4}\n");
}

static json_t *last_draws, *tasks_total;
static double worst;
static int64_t steps, evals;

/* One line of metrics.jsonl: the tasks of a step must give its mean loss. */
static void check_line(const json_t *o)
{
    const char *event = json_string_value(json_object_get(o, "event"));
    if (event && !strcmp(event, "eval")) evals++;
    if (!event || strcmp(event, "step")) return;
    const char *name;
    json_t *t, *tasks = json_object_get(o, "tasks");
    double nll = 0;
    json_int_t tokens = 0;
    json_object_foreach(tasks, name, t)
    {
        nll += json_number_value(json_object_get(t, "nll"));
        tokens += json_integer_value(json_object_get(t, "tokens"));
        json_int_t n =
            json_integer_value(json_object_get(tasks_total, name)) + json_integer_value(json_object_get(t, "examples"));
        json_object_set_new(tasks_total, name, json_integer(n));
    }
    double off = fabs(nll / (double)tokens - json_number_value(json_object_get(o, "nll"))),
           mean = json_number_value(json_object_get(o, "loss"));
    off = fmax(off, fabs(nll / (double)tokens - mean) / mean);
    if (off > worst) worst = off;
    json_decref(last_draws);
    last_draws = json_incref(json_object_get(o, "draws"));
    steps++;
}

static int count_lines(const char *path, const char *with)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    int n = 0;
    while (f && getline(&line, &cap, f) > 0) n += strstr(line, with) != NULL;
    if (f) fclose(f);
    free(line);
    return n;
}

static void check_run(void)
{
    tasks_total = json_object();
    FILE *f = fopen(DIR "/run/metrics.jsonl", "r");
    ok(f != NULL, "metrics.jsonl is there");
    char *line = NULL;
    size_t cap = 0;
    while (f && getline(&line, &cap, f) > 0) {
        json_t *o = json_loads(line, 0, NULL);
        check_line(o);
        json_decref(o);
    }
    if (f) fclose(f);
    free(line);
    ok(steps > 3 && worst < 1e-5, "losses per task give the total in each of %d steps (off by %.2g)", (int)steps,
       worst);
    json_int_t a = json_integer_value(json_object_get(tasks_total, "a")),
               b = json_integer_value(json_object_get(tasks_total, "b"));
    ok(a == 60 && b == 40, "two epochs use every row twice: a %d, b %d", (int)a, (int)b);
    ok(json_integer_value(last_draws) == 100, "100 draws");
    ok(evals == 2, "test is scored before and after");
    ok(count_lines(DIR "/run/quarantine.jsonl", "b.jsonl") == 3, "three bad rows are quarantined");
    ok(count_lines(DIR "/run/predictions-test-0.jsonl", "\"a\"") == 30, "every test row is answered");
    ok(count_lines(DIR "/run/eval-test.tsv", "a\t") == 1, "the table of data sets is there");
}

int main(int argc, char **argv)
{
    tt_mesh m;
    tt_mesh_init(&m, &argc, &argv);
    tap_mute = m.rank != 0;
    char dir[64];
    snprintf(dir, sizeof dir, "build/t_account-%d", m.size);
    tt_mkdirs(dir);
    if (chdir(dir) != 0) TT_BUG("%s: cannot be entered", dir);
    if (m.rank == 0) {
        make_files();
        if (system("rm -rf " DIR "/run") != 0) return 1;
    }
    tt_barrier(&m);
    tt_arena *a = tt_arena_new(1 << 16);
    tt_job *job;
    tt_err e = tt_job_read(a, DIR "/job.yaml", 0, NULL, &job);
    tt_log_quiet(true);
    if (e == TT_OK) e = tt_train(&m, job);
    ok(e == TT_OK, "the run ends well: %s", tt_fail_text());
    if (m.rank == 0 && e == TT_OK) check_run();
    int bad = tap_done();
    tt_arena_free(a);
    tt_mesh_fini(&m);
    return bad;
}
