/* tutti help [verb] */
#include "tutti/cli.h"
#include "tutti/conf.h"

#include <string.h>

static void all_verbs(void)
{
    printf("tutti fine-tunes language models on instructions, many tasks at once, on CPU clusters.\n\n"
           "  tutti <verb> [job.yaml] [key=value ...]\n\n");
    for (const tt_verb *v = tt_verbs; v->name; v++) printf("  %-10s %s\n", v->name, v->help);
    printf("\nThe first run:       make demo\n"
           "On many ranks:       mpirun -n 8 tutti train job.yaml      (or srun, see slurm/)\n"
           "Every key of a job:  tutti help train\n"
           "One verb:            tutti help <verb>\n"
           "Exit codes: 0 done, 1 the run failed, 2 usage or job file, 3 data, 4 checkpoint or model file,\n"
           "            75 stopped by a signal after a clean checkpoint: start it again to go on\n");
}

static const tt_verb *find(const char *name)
{
    for (const tt_verb *v = tt_verbs; v->name; v++)
        if (!strcmp(v->name, name)) return v;
    return NULL;
}

tt_err tt_verb_help(const tt_mesh *m, const tt_args *args)
{
    if (args->n == 0) return all_verbs(), TT_OK;
    const tt_verb *v = find(args->pos[0]);
    if (!v) return tt_fail(TT_EJOB, "there is no verb '%s'; tutti help lists them all", args->pos[0]);
    printf("tutti %s\n\n  %s\n", v->usage, v->help);
    if (!strcmp(v->name, "score")) tt_score_help(stdout);
    if (!strcmp(v->name, "eval")) {
        printf("\nThe job's model.path is scored on data.test (or eval.split), each data set by its own key metrics or "
               "eval.metrics.\n"
               "Results: scores.tsv, scores.json, predictions.jsonl in eval.out. tutti help score: every metric.\n\n");
        tt_keys_help(stdout, tt_job_keys, "eval.");
    }
    if (!strcmp(v->name, "generate")) tt_generate_help(stdout);
    if (!strcmp(v->name, "plan")) {
        printf("\nplan table: nodes from 1 to 1024. plan calibrate, under mpirun or srun: what messages cost.\n"
               "The machine that is planned for, by keys of the job:\n\n");
        tt_keys_help(stdout, tt_job_keys, "plan.");
    }
    if (strcmp(v->name, "train")) return TT_OK;
    printf("\nKeys of a job file; each can be overridden on the command line, as in train.steps=100.\n"
           "Paths start from the folder where tutti is started, those of data sets from data.root.\n\n"
           "  %-31s %-11s %s\n\n",
           "key", "default", "what it is [allowed values]");
    tt_keys_help(stdout, tt_job_keys, NULL);
    printf("\nAn entry of data.train, data.validation or data.test:\n"
           "  - name: reviews                  a name of your choice (default: the file's name)\n"
           "    path: reviews/*.jsonl.gz       a file, or a pattern: one data set per file\n"
           "    format: jsonl                  jsonl json tsv csv superni dialogsum samsum alpaca flan\n"
           "                                   prompt_completion headed nested text\n"
           "    fields: {source: question, target: answer}\n"
           "    values: {answer: {0: \"no\", 1: \"yes\"}}\n"
           "    options: [\"no\", \"yes\"]\n"
           "    templates: [{source: \"Answer: {question}\", target: \"{answer}\", kind: direct, weight: 1}]\n"
           "    metrics: \"rouge:stem=1 bleu\"    of tutti eval; tutti help score lists them\n"
           "    answer: rank                   generate rank auto: how tutti eval finds its answers\n"
           "    category: qa                   so too collection dataset language licence mixture held_out rows\n"
           "    cap: 1000\n"
           "    split: {take: train, validation: 0.05, test: 0.05, seed: 1}\n"
           "  - list: data/all.yaml            a registry of many\n"
           "    select: {collection: [superni, flan_cot]}\n"
           "The mixture:\n"
           "  mixture: {preset: flan-t5-paper-b, parts: [{name: niv2, from: {collection: superni}}]}\n"
           "The README explains each.\n");
    return TT_OK;
}
