/* Made-up tasks on one sentence: extraction, sentiment, topics, rewriting. */
#include "synth.h"

#include <string.h>

static bool is_woman(const char *name)
{
    for (int i = 0; i < women.n; i++)
        if (!strcmp(women.w[i], name)) return true;
    return false;
}

/* "Anna bought a red lamp at the market on Monday for 12 dollars." with more parts at higher levels. */
typedef struct event {
    const char *who, *thing, *colour, *place, *day;
    const verb *v;
    int price;
} event;

static event draw_event(gen *g)
{
    return (event){one(g, people),   one(g, objects),  one(g, colours),
                   one(g, places),   one(g, weekdays), &verbs.v[below(g, verbs.n)],
                   between(g, 2, 60)};
}

static void put_event(gen *g, const char *field, const event *e, bool price, bool day)
{
    put(g, field, "%s %s a %s %s", e->who, e->v->past, e->colour, e->thing);
    if (g->level != 1) put(g, field, " at the %s", e->place);
    if (price) put(g, field, " for %d dollars", e->price);
    if (day) put(g, field, " on %s", e->day);
    put(g, field, ".");
}

static void extract_first(gen *g)
{
    event e = draw_event(g);
    put_event(g, "text", &e, g->kind == 1 || g->level > 1, true);
    if (g->kind == 1)
        put(g, "answer", "%d", e.price);
    else
        put(g, "answer", "%s", g->kind == 0 ? e.who : e.day);
}

static void extract_second(gen *g)
{
    event e = draw_event(g);
    put(g, "text", "On %s %s %s a %s %s at the %s.", e.day, e.who, e.v->past, e.colour, e.thing, e.place);
    if (g->level > 1) put(g, "text", " It rained.");
    put(g, "answer", "%s", g->kind == 0 ? e.place : g->kind == 1 ? e.colour : e.thing);
}

static void extract_details(gen *g)
{
    const char *who = one(g, people), *month = one(g, months), *thing = one(g, jobs);
    int day = between(g, 1, 28), hour = between(g, 1, 12), age = between(g, 18, 80);
    put(g, "text", "%s, %s %s of %d years, comes on %d %s at %d o'clock.", who, article(thing), thing, age, day, month,
        hour);
    if (g->level > 1) put(g, "text", " The %s is open.", one(g, places));
    if (g->kind == 0)
        put(g, "answer", "%d %s", day, month);
    else
        put(g, "answer", "%d", g->kind == 1 ? hour : age);
}

static void address(gen *g)
{
    const char *who = one(g, people), *street = one(g, nouns), *city = capitals.w[below(g, capitals.n)][1];
    int number = between(g, 1, 99);
    put(g, "text", "%s lives at %d %s street in %s", who, number, street, city);
    put(g, "text", "%s", g->level % 2 ? ", near a park." : ".");
    if (g->kind == 0)
        put(g, "answer", "%d", number);
    else
        put(g, "answer", "%s", g->kind == 1 ? city : street);
}

static void sentiment(gen *g)
{
    static const char *const extra[] = {"", "Really, ", "I must say, ", "To be honest, "};
    int mood = below(g, g->level == 3 ? 3 : 2);
    const char *adjective = one(g, mood == 0 ? praise : mood == 1 ? blame : plain), *lead = extra[below(g, 4)];
    words about = g->kind == 0 ? objects : g->kind == 1 ? places : foods;
    const char *thing = one(g, about);
    int f = below(g, g->level > 0 ? 3 : 2);
    put(g, "text", "%s", lead);
    put(g, "text", f == 0 ? "the %s was %s." : f == 1 ? "this %s is %s." : "about the %s: %s.", thing, adjective);
    put(g, "answer", mood == 0 ? "positive" : mood == 1 ? "negative" : "neutral");
}

static void opinion(gen *g)
{
    int mood = below(g, 2);
    const char *a = one(g, people), *job = one(g, jobs);
    if (g->kind == 0)
        put(g, "text", "%s says: the %s was so %s that I %s.", a, job, one(g, mood ? praise : blame),
            mood ? "came back" : "left");
    else if (g->kind == 1)
        put(g, "text", "%s met the %s and %s the talk.", a, job, mood ? "liked" : "hated");
    else
        put(g, "text", "The %s will %s %s.", job, mood ? "surely help" : "never help", a);
    if (g->level > 1) put(g, "text", " It was %s.", one(g, weekdays));
    put(g, "answer", mood ? "yes" : "no");
}

