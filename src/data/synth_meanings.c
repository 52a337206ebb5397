/* Made-up tasks on the meaning of words: opposites, synonyms, facts, made-up languages. */
#include "synth.h"

#include <string.h>

static void opposite(gen *g)
{
    int i = below(g, opposites.n), side = below(g, 2), j = below(g, opposites.n);
    const char *thing = one(g, nouns), *w = opposites.w[i][side], *o = opposites.w[i][!side];
    if (g->kind == 0) {
        put(g, "text", "%s %s", w, thing);
        put(g, "answer", "%s %s", o, thing);
    } else if (g->kind == 1) {
        put(g, "text", "The %s is %s, it is said.", thing, w);
        put(g, "answer", "%s", o);
    } else {
        bool yes = below(g, 2);
        if (j == i) j = (i + 1) % opposites.n;
        put(g, "text", "%s %s, %s %s", w, thing, yes ? o : opposites.w[j][side], thing);
        put(g, "answer", yes ? "yes" : "no");
    }
}

static void synonym(gen *g)
{
    int i = below(g, synonyms.n), j = (i + 1 + below(g, synonyms.n - 1)) % synonyms.n;
    const char *who = one(g, people), *job = one(g, jobs), *w = synonyms.w[i][0];
    if (g->kind == 2) {
        bool yes = below(g, 2);
        put(g, "text", "%s has %s %s. %s's %s is %s.", who, article(w), w, who, job, synonyms.w[yes ? i : j][1]);
        put(g, "answer", yes ? "yes" : "no");
        return;
    }
    put(g, "text", "%s is %s.", who, w);
    if (g->level % 2) put(g, "text", " The %s waits.", job);
    if (g->kind == 0)
        put(g, "answer", "%s is %s.", who, synonyms.w[i][1]);
    else
        put(g, "answer", "%s", synonyms.w[i][1]);
}

static void geography(gen *g)
{
    int i = below(g, g->level ? capitals.n : 10), j = (i + 1 + below(g, capitals.n - 1)) % capitals.n;
    const char *who = one(g, people), *day = one(g, weekdays);
    bool yes = below(g, 2);
    if (g->kind == 0) {
        put(g, "text", "%s goes to %s on %s.", who, capitals.w[i][0], day);
        put(g, "answer", "%s", capitals.w[i][1]);
    } else if (g->kind == 1) {
        put(g, "text", "%s was in %s on %s.", who, capitals.w[i][1], day);
        put(g, "answer", "%s", capitals.w[i][0]);
    } else {
        put(g, "text", "%s goes to %s, then to %s.", who, capitals.w[i][0], capitals.w[yes ? i : j][1]);
        put(g, "answer", yes ? "yes" : "no");
    }
}

static void creatures(gen *g)
{
    pairs list = g->kind == 1 ? sounds : youngs;
    int i = below(g, list.n);
    const char *who = one(g, people), *place = one(g, places);
    put(g, "text", "%s has %s %s at the %s.", who, article(list.w[i][g->kind == 2]), list.w[i][g->kind == 2], place);
    put(g, "answer", "%s", list.w[i][g->kind != 2]);
}

/* Word number i of the category's made-up language: two syllables, different for different i. */
static void put_foreign(gen *g, const char *field, int i)
{
    int s = (int)tt_permute(g->lang, (uint64_t)(syllables.n * syllables.n), (uint64_t)i);
    put(g, field, "%s%s", syllables.w[s / syllables.n], syllables.w[s % syllables.n]);
}

static void put_both(gen *g, bool foreign_in, int i, const char *word)
{
    const char *in = foreign_in ? "answer" : "text", *out = foreign_in ? "text" : "answer";
    put(g, in, "%s", word);
    put_foreign(g, out, i);
}

static void put_blank(gen *g)
{
    put(g, "text", " ");
    put(g, "answer", " ");
}

enum { ADJECTIVES = 8, NOUNS = 16, DOING = 6 };

/* adjective noun [verb adjective noun], word by word. */
static void put_phrase(gen *g, bool back)
{
    static const char *const doing[DOING] = {"sees", "likes", "finds", "helps", "calls", "follows"};
    int phrases = g->level > 1 ? 2 : 1;
    for (int p = 0; p < phrases; p++) {
        int a = below(g, ADJECTIVES), n = below(g, NOUNS), v = below(g, DOING);
        if (p) put_blank(g);
        if (g->level != 2 || p == 0) {
            put_both(g, back, a, colours.w[a]);
            put_blank(g);
        }
        put_both(g, back, 100 + n, animals.w[n]);
        if (p == 0 && g->level > 0) {
            put_blank(g);
            put_both(g, back, 200 + v, doing[v]);
        }
    }
}

static void into_language(gen *g) { put_phrase(g, false); }
static void from_language(gen *g) { put_phrase(g, true); }

/* Which of the two is the word of the language? Memory alone. */
static void vocabulary(gen *g)
{
    int n = below(g, NOUNS), other = (n + 1 + below(g, NOUNS - 1)) % NOUNS;
    bool yes = below(g, 2);
    put(g, "who", "%s", one(g, people));
    put(g, "word", "%s", animals.w[n]);
    put_foreign(g, "foreign", 100 + (yes ? n : other));
    put(g, "answer", yes ? "yes" : "no");
}

