/* Rows of plain JSON lines, read where they stand. Building an object for every line would cost more than all the rest of reading; most
 * lines need none. What is not plain here (a key with escapes or given twice, a real or a long number, a surrogate pair, deep nesting, a
 * missing column, anything that may be wrong) is left to the whole parser, so that both give the same rows. */
#include "source_json.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

enum { DEEP = 32, MAX_COLUMNS = 64, DIGITS = 18 }; /* digits that a 64-bit integer always holds */

typedef struct scan {
    const char *p, *end;
} scan;

static void skip_blanks(scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n')) s->p++;
}

static bool take(scan *s, char c)
{
    if (s->p == s->end || *s->p != c) return false;
    s->p++;
    return true;
}

static bool take_word(scan *s, const char *word, size_t n)
{
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n)) return false;
    s->p += n;
    return true;
}

/* ---- strings --------------------------------------------------------------------------------------------------------*/

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The four digits of \uXXXX; -1: they are not, or stand for what only the whole parser judges (zero, surrogates). */
static int unicode(const char *p, const char *end)
{
    int c = 0;
    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(p[i]);
        if (d < 0) return -1;
        c = c * 16 + d;
    }
    return c == 0 || (c >= 0xd800 && c < 0xe000) ? -1 : c;
}

static bool skip_escape(scan *s)
{
    if (s->p == s->end) return false;
    char c = *s->p++;
    if (c != 'u') return strchr("\"\\/bfnrt", c) != NULL && c;
    if (unicode(s->p, s->end) < 0) return false;
    s->p += 4;
    return true;
}

/* Behind the opening quote, to behind the closing one. */
static bool skip_string(scan *s, bool *escapes)
{
    *escapes = false;
    while (s->p < s->end) {
        unsigned char c = (unsigned char)*s->p++;
        if (c == '"') return true;
        if (c < 0x20) return false;
        if (c != '\\') continue;
        *escapes = true;
        if (!skip_escape(s)) return false;
    }
    return false;
}

