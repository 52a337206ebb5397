/* Made-up tasks with numbers. */
#include "synth.h"

static int top(const gen *g) { return (const int[]){12, 20, 50, 100}[g->level]; }

static void arithmetic(gen *g)
{
    int hi = g->kind == 2 ? 6 + 2 * g->level + 4 : top(g), a = below(g, hi + 1), b = below(g, hi + 1);
    if (g->kind == 1 && a < b) { /* no negative answers */
        int swap = a;
        a = b;
        b = swap;
    }
    put(g, "a", "%d", a);
    put(g, "b", "%d", b);
    put(g, "answer", "%d", g->kind == 0 ? a + b : g->kind == 1 ? a - b : a * b);
}

static void compare(gen *g)
{
    int hi = top(g) + 20, a = below(g, hi), b = (a + 1 + below(g, hi - 1)) % hi;
    int larger = a > b ? a : b;
    put(g, "a", "%d", a);
    put(g, "b", "%d", b);
    if (g->kind == 2)
        put(g, "answer", "%d", 2 * larger - a - b);
    else
        put(g, "answer", "%d", g->kind == 0 ? larger : a + b - larger);
}

static void property(gen *g)
{
    int a = below(g, 100 + 300 * g->level);
    put(g, "a", "%d", a);
    if (g->kind == 0)
        put(g, "answer", a % 2 ? "odd" : "even");
    else if (g->kind == 1)
        put(g, "answer", a >= 50 + 150 * g->level ? "yes" : "no");
    else
        put(g, "answer", "%d", a % 10);
    if (g->kind == 1) put(g, "limit", "%d", 50 + 150 * g->level);
    if (g->kind != 1) put(g, "limit", g->kind == 0 ? "even or odd" : "the last digit");
}

static void list_of_numbers(gen *g)
{
    int n = 3 + g->level, sum = 0, least = 1000, most = 0;
    for (int i = 0; i < n; i++) {
        int x = below(g, g->kind == 0 ? 10 : 60);
        put(g, "numbers", "%s%d", i ? ", " : "", x);
        sum += x;
        if (x < least) least = x;
        if (x > most) most = x;
    }
    put(g, "answer", "%d", g->kind == 0 ? sum : g->kind == 1 ? most : least);
}

static void sort_numbers(gen *g)
{
    int n = 3 + g->level / 2, x[8];
    for (int i = 0; i < n; i++) {
        x[i] = between(g, i * 100 / n, (i + 1) * 100 / n - 1);
        if (g->kind == 2) x[i] = x[i] - x[i] % 10; /* tens */
    }
    tt_rkey order = tt_rand64(g->key, g->drawn++);
    for (int i = 0; i < n; i++)
        put(g, "numbers", "%s%d", i ? ", " : "", x[tt_permute(order, (uint64_t)n, (uint64_t)i)]);
    for (int i = 0; i < n; i++) put(g, "answer", "%s%d", i ? ", " : "", g->kind == 1 ? x[n - 1 - i] : x[i]);
}

static void put_number_words(gen *g, const char *name, int x)
{
    if (x >= 100) put(g, name, "%s hundred%s", numerals.w[x / 100], x % 100 ? " " : "");
    x = x >= 100 && x % 100 == 0 ? -1 : x % 100;
    if (x >= 21 && x % 10)
        put(g, name, "%s %s", numerals.w[18 + x / 10], numerals.w[x % 10]);
    else if (x >= 0)
        put(g, name, "%s", numerals.w[x <= 20 ? x : 18 + x / 10]);
}

static void number_names(gen *g)
{
    int x = below(g, (const int[]){100, 200, 400, 1000}[g->level]);
    if (g->kind == 0) {
        put(g, "number", "%d", x);
        put_number_words(g, "answer", x);
    } else {
        put_number_words(g, "number", x);
        put(g, "answer", "%d", x + (g->kind == 2));
    }
}

static void sequence(gen *g)
{
    int step = between(g, 1, 3 + 2 * g->level), a = between(g, 1, 40), n = 4;
    for (int i = 0; i <= n; i++) {
        int x = g->kind == 0 ? a + i * step : g->kind == 1 ? a + (n - i) * step : (a + 20 * g->level) * (1 << i);
        put(g, i < n ? "numbers" : "answer", "%s%d", i % n ? ", " : "", x);
    }
}

