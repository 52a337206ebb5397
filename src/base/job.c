/* The job: its table of keys, reading and writing. */
#include "tutti/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(tt_job, field)

const tt_keyrow tt_job_keys[] = {
    {"run", TT_KTEXT, AT(run), NULL, NULL, "run folder: log, metrics, checkpoints (default runs/<job file's name>)"},
    {"precision", TT_KENUM, AT(precision), "fp32", "fp32|bf16",
     "of the products in training; bf16 where the CPU has instructions for it, weights and sums stay fp32"},
    {"seed", TT_KINT, AT(seed), "1", "0..", "of everything random: mixture, templates, dropout, initial weights"},

    {"model.path", TT_KTEXT, AT(model.path), NULL, NULL, "Hugging Face folder or tutti checkpoint (.h5) to start from"},
    {"model.config", TT_KTEXT, AT(model.config), NULL, NULL, "config.json to start from scratch, with drawn weights"},
    {"tokenizer.path", TT_KTEXT, AT(tokenizer.path), NULL, NULL, "folder with spiece.model (default model.path)"},

    {"data.root", TT_KTEXT, AT(data.root), ".", NULL, "folder that the paths of data sets start from"},
    {"data.train", TT_KTREE, AT(data.train), NULL, NULL, "list of data sets to train on"},
    {"data.validation", TT_KTREE, AT(data.validation), NULL, NULL, "list of data sets scored every eval.every steps"},
    {"data.test", TT_KTREE, AT(data.test), NULL, NULL, "list of data sets scored before and after the run"},
    {"data.mixture", TT_KTREE, AT(data.mixture), NULL, NULL,
     "preset, draw, rate, temperature, cap, parts: who is drawn how often; none: by size"},
    {"data.cap", TT_KINT, AT(data.cap), "0", "0..", "examples per data set that count in the mixture; 0: all"},
    {"data.max_source", TT_KINT, AT(data.max_source), "512", "2..",
     "longest source in tokens, end token included; the rest is cut off"},
    {"data.max_target", TT_KINT, AT(data.max_target), "128", "2..", "longest target in tokens, end token included"},
    {"data.on_bad_row", TT_KENUM, AT(data.on_bad_row), "skip", "skip|fail",
     "a row that cannot be used: quarantine it, or stop"},
    {"data.missing", TT_KENUM, AT(data.missing), "fail", "fail|skip",
     "an entry whose file is not there: stop, or go on without it and say so"},
    {"data.store", TT_KTEXT, AT(data.store), NULL, NULL,
     "folder of the token store that tutti prepare makes; none: files are parsed at every start"},
    {"data.decontaminate", TT_KENUM, AT(data.decontaminate), "off", "off|report|drop",
     "training rows that share text with data.validation or data.test: look for them, leave them out"},
    {"data.deduplicate", TT_KENUM, AT(data.deduplicate), "off", "off|report|drop",
     "training rows that repeat another one: look for them, leave them out"},
    {"data.prompts.shots", TT_KTEXT, AT(data.prompts.shots), "1-5", NULL,
     "exemplars of a few-shot prompt, a number or a range"},
    {"data.prompts.few_shot", TT_KREAL, AT(data.prompts.few_shot), "0", "0..1", "share of the draws with exemplars"},
    {"data.prompts.options", TT_KREAL, AT(data.prompts.options), "1", "0..1",
     "share of the draws with answer options, where a data set has some"},
    {"data.prompts.cot", TT_KREAL, AT(data.prompts.cot), "1", "0..",
     "weight of chain-of-thought templates beside direct ones, which have 1"},
    {"data.prompts.invert", TT_KREAL, AT(data.prompts.invert), "0.3", "0..",
     "weight of inverted templates (the answer is given, the question asked for)"},
    {"data.prompts.max_tokens", TT_KINT, AT(data.prompts.max_tokens), "0", "0..",
     "longest source with exemplars in tokens; what does not fit is left out; 0: data.max_source"},

    {"train.steps", TT_KINT, AT(train.steps), "0", "0..", "length of the run in steps (or give train.epochs)"},
    {"train.epochs", TT_KREAL, AT(train.epochs), "0", "0..", "length of the run in epochs of the mixture"},
    {"train.batch_tokens", TT_KINT, AT(train.batch_tokens), "8192", "1..",
     "source and target tokens in a global batch, at most"},
    {"train.grains", TT_KINT, AT(train.grains), "8", "1..65536",
     "pieces a batch is cut into; use a multiple of the ranks"},
    {"train.objective", TT_KENUM, AT(train.objective), "seq2seq", "seq2seq|span",
     "source to target, or T5's span corruption"},
    {"train.normalise", TT_KENUM, AT(train.normalise), "token", "token|example",
     "each target token weighs the same, or each example"},
    {"train.resume", TT_KENUM, AT(train.resume), "auto", "auto|never|must", "go on from the newest checkpoint in run"},
    {"train.dropout", TT_KREAL, AT(train.dropout), "-1", "-1..1)", "probability; -1: the model's own"},
    {"train.label_smoothing", TT_KREAL, AT(train.label_smoothing), "0", "0..1)", "as Hugging Face's LabelSmoother"},
    {"train.z_loss", TT_KREAL, AT(train.z_loss), "0", "0..", "weight of the squared log-normaliser (T5X: 1e-4)"},
    {"train.recompute", TT_KENUM, AT(train.recompute), "none", "none|block",
     "block: keep a block's input alone and compute the rest again, a third more work for far less memory"},
    {"train.span_rate", TT_KREAL, AT(train.span_rate), "0.15", "(0..1)", "span: share of tokens that are masked"},
    {"train.span_mean", TT_KREAL, AT(train.span_mean), "3", "1..", "span: mean length of a masked span, tokens"},

    {"optim.name", TT_KENUM, AT(optim.name), "adamw", "adamw|adafactor|sgd", "optimizer"},
    {"optim.lr", TT_KREAL, AT(optim.lr), "1e-4", "0..", "peak learning rate"},
    {"optim.schedule", TT_KENUM, AT(optim.schedule), "constant", "constant|linear|cosine|rsqrt", "after the warm-up"},
    {"optim.warmup", TT_KINT, AT(optim.warmup), "0", "0..", "steps from rate 0 to the peak"},
    {"optim.min_ratio", TT_KREAL, AT(optim.min_ratio), "0", "0..1", "linear and cosine end at lr times this"},
    {"optim.clip", TT_KREAL, AT(optim.clip), "1", "0..", "global norm that gradients are clipped to; 0: none"},
    {"optim.weight_decay", TT_KREAL, AT(optim.weight_decay), "0", "0..", "decoupled weight decay"},
    {"optim.decay", TT_KENUM, AT(optim.decay), "hf", "all|hf",
     "what decays: every parameter, or all but norms and biases"},
    {"optim.beta1", TT_KREAL, AT(optim.beta1), "0.9", "0..1)", "adamw: decay of the first moment"},
    {"optim.beta2", TT_KREAL, AT(optim.beta2), "0.999", "0..1)", "adamw: decay of the second moment"},
    {"optim.eps", TT_KREAL, AT(optim.eps), "1e-8", "(0..", "adamw: added to the root of the second moment"},
    {"optim.l2", TT_KBOOL, AT(optim.l2), "false", NULL, "adamw: weight decay goes into the gradient (Adam with L2)"},
    {"optim.momentum", TT_KREAL, AT(optim.momentum), "0", "0..1)", "sgd: momentum"},
    {"optim.dampening", TT_KREAL, AT(optim.dampening), "0", "0..1", "sgd: dampening of the momentum"},
    {"optim.nesterov", TT_KBOOL, AT(optim.nesterov), "false", NULL, "sgd: Nesterov's momentum"},
    {"optim.update", TT_KENUM, AT(optim.update), "step", "step|block",
     "block: no full gradient is held, each block is updated as its gradient arrives; needs optim.clip: 0"},
    {"optim.adafactor.rule", TT_KENUM, AT(optim.adafactor.rule), "t5x", "t5x|hf",
     "which published rule (they differ; README)"},
    {"optim.adafactor.decay_rate", TT_KREAL, AT(optim.adafactor.decay_rate), "0.8", "(0..1)",
     "second moment decays by 1 - t^-rate"},
    {"optim.adafactor.beta1", TT_KREAL, AT(optim.adafactor.beta1), "0", "0..1)",
     "momentum; 0: none, and no memory for it"},
    {"optim.adafactor.clip", TT_KREAL, AT(optim.adafactor.clip), "1", "(0..",
     "root mean square that an update is clipped to"},
    {"optim.adafactor.eps1", TT_KREAL, AT(optim.adafactor.eps1), "1e-30", "0..", "added to squared gradients"},
    {"optim.adafactor.eps2", TT_KREAL, AT(optim.adafactor.eps2), "1e-3", "0..", "least parameter scale"},
    {"optim.adafactor.scale_parameter", TT_KBOOL, AT(optim.adafactor.scale_parameter), "true", NULL,
     "rate times the parameter's scale"},
    {"optim.adafactor.relative_step", TT_KBOOL, AT(optim.adafactor.relative_step), "false", NULL,
     "hf: rate 1/sqrt(t), optim.lr unused"},
    {"optim.adafactor.warmup_init", TT_KBOOL, AT(optim.adafactor.warmup_init), "false", NULL,
     "hf: slow start of relative_step"},
    {"optim.adafactor.min_dim", TT_KINT, AT(optim.adafactor.min_dim), "128", "1..",
     "t5x: both sides at least this to be factored"},
    {"optim.adafactor.step_offset", TT_KINT, AT(optim.adafactor.step_offset), "0", NULL, "t5x: t counts from here"},

    {"mesh.threads", TT_KINT, AT(mesh.threads), "1", "1..1024",
     "threads of a rank, in products and kernels; ranks scale better than threads"},
    {"mesh.zero", TT_KINT, AT(mesh.zero), "1", "0..3",
     "cut over the ranks: 0 nothing, 1 moments, 2 also gradients, 3 also weights"},
    {"mesh.tp", TT_KINT, AT(mesh.tp), "1", "1..1024",
     "tensor parallelism: ranks that share the heads, the feed-forward columns and the vocabulary of one copy"},
    {"mesh.bucket", TT_KINT, AT(mesh.bucket), "16", "1..1024", "MiB that travel in one message at most"},
    {"mesh.wire", TT_KENUM, AT(mesh.wire), "fp32", "fp32|bf16", "gradients on their way to their owners"},
    {"mesh.reduce", TT_KENUM, AT(mesh.reduce), "exact", "exact|mpi",
     "the same bits on any number of ranks, or MPI's own order"},
    {"mesh.watchdog", TT_KINT, AT(mesh.watchdog), "900", "0..",
     "seconds without progress after which the job is ended; 0: never"},

    {"checkpoint.every", TT_KINT, AT(checkpoint.every), "500", "0..", "steps between checkpoints; 0: only at the end"},
    {"checkpoint.keep", TT_KINT, AT(checkpoint.keep), "3", "1..", "newest checkpoints that are kept"},
    {"checkpoint.best", TT_KBOOL, AT(checkpoint.best), "false", NULL,
     "also keep the one with the least validation loss"},

    {"eval.every", TT_KINT, AT(eval.every), "0", "0..", "steps between scorings of data.validation; 0: never"},
    {"eval.metrics", TT_KTEXT, AT(eval.metrics), "loss", NULL,
     "any of tutti help score, as in \"loss rouge:stem=1\"; a data set may have its own"},
    {"eval.limit", TT_KINT, AT(eval.limit), "0", "0..", "examples per data set, a seeded sample; 0: all"},
    {"eval.generate", TT_KINT, AT(eval.generate), "0", "0..",
     "examples per data set that are answered in words; 0: all"},
    {"eval.max_new_tokens", TT_KINT, AT(eval.max_new_tokens), "128", "1..65536", "longest answer in tokens"},
    {"eval.min_new_tokens", TT_KINT, AT(eval.min_new_tokens), "0", "0..65536", "no end token before so many"},
    {"eval.split", TT_KENUM, AT(eval.split), "test", "test|validation|train", "tutti eval: the list that is scored"},
    {"eval.out", TT_KTEXT, AT(eval.out), NULL, NULL, "tutti eval: folder of the results (default run/eval)"},
    {"eval.answer", TT_KENUM, AT(eval.answer), "generate", TT_ANSWERS,
     "generate answers, or rank the options by log-likelihood; auto: rank where a data set has some"},
    {"eval.rank", TT_KENUM, AT(eval.rank), "sum", "sum|token|byte|char",
     "rank: log-likelihood of an option as it is, or per token, byte, character"},
    {"eval.beams", TT_KINT, AT(eval.beams), "1", "1..64", "beam search; 1: greedy"},
    {"eval.length_penalty", TT_KREAL, AT(eval.length_penalty), "1", NULL,
     "beams are compared by log-likelihood / length to the power of this"},
    {"eval.early_stopping", TT_KENUM, AT(eval.early_stopping), "false", "false|true|never",
     "beams: stop by the best possible score of what goes on, when there are enough, or only when nothing can win"},
    {"eval.sample", TT_KBOOL, AT(eval.sample), "false", NULL, "draw answers, keyed by seed and example"},
    {"eval.temperature", TT_KREAL, AT(eval.temperature), "1", "(0..", "sample: logits are divided by this"},
    {"eval.top_k", TT_KINT, AT(eval.top_k), "0", "0..", "sample: of the k most probable tokens; 0: of all"},
    {"eval.top_p", TT_KREAL, AT(eval.top_p), "1", "(0..1",
     "sample: of the most probable tokens that make up this much"},
    {"eval.repetition_penalty", TT_KREAL, AT(eval.repetition_penalty), "1", "(0..",
     "logits of tokens already given are divided by this (times it, below 0)"},
    {"eval.no_repeat_ngram", TT_KINT, AT(eval.no_repeat_ngram), "0", "0..65536",
     "no n-gram of this size twice; 0: any"},
    {"eval.rows", TT_KINT, AT(eval.rows), "32", "1..4096", "answers at once on a rank; memory, not results"},
    {"eval.bootstrap", TT_KINT, AT(eval.bootstrap), "1000", "2..", "resamples for errors that have no formula"},
    {"eval.before", TT_KBOOL, AT(eval.before), "true", NULL, "score data.test before the first step, too"},

    {"log.every", TT_KINT, AT(log.every), "10", "1..", "steps between lines on the screen and in metrics.jsonl"},

    {"plan.nodes", TT_KINT, AT(plan.nodes), "0", "0..65536", "tutti plan: nodes; 0: those it is started on"},
    {"plan.ranks_per_node", TT_KINT, AT(plan.ranks_per_node), "0", "0..4096",
     "tutti plan: ranks on a node; 0: as it is started"},
    {"plan.cores", TT_KINT, AT(plan.cores), "0", "0..4096", "tutti plan: cores of a node; 0: this machine's"},
    {"plan.memory", TT_KREAL, AT(plan.memory), "0", "0..", "tutti plan: GiB of a node; 0: this machine's"},
    {"plan.latency", TT_KREAL, AT(plan.latency), "2", "0..", "tutti plan: network, us a message"},
    {"plan.bandwidth", TT_KREAL, AT(plan.bandwidth), "12.5", "(0..", "tutti plan: network, GB/s of a node each way"},
    {"plan.copy_latency", TT_KREAL, AT(plan.copy_latency), "1", "0..",
     "tutti plan: us a message between ranks of a node"},
    {"plan.copy", TT_KREAL, AT(plan.copy), "0", "0..",
     "tutti plan: GB/s that one rank passes to another on its node; 0: half of what this machine copies"},
    {"plan.overlap", TT_KREAL, AT(plan.overlap), "-1", "-1..1",
     "tutti plan: share of the network's time that hides behind computation; -1: as mesh.zero allows"},
    {"plan.calibrate", TT_KBOOL, AT(plan.calibrate), "true", NULL,
     "tutti plan: measure the kernels of this machine; false: plan.gflops and plan.pass"},
    {"plan.gflops", TT_KREAL, AT(plan.gflops), "100", "(0..", "tutti plan: GFLOP/s of one rank's fp32 products"},
    {"plan.gflops_bf16", TT_KREAL, AT(plan.gflops_bf16), "0", "0..",
     "tutti plan: of its bf16 products; 0: twice those of fp32"},
    {"plan.pass", TT_KREAL, AT(plan.pass), "8", "(0..", "tutti plan: GB/s that one rank reads and writes in memory"},
    {"plan.data", TT_KBOOL, AT(plan.data), "true", NULL,
     "tutti plan: lengths from the job's data where they are read quickly; false: all at their longest"},
    {0},
};

