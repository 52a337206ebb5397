// TEST np=1,3
// Templates by kind and weight, answer options in every style, shown values, and the messages of wrong entries.
#include "../../src/data/options.h"
#include "../../src/data/sets.h"
#include "make.h"

#include <xxhash.h>

enum { ROWS = 400, EPOCHS = 20, DRAWS = ROWS * EPOCHS };

/* One data set of the file m.jsonl; entry: what stands in its braces behind the path. */
static tt_sets *one_set(place *p, const char *prompts, const char *entry)
{
    tt_job *job;
    const char *yaml = tt_sprintf(p->a, "data:\n  prompts: {%s}\n  train:\n    - {path: m.jsonl%s}\n", prompts, entry);
    tt_sets *s = sets_of(p, yaml, &job);
    ok(s != NULL, "reads {%s}%s %s", prompts, entry, tt_fail_text());
    tt_fail_clear();
    return s;
}

static void put_rows(place *p)
{
    static char text[100 * ROWS];
    size_t n = 0;
    for (int i = 0; i < ROWS; i++)
        n += (size_t)sprintf(text + n, "{\"q\": \"q%d\", \"a\": %d, \"why\": \"%s\", \"c\": [\"x%d\", \"y\", \"z\"]}\n",
                             i, i % 2, i % 4 ? "so" : "", i);
    put_file(p, "m.jsonl", text, n);
}

/* Within 5 standard deviations of the share. */
static void share(int64_t count, int64_t of, double want, const char *what)
{
    double sd = sqrt((double)of * want * (1 - want));
    ok(fabs((double)count - (double)of * want) <= 5 * sd, "%s: %lld of %lld, expected %.1f +- %.1f", what,
       (long long)count, (long long)of, (double)of * want, 5 * sd);
}

#define KINDS                                                                                                       \
    ", templates: [{source: 'D {q}', target: '{a}', weight: 2}, {source: 'C {q}', target: '{why} {a}', kind: cot, " \
    "when: why}, {source: 'I {a}', target: '{q}', kind: inverted}, {source: 'E {q}', target: '{a}'}]"

static void kinds(place *p)
{
    tt_sets *s = one_set(p, "cot: 1.5, invert: 0.5", KINDS);
    if (!s) return;
    int64_t count[4] = {0}, draws = 0, wrong = 0;
    for (int64_t i = 0; i < DRAWS; i++) {
        if (i % ROWS % 4 == 0) continue; /* those have no reason */
        tt_prompt r;
        tt_text t;
        tt_mark m = tt_arena_mark(p->a);
        tt_prompt_make(s->set[0], i % ROWS, 1, i / ROWS, p->a, &r);
        tt_set_text(s->set[0], i % ROWS, 1, i / ROWS, p->a, &t);
        wrong += t.source[0] != "DCIE"[r.template] || r.kind != (int[]){0, 1, 2, 0}[r.template];
        wrong += strcmp(t.target, r.ref[0]) != 0 || r.nshot || r.style != -1;
        count[r.template]++;
        draws++;
        tt_arena_rewind(p->a, m);
    }
    share(count[0], draws, 2 / 5., "a direct template of weight 2");
    share(count[1], draws, 1.5 / 5, "chain of thought");
    share(count[2], draws, 0.5 / 5, "inverted");
    share(count[3], draws, 1 / 5., "a direct template of weight 1");
    ok(!wrong, "text, number and kind belong together");
    tt_sets_free(s);
    s = one_set(p, "cot: 0, invert: 0", KINDS ", prompts: {cot: 1}");
    int64_t seen[3] = {0};
    for (int64_t i = 0; s && i < DRAWS; i++) {
        tt_prompt r;
        tt_mark m = tt_arena_mark(p->a);
        tt_prompt_make(s->set[0], i % ROWS, 1, i / ROWS, p->a, &r);
        seen[r.kind]++;
        tt_arena_rewind(p->a, m);
    }
    ok(seen[TT_COT] && !seen[TT_INVERTED], "the entry's prompts go before the job's; a kind of weight 0 is not drawn");
    tt_sets_free(s);
}

