/* JSON as Python writes it, so that files of ours and of transformers can be compared byte by byte: two blanks per level, keys sorted,
 * ASCII only, floats in their shortest form that reads back the same (repr). */
#include "net.h"

#include <stdlib.h>
#include <string.h>

/* One code point of UTF-8 (Jansson has checked it). */
static const char *next_code(const char *s, uint32_t *code)
{
    unsigned char c = (unsigned char)*s++;
    int more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    *code = more ? c & (0x3fu >> more) : c;
    while (more--) *code = *code << 6 | ((unsigned char)*s++ & 0x3fu);
    return s;
}

static void write_code(FILE *f, uint32_t c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *at = c ? memchr(plain, (int)c, c < 0x80 ? sizeof plain - 1 : 0) : NULL;
    if (at)
        fprintf(f, "\\%c", letter[at - plain]);
    else if (c >= 0x20 && c < 0x7f)
        fputc((int)c, f);
    else if (c < 0x10000)
        fprintf(f, "\\u%04x", c);
    else
        fprintf(f, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
}

static void write_text(FILE *f, const char *s)
{
    uint32_t c;
    fputc('"', f);
    while (*s) {
        s = next_code(s, &c);
        write_code(f, c);
    }
    fputc('"', f);
}

/* repr(float): shortest digits; an exponent below 1e-4 and from 1e16 on. */
static void write_real(FILE *f, double x)
{
    char s[40];
    int digits = 1;
    do snprintf(s, sizeof s, "%.*e", digits - 1, x);
    while (strtod(s, NULL) != x && digits++ < 17);
    int exponent = atoi(strchr(s, 'e') + 1);
    if (exponent < -4 || exponent >= 16) {
        fputs(s, f);
        return;
    }
    int after = digits - 1 - exponent;
    fprintf(f, "%.*f", after > 1 ? after : 1, x);
}

static void newline(FILE *f, int level)
{
    fputc('\n', f);
    for (int i = 0; i < level; i++) fputs("  ", f);
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void write_value(FILE *f, const json_t *v, int level);

static void write_object(FILE *f, const json_t *v, int level)
{
    size_t n = json_object_size(v), i = 0;
    const char **keys = tt_malloc(sizeof *keys * (n + 1)), *key;
    json_t *child;
    json_object_foreach((json_t *)v, key, child) keys[i++] = key;
    if (n) qsort(keys, n, sizeof *keys, by_text);
    fputc('{', f);
    for (i = 0; i < n; i++) {
        if (i) fputc(',', f);
        newline(f, level + 1);
        write_text(f, keys[i]);
        fputs(": ", f);
        write_value(f, json_object_get(v, keys[i]), level + 1);
    }
    if (n) newline(f, level);
    fputc('}', f);
    free(keys);
}

static void write_array(FILE *f, const json_t *v, int level)
{
    size_t n = json_array_size(v);
    fputc('[', f);
    for (size_t i = 0; i < n; i++) {
        if (i) fputc(',', f);
        newline(f, level + 1);
        write_value(f, json_array_get(v, i), level + 1);
    }
    if (n) newline(f, level);
    fputc(']', f);
}

static void write_value(FILE *f, const json_t *v, int level)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT: write_object(f, v, level); break;
    case JSON_ARRAY: write_array(f, v, level); break;
    case JSON_STRING: write_text(f, json_string_value(v)); break;
    case JSON_INTEGER: fprintf(f, "%lld", (long long)json_integer_value(v)); break;
    case JSON_REAL: write_real(f, json_real_value(v)); break;
    case JSON_TRUE: fputs("true", f); break;
    case JSON_FALSE: fputs("false", f); break;
    case JSON_NULL: fputs("null", f); break;
    }
}

void tt_json_write(FILE *f, const json_t *value)
{
    write_value(f, value, 0);
    fputc('\n', f);
}