static tt_err check(const tt_job *j)
{
    if (j->train.steps > 0 && j->train.epochs > 0)
        return tt_fail(
            TT_EJOB,
            "%s: both train.steps and train.epochs are given; keep one (train.epochs=0 on the command line drops it)",
            j->file);
    if (j->model.path && j->model.config)
        return tt_fail(TT_EJOB,
                       "%s: both model.path (trained weights) and model.config (from scratch) are given; keep one",
                       j->file);
    return TT_OK;
}

/* runs/<name> from ".../name.yaml" */
static const char *default_run(tt_arena *a, const char *file)
{
    const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    char *name = tt_strdup(a, base), *dot = strrchr(name, '.');
    if (dot && dot != name) *dot = 0;
    return tt_sprintf(a, "runs/%s", name);
}

static tt_err override(tt_arena *a, tt_yaml *root, int n, char **set)
{
    for (int i = 0; i < n; i++) {
        const char *eq = strchr(set[i], '=');
        char *key = tt_strdup(a, set[i]);
        if (!eq || eq == set[i]) return tt_fail(TT_EJOB, "command line: '%s' is no setting; write key=value", set[i]);
        key[eq - set[i]] = 0;
        TT_TRY(tt_yaml_set(a, root, key, eq + 1));
    }
    return TT_OK;
}

