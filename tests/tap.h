/* TAP for the unit tests: plan at the end, exit code 1 if anything failed. */
#ifndef TUTTI_TAP_H
#define TUTTI_TAP_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_n, tap_failed, tap_mute; /* tap_mute: ranks other than 0 count but do not print */

#define ok(cond, ...) tap_ok((cond) != 0, __FILE__, __LINE__, __VA_ARGS__)
__attribute__((format(printf, 4, 5), unused)) static int tap_ok(int good, const char *file, int line, const char *fmt,
                                                                ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    tap_n++;
    tap_failed += !good;
    if (!tap_mute) printf("%sok %d - %s\n", good ? "" : "not ", tap_n, text);
    if (!good) printf("#   failed at %s:%d: %s\n", file, line, text);
    fflush(stdout);
    return good;
}

/* The largest |a-b| must be at most tol. */
__attribute__((unused)) static int tap_near(const float *a, const float *b, long n, double tol, const char *what)
{
    double worst = 0;
    long at = 0;
    for (long i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);
        if (!(d <= worst)) worst = d, at = i; /* NaN comes through */
    }
    return tap_ok(worst <= tol, "near", 0, "%s: largest difference %.3g at %ld (%.9g, %.9g), allowed %.3g", what, worst,
                  at, n ? a[at] : 0.f, n ? b[at] : 0.f, tol);
}

#define near(a, b, n, tol, what) tap_near(a, b, (long)(n), tol, what)
#define skip(n, why) (tap_n++, tap_mute ? 0 : printf("ok %d # SKIP %s\n", tap_n, why))

__attribute__((unused)) static int tap_done(void)
{
    if (!tap_mute) printf("1..%d\n", tap_n);
    return tap_failed ? 1 : 0;
}

/* The folder of golden files and data: TUTTI_SHARED, else ../shared; NULL if it is not there. */
__attribute__((unused)) static const char *shared_dir(void)
{
    const char *d = getenv("TUTTI_SHARED");
    if (!d) d = "../shared";
    char p[4096];
    snprintf(p, sizeof p, "%s/DESIGN.md", d);
    FILE *f = fopen(p, "r");
    if (!f) return NULL;
    fclose(f);
    return d;
}

#endif
