/* Made-up tasks on lists of words. */
#include "synth.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 8 };

static int size(const gen *g) { return 3 + g->level; }

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int by_text_back(const void *a, const void *b) { return by_text(b, a); }

/* n different words, no two of one length. */
static void some_lengths(gen *g, int n, const char **w)
{
    for (int i = 0; i < n;) {
        w[i] = one(g, nouns);
        int j = 0;
        while (strlen(w[j]) != strlen(w[i])) j++;
        i += j == i;
    }
}

static int by_length(const void *a, const void *b)
{
    return (int)strlen(*(char *const *)a) - (int)strlen(*(char *const *)b);
}

static void sorting(gen *g)
{
    const char *w[MOST];
    int n = g->kind == 2 ? 3 : g->level < 2 ? 3 : 4;
    if (g->kind == 2)
        some_lengths(g, n, w);
    else
        some(g, nouns, n, w);
    put_list(g, "words", ", ", w, n);
    qsort(w, (size_t)n, sizeof *w, g->kind == 0 ? by_text : g->kind == 1 ? by_text_back : by_length);
    put_list(g, "answer", ", ", w, n);
}

static void reversing(gen *g)
{
    const char *w[MOST], *r[MOST];
    int n = size(g);
    some(g, nouns, n, w);
    put_list(g, "words", " ", w, n);
    for (int i = 0; i < n; i++) r[i] = w[n - 1 - i];
    if (g->kind == 1) memcpy(r + 1, w + 1, sizeof *w * (size_t)(n - 2));
    if (g->kind == 2)
        for (int i = 0; i < n; i++) r[i] = w[(i + 1) % n];
    put_list(g, "answer", " ", r, n);
}

static void copying(gen *g)
{
    const char *w[MOST];
    int n = 2 + g->level;
    some(g, nouns, n, w);
    put_list(g, "words", " ", w, n);
    put_list(g, "answer", " ", w, n);
    if (g->kind == 0) return;
    put(g, "answer", g->kind == 1 ? " " : " and ");
    put_list(g, "answer", " ", w, n);
}

static void dropping(gen *g)
{
    const char *w[MOST];
    int n = size(g), gone = g->kind == 0 ? 0 : g->kind == 1 ? n - 1 : below(g, n);
    some(g, nouns, n, w);
    put_list(g, "words", " ", w, n);
    put(g, "which", "%s", g->kind == 2 ? w[gone] : g->kind == 0 ? "the first word" : "the last word");
    memmove(w + gone, w + gone + 1, sizeof *w * (size_t)(n - 1 - gone));
    put_list(g, "answer", " ", w, n - 1);
}

static void picking(gen *g)
{
    static const char *const nth[] = {"first", "second", "third", "fourth", "fifth", "sixth"};
    const char *w[MOST];
    int n = size(g), at = g->kind == 0 ? 0 : g->kind == 1 ? n - 1 : below(g, n);
    some(g, nouns, n, w);
    put_list(g, "words", " ", w, n);
    put(g, "which", "%s", g->kind == 1 ? "last" : nth[at]);
    put(g, "answer", "%s", w[at]);
}

static void adding(gen *g)
{
    const char *w[MOST];
    int n = 2 + g->level;
    some(g, nouns, n + 1, w);
    put_list(g, "words", " ", w + 1, n);
    put(g, "word", "%s", w[0]);
    if (g->kind == 0)
        put_list(g, "answer", " ", w, n + 1);
    else {
        put_list(g, "answer", " ", w + 1, g->kind == 1 ? n : n - 1);
        put(g, "answer", " %s", w[0]);
    }
}

static void replacing(gen *g)
{
    const char *w[MOST];
    int n = size(g), at = below(g, n);
    some(g, nouns, n + 1, w);
    put_list(g, "words", " ", w, n);
    put(g, "old", "%s", w[at]);
    put(g, "new", "%s", g->kind == 0 ? w[n] : g->kind == 1 ? "something" : "it");
    w[at] = g->kind == 0 ? w[n] : g->kind == 1 ? "something" : "it";
    put_list(g, "answer", " ", w, n);
}