static void evaluation(place *p)
{
    tt_sets *s = NULL;
    tt_job *job = job_of(p, NULL,
                         "data:\n  prompts: {invert: 100}\n  test:\n    - {name: one, path: m.jsonl" KINDS
                         "}\n    - {name: two, path: m.jsonl, templates: [{source: '{a}', target: '{q}', kind: "
                         "inverted}]}\n");
    if (!ok(tt_sets_read(p->m, job, job->data.test, "data.test", NULL, &s) == TT_OK, "reads %s", tt_fail_text()))
        return;
    int64_t wrong = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        tt_prompt r;
        tt_prompt_make(s->set[0], i, 1, 0, p->a, &r);
        wrong += r.kind != TT_DIRECT;
        tt_prompt_make(s->set[1], i, 1, 0, p->a, &r);
        wrong += r.kind != TT_INVERTED;
    }
    ok(!wrong, "evaluation asks directly, unless there is no such template");
    tt_sets_free(s);
}

/* How each style looks, below "Q". */
static const char *const looks[] = {"Q\nOPTIONS:\n- no\n- yes",   "Q\nOptions: (A) no (B) yes",
                                    "Q\n(a) no; (b) yes",         "Q\nPossible answers:\n1. no\n2. yes",
                                    "Q\nChoices:\nA) no\nB) yes", "Q\nChoose from: no, yes.",
                                    "Q\nPick one: no or yes?",    "Q\nThe answer is one of \"no\" and \"yes\"."};
enum { LOOKS = sizeof looks / sizeof *looks };

#define YESNO ", values: {a: {0: no, 1: yes}}, options: [no, yes]"

static void styles(place *p)
{
    ok(tt_options_styles() == LOOKS, "%d styles are known here", LOOKS);
    tt_sets *s = one_set(p, "options: 0.7", YESNO ", templates: [{source: 'Q{q}', target: '{a}'}]");
    int64_t count[LOOKS] = {0}, none = 0, wrong = 0;
    for (int64_t i = 0; s && i < DRAWS; i++) {
        tt_prompt r;
        tt_text t;
        tt_mark m = tt_arena_mark(p->a);
        int64_t row = i % ROWS;
        tt_prompt_make(s->set[0], row, 1, i / ROWS, p->a, &r);
        tt_set_text(s->set[0], row, 1, i / ROWS, p->a, &t);
        const char *want = r.style < 0 ? "" : looks[r.style] + 1;
        wrong += strcmp(t.source, tt_sprintf(p->a, "Qq%d%s", (int)row, want)) != 0;
        wrong += strcmp(t.target, row % 2 ? "yes" : "no") != 0;
        *(r.style < 0 ? &none : &count[r.style]) += 1;
        tt_arena_rewind(p->a, m);
    }
    share(none, DRAWS, 0.3, "no options shown");
    for (int i = 0; i < LOOKS; i++) share(count[i], DRAWS, 0.7 / LOOKS, tt_prompt_style(i));
    ok(!wrong, "every style looks as it should, and the target is the answer's text");
    tt_sets_free(s);
}

/* The texts that row 7 gives over the epochs must be among those allowed, separated by |, and all of them must come. */
static void texts(place *p, const char *prompts, const char *entry, const char *allowed)
{
    tt_sets *s = one_set(p, prompts, entry);
    char bag[4000], seen[4000] = "|";
    snprintf(bag, sizeof bag, "|%s|", allowed);
    int64_t wrong = 0;
    for (int64_t e = 0; s && e < 200; e++) {
        tt_text t;
        tt_set_text(s->set[0], 7, 1, e, p->a, &t);
        const char *one = tt_sprintf(p->a, "|%s|", t.source);
        if (!strstr(bag, one) && !wrong++ && !tap_mute) printf("# got '%s'\n", t.source);
        if (!strstr(seen, one)) strcat(seen, one + 1);
    }
    ok(!wrong && strlen(seen) == strlen(bag), "texts of %s", entry);
    tt_sets_free(s);
}

