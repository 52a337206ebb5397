// TEST np=1
/* Characters, for every code point, against what Python 3.11 and the regex module say where the shared folder is present. */
#include "../../src/eval/text.h"

#include "lines.h"

enum { CODES = 0x110000 };
static bool is_surrogate(uint32_t c) { return c >= 0xd800 && c < 0xe000; }

/* ---- samples -----------------------------------------------------------------------------------------------------------*/

static bool lower_is(const char *text, const char *want)
{
    char *got = tt_uc_lower(text);
    bool same = !strcmp(got, want);
    if (!same) printf("#   '%s' gave '%s', should be '%s'\n", text, got, want);
    free(got);
    return same;
}

static void t_lower(void)
{
    ok(lower_is("Stra\xc3\x9f"
                "E \xc3\x84\xd0\x96\xef\xbc\xa1",
                "stra\xc3\x9f"
                "e \xc3\xa4\xd0\xb6\xef\xbd\x81"),
       "lower: one to one");
    ok(lower_is("\xc4\xb0STANBUL", "i\xcc\x87stanbul"), "lower: U+0130 becomes two");
    ok(lower_is("\xe2\x84\xaa\xc8\xba", "k\xe2\xb1\xa5"), "lower: shorter and longer than before");
    ok(lower_is("\xce\x9f\xce\xa3", "\xce\xbf\xcf\x82") && lower_is("A\xce\xa3.", "a\xcf\x82.") &&
           lower_is("A\xce\xa3 A", "a\xcf\x82 a") && lower_is("A.\xce\xa3", "a.\xcf\x82") &&
           lower_is("\xf0\x90\x90\x80\xce\xa3", "\xf0\x90\x90\xa8\xcf\x82"),
       "lower: sigma at the end of a word");
    ok(lower_is("\xce\xa3", "\xcf\x83") &&
           lower_is("A\xce\xa3"
                    "A",
                    "a\xcf\x83"
                    "a") &&
           lower_is("A\xce\xa3.A", "a\xcf\x83.a") && lower_is("1\xce\xa3", "1\xcf\x83") &&
           lower_is("A \xce\xa3", "a \xcf\x83"),
       "lower: any other sigma");
}

static void t_coding(void)
{
    int bad = 0, len;
    char s[8];
    for (uint32_t c = 0; c < CODES; c++) {
        if (is_surrogate(c)) continue;
        memset(s, 0, sizeof s);
        int n = tt_uc_put(s, c);
        bad += tt_uc_next(s, &len) != c || len != n;
    }
    ok(bad == 0, "every code point is read as it was written");
    static const char *const broken[] = {"\x80",         "\xc3",         "\xc3(",    "\xe2\x82", "\xe2\x82(",
                                         "\xf0\x9f\x98", "\xf8\x80\x80", "\xc0\x80", "\xff",     "\xf4\x90\x80\x80",
                                         "\xe0\x80\x80"};
    bad = 0;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        bad += tt_uc_next(broken[i], &len) != 0xfffd || len != 1;
    ok(bad == 0, "a byte that starts no character counts by itself");
    ok(lower_is("A\xff\xc3", "a\xff\xc3") && lower_is("\x80\x80\x80\xce\xa3\xe2\x82", "\x80\x80\x80\xcf\x83\xe2\x82"),
       "lower: such bytes stay");
}