static void halves(gen *g)
{
    const char *w[MOST];
    int n = g->kind == 2 ? 4 : 4 + 2 * (g->level % 2);
    some(g, g->level > 1 ? people : nouns, n, w);
    put_list(g, "words", " ", w, n);
    if (g->kind < 2)
        put_list(g, "answer", " ", w + g->kind * n / 2, n / 2);
    else
        put(g, "answer", "%s %s", w[0], w[2]);
}

/* A list that mixes two sorts of things. */
static void mixed(gen *g, const char **w, int n, int of_first, const struct sort **a, const struct sort **b)
{
    int i = below(g, sorts.n), j = (i + 1 + below(g, sorts.n - 1)) % sorts.n;
    const char *x[MOST], *y[MOST];
    *a = &sorts.s[i];
    *b = &sorts.s[j];
    some(g, *(*a)->list, of_first, x);
    some(g, *(*b)->list, n - of_first, y);
    tt_rkey order = tt_rand64(g->key, g->drawn++);
    for (int k = 0; k < n; k++) {
        int at = (int)tt_permute(order, (uint64_t)n, (uint64_t)k);
        w[k] = at < of_first ? x[at] : y[at - of_first];
    }
}

static bool in(const words *list, const char *w)
{
    for (int i = 0; i < list->n; i++)
        if (!strcmp(list->w[i], w)) return true;
    return false;
}

static void counting(gen *g)
{
    const char *w[MOST];
    const struct sort *a, *b;
    int n = between(g, 2, 4 + g->level), some_of = between(g, 1, n - 1);
    mixed(g, w, n, some_of, &a, &b);
    put_list(g, "words", ", ", w, n);
    if (g->kind == 0)
        put(g, "what", "words");
    else
        put(g, "what", "words for the sort: %s", a->name);
    put(g, "answer", "%s", numerals.w[g->kind == 0 ? n : some_of]);
}

static void sifting(gen *g)
{
    const char *w[MOST], *kept[MOST];
    const struct sort *a, *b;
    int n = 3 + g->level, m = 0, some_of = g->kind == 2 ? 1 : between(g, 1, n - 1);
    mixed(g, w, n, some_of, &a, &b);
    put_list(g, "words", ", ", w, n);
    put(g, "what", "%s", a->name);
    for (int i = 0; i < n; i++)
        if (in(a->list, w[i]) != (g->kind == 1)) kept[m++] = w[i];
    put_list(g, "answer", ", ", kept, m);
}

static void odd_one_out(gen *g)
{
    const char *w[MOST];
    const struct sort *a, *b;
    int n = 3 + g->level % 3;
    mixed(g, w, n, 1, &a, &b);
    put_list(g, "words", ", ", w, n);
    if (g->kind == 0)
        for (int i = 0; i < n; i++) put(g, "answer", "%s", in(a->list, w[i]) ? w[i] : "");
    else
        put(g, "answer", "%s", b->name);
}

static void membership(gen *g)
{
    const char *w[MOST];
    int n = size(g), yes = below(g, 2);
    some(g, nouns, n + 1, w);
    put_list(g, "words", ", ", w, n);
    if (g->kind < 2) {
        put(g, "word", "%s", yes ? w[below(g, n)] : w[n]);
        put(g, "answer", yes == (g->kind == 0) ? "yes" : "no");
        return;
    }
    if (yes)
        put(g, "word", "%s", w[below(g, n)]);
    else
        put(g, "word", "%s", one(g, people));
    put(g, "answer", yes ? "thing" : "person");
}

static void two_lists(gen *g)
{
    const char *w[MOST], *x[MOST];
    int n = 3 + g->level % 2, gone = below(g, n);
    some(g, nouns, n + 1, w);
    memcpy(x, w, sizeof *w * (size_t)n);
    if (g->kind == 0) { /* which word is missing */
        memmove(x + gone, x + gone + 1, sizeof *x * (size_t)(n - 1 - gone));
        put(g, "answer", "%s", w[gone]);
    } else if (g->kind == 1) { /* which word is new */
        x[gone] = w[n];
        put(g, "answer", "%s", w[n]);
    } else { /* which word is in both */
        some(g, people, n, x);
        x[below(g, n)] = w[gone];
        put(g, "answer", "%s", w[gone]);
    }
    put_list(g, "first", " ", w, n);
    put_list(g, "second", " ", x, g->kind == 0 ? n - 1 : n);
}