static void topics(gen *g)
{
    static const struct {
        const char *name;
        const words *list;
    } t[] = {{"food", &foods}, {"animals", &animals}, {"travel", &vehicles},
             {"work", &jobs},  {"fashion", &clothes}, {"health", &body}};
    int i = below(g, 6 - (g->level == 0) * 2);
    const char *thing = one(g, *t[i].list), *who = one(g, people);
    if (g->kind == 0)
        put(g, "text", "%s talked about the %s on %s.", who, thing, one(g, weekdays));
    else if (g->kind == 1) {
        const char *other[2];
        some(g, *t[i].list, 2, other);
        put(g, "text", "%s, %s", other[0], other[1]);
    } else
        put(g, "text", "News: the %s at the %s.", thing, one(g, places));
    put(g, "answer", "%s", t[i].name);
}

static void pronouns(gen *g)
{
    event e = draw_event(g);
    bool she = is_woman(e.who);
    put_event(g, "text", &e, false, g->level > 1);
    if (g->kind == 0) {
        e.who = she ? "She" : "He";
        put_event(g, "answer", &e, false, g->level > 1);
    } else
        put(g, "answer", "%s", g->kind == 1 ? (she ? "she" : "he") : she ? "woman" : "man");
}

static void tenses(gen *g)
{
    const verb *v = &verbs.v[below(g, verbs.n)];
    const char *who = one(g, people), *thing = one(g, objects);
    bool place = g->level % 2;
    const char *where = one(g, places);
    put(g, "text", "%s %s the %s", who, g->kind == 2 ? v->past : v->third, thing);
    if (place) put(g, "text", " at the %s", where);
    put(g, "text", ".");
    put(g, "answer", "%s %s%s the %s", who, g->kind == 1 ? "will " : "",
        g->kind == 0   ? v->past
        : g->kind == 1 ? v->base
                       : v->third,
        thing);
    if (place) put(g, "answer", " at the %s", where);
    put(g, "answer", ".");
}

static void negations(gen *g)
{
    const char *thing = one(g, nouns), *adjective = one(g, g->level ? plain : colours), *where = one(g, places);
    bool place = g->level > 1;
    const char *at = place ? " at the " : "";
    if (!place) where = "";
    const char *is = g->kind == 2 ? "is not" : "is";
    put(g, "text", "The %s%s%s %s %s.", thing, at, where, is, adjective);
    if (g->kind == 1)
        put(g, "answer", "Is the %s%s%s %s?", thing, at, where, adjective);
    else
        put(g, "answer", "The %s%s%s %s %s.", thing, at, where, g->kind == 0 ? "is not" : "is", adjective);
}

static void grammar(gen *g)
{
    const char *const *p = plurals.w[below(g, plurals.n)];
    const char *thing = one(g, nouns), *who = one(g, people), *place = one(g, places);
    bool many = below(g, 2);
    if (g->kind == 0) {
        put(g, "text", "%s found _ %s at the %s.", who, thing, place);
        put(g, "answer", "%s", article(thing));
    } else if (g->kind == 1) {
        put(g, "text", "The %s of %s _ at the %s.", p[many], who, place);
        put(g, "answer", !strcmp(p[0], p[1]) ? "is" : many ? "are" : "is");
    } else {
        put(g, "text", "%s is at the %s; _ wants the %s.", who, place, thing);
        put(g, "answer", is_woman(who) ? "she" : "he");
    }
}

static void nouns_in_number(gen *g)
{
    const char *const *p = plurals.w[below(g, plurals.n)];
    const char *who = one(g, people), *place = one(g, places);
    int n = between(g, 2, 9);
    if (g->kind == 2) {
        put(g, "text", "%d %s", n, p[1]);
        put(g, "answer", "%s %s", numerals.w[n], p[1]);
        return;
    }
    put(g, "text", "%s saw the %s at the %s.", who, p[g->kind], place);
    put(g, "answer", "%s", p[!g->kind]);
}

static void shortening(gen *g)
{
    event e = draw_event(g);
    put_event(g, "text", &e, g->level > 1, true);
    if (g->kind == 0)
        put(g, "answer", "%s %s a %s", e.who, e.v->past, e.thing);
    else if (g->kind == 1)
        put(g, "answer", "%s, %s, %s", e.who, e.thing, e.day);
    else
        put(g, "answer", "The %s is %s.", e.thing, e.colour);
}

