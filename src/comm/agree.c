/* How the error of one rank becomes the error of all. */
#include "tutti/comm.h"

#include <stdio.h>
#include <string.h>

enum { TEXT = 4096 };

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

/* text: [TEXT] on every rank, the failure of rank first. */
static void share_text(const tt_mesh *m, tt_err local, int first, int *code, char *text)
{
    *code = local;
    if (m->rank == first) {
        const char *mine = tt_fail_text();
        snprintf(text, TEXT, "%s", *mine ? mine : "failed without saying why");
    }
    tt_bcast(m, code, sizeof *code, first);
    tt_bcast(m, text, TEXT, first);
}

tt_err tt_agree(const tt_mesh *m, tt_err local)
{
    int64_t failed = local != TT_OK, first = failed ? -m->rank : -m->size;
    tt_allsum_i64(m, &failed, 1);
    if (failed == 0) return TT_OK;

    tt_allmax_i64(m, &first, 1);
    int code;
    char text[TEXT] = "";
    share_text(m, local, (int)-first, &code, text);
    tt_fail_clear();
    if (failed == m->size || ends_with(text, " ranks failed)")) return tt_fail((tt_err)code, "%s", text);
    return tt_fail((tt_err)code, "%s (first on rank %d; %d of %d ranks failed)", text, (int)-first, (int)failed,
                   m->size);
}
