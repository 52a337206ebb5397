/* Exact match. */
#include "tutti/eval.h"

#include <string.h>

static const char *trim(const char *s, size_t *n)
{
    static const char blank[] = " \t\n\v\f\r";
    s += strspn(s, blank);
    *n = strlen(s);
    while (*n && strchr(blank, s[*n - 1])) --*n;
    return s;
}

bool tt_exact_match(int nref, char *const *ref, const char *prediction)
{
    size_t n, k;
    const char *p = trim(prediction, &n);
    for (int i = 0; i < nref; i++) {
        const char *r = trim(ref[i], &k);
        if (k == n && !memcmp(r, p, n)) return true;
    }
    return false;
}
