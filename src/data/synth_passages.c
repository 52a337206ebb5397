/* Made-up tasks on small passages, tables and rules. */
#include "synth.h"

#include <string.h>

enum { MOST = 6 };

static int size(const gen *g) { return 2 + (g->level + 1) / 2; } /* 2 3 3 4 */

static void table(gen *g)
{
    const char *key[MOST], *value[MOST];
    int n = size(g) + 1, at = below(g, n), price[MOST];
    some(g, g->kind == 2 ? people : nouns, n, key);
    some(g, g->kind == 2 ? objects : colours, n, value);
    for (int i = 0; i < n; i++) {
        price[i] = 10 * i + between(g, 1, 9);
        if (g->kind == 0)
            put(g, "table", "%s%s %d", i ? ", " : "", key[i], price[i]);
        else
            put(g, "table", "%s%s %s", i ? ", " : "", key[i], value[i]);
    }
    put(g, "item", "%s", g->kind == 2 ? value[at] : key[at]);
    if (g->kind == 0)
        put(g, "answer", "%d", price[at]);
    else
        put(g, "answer", "%s", g->kind == 2 ? key[at] : value[at]);
}

static void code(gen *g)
{
    const char *plain_w[MOST], *secret[MOST];
    int n = 3 + g->level / 2, m = g->kind == 2 ? 1 : 2;
    some(g, nouns, n, plain_w);
    some(g, syllables, n, secret);
    for (int i = 0; i < n; i++) put(g, "key", "%s%s = %s", i ? ", " : "", secret[i], plain_w[i]);
    for (int i = 0; i < m; i++) {
        int at = below(g, n);
        const char *a = secret[at], *b = plain_w[at];
        put(g, "text", "%s%s", i ? " " : "", g->kind == 1 ? b : a);
        put(g, "answer", "%s%s", i ? " " : "", g->kind == 1 ? a : b);
    }
}

/* "Anna is at the park. Ben is at the lake." */
static void where(gen *g)
{
    const char *who[MOST], *place[MOST];
    int n = size(g), at = below(g, n), to = below(g, n);
    some(g, people, n, who);
    some(g, places, n, place);
    for (int i = 0; i < n; i++) put(g, "text", "%s%s is at the %s.", i ? " " : "", who[i], place[i]);
    if (g->kind == 0) {
        put(g, "question", "Where is %s?", who[at]);
        put(g, "answer", "%s", place[at]);
    } else if (g->kind == 1) {
        put(g, "question", "Who is at the %s?", place[at]);
        put(g, "answer", "%s", who[at]);
    } else {
        if (below(g, 2)) to = at;
        put(g, "question", "Is %s at the %s?", who[at], place[to]);
        put(g, "answer", at == to ? "yes" : "no");
    }
}

/* A thing is carried about: the last word counts. */
static void moving(gen *g)
{
    const char *who[2], *thing = one(g, objects), *place[3];
    some(g, people, 2, who);
    some(g, places, 3, place);
    bool again = g->level > 0 && below(g, 2);
    put(g, "text", "%s took the %s to the %s.", who[0], thing, place[0]);
    if (g->level > 1) put(g, "text", " It was %s.", one(g, weekdays));
    if (again)
        put(g, "text", " Then %s took it to the %s.", who[1], place[1]);
    else
        put(g, "text", " Then %s went to the %s.", who[1], place[1]);
    static const char *const q[] = {"Where is the %s now?", "Who moved the %s last?", "Where was the %s first?"};
    put(g, "question", g->kind == 0 ? q[0] : g->kind == 1 ? q[1] : q[2], thing);
    put(g, "answer", "%s", g->kind == 0 ? place[again] : g->kind == 1 ? who[again] : place[0]);
}

static void giving(gen *g)
{
    const char *who[3], *thing[3];
    some(g, people, 3, who);
    some(g, objects, 3, thing);
    int n = size(g) > 2 ? 2 : 1, at = below(g, n);
    for (int i = 0; i < n; i++) put(g, "text", "%s%s gave %s the %s.", i ? " " : "", who[i], who[i + 1], thing[i]);
    static const char *const q[] = {"Who gave away the %s?", "Who got the %s?", "Who has the %s?"};
    put(g, "question", g->kind == 0 ? q[0] : g->kind == 1 ? q[1] : q[2], thing[at]);
    put(g, "answer", "%s", who[at + (g->kind > 0)]);
}

