// TEST np=1
#include "tutti/conf.h"
#include "../tap.h"

static tt_arena *A;

static tt_job *job(const char *yaml, int n, char **set)
{
    FILE *f = fopen("build/t_conf.yaml", "w");
    fputs(yaml, f);
    fclose(f);
    tt_job *j = NULL;
    tt_fail_clear();
    return tt_job_read(A, "build/t_conf.yaml", n, set, &j) == TT_OK ? j : NULL;
}

static void refused(const char *yaml, const char *setting, const char *text)
{
    char *set[1] = {(char *)setting};
    tt_job *j = job(yaml, setting != NULL, set);
    ok(!j && tt_fail_code() == TT_EJOB && !strcmp(tt_fail_text(), text), "refused: %s", tt_fail_text());
}

static void test_values(void)
{
    char *set[] = {"train.lr=1", "optim.lr=3e-4"};
    tt_job *j =
        job("run: x\ntrain:\n  steps: 10k\n  objective: span\noptim: {name: adafactor, clip: 0}\n"
            "data:\n  train:\n    - a.jsonl\n    - {path: b.tsv, templates: [{source: \"x: {y}\\n\", target: z}]}\n",
            1, set + 1);
    ok(j != NULL, "a job is read %s", tt_fail_text());
    if (!j) return;
    ok(j->train.steps == 10000 && j->train.objective == TT_OBJ_SPAN, "integers with k, choices");
    ok(j->optim.name == TT_OPT_ADAFACTOR && j->optim.clip == 0 && j->optim.lr == 3e-4, "flow maps, overrides");
    ok(j->optim.beta2 == 0.999 && j->train.dropout == -1 && j->eval.before, "defaults");
    ok(j->data.train && j->data.train->n == 2 && j->data.train->child[1]->line == 9, "subtrees keep their lines");

    ok(tt_job_write(j, "build/t_conf.resolved.yaml") == TT_OK, "the resolved job is written");
    tt_job *k = NULL;
    ok(tt_job_read(A, "build/t_conf.resolved.yaml", 0, NULL, &k) == TT_OK, "and read back %s", tt_fail_text());
    if (!k) return;
    const tt_yaml *t = tt_yaml_get(k->data.train->child[1], "templates");
    ok(k->train.steps == 10000 && k->optim.lr == 3e-4 && !strcmp(k->run, "x") && t &&
           !strcmp(tt_yaml_get(t->child[0], "source")->text, "x: {y}\n"),
       "as the same job");
    ok(tt_job_write(k, "build/t_conf.again.yaml") == TT_OK, "written again");
    char *a, *b;
    size_t na, nb;
    tt_slurp("build/t_conf.resolved.yaml", &a, &na);
    tt_slurp("build/t_conf.again.yaml", &b, &nb);
    ok(strlen(strchr(a, '\n')) > 500, "every key is there");
    ok(!strchr(b, '\t') && strstr(b, "  threads: 1\n"), "what was a default is a given value when it is read back");
    free(a);
    free(b);
}

/* Every row of the table, as bytes: pointers and padding aside, the structs hold the same values. */
static void test_round_trip(const char *what, const char *yaml)
{
    tt_job *j = job(yaml, 0, NULL), *k = NULL;
    ok(j && tt_job_write(j, "build/t_conf.resolved.yaml") == TT_OK &&
           tt_job_read(A, "build/t_conf.resolved.yaml", 0, NULL, &k) == TT_OK,
       "%s: written and read %s", what, tt_fail_text());
    if (!j || !k) return;
    static const size_t size[] = {
        [TT_KINT] = sizeof(int64_t), [TT_KREAL] = sizeof(double), [TT_KBOOL] = sizeof(bool), [TT_KENUM] = sizeof(int)};
    for (const tt_keyrow *row = tt_job_keys; row->name; row++) {
        const char *x = (const char *)j + row->offset, *y = (const char *)k + row->offset;
        if (row->type == TT_KTREE) continue;
        bool same = row->type == TT_KTEXT ? !strcmp(*(char *const *)x ? *(char *const *)x : "(none)",
                                                    *(char *const *)y ? *(char *const *)y : "(none)")
                                          : !memcmp(x, y, size[row->type]);
        if (!same) ok(false, "%s: %s changes", what, row->name);
    }
}

static void test_overrides(void)
{
    char *set[] = {"optim.adafactor.rule=hf", "optim.name=adafactor", "train.steps=2M"};
    tt_job *j = job("optim:\n  lr: 0.5\n  adafactor: {rule: t5x, eps2: 0.25}\ntrain: {steps: 3}\n", 3, set);
    ok(j && j->optim.adafactor.rule == TT_RULE_HF && j->optim.name == TT_OPT_ADAFACTOR && j->train.steps == 2000000,
       "nested keys are overridden %s", tt_fail_text());
    ok(j && j->optim.lr == 0.5 && j->optim.adafactor.eps2 == 0.25, "their neighbours keep what the file says");
    char *none[] = {"train.steps"};
    ok(!job("seed: 1\n", 1, none) && strstr(tt_fail_text(), "write key=value"), "no '=': %s", tt_fail_text());
    j = job("data:\n  train: &a [x.jsonl, y.jsonl]\n  test: *a\n", 0, NULL);
    ok(j && j->data.test && j->data.test->n == 2 && !strcmp(j->data.test->child[1]->text, "y.jsonl"), "an alias");
}