static void records(gen *g)
{
    const char *who = one(g, people), *job = one(g, jobs), *city = capitals.w[below(g, capitals.n)][1];
    int age = between(g, 18, 80);
    bool with_city = g->level > 0;
    if (g->kind == 1)
        put(g, "text", "name=%s; job=%s; age=%d", who, job, age);
    else
        put(g, "text", "%s is a %s and %d years old.", who, job, age);
    if (with_city) put(g, "text", g->kind == 1 ? "; city=%s" : " Home: %s.", city);
    if (g->kind == 0)
        put(g, "answer", "name: %s, job: %s, age: %d", who, job, age);
    else if (g->kind == 1)
        put(g, "answer", "%s is a %s and %d years old.", who, job, age);
    else
        put(g, "answer", "%s (%d)", who, age);
}

const family synth_sentences[] = {
    {extract_first,
     {{"extract_name", "Who is it about"},
      {"extract_price", "How many dollars was it"},
      {"extract_day", "On what day was it"}},
     {"{text} %?", "Text: {text}\n%?", "%? {text}", "Read this: {text} Then say: %?"}},
    {extract_second,
     {{"extract_place", "At what place was it"},
      {"extract_colour", "Of what colour was it"},
      {"extract_object", "What thing was it"}},
     {"{text} %?", "Text: {text}\n%?", "%? {text}", "Read this: {text} Then say: %?"}},
    {extract_details,
     {{"extract_date", "Give the date"}, {"extract_time", "Give the hour"}, {"extract_age", "Give the age"}},
     {"{text} %.", "Text: {text}\n%.", "%. {text}"}},
    {address,
     {{"extract_house_number", "number of the house"},
      {"extract_city", "city"},
      {"extract_street", "name of the street"}},
     {"{text} What is the %?", "Find the %: {text}", "{text}\nThe %:"}},
    {sentiment,
     {{"sentiment_of_things", "thing"}, {"sentiment_of_places", "place"}, {"sentiment_of_food", "food"}},
     {"Review of a %: {text} Is it positive, negative or neutral?",
      "What does the writer think of this %? {text} Answer positive, negative or neutral.",
      "{text}\nSentiment for the %:"}},
    {opinion,
     {{"was_it_good", "Was it good?"},
      {"was_it_liked", "Was the talk liked?"},
      {"will_it_help", "Will there be help?"}},
     {"{text} %", "Text: {text}\n%", "% {text}"}},
    {topics,
     {{"topic_of_sentence", "sentence"}, {"topic_of_list", "list"}, {"topic_of_headline", "headline"}},
     {"What is the topic of this %: food, animals, travel, work, fashion or health? {text}",
      "{text}\nTopic of the %:", "Name the topic of the % \"{text}\"."}},
    {pronouns,
     {{"name_to_pronoun", "Put he or she for the name"},
      {"choose_pronoun", "Is the person he or she"},
      {"man_or_woman", "Is the person a man or a woman"}},
     {"%: {text}", "{text}\n%:", "Text: {text} %:"}},
    {tenses,
     {{"past_tense", "the past tense"}, {"future_tense", "the future tense"}, {"present_tense", "the present tense"}},
     {"Write this in %: {text}", "{text}\nIn %:", "Change to %: {text}"}},
    {negations,
     {{"negate_sentence", "Say the contrary"},
      {"make_question", "Make it a question"},
      {"drop_negation", "Take the word not out"}},
     {"%: {text}", "{text}\n%:", "Sentence: {text} %:"}},
    {grammar,
     {{"a_or_an", "a or an"}, {"is_or_are", "is or are"}, {"he_or_she", "he or she"}},
     {"Fill in %: {text}", "{text}\nWhat fits in, %?", "Which fits at the _, %? {text}"}},
    {nouns_in_number,
     {{"plural", "plural"}, {"singular", "singular"}, {"number_in_words", "number written in words"}},
     {"Give the noun with its %: {text}", "{text}\nThe noun, %:", "Noun, %? {text}"}},
    {shortening,
     {{"headline", "a headline of four words"},
      {"key_facts", "person, thing and day"},
      {"state_the_colour", "a sentence on the colour"}},
     {"Summarize as %: {text}", "{text}\nSummary, %:", "Make % out of this: {text}"}},
    {records,
     {{"sentence_to_record", "as a record with name, job and age"},
      {"record_to_sentence", "as a sentence"},
      {"name_and_age", "as the name with the age in brackets"}},
     {"Write this %: {text}", "{text}\nThe same %:", "{text} Put it %."}},
    {0}};
