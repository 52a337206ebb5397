/* UTF-8. Private to data. */
#ifndef TUTTI_DATA_UTF8_H
#define TUTTI_DATA_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed character at p (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF), 0 if there is none. */
size_t tt_utf8_char(const char *p, size_t size);
bool tt_utf8_valid(const char *p, size_t size);

#endif