static void places(place *p)
{
    static const char *const hidden[][2] = {{"Q {q}\\n{options}\\nA:", "Q q7\nA:"},
                                            {"Q {q}\\n\\n{options}\\n\\nA:", "Q q7\n\nA:"},
                                            {"Q {q} {options}", "Q q7"},
                                            {"{q}\\n\\n{options}", "q7"},
                                            {"{options}\\n{q}", "q7"},
                                            {"{q} {options}{why}", "q7 so"},
                                            {"{q} {options}, or not?", "q7 , or not?"},
                                            {"{q}{options} A", "q7 A"},
                                            {"{q}\\n{options}\\n{options}\\n.", "q7\n."}};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        texts(p, "options: 0",
              tt_sprintf(p->a, ", options: [no, yes], templates: [{source: \"%s\", target: '{a}'}]", hidden[i][0]),
              hidden[i][1]);
    texts(p, "options: 1", ", options: ['1, 2', no], templates: [{source: \"{q} {options} A:\", target: '{a}'}]",
          "q7 OPTIONS:\n- 1, 2\n- no A:|q7 Options: (A) 1, 2 (B) no A:|q7 (a) 1, 2; (b) no A:|q7 Possible answers:\n1. "
          "1, "
          "2\n2. no A:|q7 Choices:\nA) 1, 2\nB) no A:");
    texts(
        p, "options: 1", ", options: {column: c}, templates: [{source: \"{q}\\n\", target: '{a}'}]",
        "q7\nOPTIONS:\n- x7\n- y\n- z|q7\nOptions: (A) x7 (B) y (C) z|q7\n(a) x7; (b) y; (c) z|q7\nPossible "
        "answers:\n1. x7\n2. y\n3. z|q7\nChoices:\nA) x7\nB) y\nC) z|q7\nChoose from: x7, y, z.|q7\nPick one: x7, y or "
        "z?|q7\nThe answer is one of \"x7\", \"y\" and \"z\".");
    texts(p, "options: 1, invert: 1",
          ", options: [no, yes], templates: [{source: '{a}', target: '{q}', kind: inverted}]", "1");
}

/* Options in a list of objects, as CommonsenseQA has them. */
static void objects(place *p)
{
    PUT(p, "o.jsonl",
        "{\"question\": {\"stem\": \"s\", \"choices\": [{\"label\": \"A\", \"text\": \"one\"}, {\"label\": \"B\", "
        "\"text\": \"two\"}]}, \"key\": \"B\"}\n"
        "{\"question\": {\"stem\": \"t\", \"choices\": [{\"text\": \"one\"}, {\"label\": \"B\"}]}, \"key\": \"A\"}\n"
        "{\"question\": {\"stem\": \"u\", \"choices\": []}, \"key\": \"A\"}\n");
    tt_job *job;
    tt_sets *s = sets_of(p,
                         "data:\n  train:\n    - path: o.jsonl\n      fields: {stem: question.stem}\n"
                         "      options: {column: question.choices.text}\n"
                         "      templates: [{source: '{stem}', target: '{key}'}]\n",
                         &job);
    if (!ok(s && s->rows == 1 && s->quarantined == 2, "a member of each object; rows without it are bad %s",
            tt_fail_text()))
        return;
    int64_t found = 0;
    for (int64_t e = 0; e < 100; e++) {
        tt_text t;
        tt_set_text(s->set[0], 0, 1, e, p->a, &t);
        found += !strcmp(t.source, "s\nOPTIONS:\n- one\n- two");
    }
    ok(found, "options of a path through a list of objects");
    tt_sets_free(s);
}

