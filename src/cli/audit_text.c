/* The audit on the screen. */
#include "audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}
static double num(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }
static double num2(const json_t *o, const char *key, const char *sub) { return num(json_object_get(o, key), sub); }

/* 1234567 as 1.23M: five places at most. */
static const char *brief(double x, char buf[16])
{
    if (x < 99999.5)
        snprintf(buf, 16, "%.0f", x);
    else if (x < 999.5e3)
        snprintf(buf, 16, "%.0fk", x / 1e3);
    else if (x < 999.5e6)
        snprintf(buf, 16, "%.3gM", x / 1e6);
    else
        snprintf(buf, 16, "%.3gG", x / 1e9);
    return buf;
}
#define BRIEF(x) brief((x), (char[16]){0})

static void print_total(const json_t *doc)
{
    const json_t *t = json_object_get(doc, "total");
    printf("job            %s\n", text(doc, "job"));
    printf("training       %.0f data sets, %s rows, %s usable, %s to draw from, %.0f quarantined\n", num(t, "sets"),
           BRIEF(num(t, "rows")), BRIEF(num(t, "usable")), BRIEF(num(t, "taken")), num(t, "quarantined"));
    printf("tokens         %s source + %s target in one pass%s\n", BRIEF(num(t, "source_tokens")),
           BRIEF(num(t, "target_tokens")), num(t, "cut") >= 0.5 ? "" : ", nothing is cut");
    if (num(t, "cut") >= 0.5)
        printf("cut            about %s rows are longer than %.0f + %.0f tokens\n", BRIEF(num(t, "cut")),
               num(doc, "max_source"), num(doc, "max_target"));
    printf("an epoch       %s draws; %.0f data sets are capped\n", BRIEF(num(doc, "epoch")), num(t, "capped_sets"));
    printf("the run        %s%s draws, %.2f epochs\n",
           json_is_true(json_object_get(doc, "draws_estimated")) ? "about " : "", BRIEF(num(doc, "draws")),
           num(doc, "draws") / (num(doc, "epoch") > 0 ? num(doc, "epoch") : 1));
    printf("evaluation     %zu validation and %zu test data sets\n",
           json_array_size(json_object_get(doc, "validation")), json_array_size(json_object_get(doc, "test")));
    if (num(doc, "held_out") > 0)
        printf("held out       %.0f data sets of the registry are kept from training\n", num(doc, "held_out"));
    size_t absent = json_array_size(json_object_get(doc, "absent"));
    if (absent) printf("absent         %zu data sets have no file here; audit.json and audit.html name them\n", absent);
}

static void print_parts(const json_t *doc)
{
    const json_t *parts = json_object_get(doc, "parts");
    size_t i;
    json_t *p;
    if (!json_array_size(parts)) return;
    printf("\n%-34s %6s %9s\n", "part of the mixture", "sets", "share");
    json_array_foreach(parts, i, p)
        printf("%*s%-*s %6.0f %8.2f %%\n", 2 * (int)num(p, "depth"), "", 34 - 2 * (int)num(p, "depth"), text(p, "path"),
               num(p, "sets"), 100 * num(p, "share"));
}

/* ---- tables of data sets ----------------------------------------------------------------------------------------------*/

enum { FIRST = 25, FOUND = 6 };

static void print_categories(const json_t *doc)
{
    const json_t *list = json_object_get(doc, "categories");
    size_t i;
    json_t *g;
    printf("\n%-40s %5s %8s %9s %9s %9s\n", "category", "sets", "rows", "share", "in/row", "out/row");
    json_array_foreach(list, i, g)
    {
        double taken = num(g, "taken") > 0 ? num(g, "taken") : 1;
        printf("%-40.40s %5.0f %8s %8.3f %% %8.1f %9.1f\n", text(g, "name"), num(g, "sets"), BRIEF(num(g, "rows")),
               100 * num(g, "share"), num(g, "source_tokens") / taken, num(g, "target_tokens") / taken);
    }
}

static int by_share(const void *a, const void *b)
{
    double x = num(*(json_t *const *)a, "share"), y = num(*(json_t *const *)b, "share");
    return (x < y) - (x > y);
}

static void print_set(const json_t *s, bool ran)
{
    const json_t *tok = json_object_get(s, "tokens");
    printf("%-38.38s %7s %6.0f%s %8.3f %% %7.2f %6.1f %5.0f %5.0f %5.0f %6.1f %4.0f", text(s, "name"),
           BRIEF(num(s, "taken")), num(s, "quarantined"),
           json_is_true(json_object_get(s, "cap_acts")) ? " cap" : "    ", 100 * num(s, "share"), num(s, "epochs"),
           num2(tok, "source", "mean"), num2(tok, "source", "p50"), num2(tok, "source", "p95"),
           num2(tok, "source", "max"), num2(tok, "target", "mean"),
           num(tok, "measured") > 0 ? 100 * num(tok, "cut") / num(tok, "measured") : 0);
    if (ran) printf(" %8s %9.1f", BRIEF(num(s, "used")), num(s, "used") - num(s, "planned"));
    putchar('\n');
}