static void first_or_last_sentence(gen *g)
{
    const char *who[4], *thing[4];
    int n = size(g), at = g->kind == 0 ? 0 : g->kind == 1 ? n - 1 : below(g, n);
    some(g, people, n, who);
    some(g, objects, n, thing);
    for (int i = 0; i < n; i++) {
        const verb *v = &verbs.v[below(g, verbs.n)];
        put(g, "text", "%s%s %s the %s.", i ? " " : "", who[i], v->past, thing[i]);
        if (i == at) put(g, "answer", "%s %s the %s.", who[i], v->past, thing[i]);
    }
    put(g, "which", "%s", g->kind == 2 ? who[at] : g->kind == 0 ? "the first sentence" : "the last sentence");
}

static void ranking(gen *g)
{
    const char *who[4];
    int n = size(g) > 3 ? 4 : 3, at = g->kind == 0 ? 0 : g->kind == 1 ? n - 1 : 1;
    some(g, people, n, who);
    static const char *const than[] = {"taller", "older", "faster"};
    static const char *const most[] = {"tallest", "oldest", "fastest"}, *const least[] = {"shortest", "youngest",
                                                                                          "slowest"};
    int what = below(g, 3);
    for (int i = 0; i + 1 < n; i++) put(g, "text", "%s%s is %s than %s.", i ? " " : "", who[i], than[what], who[i + 1]);
    if (g->kind == 2)
        put(g, "question", "Who comes second?");
    else
        put(g, "question", "Who is the %s?", g->kind == 0 ? most[what] : least[what]);
    put(g, "answer", "%s", who[at]);
}

static void logic(gen *g)
{
    bool a = below(g, 2), b = below(g, 2);
    const char *x[2];
    some(g, nouns, 2, x);
    const char *colour = one(g, colours), *other = one(g, plain);
    put(g, "text", "The %s %s %s. The %s %s %s.", x[0], a ? "is" : "is not", colour, x[1], b ? "is" : "is not", other);
    if (g->kind == 2)
        put(g, "question", "Is the %s %s?", x[0], colour);
    else
        put(g, "question", "Is the %s %s %s the %s %s?", x[0], colour, g->kind == 0 ? "and" : "or", x[1], other);
    bool holds = g->kind == 2 ? a : g->kind == 0 ? a && b : a || b;
    put(g, "answer", holds ? "yes" : "no");
}

static void compass(gen *g)
{
    static const char *const point[] = {"north", "east", "south", "west"};
    int at = below(g, 4), n = 1 + g->level / 2;
    const char *who = one(g, people);
    put(g, "text", "%s looks %s", who, point[at]);
    for (int i = 0; i < n; i++) {
        int turn = g->kind == 2 ? 2 : below(g, 2) ? 1 : 3;
        put(g, "text", " and turns %s", turn == 1 ? "right" : turn == 3 ? "left" : "round");
        at = (at + turn) % 4;
    }
    if (g->kind == 1) at = (at + 2) % 4;
    put(g, "text", ".");
    put(g, "answer", "%s", point[at]);
}

static void switches(gen *g)
{
    const char *thing[2], *who = one(g, people);
    some(g, objects, 2, thing);
    static const char *const state[][2] = {{"off", "on"}, {"closed", "open"}, {"empty", "full"}};
    static const char *const act[][2] = {
        {"turns it off", "turns it on"}, {"closes it", "opens it"}, {"empties it", "fills it"}};
    int now = below(g, 2), n = 1 + g->level;
    put(g, "text", "The %s is %s. ", thing[0], state[g->kind][now]);
    put(g, "text", "%s", who);
    for (int i = 0; i < n; i++) {
        now = below(g, 2);
        put(g, "text", "%s %s", i ? " and" : "", act[g->kind][now]);
    }
    put(g, "text", ".");
    put(g, "item", "%s", thing[0]);
    put(g, "answer", "%s", state[g->kind][now]);
}