static void values(place *p)
{
    PUT(p, "v.jsonl",
        "{\"s\": \"a\", \"l\": 0}\n{\"s\": \"b\", \"l\": 2}\n{\"s\": \"c\", \"l\": [1, 0]}\n{\"s\": \"d\", \"l\": "
        "true}\n"
        "{\"s\": \"e\", \"l\": \"unacceptable\"}\n");
    tt_job *job;
    tt_sets *s = sets_of(p,
                         "data:\n  train:\n    - path: v.jsonl\n      fields: {label: l}\n"
                         "      values: {label: {0: unacceptable, 1: acceptable, true: 'yes, so'}}\n"
                         "      templates: [{source: '{s}', target: 'It is {label}.'}]\n",
                         &job);
    if (!ok(s && s->rows == 3 && s->quarantined == 2, "shown values; others are quarantined %s", tt_fail_text()))
        return;
    tt_text t[3];
    for (int i = 0; i < 3; i++) tt_set_text(s->set[0], i, 1, 0, p->a, &t[i]);
    ok(!strcmp(t[0].target, "It is unacceptable.") && !strcmp(t[2].target, "It is yes, so."), "values are mapped");
    ok(t[1].nref == 2 && !strcmp(t[1].ref[0], "It is acceptable.") && !strcmp(t[1].ref[1], "It is unacceptable."),
       "each value of a list is");
    tt_sets_free(s);
    char *text, *path = tt_sprintf(p->a, "%s/quarantine.jsonl", p->dir);
    size_t size;
    if (tt_slurp(path, &text, &size)) abort();
    ok(strstr(text, "\"line\":2,\"reason\":\"has '2' in \\\"l\\\", which values.label does not list\"") != NULL,
       "the reason is told");
    free(text);
}

/* All that a prompt chose. */
static uint64_t prompt_hash(const tt_set *s, int64_t row, int64_t epoch, tt_arena *a)
{
    tt_prompt r;
    tt_text t;
    tt_mark m = tt_arena_mark(a);
    tt_prompt_make(s, row, 1, epoch, a, &r);
    tt_set_text(s, row, 1, epoch, a, &t);
    uint64_t h = XXH3_64bits_withSeed(t.source, strlen(t.source), (uint64_t)r.template);
    h = XXH3_64bits_withSeed(t.target, strlen(t.target), h + (uint64_t)(r.style + 1));
    for (int i = 0; i < r.nshot; i++) h = tt_mix64(h ^ (uint64_t)r.shot[i].row);
    tt_arena_rewind(a, m);
    return h;
}

static void same_everywhere(place *p)
{
    tt_sets *s = one_set(p, "few_shot: 0.5, options: 0.5", KINDS YESNO);
    if (!s) return;
    uint64_t forth = 0, back = 0;
    for (int64_t i = 0; i < DRAWS; i++)
        forth += tt_mix64(prompt_hash(s->set[0], i % ROWS, i / ROWS, p->a) ^ (uint64_t)i);
    for (int64_t i = DRAWS; i-- > 0;) back += tt_mix64(prompt_hash(s->set[0], i % ROWS, i / ROWS, p->a) ^ (uint64_t)i);
    ok(forth == back, "the order of the calls does not matter");
    int64_t lo, hi, sum = 0;
    tt_share(DRAWS, p->m->rank, p->m->size, &lo, &hi);
    for (int64_t i = lo; i < hi; i++)
        sum += (int64_t)(tt_mix64(prompt_hash(s->set[0], i % ROWS, i / ROWS, p->a) ^ (uint64_t)i) >> 20);
    int64_t whole = 0;
    for (int64_t i = 0; i < DRAWS; i++)
        whole += (int64_t)(tt_mix64(prompt_hash(s->set[0], i % ROWS, i / ROWS, p->a) ^ (uint64_t)i) >> 20);
    tt_allsum_i64(p->m, &sum, 1);
    ok(sum == whole, "the shares of %d ranks together are what one rank makes", p->m->size);
    ok(prompt_hash(s->set[0], 3, 0, p->a) != prompt_hash(s->set[0], 3, 1, p->a), "another epoch, another prompt");
    tt_sets_free(s);
}