static void formatting(gen *g)
{
    const char *w[MOST];
    int n = 3 + g->level % 2;
    some(g, g->level > 1 ? people : nouns, n, w);
    put_list(g, "words", g->kind == 0 ? " " : ", ", w, n);
    if (g->kind == 0) {
        put_list(g, "answer", ", ", w, n - 1);
        put(g, "answer", " and %s", w[n - 1]);
    } else if (g->kind == 1)
        put_list(g, "answer", " ", w, n);
    else
        for (int i = 0; i < n; i++) put(g, "answer", "%s%d %s", i ? " " : "", i + 1, w[i]);
}

const family synth_lists[] = {
    {sorting,
     {{"sort_words", "from a to z"}, {"sort_words_back", "from z to a"}, {"sort_by_length", "from short to long"}},
     {"Sort these words %: {words}", "Put {words} in order, %.", "{words}\nSorted %:"}},
    {reversing,
     {{"reverse_words", "in reverse order"},
      {"swap_ends", "with the first and the last word swapped"},
      {"rotate_words", "with the first word moved to the end"}},
     {"Write these words %: {words}", "{words}\nThe same %:", "Write \"{words}\" %."}},
    {copying,
     {{"copy_words", "once"}, {"copy_twice", "twice"}, {"copy_twice_with_and", "twice, with and between"}},
     {"Copy % : {words}", "Say this %: {words}", "{words}\nRepeat it %:"}},
    {dropping,
     {{"drop_first", ""}, {"drop_last", ""}, {"drop_word", "the word "}},
     {"Leave out %{which}: {words}", "{words}\nThe same without %{which}:", "Remove %{which} from \"{words}\"."}},
    {picking,
     {{"first_word", ""}, {"last_word", ""}, {"nth_word", ""}},
     {"What is the {which} word? {words}", "{words}\nThe {which} word:", "Give the {which} word of \"{words}\"."}},
    {adding,
     {{"put_in_front", "in front"}, {"put_at_end", "at the end"}, {"put_for_last", "in place of the last word"}},
     {"Put {word} %: {words}", "{words}\nWith {word} %:", "Write \"{words}\" with {word} %."}},
    {replacing,
     {{"replace_word", ""}, {"hide_word", ""}, {"replace_by_it", ""}},
     {"Replace {old} by {new}: {words}",
      "{words}\nWith {new} for {old}:", "Write {new} instead of {old} in \"{words}\"."}},
    {halves,
     {{"first_half", "the first half"},
      {"second_half", "the second half"},
      {"every_other", "every second word, from the first"}},
     {"Give % of: {words}", "{words}\nOnly %:", "Of \"{words}\" write %."}},
    {counting,
     {{"count_words", "Count"}, {"count_sort", "Count"}},
     {"% the {what}: {words}", "{words}\n% the {what}.", "% the {what} in this list: {words}"}},
    {sifting,
     {{"keep_sort", "Keep only"}, {"drop_sort", "Leave out"}, {"find_sort", "Find the one of"}},
     {"% the sort {what}: {words}", "{words}\n% the sort {what}.", "% the sort {what} in this list: {words}"}},
    {odd_one_out,
     {{"odd_one_out", "Which one does not belong to the others"}, {"name_the_sort", "Of what sort are all but one"}},
     {"%? {words}", "{words}\n%?", "List: {words}. %?"}},
    {membership,
     {{"is_in_list", "Is {word} in the list?"},
      {"is_missing", "Is {word} missing in the list?"},
      {"person_or_thing", "Is {word} a person or a thing?"}},
     {"{words}. %", "List: {words}\n%", "% List: {words}"}},
    {two_lists,
     {{"which_is_missing", "Which word of the first is missing in the second"},
      {"which_is_new", "Which word of the second is new"},
      {"which_is_in_both", "Which word is in both"}},
     {"First: {first}. Second: {second}. %?", "{first}\n{second}\n%?",
      "%? First list: {first}; second list: {second}"}},
    {formatting,
     {{"words_to_sentence", "as an enumeration with commas and and"},
      {"without_commas", "without commas"},
      {"number_the_items", "with a number before each"}},
     {"Write this list %: {words}", "{words}\nThe same %:", "Write \"{words}\" %."}},
    {0}};
