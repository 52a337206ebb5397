/* Texts as numbers and as classes. */
#include "numbers.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char blank[] = " \t\n\v\f\r";

static const char *trim(const char *s, size_t *n)
{
    s += strspn(s, blank);
    *n = strlen(s);
    while (*n && strchr(blank, s[*n - 1])) --*n;
    return s;
}

const char *tt_case_at(const tt_case *c) { return c->where ? c->where : "an example"; }

/* ---- numbers --------------------------------------------------------------------------------------------------------*/

static size_t digits(const char *s) { return strspn(s, "0123456789"); }

/* Bytes of [+-] (D [. D] | . D) [e [+-] D] at s, D digits; 0: none. */
static size_t decimal(const char *s)
{
    const char *p = s + (*s == '+' || *s == '-');
    size_t whole = digits(p), part = 0;
    p += whole;
    if (*p == '.') part = digits(p + 1), p += 1 + part;
    if (whole + part == 0) return 0;
    if (*p == 'e' || *p == 'E') {
        const char *e = p + 1 + (p[1] == '+' || p[1] == '-');
        if (!digits(e)) return 0;
        p = e + digits(e);
    }
    return (size_t)(p - s);
}

bool tt_number(const char *text, double *x)
{
    size_t n;
    const char *s = trim(text, &n);
    if (n == 0 || decimal(s) != n) return false;
    double y = strtod(s, NULL);
    if (!isfinite(y)) return false;
    *x = y;
    return true;
}

/* Digits from the first to the last that is not 0, the exponent aside. */
static int significant(const char *s)
{
    int n = 0, last = 0;
    for (; strchr("+-.0123456789", *s) && *s; s++) {
        if (*s < '0' || *s > '9' || (n == 0 && *s == '0')) continue;
        n++;
        if (*s != '0') last = n;
    }
    return last;
}

/* ---- labels ---------------------------------------------------------------------------------------------------------*/

enum { SHORT = 64 };

/* The text that stands for a label's class: numbers in one form, other texts without their blanks. Only numbers that a double
 * tells apart (15 digits, no underflow) are taken as numbers: long identifiers stay texts. It lies in text or in buf. */
static const char *class_text(const char *text, char buf[SHORT], size_t *n)
{
    const char *s = trim(text, n);
    double x;
    if (!tt_number(s, &x) || significant(s) > DBL_DIG || (fabs(x) < DBL_MIN && significant(s) > 0)) return s;
    *n = (size_t)snprintf(buf, SHORT, "%.*g", DBL_DIG, x == 0 ? 0 : x);
    return buf;
}

bool tt_same_label(const char *a, const char *b)
{
    char p[SHORT], q[SHORT];
    size_t n, k;
    const char *s = class_text(a, p, &n), *t = class_text(b, q, &k);
    return n == k && !memcmp(s, t, n);
}

/* ---- a table of texts -----------------------------------------------------------------------------------------------*/

typedef struct name {
    uint64_t hash;
    size_t len;
    const char *key, *text;
} name;

struct tt_names {
    tt_arena *a;
    int n, cap; /* names; of name[] */
    name *name;
    int *slot; /* [2 cap], open addressing; number + 1, 0 is empty */
};

static uint64_t hash_of(const char *s, size_t n)
{
    uint64_t h = n;
    for (; n >= 8; s += 8, n -= 8) {
        uint64_t w;
        memcpy(&w, s, 8);
        h = tt_mix64(h ^ w);
    }
    uint64_t w = 0;
    memcpy(&w, s, n);
    return tt_mix64(h ^ w);
}

/* The slot that holds the name, or the empty one where it belongs. */
static int *slot_of(const tt_names *t, const char *s, size_t n, uint64_t hash)
{
    uint64_t mask = 2 * (uint64_t)t->cap - 1, i = hash & mask;
    for (; t->slot[i]; i = (i + 1) & mask) {
        const name *x = &t->name[t->slot[i] - 1];
        if (x->hash == hash && x->len == n && !memcmp(x->key, s, n)) break;
    }
    return &t->slot[i];
}

static void make_room(tt_names *t, int cap)
{
    t->cap = cap;
    t->name = tt_realloc(t->name, (size_t)cap * sizeof *t->name);
    t->slot = tt_realloc(t->slot, 2 * (size_t)cap * sizeof *t->slot);
    memset(t->slot, 0, 2 * (size_t)cap * sizeof *t->slot);
    for (int k = 0; k < t->n; k++) *slot_of(t, t->name[k].key, t->name[k].len, t->name[k].hash) = k + 1;
}

tt_names *tt_names_new(void)
{
    tt_names *t = tt_malloc(sizeof *t);
    *t = (tt_names){.a = tt_arena_new(4096)};
    make_room(t, 16);
    return t;
}

void tt_names_free(tt_names *t)
{
    if (!t) return;
    tt_arena_free(t->a);
    free(t->name);
    free(t->slot);
    free(t);
}

int tt_names_count(const tt_names *t) { return t->n; }
const char *tt_names_text(const tt_names *t, int k) { return t->name[k].text; }

static const char *keep(tt_names *t, const char *s, size_t n)
{
    char *p = tt_alloc(t->a, n + 1);
    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

static int put(tt_names *t, const char *key, size_t len, const char *text)
{
    uint64_t hash = hash_of(key, len);
    int *slot = slot_of(t, key, len, hash);
    if (*slot) return *slot - 1;
    const char *k = keep(t, key, len);
    t->name[t->n] = (name){hash, len, k, text == key ? k : tt_strdup(t->a, text)};
    *slot = ++t->n;
    if (t->n == t->cap) make_room(t, 2 * t->cap);
    return t->n - 1;
}

int tt_names_put(tt_names *t, const char *text) { return put(t, text, strlen(text), text); }

int tt_names_put_label(tt_names *t, const char *label)
{
    char buf[SHORT];
    size_t n;
    const char *key = class_text(label, buf, &n);
    return put(t, key, n, key == buf ? label : key);
}

int tt_names_find_label(const tt_names *t, const char *label)
{
    char buf[SHORT];
    size_t n;
    const char *key = class_text(label, buf, &n);
    return *slot_of(t, key, n, hash_of(key, n)) - 1;
}