static void print_sets(const json_t *doc)
{
    const json_t *list = json_object_get(doc, "train");
    bool ran = json_object_get(doc, "run") != NULL;
    size_t n = json_array_size(list);
    json_t **order = tt_malloc(sizeof *order * (n + 1));
    for (size_t i = 0; i < n; i++) order[i] = json_array_get(list, i);
    if (n) qsort(order, n, sizeof *order, by_share);
    printf("\n%-38s %7s %6s     %10s %7s %6s %5s %5s %5s %6s %4s", "data set, by share", "rows", "bad", "share",
           "epochs", "in", "p50", "p95", "max", "out", "cut%");
    if (ran) printf(" %8s %9s", "drawn", "- plan");
    putchar('\n');
    for (size_t i = 0; i < n && i < FIRST; i++) print_set(order[i], ran);
    if (n > FIRST) printf("... and %zu more in audit.json and audit.html\n", n - FIRST);
    free(order);
}

/* ---- after a run ------------------------------------------------------------------------------------------------------*/

/* Rows by how often they were drawn, over all sets. */
static void print_times(const json_t *doc)
{
    json_t *all = json_object(), *s, *each;
    size_t i;
    const char *key;
    int most = 0;
    json_array_foreach(json_object_get(doc, "train"), i, s)
    {
        json_object_foreach(json_object_get(s, "times"), key, each)
        {
            json_object_set_new(all, key,
                                json_integer(json_integer_value(json_object_get(all, key)) + json_integer_value(each)));
            if (atoi(key) > most) most = atoi(key);
        }
    }
    printf("examples      ");
    for (int t = 0; t <= most; t++) {
        char name[16];
        snprintf(name, sizeof name, "%d", t);
        if (!json_object_get(all, name)) continue;
        double rows = num(all, name);
        if (t == 0)
            printf(" %s never", BRIEF(rows));
        else
            printf(", %s %s", BRIEF(rows), t == 1 ? "once" : t == 2 ? "twice" : name);
        if (t > 2) printf(" times");
    }
    putchar('\n');
    json_decref(all);
}

static void print_never(const json_t *doc)
{
    json_t *why = json_object(), *s, *each;
    size_t i;
    const char *key;
    json_array_foreach(json_object_get(doc, "train"), i, s)
    {
        const json_t *both[] = {json_object_get(s, "never"), json_object_get(s, "left_out")};
        for (int k = 0; k < 2; k++) {
            if (!both[k]) continue;
            double sum = num(why, text(both[k], "why")) + num(both[k], "rows");
            json_object_set_new(why, text(both[k], "why"), json_real(sum));
        }
    }
    double bad = num2(doc, "total", "quarantined");
    json_object_foreach(why, key, each) printf("never drawn    %s: %s\n", BRIEF(json_number_value(each)), key);
    if (bad > 0) printf("never drawn    %s: quarantined, with file, line and reason\n", BRIEF(bad));
    json_decref(why);
}

static void print_run(const json_t *doc)
{
    const json_t *run = json_object_get(doc, "run"), *chi = json_object_get(run, "chi_square");
    if (!run) return;
    printf("\nthe run        %s: %.0f steps, %.0f draws", text(run, "dir"), num(run, "steps"), num(run, "draws"));
    printf(num(run, "skipped_steps") > 0 ? ", %.0f steps were not finite and changed nothing\n" : "\n",
           num(run, "skipped_steps"));
    printf(
        "plan           chi-square %.3g with %.0f degrees of freedom, p = %.3g; no data set is off by more than %.2f "
        "examples\n",
        num(chi, "value"), num(chi, "degrees"), num(chi, "p"), num(chi, "largest_difference"));
    print_times(doc);
    print_never(doc);
    printf("accounts       %s\n",
           json_is_true(json_object_get(run, "counts_agree"))
               ? "the run's own counts, the plan's and a walk over all draws agree for every data set"
               : "THE RUN'S COUNTS DO NOT AGREE WITH ITS DRAWS; audit.json says where");
}

/* ---- findings -----------------------------------------------------------------------------------------------------------*/

static void print_one_found(const json_t *f)
{
    printf("  %-16s %s%s%s: %s (%s)\n", text(f, "kind"), text(f, "set"), *text(f, "with") ? " and " : "",
           text(f, "with"), text(f, "text"), text(f, "where"));
}

static void print_found(const json_t *doc)
{
    const json_t *list = json_object_get(doc, "found");
    size_t i, n = json_array_size(list);
    json_t *f;
    if (!n) {
        printf("\nfound          nothing wrong\n");
        return;
    }
    printf("\nfound          %zu thing%s, the most serious first\n", n, n == 1 ? "" : "s");
    int same = 0; /* of its kind so far */
    json_array_foreach(list, i, f)
    {
        if (same++ < FOUND) print_one_found(f);
        const json_t *next = json_array_get(list, i + 1);
        if (next && !strcmp(text(next, "kind"), text(f, "kind"))) continue;
        if (same > FOUND) printf("  %-16s ... and %d more in audit.json and audit.html\n", "", same - FOUND);
        printf("  %-16s -> %s\n", "", text(f, "remedy"));
        same = 0;
    }
}

void audit_print(const json_t *doc)
{
    print_total(doc);
    print_parts(doc);
    print_categories(doc);
    print_sets(doc);
    print_run(doc);
    print_found(doc);
    putchar('\n');
}

tt_err audit_write_json(const json_t *doc, const char *path)
{
    if (json_dump_file(doc, path, JSON_INDENT(1) | JSON_REAL_PRECISION(12)) == 0) return TT_OK;
    return tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
}
