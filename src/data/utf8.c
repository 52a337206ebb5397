#include "utf8.h"

#include <stdint.h>
#include <string.h>

static bool tail(const unsigned char *s, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return false;
    return true;
}

/* The second byte tells overlong forms (e0, f0), surrogates (ed) and what lies past U+10FFFF (f4). */
static bool second_ok(unsigned char a, unsigned char b)
{
    switch (a) {
    case 0xe0: return b >= 0xa0;
    case 0xed: return b < 0xa0;
    case 0xf0: return b >= 0x90;
    case 0xf4: return b < 0x90;
    default: return true;
    }
}

size_t tt_utf8_char(const char *p, size_t size)
{
    const unsigned char *s = (const unsigned char *)p;
    if (!size) return 0;
    if (s[0] < 0x80) return 1;
    size_t n = s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    return n && n <= size && tail(s, n) && second_ok(s[0], s[1]) ? n : 0;
}

/* Bytes at the start that are ASCII, at least eight at a time. */
static size_t ascii_run(const char *p, size_t size)
{
    uint64_t word;
    size_t n = 0;
    for (; n + sizeof word <= size; n += sizeof word) {
        memcpy(&word, p + n, sizeof word);
        if (word & UINT64_C(0x8080808080808080)) break;
    }
    return n;
}

bool tt_utf8_valid(const char *p, size_t size)
{
    for (size_t n; size; p += n, size -= n) {
        if ((n = ascii_run(p, size))) continue;
        if (!(n = tt_utf8_char(p, size))) return false;
    }
    return true;
}