static void t_split(void)
{
    const char *s = "\xc2\xa0 ab\xe3\x80\x80"
                    "c\x1c\xe2\x80\x8b ",
               *w;
    size_t n;
    w = tt_uc_split(&s, &n);
    ok(w && n == 2 && *w == 'a', "split: blanks beyond ASCII");
    w = tt_uc_split(&s, &n);
    ok(w && n == 1 && *w == 'c', "split: U+001C is white space");
    w = tt_uc_split(&s, &n);
    ok(w && n == 3, "split: U+200B is not");
    ok(!tt_uc_split(&s, &n) && !*s, "split: the end");
    ok(tt_uc_rstrip("a \xe2\x80\xa8\n", 6) == 1 && tt_uc_rstrip(" \t", 2) == 0 && tt_uc_rstrip("", 0) == 0, "rstrip");
    int marks = 0;
    for (const char *p = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"; *p; p++) marks += tt_ascii_punctuation((uint32_t)*p);
    for (uint32_t c = 0; c < 0x200; c++) marks -= tt_ascii_punctuation(c);
    ok(marks == 0, "the 32 punctuation characters of ASCII");
}

/* What a character does to a sigma behind it, as classes over all code points: 2 cased and not ignorable, 1 ignorable, else 0.
 * The sum (FNV-1a) is of the same classes asked of CPython 3.11's str.lower(). */
static bool sigma_ends(const char *before, const char *c)
{
    char text[16];
    snprintf(text, sizeof text, "%s%s\xce\xa3", before, c);
    char *low = tt_uc_lower(text);
    size_t n = strlen(low);
    bool final = !strcmp(low + n - 2, "\xcf\x82");
    free(low);
    return final;
}

static void t_sigma(void)
{
    uint64_t sum = 1469598103934665603U;
    for (uint32_t c = 0; c < CODES; c++) {
        char s[8] = "";
        unsigned k = 0;
        if (c && !is_surrogate(c)) {
            s[tt_uc_put(s, c)] = 0;
            k = sigma_ends("1", s) ? 2 : sigma_ends("a", s);
        }
        sum = (sum ^ k) * 1099511628211U;
    }
    ok(sum == 8639566905381096327U, "lower: before a sigma every code point does as in Python 3.11 (%llu)",
       (unsigned long long)sum);
}

/* ---- golden ranges -----------------------------------------------------------------------------------------------------*/

static uint32_t code(json_t *list, size_t i) { return (uint32_t)json_integer_value(json_array_get(list, i)); }

static bool is_n(uint32_t c) { return tt_uc_class(c) == TT_UC_N; }
static bool is_p(uint32_t c) { return tt_uc_class(c) == TT_UC_P; }
static bool is_s(uint32_t c) { return tt_uc_class(c) == TT_UC_S; }

static void compare(json_t *all, const char *name, bool (*is)(uint32_t))
{
    static bool want[CODES];
    memset(want, 0, sizeof want);
    size_t i;
    json_t *r;
    json_array_foreach(key(all, name), i, r) for (uint32_t c = code(r, 0); c <= code(r, 1); c++) want[c] = true;
    int bad = 0;
    for (uint32_t c = 0; c < CODES; c++)
        if (!is_surrogate(c) && is(c) != want[c] && bad++ < 40) printf("#   U+%04X should be %d\n", c, want[c]);
    ok(i > 0 && bad == 0, "%s: %d code points differ", name, bad);
}

static void compare_lower(json_t *all)
{
    static bool changes[CODES];
    char s[16], want[16];
    int bad = 0;
    size_t i, k;
    json_t *row, *to;
    json_array_foreach(key(all, "py_lower"), i, row)
    {
        uint32_t c = code(row, 0);
        s[tt_uc_put(s, c)] = 0;
        char *o = want;
        json_array_foreach(json_array_get(row, 1), k, to) o += tt_uc_put(o, (uint32_t)json_integer_value(to));
        *o = 0;
        changes[c] = true;
        bad += !lower_is(s, want);
    }
    for (uint32_t c = 1; c < CODES; c++) {
        if (changes[c] || is_surrogate(c)) continue;
        s[tt_uc_put(s, c)] = 0;
        bad += !lower_is(s, s);
    }
    ok(i > 0 && bad == 0, "lower: %d code points differ", bad);
}

static void t_golden(void)
{
    const char *dir = shared_dir();
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/metrics/unicode_ranges.json", dir ? dir : "");
    json_t *all = dir ? json_load_file(path, 0, NULL) : NULL;
    if (!all) {
        skip(1, "no shared golden files here");
        return;
    }
    compare(all, "py_isspace_split", tt_uc_space);
    compare(all, "py_re_s", tt_uc_space);
    compare(all, "py_re_w", tt_uc_word);
    compare(all, "regex_N", is_n);
    compare(all, "regex_P", is_p);
    compare(all, "regex_S", is_s);
    compare_lower(all);
    json_decref(all);
}

int main(void)
{
    t_lower();
    t_coding();
    t_split();
    t_sigma();
    t_golden();
    return tap_done();
}