static void units(gen *g)
{
    static const struct {
        const char *from, *to;
        int factor;
    } u[4][4] = {
        {{"metres", "centimetres", 100},
         {"kilometres", "metres", 1000},
         {"centimetres", "millimetres", 10},
         {"feet", "inches", 12}},
        {{"weeks", "days", 7}, {"days", "hours", 24}, {"years", "months", 12}, {"hours", "minutes", 60}},
        {{"kilograms", "grams", 1000}, {"tons", "kilograms", 1000}, {"pounds", "ounces", 16}, {"stones", "pounds", 14}},
        {{"pounds", "pence", 100}, {"dollars", "cents", 100}, {"dozens", "pieces", 12}, {"pairs", "pieces", 2}}};
    int k = below(g, g->level + 1), a = between(g, 1, 60);
    put(g, "a", "%d", a);
    put(g, "from", "%s", u[g->kind][k].from);
    put(g, "to", "%s", u[g->kind][k].to);
    put(g, "answer", "%d", a * u[g->kind][k].factor);
}

static void shopping(gen *g)
{
    int price = between(g, 2, 6 + 2 * g->level), n = between(g, 2, 5 + g->level), paid = price * n + between(g, 0, 9);
    put(g, "who", "%s", one(g, people));
    put(g, "n", "%d", n);
    put(g, "what", "%ss", one(g, (words){6, objects.w}));
    put(g, "price", "%d", price);
    if (g->kind == 1) put(g, "paid", " and pays with %d dollars", paid);
    if (g->kind == 0) put(g, "paid", "%s", "");
    put(g, "answer", "%d", g->kind == 0 ? price * n : paid - price * n);
}

static void calendar(gen *g)
{
    words list = g->kind == 1 ? months : weekdays;
    int i = below(g, list.n), by = between(g, 1, 1 + g->level);
    put(g, "who", "%s", one(g, people));
    put(g, "what", "%s", one(g, objects));
    put(g, "when", "%s", list.w[i]);
    put(g, "n", "%d", by);
    put(g, "answer", "%s", list.w[(i + (g->kind == 2 ? list.n - by : by)) % list.n]);
}

const family synth_numbers[] = {
    {arithmetic,
     {{"addition", "plus"}, {"subtraction", "minus"}, {"multiplication", "times"}},
     {"What is {a} % {b}?", "{a} % {b} =", "Work out {a} % {b}.", "Give the result of {a} % {b}."}},
    {compare,
     {{"larger_number", "larger number"}, {"smaller_number", "smaller number"}, {"difference", "difference"}},
     {"Give the % of {a} and {b}.", "Numbers: {a} and {b}. What is the %?", "{a}, {b}. Find the %."}},
    {property,
     {{"even_or_odd", "Is it"}, {"at_least", "Is it at least"}, {"last_digit", "Give"}},
     {"Number {a}. % {limit}?", "Look at {a}. % {limit}?", "Take the number {a}. % {limit}?"}},
    {list_of_numbers,
     {{"sum_of_list", "sum"}, {"largest_of_list", "largest"}, {"smallest_of_list", "smallest"}},
     {"Find the % of these numbers: {numbers}.", "{numbers}. Which is the %?", "Numbers: {numbers}\n%:"}},
    {sort_numbers,
     {{"sort_numbers_up", "from small to large"},
      {"sort_numbers_down", "from large to small"},
      {"sort_tens", "in rising order"}},
     {"Sort these numbers %: {numbers}", "Put {numbers} in order, %.", "{numbers}\nSorted %:"}},
    {number_names,
     {{"number_to_words", "in words"},
      {"words_to_number", "in digits"},
      {"number_after", "the number after it, in digits"}},
     {"Write {number} %.", "{number}: write %.", "Take {number}. Write %."}},
    {sequence,
     {{"count_up", "counting up"}, {"count_down", "counting down"}, {"doubling", "doubling"}},
     {"Which number comes next when %? {numbers}", "Go on %: {numbers}", "{numbers}\nNext number (%):"}},
    {units,
     {{"units_of_length", "length"},
      {"units_of_time", "time"},
      {"units_of_weight", "weight"},
      {"units_of_count", "amount"}},
     {"How many {to} are {a} {from}?", "Change this % into {to}: {a} {from}", "{a} {from} = ? {to}"}},
    {shopping,
     {{"total_price", "How much is it?"}, {"change_due", "How much change is due?"}},
     {"{who} buys {n} {what} at {price} dollars each{paid}. %",
      "One costs {price} dollars. {who} takes {n} {what}{paid}. %",
      "{n} {what}, {price} dollars each, for {who}{paid}. %"}},
    {calendar,
     {{"day_after", "days later"}, {"month_after", "months later"}, {"day_before", "days earlier"}},
     {"{who} bought a {what} in the week of {when}. Which is {n} % than {when}?",
      "It is {when}. {who} wants the {what} {n} %. When is that?", "{who}, {what}: {when}. Move it {n} %."}},
    {0}};