tt_err tt_job_read(tt_arena *a, const char *path, int noverride, char **overrides, tt_job **out)
{
    tt_yaml *root = NULL;
    if (path)
        TT_TRY(tt_yaml_read(a, path, &root));
    else
        TT_TRY(tt_yaml_parse(a, "command line", "", 0, &root));
    if (root->kind != TT_MAP)
        return tt_fail(TT_EJOB, "%s: this is no job; a job is a list of keys such as 'model: {path: ...}'", path);
    TT_TRY(override(a, root, noverride, overrides));
    tt_job *j = *out = TT_ZNEW(a, tt_job, 1);
    j->file = path ? tt_strdup(a, path) : "command line";
    j->root = root;
    TT_TRY(tt_keys_bind(a, root, tt_job_keys, j, ""));
    if (!j->run) j->run = default_run(a, path ? path : "job");
    return check(j);
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

static const tt_yaml *given(const tt_yaml *root, const char *dotted)
{
    char key[128], *p = key, *dot;
    snprintf(key, sizeof key, "%s", dotted);
    while ((dot = strchr(p, '.'))) {
        *dot = 0;
        root = tt_yaml_get(root, p);
        p = dot + 1;
    }
    return tt_yaml_get(root, p);
}

static void write_text(FILE *f, const char *s)
{
    tt_yaml y = {.kind = TT_SCALAR, .text = s, .quoted = true};
    tt_yaml_write(f, &y, 0);
}

/* Opens the groups of name that were not open for the key before, and returns the last word and its indent. */
static const char *open_groups(FILE *f, const char *name, const char *before, int *indent)
{
    const char *p = name, *dot;
    *indent = 0;
    bool same = true;
    while ((dot = strchr(p, '.'))) {
        size_t upto = (size_t)(dot - name) + 1;
        same = same && !strncmp(name, before, upto);
        if (!same) fprintf(f, "%*s%.*s:\n", *indent, "", (int)(dot - p), p);
        *indent += 2;
        p = dot + 1;
    }
    return p;
}

static void write_key(FILE *f, const tt_job *j, const tt_keyrow *row, const char *before)
{
    const void *at = (const char *)j + row->offset;
    const tt_yaml *y = given(j->root, row->name);
    if (row->type == TT_KTREE && !y) return;
    int indent;
    const char *word = open_groups(f, row->name, before, &indent);
    fprintf(f, "%*s%s:", indent, "", word);
    if (row->type == TT_KTREE) {
        if (y->n == 0)
            fputs(y->kind == TT_SCALAR ? "\n" : " []\n", f);
        else
            fputc('\n', f), tt_yaml_write(f, y, indent + 2);
    } else if (y && y->kind == TT_SCALAR) {
        tt_yaml_write(f, &(tt_yaml){.kind = TT_SCALAR, .text = y->text, .quoted = y->quoted}, 0);
    } else if (!strcmp(row->name, "run")) {
        write_text(f, *(const char *const *)at);
    } else {
        fprintf(f, " %s  # default\n", row->def ? row->def : "~");
    }
}

tt_err tt_job_write(const tt_job *job, const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f) return tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
    fprintf(f, "# every key of %s with the value that was used\n", job->file);
    const char *before = "";
    for (const tt_keyrow *row = tt_job_keys; row->name; row++) {
        write_key(f, job, row, before);
        if (row->type != TT_KTREE || given(job->root, row->name)) before = row->name;
    }
    if (fclose(f) != 0) return tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
    return TT_OK;
}