static void test_depth(void)
{
    char deep[2048] = "data: {train: ";
    for (int i = 0; i < 200; i++) strcat(deep, "[");
    for (int i = 0; i < 200; i++) strcat(deep, "]");
    ok(!job(strcat(deep, "}\n"), 0, NULL) && strstr(tt_fail_text(), "nested deeper"), "depth: %s", tt_fail_text());
}

int main(void)
{
    A = tt_arena_new(1 << 16);
    test_values();
    test_round_trip("defaults", "seed: 7\n");
    test_round_trip("texts that look like something else",
                    "run: \"a: #b\"\nmodel: {path: \"no\"}\ndata: {root: '1'}\n");
    test_round_trip("values far from the defaults",
                    "train: {epochs: 0.1, objective: span, dropout: 0.123456789012345678}\n"
                    "optim: {name: sgd, lr: 1e-7, nesterov: yes, eps: 3e-30}\nmesh: {reduce: mpi}\n");
    test_overrides();
    test_depth();
    refused("eval: {limit: 99999999999999999999}\n", NULL,
            "build/t_conf.yaml:1: eval.limit is '99999999999999999999'; it takes an integer in 0..");
    refused("train: {dropout: 1}\n", NULL, "build/t_conf.yaml:1: train.dropout is '1'; it takes a number in -1..1)");
    refused("train: {dropout: nan}\n", NULL,
            "build/t_conf.yaml:1: train.dropout is 'nan'; it takes a number in -1..1)");
    refused("run: x\ntrain:\n  lrr: 1\n", NULL,
            "build/t_conf.yaml:3: no such key 'train.lrr'; did you mean 'optim.lr'?");
    refused("optim:\n  lrr: 1\n", NULL, "build/t_conf.yaml:2: no such key 'optim.lrr'; did you mean 'optim.lr'?");
    refused("quagga: 1\n", NULL, "build/t_conf.yaml:1: no such key 'quagga'; tutti help train lists them all");
    refused("", "train.stepz=5", "command line: no such key 'train.stepz'; did you mean 'train.steps'?");
    refused("train: {steps: many}\n", NULL, "build/t_conf.yaml:1: train.steps is 'many'; it takes an integer in 0..");
    refused("train: {steps: -1}\n", NULL, "build/t_conf.yaml:1: train.steps is '-1'; it takes an integer in 0..");
    refused("optim: {beta1: 1}\n", NULL, "build/t_conf.yaml:1: optim.beta1 is '1'; it takes a number in 0..1)");
    refused("optim: {name: lion}\n", NULL,
            "build/t_conf.yaml:1: optim.name is 'lion'; it takes one of adamw|adafactor|sgd");
    refused("optim: {lr: [1]}\n", NULL, "build/t_conf.yaml:1: optim.lr is a list; it takes a number in 0..");
    refused("train: 5\n", NULL, "build/t_conf.yaml:1: 'train' is a group of keys; write them below it, indented");
    refused("seed: 1\nseed: 2\n", NULL, "build/t_conf.yaml:2: 'seed' is given twice (first in line 1); remove one");
    refused("train: {steps: 1, epochs: 1}\n", NULL,
            "build/t_conf.yaml: both train.steps and train.epochs are given; keep one (train.epochs=0 on the command "
            "line drops it)");
    refused("a: *b\n", NULL, "build/t_conf.yaml:1: *b refers to nothing; define &b before it");

    tt_job *j;
    tt_fail_clear();
    ok(tt_job_read(A, "build/none.yaml", 0, NULL, &j) == TT_EJOB &&
           !strcmp(tt_fail_text(), "build/none.yaml: there is no such file; give the path of a job file (YAML)"),
       "missing file: %s", tt_fail_text());
    ok(!job("train:\n\tsteps: 1\n", 0, NULL) && !strncmp(tt_fail_text(), "build/t_conf.yaml:2: ", 21), "tab: %s",
       tt_fail_text());
    ok(!job("a: [1, 2\n", 0, NULL) && tt_fail_code() == TT_EJOB, "open bracket: %s", tt_fail_text());
    char *empty[] = {"train.steps=", "data.root=", "data.train="};
    j = job("train: {steps: 5, epochs: 1}\ndata: {root: x, train: [a]}\n", 3, empty);
    ok(j && j->train.steps == 0 && j->train.epochs == 1 && !strcmp(j->data.root, ".") && !j->data.train,
       "an empty setting brings the default back");
    tt_arena_free(A);
    return tap_done();
}
