/* The audit as one page that needs nothing else: the document goes into audit_page.html, which the assembler puts into the program. */
#include "audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

__asm__(".pushsection .rodata\n"
        ".global tt_audit_page\n"
        ".global tt_audit_page_end\n"
        "tt_audit_page: .incbin \"src/cli/audit_page.html\"\n"
        "tt_audit_page_end: .byte 0\n"
        ".popsection\n");
extern const char tt_audit_page[], tt_audit_page_end[];

/* A '<' in a text could end the script element that holds the document. */
static int put_safe(const char *s, size_t n, void *file)
{
    FILE *f = file;
    for (size_t i = 0; i < n; i++)
        if (s[i] == '<')
            fputs("\\u003c", f);
        else
            fputc(s[i], f);
    return 0;
}

tt_err audit_write_page(const json_t *doc, const char *path)
{
    static const char mark[] = "@DATA@";
    const char *at = strstr(tt_audit_page, mark);
    if (!at) TT_BUG("audit_page.html has no %s", mark);
    FILE *f = fopen(path, "w");
    if (!f) return tt_fail(TT_ERUN, "%s: cannot be written: %s", path, strerror(errno));
    fwrite(tt_audit_page, 1, (size_t)(at - tt_audit_page), f);
    json_dump_callback(doc, put_safe, f, JSON_COMPACT | JSON_REAL_PRECISION(9));
    at += sizeof mark - 1;
    fwrite(at, 1, (size_t)(tt_audit_page_end - at), f);
    bool bad = ferror(f);
    if (fclose(f) || bad)
        return tt_fail(TT_ERUN, "%s: cannot be written: %s; is the disk full?", path, strerror(errno));
    return TT_OK;
}
