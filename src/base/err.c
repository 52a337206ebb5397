/* The first failure of this process. */
#include "tutti/base.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char first_text[4096];
static tt_err first_code = TT_OK;
static void (*abort_hook)(void);

tt_err tt_fail(tt_err code, const char *fmt, ...)
{
    if (first_code != TT_OK) return code;
    first_code = code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(first_text, sizeof first_text, fmt, ap);
    va_end(ap);
    return code;
}

const char *tt_fail_text(void) { return first_text; }

tt_err tt_fail_code(void) { return first_code; }

void tt_fail_clear(void)
{
    first_code = TT_OK;
    first_text[0] = 0;
}

void tt_bug_hook(void (*hook)(void)) { abort_hook = hook; }

void tt_bug(const char *file, int line, const char *fmt, ...)
{
    char host[256] = "?", text[2048];
    gethostname(host, sizeof host - 1);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "tutti: fatal on %s (pid %d) at %s:%d: %s\n", host, (int)getpid(), file, line, text);
    fflush(NULL);
    if (abort_hook) abort_hook();
    abort();
}