static size_t put_utf8(char *w, int c)
{
    if (c < 0x80) {
        w[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        w[0] = (char)(0xc0 | c >> 6);
        w[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    w[0] = (char)(0xe0 | c >> 12);
    w[1] = (char)(0x80 | (c >> 6 & 63));
    w[2] = (char)(0x80 | (c & 63));
    return 3;
}

/* Undoes the escapes of a string that skip_string has passed; never longer than it was. */
static size_t unescape(const char *p, const char *end, char *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char *w = out;
    while (p < end) {
        const char *hit = memchr(p, '\\', (size_t)(end - p));
        size_t n = (size_t)((hit ? hit : end) - p);
        memcpy(w, p, n);
        w += n;
        if (!hit) break;
        p = hit + 2;
        if (hit[1] == 'u') {
            w += put_utf8(w, unicode(p, end));
            p += 4;
        } else
            *w++ = to[strchr(from, hit[1]) - from];
    }
    return (size_t)(w - out);
}

/* ---- values ---------------------------------------------------------------------------------------------------------*/

static size_t digits(scan *s)
{
    const char *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') s->p++;
    return (size_t)(s->p - from);
}

/* whole: an integer that is printed as it is written. */
static bool skip_number(scan *s, bool *whole)
{
    bool minus = take(s, '-');
    const char *first = s->p;
    size_t n = digits(s);
    if (n == 0 || n > DIGITS || (*first == '0' && n > 1)) return false;
    *whole = !(minus && *first == '0');
    if (take(s, '.')) {
        *whole = false;
        n = digits(s);
        if (n == 0 || n > DIGITS) return false;
    }
    return s->p == s->end || (*s->p | 32) != 'e';
}

static bool skip_value(scan *s, int depth);

static bool skip_members(scan *s, char close, int depth)
{
    bool escapes;
    s->p++;
    skip_blanks(s);
    if (take(s, close)) return true;
    do {
        skip_blanks(s);
        if (close == '}') {
            if (!take(s, '"') || !skip_string(s, &escapes) || escapes) return false;
            skip_blanks(s);
            if (!take(s, ':')) return false;
            skip_blanks(s);
        }
        if (!skip_value(s, depth + 1)) return false;
        skip_blanks(s);
    } while (take(s, ','));
    return take(s, close);
}

static bool skip_value(scan *s, int depth)
{
    bool unused;
    if (s->p == s->end || depth > DEEP) return false;
    switch (*s->p) {
    case '"': s->p++; return skip_string(s, &unused);
    case '{': return skip_members(s, '}', depth);
    case '[': return skip_members(s, ']', depth);
    case 't': return take_word(s, "true", 4);
    case 'f': return take_word(s, "false", 5);
    case 'n': return take_word(s, "null", 4);
    default: return skip_number(s, &unused);
    }
}

/* ---- rows -----------------------------------------------------------------------------------------------------------*/

typedef struct quick {
    tt_reader *r;
    const char *at[MAX_COLUMNS]; /* a column's value; NULL: not met, or null */
    bool met[MAX_COLUMNS];
} quick;

static int column(const tt_reader *r, const char *key, size_t n)
{
    for (int c = 0; c < r->rows.ncol; c++)
        if (!strncmp(r->spec->key[c], key, n) && !r->spec->key[c][n]) return c;
    return -1;
}

/* Notes the value for every column of that key (two may share one). */
static bool note(quick *q, const char *key, size_t n, const char *value)
{
    for (int c = column(q->r, key, n); c >= 0 && c < q->r->rows.ncol; c++) {
        if (strncmp(q->r->spec->key[c], key, n) || q->r->spec->key[c][n]) continue;
        if (q->met[c]) return false;
        q->met[c] = true;
        q->at[c] = *value == 'n' ? NULL : value;
    }
    return true;
}

/* The line is one object; where the values of the columns stand. */
static bool find_values(quick *q, scan *s)
{
    bool escapes;
    skip_blanks(s);
    if (!take(s, '{')) return false;
    do {
        skip_blanks(s);
        const char *key = s->p + 1;
        if (!take(s, '"') || !skip_string(s, &escapes) || escapes) return false;
        size_t n = (size_t)(s->p - 1 - key);
        skip_blanks(s);
        if (!take(s, ':')) return false;
        skip_blanks(s);
        const char *value = s->p;
        if (!skip_value(s, 1) || !note(q, key, n, value)) return false;
        skip_blanks(s);
    } while (take(s, ','));
    if (!take(s, '}')) return false;
    skip_blanks(s);
    return s->p == s->end;
}

/* Can put_value write it? Texts, whole numbers, booleans. */
static bool plain_scalar(scan *s)
{
    bool whole = true, escapes;
    if (s->p == s->end) return false;
    if (*s->p == '"') return s->p++, skip_string(s, &escapes);
    if (*s->p == 't' || *s->p == 'f') return skip_value(s, 1);
    return skip_number(s, &whole) && whole;
}

static bool plain(const char *value, const char *end)
{
    scan s = {value, end};
    if (!take(&s, '[')) return plain_scalar(&s);
    skip_blanks(&s);
    if (s.p < s.end && *s.p == ']') return false; /* no value at all */
    do {
        skip_blanks(&s);
        if (!plain_scalar(&s)) return false;
        skip_blanks(&s);
    } while (take(&s, ','));
    return true;
}

static bool all_plain(const quick *q, const char *end)
{
    const tt_reader *r = q->r;
    for (int c = 0; c < r->rows.ncol; c++) {
        if (r->fixed[c].n) continue;
        if (strchr(r->spec->key[c], '.') && !q->at[c]) return false; /* a path */
        if (!q->at[c] && (!r->spec->templates->optional[c] || r->spec->format->numbered)) return false;
        if (q->at[c] && !plain(q->at[c], end)) return false;
    }
    return true;
}

static void put_text(tt_reader *r, int c, scan *s)
{
    bool escapes;
    const char *from = ++s->p;
    skip_string(s, &escapes);
    size_t n = (size_t)(s->p - 1 - from);
    if (!escapes) {
        tt_row_value(r, c, from, n);
        return;
    }
    char *text = tt_malloc(n + 1);
    tt_row_value(r, c, text, unescape(from, from + n, text));
    free(text);
}

static void put_scalar(tt_reader *r, int c, scan *s)
{
    const char *from = s->p;
    if (*s->p == '"') {
        put_text(r, c, s);
        return;
    }
    skip_value(s, 1);
    tt_row_value(r, c, from, (size_t)(s->p - from));
}

static void put(tt_reader *r, int c, const char *value, const char *end)
{
    scan s = {value, end};
    bool list = take(&s, '[');
    do {
        skip_blanks(&s);
        put_scalar(r, c, &s);
        if (list) skip_blanks(&s);
    } while (list && take(&s, ','));
}

bool tt_json_quick(tt_reader *r, const char *text, size_t size, int64_t line, tt_err *e)
{
    quick q = {.r = r};
    scan s = {text, text + size};
    if (r->rows.ncol > MAX_COLUMNS || !tt_utf8_valid(text, size)) return false;
    if (!find_values(&q, &s) || !all_plain(&q, text + size)) return false;
    tt_row_begin(r, line);
    for (int c = 0; c < r->rows.ncol; c++)
        if (q.at[c] && !r->fixed[c].n) put(r, c, q.at[c], text + size);
    *e = tt_row_end(r);
    return true;
}