static void dialogue(gen *g)
{
    const char *who[2], *thing = one(g, g->level % 2 ? foods : objects), *place = one(g, places),
                        *day = one(g, weekdays);
    some(g, people, 2, who);
    bool agreed = below(g, 2);
    put(g, "text", "%s: Shall we get the %s at the %s on %s? ", who[0], thing, place, day);
    put(g, "text", "%s: %s", who[1], agreed ? "Yes, gladly." : "No, I am too busy.");
    if (g->kind == 0)
        put(g, "answer", "%s and %s %s the %s on %s.", who[0], who[1], agreed ? "will get" : "will not get", thing,
            day);
    else if (g->kind == 1)
        put(g, "answer", agreed ? "yes" : "no");
    else
        put(g, "answer", "%s", who[1]);
}

static void choosing(gen *g)
{
    const char *option[3], *w, *name;
    int n = 2 + (g->level > 0), at = below(g, n), sort[3];
    tt_rkey order = tt_rand64(g->key, g->drawn++);
    for (int i = 0; i < n; i++) sort[i] = (int)tt_permute(order, (uint64_t)sorts.n, (uint64_t)i);
    for (int i = 0; i < n; i++) option[i] = g->kind == 1 ? sorts.s[sort[i]].name : one(g, *sorts.s[sort[i]].list);
    w = one(g, *sorts.s[sort[at]].list);
    name = sorts.s[sort[at]].name;
    for (int i = 0; i < n; i++) put(g, "choices", "%s%c: %s", i ? ", " : "", 'A' + i, option[i]);
    if (g->kind == 1)
        put(g, "question", "Of what sort is %s?", w);
    else
        put(g, "question", "Which is of the sort %s?", name);
    if (g->kind == 2)
        put(g, "answer", "%s", option[at]);
    else
        put(g, "answer", "%c", 'A' + at);
}

const family synth_passages[] = {
    {table,
     {{"price_table", "Give the number of {item}."},
      {"colour_table", "Give the colour of {item}."},
      {"owner_table", "Who has the {item}?"}},
     {"{table}. %", "Table: {table}\n%", "% {table}"}},
    {code,
     {{"decode", "Read"}, {"encode", "Write in code"}, {"decode_word", "Read"}},
     {"{key}. %: {text}", "Code: {key}\n%: {text}", "% \"{text}\" by this code: {key}"}},
    {where,
     {{"where_is_who", ""}, {"who_is_where", ""}, {"is_who_where", ""}},
     {"{text} {question}", "Text: {text}\nQuestion: {question}", "{question} {text}"}},
    {moving,
     {{"where_now", ""}, {"who_moved_it", ""}, {"where_before", ""}},
     {"{text} {question}", "Text: {text}\nQuestion: {question}", "{question} {text}"}},
    {giving,
     {{"who_gave", ""}, {"who_got", ""}, {"who_has", ""}},
     {"{text} {question}", "Text: {text}\nQuestion: {question}", "{question} {text}"}},
    {first_or_last_sentence,
     {{"first_sentence", "Repeat"}, {"last_sentence", "Repeat"}, {"sentence_about", "Repeat the sentence on"}},
     {"% {which}: {text}", "{text}\n% {which}.", "Text: {text} % {which}."}},
    {ranking,
     {{"greatest", ""}, {"least", ""}, {"second", ""}},
     {"{text} {question}", "Text: {text}\nQuestion: {question}", "{question} {text}"}},
    {logic,
     {{"logical_and", ""}, {"logical_or", ""}, {"logical_fact", ""}},
     {"{text} {question}", "Text: {text}\nQuestion: {question}", "{question} {text}"}},
    {compass,
     {{"compass_front", "To what point does the person look now?"},
      {"compass_behind", "What point is behind the person now?"},
      {"compass_round", "What point is in front now?"}},
     {"{text} %", "Text: {text}\n%", "% {text}"}},
    {switches,
     {{"on_or_off", "on or off"}, {"open_or_closed", "open or closed"}, {"full_or_empty", "full or empty"}},
     {"{text} Is the {item} %?", "Text: {text}\nThe {item}, %:", "Is the {item} % in the end? {text}"}},
    {dialogue,
     {{"dialogue_summary", "Summarize"},
      {"dialogue_agreed", "Did they agree"},
      {"dialogue_who_answered", "Who answered"}},
     {"{text} %:", "Dialogue: {text}\n%:", "%: {text}"}},
    {choosing,
     {{"choose_by_sort", "with a letter"}, {"choose_the_sort", "with a letter"}, {"choose_the_word", "with the word"}},
     {"{question} {choices}. Answer %.",
      "{choices}\n{question} Answer %:", "Options: {choices}. {question} Say it %."}},
    {0}};
