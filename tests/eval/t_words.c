// TEST np=1
/* Words as numbers. */
#include "../../src/eval/text.h"

#include "../tap.h"

static void name(char *s, int i, int length) { snprintf(s, 64, "%0*d", length, i); }

/* Equal words have equal numbers, others have others: also when they share their first 16 bytes, and their length. */
static void t_numbers(int length)
{
    tt_words w;
    char s[64];
    int bad = 0;
    tt_words_init(&w);
    for (int i = 0; i < 3000; i++) {
        name(s, i % 1000, length);
        int32_t id = i % 2 ? tt_words_id(&w, s, strlen(s)) : tt_words_id_padded(&w, s, strlen(s));
        bad += id != i % 1000;
    }
    ok(bad == 0 && w.n == 1000, "1000 words of at least %d letters: numbered by first appearance", length);
    tt_words_fini(&w);
}

static void t_lengths(void)
{
    tt_words w;
    char s[64];
    int bad = 0;
    tt_words_init(&w);
    memset(s, 'a', sizeof s);
    for (int turn = 0; turn < 2; turn++)
        for (int n = 1; n <= 40; n++) bad += tt_words_id_padded(&w, s, (size_t)n) != n - 1;
    memset(s, 0, sizeof s);
    for (int n = 1; n <= 40; n++) bad += tt_words_id_padded(&w, s, (size_t)n) != 39 + n;
    ok(bad == 0, "a word is not its beginning, whatever its bytes");
    tt_words_fini(&w);
}

static void t_trim(void)
{
    tt_words w;
    char s[64];
    int n = 0;
    tt_words_init(&w);
    ok(!tt_words_trim(&w), "few words are kept");
    while (!tt_words_trim(&w)) {
        name(s, n++, 8);
        tt_words_id(&w, s, strlen(s));
    }
    ok(n > 100000 && w.n == 0 && tt_words_id(&w, "a", 1) == 0, "many are forgotten: after %d", n);
    tt_words_fini(&w);
}

int main(void)
{
    t_numbers(1);
    t_numbers(12);
    t_numbers(20);
    t_lengths();
    t_trim();
    return tap_done();
}
