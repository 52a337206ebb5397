/* Made-up tasks on letters. Words are spelled with blanks where letters matter: a model that reads word pieces cannot see inside. */
#include "synth.h"

#include <string.h>

static bool is_vowel(char c) { return c && strchr("aeiou", c); }

static const char *spelled(gen *g)
{
    const char *w;
    do w = one(g, g->level % 2 ? nouns : (words){72, nouns.w});
    while (strlen(w) > (size_t)(4 + g->level));
    return w;
}

static void spelling(gen *g)
{
    const char *w = spelled(g);
    put(g, "who", "%s", one(g, people));
    if (g->kind == 1)
        put_letters(g, "word", w);
    else
        put(g, "word", "%s", w);
    if (g->kind == 0)
        put_letters(g, "answer", w);
    else if (g->kind == 1)
        put(g, "answer", "%s", w);
    else
        put(g, "answer", "%c", w[0]);
}

/* Letters at random, so that there are many. */
static int letters(gen *g, char *s)
{
    int n = 3 + g->level + below(g, 2);
    for (int i = 0; i < n; i++) s[i] = (char)('a' + below(g, 26));
    s[n] = 0;
    for (int i = 0; i < n; i++)
        if (below(g, 3) == 0) s[i] = "aeiou"[below(g, 5)];
    return n;
}

static void letter_case(gen *g)
{
    char s[16], t[16];
    int n = letters(g, s);
    for (int i = 0; i <= n; i++) {
        t[i] = s[i] ? (char)(s[i] - 32) : 0;
        if (g->kind == 2 && i) t[i] = s[i];
    }
    put_letters(g, "letters", g->kind == 1 ? t : s);
    put_letters(g, "answer", g->kind == 1 ? s : t);
}

static void vowels(gen *g)
{
    char s[16], kept[16];
    int n = letters(g, s), m = 0;
    s[below(g, n)] = 'e'; /* at least one of each */
    s[n - 1] = 't';
    if (!strchr(s, 'e')) s[0] = 'e';
    for (int i = 0; i < n; i++)
        if (is_vowel(s[i]) != (g->kind == 0)) kept[m++] = s[i];
    kept[m] = 0;
    put_letters(g, "letters", s);
    if (g->kind == 2)
        put(g, "answer", "%d", m);
    else
        put_letters(g, "answer", kept);
}

static void finding(gen *g)
{
    char s[16], c = (char)('a' + below(g, 26));
    int n = letters(g, s), count = 0;
    if (below(g, 2)) c = s[below(g, n)];
    if (g->kind == 0 && below(g, 2)) s[below(g, n)] = c;
    for (int i = 0; i < n; i++) count += s[i] == c;
    put_letters(g, "letters", s);
    put(g, "letter", "%c", c);
    if (g->kind == 0)
        put(g, "answer", "%d", count);
    else if (g->kind == 1)
        put(g, "answer", count ? "yes" : "no");
    else
        put(g, "answer", "%d", n);
}

static void editing(gen *g)
{
    char s[16], t[32] = "", c;
    int n = letters(g, s), m = 0;
    c = s[below(g, n)];
    for (int i = 0; i < n; i++) {
        if (g->kind == 0) t[m++] = s[i] == c ? 'x' : s[i];
        if (g->kind == 1 && s[i] != c) t[m++] = s[i];
        if (g->kind == 2) t[m++] = s[i];
        if (g->kind == 2 && s[i] == c) t[m++] = c;
    }
    if (m == 0) t[m++] = '-';
    t[m] = 0;
    put_letters(g, "letters", s);
    put(g, "letter", "%c", c);
    put_letters(g, "answer", t);
}

static void turning(gen *g)
{
    char s[16], t[16];
    int n = letters(g, s);
    for (int i = 0; i < n; i++) {
        t[i] = g->kind == 0 ? s[n - 1 - i] : s[i];
        if (g->kind == 1) t[i] = s[(i + n - 1) % n];
        if (g->kind == 2) t[i] = (char)('a' + (s[i] - 'a' + 1) % 26);
    }
    t[n] = 0;
    put_letters(g, "letters", s);
    put_letters(g, "answer", t);
}

static void initials(gen *g)
{
    const char *w[8];
    int n = 2 + g->level;
    some(g, g->kind == 2 ? people : nouns, n, w);
    put_list(g, "words", " ", w, n);
    for (int i = 0; i < n; i++) {
        char c = g->kind == 1 ? w[i][strlen(w[i]) - 1] : w[i][0];
        put(g, "answer", "%s%c", i ? " " : "", c);
    }
}

static void comparing(gen *g)
{
    const char *a, *b;
    do {
        a = one(g, nouns);
        b = one(g, nouns);
    } while (strlen(a) == strlen(b) || a[0] == b[0]);
    bool first = g->kind == 0 ? strlen(a) > strlen(b) : g->kind == 1 ? strlen(a) < strlen(b) : a[0] < b[0];
    put(g, "a", "%s", a);
    put(g, "b", "%s", b);
    put(g, "answer", "%s", first ? a : b);
}

const family synth_letters[] = {
    {spelling,
     {{"spell_word", "Spell it."},
      {"join_letters", "Write it as one word."},
      {"first_letter", "Give its first letter."}},
     {"{who} wrote this word: {word}. %", "Word of {who}: {word}\n%", "% {who} asks for: {word}"}},
    {letter_case,
     {{"upper_case", "in upper case"}, {"lower_case", "in lower case"}, {"capitalize", "with a capital at the start"}},
     {"Write % : {letters}", "{letters}\nThe same %:", "Change \"{letters}\": write it %."}},
    {vowels,
     {{"remove_vowels", "Leave out the vowels"},
      {"keep_vowels", "Keep only the vowels"},
      {"count_vowels", "Count the vowels"}},
     {"%: {letters}", "{letters}\n%.", "Letters: {letters}. %."}},
    {finding,
     {{"count_letter", "How often is {letter} in it?"},
      {"has_letter", "Is {letter} in it?"},
      {"count_letters", "How many letters has it, {letter} or other?"}},
     {"{letters}. %", "Letters: {letters}\n%", "% Letters: {letters}"}},
    {editing,
     {{"cross_out_letter", "Put x for {letter}"},
      {"delete_letter", "Leave out {letter}"},
      {"double_letter", "Double every {letter}"}},
     {"%: {letters}", "{letters}\n%.", "Letters: {letters}. %."}},
    {turning,
     {{"reverse_letters", "in reverse order"},
      {"rotate_letters", "with the last moved to the front"},
      {"next_letters", "each changed to the next of the alphabet"}},
     {"Write these letters %: {letters}", "{letters}\nThe same %:", "Letters: {letters}. Write them %."}},
    {initials,
     {{"first_letters", "first letters"}, {"last_letters", "last letters"}, {"initials", "initials"}},
     {"Give the % of: {words}", "{words}\nThe %:", "Write the % of \"{words}\"."}},
    {comparing,
     {{"longer_word", "Which word is longer"},
      {"shorter_word", "Which word is shorter"},
      {"first_in_alphabet", "Which word comes first in the alphabet"}},
     {"%, {a} or {b}?", "{a}, {b}. %?", "Words: {a} and {b}\n%?"}},
    {0}};
