// TEST np=1,3
// The real data: all 495 Super-NaturalInstructions training tasks, DialogSum, SAMSum, instructions, books.
#include "make.h"

static const char superni[] = "data:\n  train:\n"
                              "    - {path: 'superni/tasks/*.jsonl.gz', format: superni, where: {split: train}}\n";
static const char rest[] = "train: {objective: span}\n"
                           "data:\n  train:\n"
                           "    - {path: dialogsum/dialogsum.train.jsonl.gz, format: dialogsum}\n"
                           "    - {path: dialogsum/dialogsum.test_public.jsonl.gz, format: dialogsum}\n"
                           "    - {path: 'samsum/*.json.gz', format: samsum}\n"
                           "    - {path: 'instructions/[acdgl]*.jsonl.gz', format: alpaca}\n"
                           "    - {path: 'instructions/[su]*.jsonl.gz', format: alpaca, fields: {input: "
                           "instances.0.input, output: instances.0.output}}\n"
                           "    - {path: 'corpus/books/*.txt.gz'}\n";

/* The row of a registry whose first field is name: its field number col; NULL if there is none. */
static const char *registry(const char *text, const char *name, int col, char *out, size_t size)
{
    size_t n = strlen(name);
    const char *p = text;
    while (*p && (strncmp(p, name, n) || p[n] != '\t')) p = strchrnul(p, '\n'), p += *p != 0;
    for (int i = 0; *p && i < col; i++) p += strcspn(p, "\t\n") + 1;
    snprintf(out, size, "%.*s", (int)strcspn(p, "\t\n"), p);
    return *p ? out : NULL;
}

static tt_sets *read_sets(place *p, const char *yaml, tt_job **used)
{
    tt_sets *s = NULL;
    tt_job *job = *used = job_of(p, shared_dir() ? tt_sprintf(p->a, "%s/datasets", shared_dir()) : NULL, yaml);
    if (tt_sets_read(p->m, job, job->data.train, "data.train", NULL, &s)) printf("# %s\n", tt_fail_text());
    return s;
}

static void check_superni(place *p)
{
    char *text, field[300];
    size_t size;
    if (tt_slurp(tt_sprintf(p->a, "%s/datasets/superni/registry.tsv", shared_dir()), &text, &size)) return;
    tt_job *job;
    tt_sets *s = read_sets(p, superni, &job);
    if (!ok(s && s->n == 495, "495 training tasks of superni")) return;
    int64_t counts = 0, categories = 0, splits = 0;
    for (int i = 0; i < s->n; i++) {
        const tt_setinfo *info = tt_set_info(s->set[i]);
        const char *n = registry(text, info->name, 4, field, sizeof field);
        counts += !n || atoll(n) != info->rows + info->quarantined;
        if (n && atoll(n) != info->rows) printf("# %s: %lld of %s rows\n", info->name, (long long)info->rows, n);
        categories += !registry(text, info->name, 2, field, sizeof field) || strcmp(field, info->category);
        splits += !registry(text, info->name, 3, field, sizeof field) || strcmp(field, "train");
    }
    ok(!counts, "rows of each are the registry's; %lld in all, %lld quarantined", (long long)s->rows,
       (long long)s->quarantined);
    ok(!categories && !splits, "categories are the registry's");
    tt_mix *x;
    ok(tt_mix_new(job, s, &x) == TT_OK && tt_mix_epoch(x) == s->rows, "one mixture");
    tt_mix_free(x);
    tt_sets_free(s);
    free(text);
}

static void check_rest(place *p)
{
    static const struct {
        const char *name;
        int64_t rows;
    } want[] = {{"self_instruct_seed_tasks", 175}, {"user_oriented_instructions_public", 126},
                {"alpaca_cleaned_1000", 919},      {"alpaca_gpt4_en_demo", 985},
                {"code_alpaca_2k", 2015},          {"llms_from_scratch_1100", 965},
                {"gpteacher_roleplay", 900},       {"dolly_partial_nocontext", 3000}};
    tt_job *job;
    tt_sets *s = read_sets(p, rest, &job);
    if (!ok(s != NULL, "dialogues, instructions and books")) return;
    int64_t found = 0, books = 0, longest = 0;
    for (int i = 0; i < s->n; i++) {
        const tt_setinfo *info = tt_set_info(s->set[i]);
        for (size_t k = 0; k < sizeof want / sizeof *want; k++)
            found += !strcmp(info->name, want[k].name) && info->rows + info->quarantined == want[k].rows;
        if (info->quarantined)
            printf("# %s: %lld usable, %lld not\n", info->name, (long long)info->rows, (long long)info->quarantined);
        books += !strcmp(info->format, "text");
        tt_text t;
        for (int64_t r = 0; r < info->rows; r++) {
            tt_mark m = tt_arena_mark(p->a);
            tt_set_text(s->set[i], r, 1, 0, p->a, &t);
            if (!strcmp(info->format, "text") && (int64_t)strlen(t.source) > longest)
                longest = (int64_t)strlen(t.source);
            if (!strcmp(info->name, "dialogsum.test_public") && r == 0)
                ok(t.nref == 3, "three references of DialogSum's test");
            tt_arena_rewind(p->a, m);
        }
    }
    ok(found == 8, "rows of the instruction sets are the registry's");
    ok(books == 12 && longest <= 1500, "12 books in rows of at most %lld bytes", (long long)longest);
    tt_sets_free(s);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    tt_log_quiet(true);
    place p = place_new(&m);
    if (shared_dir()) {
        check_superni(&p);
        check_rest(&p);
    } else {
        skip(1, "the shared data sets are not here; t_sources reads the same formats from files of its own");
    }
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