/* Rows that are dropped change none of the others' choices. */
static void stable(place *p)
{
    tt_sets *s = one_set(p, "options: 0.5", KINDS YESNO);
    if (!s) return;
    static uint64_t before[ROWS];
    for (int64_t i = 0; i < ROWS; i++) before[i] = prompt_hash(s->set[0], i, 2, p->a);
    for (int64_t i = 0; i < ROWS; i += 3) tt_set_drop(s->set[0], i);
    tt_set_recount(s->set[0]);
    int64_t moved = 0, rows = tt_set_info(s->set[0])->rows;
    for (int64_t i = 0; i < rows; i++)
        moved += prompt_hash(s->set[0], i, 2, p->a) != before[tt_set_file_row(s->set[0], i)];
    ok(rows == ROWS - (ROWS + 2) / 3 && !moved, "rows that are dropped change no other row's prompt");
    tt_sets_free(s);
}

static void refuse(place *p, const char *prompts, const char *entry, const char *part)
{
    tt_job *job;
    const char *yaml = tt_sprintf(p->a, "data:\n  prompts: {%s}\n  train:\n    - {path: m.jsonl%s}\n", prompts, entry);
    tt_sets *s = sets_of(p, yaml, &job);
    ok(!s && tt_fail_code() == TT_EJOB && strstr(tt_fail_text(), part), "refused (%s): %s", part, tt_fail_text());
    tt_fail_clear();
    tt_sets_free(s);
}

static void messages(place *p)
{
#define T ", templates: [{source: '{q}', target: '{a}'"
    refuse(p, "", T ", kind: chain}]", "templates.kind is 'chain'; it takes one of direct|cot|inverted");
    refuse(p, "", T ", weight: 0}]", "templates.weight is '0'");
    refuse(p, "", ", templates: [{source: '{q}', kind: cot}]", "a template of kind cot needs a target of its own");
    refuse(p, "", ", templates: [{source: '{q} {options}', target: '{a}'}]",
           "job.yaml:4: the template has {options}, but the data set has none");
    refuse(p, "", ", options: [a, b], templates: [{source: '{q}', target: '{options}'}]", "target has {options}");
    refuse(p, "", ", options: [a, b], templates: [{head: '{options}', source: '{q}', target: '{a}'}]",
           "head has {options}");
    refuse(p, "", ", templates: [{head: '{q}', source: 'x', target: '{a}'}]", "source has no {column}");
    refuse(p, "", ", templates: [{source: '{q}', exemplar: 'x', target: '{a}'}]", "exemplar has no {column}");
    refuse(p, "", ", options: [a]" T "}]", "options needs two answers");
    refuse(p, "", ", options: yes" T "}]", "options must be a list of answers");
    refuse(p, "", ", options: {colum: c}" T "}]", "did you mean 'options.column'");
    refuse(p, "", ", values: {l: {0: no}}" T "}]", "values.l: no template uses {l}");
    refuse(p, "", ", format: superni, values: {definition: {a: b}}",
           "values.definition: it stands in the file's header");
    refuse(p, "", ", values: {a: no}" T "}]", "values.a must be a map");
    refuse(p, "", ", values: [a]" T "}]", "values must be a map");
    refuse(p, "shots: 0-3", T "}]", "job.yaml:2: data.prompts.shots is '0-3'; it takes a number of exemplars from 1");
    refuse(p, "shots: 5-2", T "}]", "data.prompts.shots is '5-2'");
    refuse(p, "", T "}], prompts: {shots: x}", "job.yaml:4: prompts.shots is 'x'");
    refuse(p, "", T "}], prompts: {shots: 1-65}", "from 1 to 64");
    refuse(p, "", T "}], prompts: {shots: 3-}", "prompts.shots is '3-'");
    refuse(p, "", T "}], prompts: {few_shots: 1}", "did you mean 'prompts.few_shot'");
    refuse(p, "", T "}], prompts: {few_shot: 1.5}", "prompts.few_shot is '1.5'; it takes a number in 0..1");
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    tap_mute = m.rank != 0;
    tt_log_quiet(true);
    place p = place_new(&m);
    put_rows(&p);
    kinds(&p);
    evaluation(&p);
    styles(&p);
    places(&p);
    objects(&p);
    values(&p);
    same_everywhere(&p);
    stable(&p);
    messages(&p);
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
