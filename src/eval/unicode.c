/* Characters as Python's str and re, and the regex module, see them. Categories and simple mappings are utf8proc's (Unicode 15); where
 * Python's older tables differ, and for the properties that utf8proc does not know, there are lists here. */
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

typedef struct range {
    uint32_t lo, hi;
} range;

static bool within(const range *r, int n, uint32_t c)
{
    if (c < r[0].lo) return false;
    int lo = 0;
    while (lo < n) {
        int mid = (lo + n) / 2;
        if (c > r[mid].hi)
            lo = mid + 1;
        else if (c < r[mid].lo)
            n = mid;
        else
            return true;
    }
    return false;
}
#define WITHIN(list, c) within(list, (int)(sizeof(list) / sizeof *(list)), c)

/* ---- coding ----------------------------------------------------------------------------------------------------------*/

uint32_t tt_uc_next(const char *s, int *len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *b = (const unsigned char *)s;
    *len = 1;
    if (b[0] < 0x80) return b[0];
    int n = b[0] >= 0xf0 && b[0] < 0xf8 ? 4 : b[0] >= 0xe0 ? 3 : b[0] >= 0xc0 ? 2 : 0;
    if (n == 0 || b[0] >= 0xf8) return 0xfffd;
    uint32_t c = b[0] & (0xffU >> (n + 1));
    for (int i = 1; i < n; i++) {
        if ((b[i] & 0xc0) != 0x80) return 0xfffd;
        c = c << 6 | (b[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff) return 0xfffd;
    *len = n;
    return c;
}

int tt_uc_put(char *s, uint32_t c) { return (int)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)s); }

/* ---- classes ---------------------------------------------------------------------------------------------------------*/

bool tt_uc_space(uint32_t c)
{
    static const range list[] = {{9, 13},          {28, 32},         {0x85, 0x85},     {0xa0, 0xa0},
                                 {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
                                 {0x205f, 0x205f}, {0x3000, 0x3000}};
    return WITHIN(list, c);
}

/* As of Unicode 14: those that 15 added (of the kinds that are asked for here) are unassigned to Python 3.11. */
static utf8proc_category_t category14(uint32_t c)
{
    static const range added[] = {{0xece, 0xece},     {0x10efd, 0x10eff}, {0x1123f, 0x11241}, {0x11f00, 0x11f59},
                                  {0x1342f, 0x1342f}, {0x13439, 0x13455}, {0x1b132, 0x1b132}, {0x1b155, 0x1b155},
                                  {0x1d2c0, 0x1d2d3}, {0x1df25, 0x1df2a}, {0x1e030, 0x1e08f}, {0x1e4d0, 0x1e4f9},
                                  {0x2b739, 0x2b739}, {0x31350, 0x323af}};
    return WITHIN(added, c) ? UTF8PROC_CATEGORY_CN : utf8proc_category((utf8proc_int32_t)c);
}

bool tt_uc_word(uint32_t c)
{
    if (c < 0x80) return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
    utf8proc_category_t k = category14(c);
    bool letter = k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
    return letter || (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO);
}

int tt_uc_class(uint32_t c)
{
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    if (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO) return TT_UC_N;
    if (k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO) return TT_UC_P;
    return k >= UTF8PROC_CATEGORY_SM && k <= UTF8PROC_CATEGORY_SO ? TT_UC_S : TT_UC_OTHER;
}

bool tt_ascii_punctuation(uint32_t c)
{
    return c < 0x7f && c > 0x20 && !(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* ---- lower case ------------------------------------------------------------------------------------------------------*/

/* Case_Ignorable: the categories, and the punctuation whose Word_Break is MidLetter, MidNumLet or Single_Quote. */
static bool ignorable(uint32_t c)
{
    static const range list[] = {{0x27, 0x27},     {0x2e, 0x2e},     {0x3a, 0x3a},     {0xb7, 0xb7},
                                 {0x387, 0x387},   {0x55f, 0x55f},   {0x5f4, 0x5f4},   {0x2018, 0x2019},
                                 {0x2024, 0x2024}, {0x2027, 0x2027}, {0xfe13, 0xfe13}, {0xfe52, 0xfe52},
                                 {0xfe55, 0xfe55}, {0xff07, 0xff07}, {0xff0e, 0xff0e}, {0xff1a, 0xff1a}};
    switch (category14(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return WITHIN(list, c);
    }
}

/* Cased, of those that are not ignorable: the categories, and Other_Lowercase and Other_Uppercase. */
static bool cased(uint32_t c)
{
    static const range list[] = {{0xaa, 0xaa},       {0xba, 0xba},       {0x2160, 0x217f},  {0x24b6, 0x24e9},
                                 {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189}};
    utf8proc_category_t k = category14(c);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LT) || WITHIN(list, c);
}

static const char *back(const char *s, const char *p)
{
    const char *q = p - 1;
    while (q > s && p - q < 4 && ((unsigned char)*q & 0xc0) == 0x80) q--;
    return q;
}

/* SpecialCasing's Final_Sigma: behind a cased character and not before one, ignorable ones aside. */
static bool final_sigma(const char *s, const char *sigma)
{
    int len;
    uint32_t c = 0;
    const char *p = sigma;
    do {
        if (p == s) return false;
        p = back(s, p);
        c = tt_uc_next(p, &len);
    } while (ignorable(c));
    if (!cased(c)) return false;
    p = sigma + 2;
    do {
        c = tt_uc_next(p, &len);
        p += len;
    } while (ignorable(c));
    return !c || !cased(c);
}

static int put_lower(char *out, uint32_t c, const char *text, const char *at)
{
    if (c == 0x130) return tt_uc_put(out, 'i') + tt_uc_put(out + 1, 0x307);
    if (c == 0x3a3) return tt_uc_put(out, final_sigma(text, at) ? 0x3c2 : 0x3c3);
    return tt_uc_put(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c));
}

char *tt_uc_lower(const char *s)
{
    char *out = tt_malloc(strlen(s) / 2 * 3 + 4), *o = out; /* two bytes may become three */
    int len;
    for (const char *p = s; *p; p += len) {
        len = 1;
        if (*p >= 'A' && *p <= 'Z')
            *o++ = (char)(*p + 32);
        else if ((unsigned char)*p < 0x80)
            *o++ = *p;
        else {
            uint32_t c = tt_uc_next(p, &len);
            if (len == 1)
                *o++ = *p;
            else
                o += put_lower(o, c, s, p);
        }
    }
    *o = 0;
    return out;
}

/* ---- blanks ----------------------------------------------------------------------------------------------------------*/

size_t tt_uc_rstrip(const char *s, size_t n)
{
    int len;
    while (n) {
        const char *p = back(s, s + n);
        if (!tt_uc_space(tt_uc_next(p, &len))) break;
        n = (size_t)(p - s);
    }
    return n;
}

const char *tt_uc_split(const char **s, size_t *n)
{
    int len;
    const char *p = *s;
    while (*p && tt_uc_space(tt_uc_next(p, &len))) p += len;
    const char *start = p;
    while (*p && !tt_uc_space(tt_uc_next(p, &len))) p += len;
    *s = p;
    *n = (size_t)(p - start);
    return *n ? start : NULL;
}