static void properties(gen *g)
{
    int i = below(g, sorts.n), j = (i + 1 + below(g, sorts.n - 1)) % sorts.n;
    const char *w = one(g, *sorts.s[i].list), *who = one(g, people);
    bool yes = below(g, 2);
    put(g, "text", "%s wrote the word %s.", who, w);
    put(g, "what", "%s", g->kind == 0 ? sorts.s[yes ? i : j].name : "the sort");
    put(g, "answer", "%s", g->kind == 1 ? sorts.s[i].name : yes ? "yes" : "no");
}

static void similar(gen *g)
{
    int i = below(g, sorts.n), j = (i + 1 + below(g, sorts.n - 1)) % sorts.n;
    const char *two[2], *more[2];
    some(g, *sorts.s[i].list, 2, two);
    some(g, *sorts.s[j].list, 2, more);
    bool yes = below(g, 2);
    if (g->kind == 0) {
        put(g, "text", "%s, %s", two[0], yes ? two[1] : more[0]);
        put(g, "answer", yes ? "yes" : "no");
    } else if (g->kind == 1) {
        bool first = below(g, 2);
        put(g, "text", "%s: %s or %s", two[0], first ? two[1] : more[0], first ? more[0] : two[1]);
        put(g, "answer", "%s", two[1]);
    } else {
        put(g, "text", "%s, %s, %s", two[0], two[1], more[0]);
        put(g, "answer", "%s and %s", two[0], two[1]);
    }
}

static void intentions(gen *g)
{
    static const struct {
        const char *label, *phrase[3];
    } act[] = {{"greeting", {"Good morning", "Hello again", "Nice to see you"}},
               {"thanks", {"Thank you for", "Many thanks for", "I am grateful for"}},
               {"request", {"Please bring", "Could you fetch", "I would like to have"}},
               {"complaint", {"I am not pleased with", "Something is wrong with", "Nobody repaired"}},
               {"apology", {"I am sorry about", "Please forgive me for", "It was my fault with"}}};
    int a = below(g, g->level ? 5 : 3);
    const char *who = one(g, people), *thing = one(g, objects), *said = act[a].phrase[below(g, 3)];
    if (a == 0)
        put(g, "text", "%s, %s.", said, who);
    else
        put(g, "text", "%s the %s, %s.", said, thing, who);
    if (g->kind == 0)
        put(g, "answer", "%s", act[a].label);
    else
        put(g, "answer", g->kind == 1 ? (a == 2 ? "yes" : "no") : "%s", who);
}

const family synth_meanings[] = {
    {opposite,
     {{"opposite_phrase", "Say the opposite"},
      {"opposite_word", "Give the opposite of the describing word"},
      {"are_opposites", "Are these opposites"}},
     {"%: {text}", "{text}\n%:", "Words: {text} %:"}},
    {synonym,
     {{"simpler_sentence", "Say it with a simpler word"},
      {"synonym_of_word", "Give a simpler word for the describing word"},
      {"same_meaning", "Do the two describing words mean the same"}},
     {"%: {text}", "{text}\n%:", "Text: {text} %:"}},
    {geography,
     {{"capital_of", "Name the capital of the country"},
      {"country_of", "Name the country of the city"},
      {"is_capital_of", "Is the city the capital of the country"}},
     {"%: {text}", "{text} %:", "Text: {text}\n%:"}},
    {creatures,
     {{"young_of_animal", "What is its young called"},
      {"sound_of_animal", "What sound does it make"},
      {"animal_of_young", "What will it be when it is grown"}},
     {"{text} %?", "Text: {text}\n%?", "%? {text}"}},
    {into_language,
     {{"into_language_one", "Balu"}, {"into_language_two", "Kori"}, {"into_language_three", "Tavo"}},
     {"Translate into %: {text}", "{text}\nIn %:", "Say in %: {text}"}},
    {from_language,
     {{"from_language_one", "Zuma"}, {"from_language_two", "Pari"}, {"from_language_three", "Gino"}},
     {"Translate from % into English: {text}",
      "{text}\n% to English:", "What is the % sentence \"{text}\" in English?"}},
    {vocabulary,
     {{"vocabulary_one", "Mido"}, {"vocabulary_two", "Lufa"}, {"vocabulary_three", "Rota"}},
     {"{who} asks: is {foreign} the % word for {word}?", "Is {word} called {foreign} in %? It is for {who}.",
      "{who}: {foreign} = {word} in %?"}},
    {properties,
     {{"is_of_sort", "Is it of the sort"}, {"sort_of_word", "Name"}},
     {"{text} % {what}:", "Text: {text}\n% {what}:", "% {what}: {text}"}},
    {similar,
     {{"same_sort", "Are both of one sort"},
      {"which_is_closer", "Which is of the same sort as the first"},
      {"which_belong_together", "Which two are of one sort"}},
     {"{text}. %?", "Words: {text}\n%?", "%? {text}"}},
    {intentions,
     {{"kind_of_message", "What is it: greeting, thanks, request, complaint or apology"},
      {"is_it_a_request", "Is it a request"},
      {"who_is_addressed", "To whom is it said"}},
     {"Message: {text} %?", "{text}\n%?", "%? Message: {text}"}},
    {0}};
