/* tutti tokenize tokenizer=DIR [special=1|0] [in=FILE.jsonl] */
#include "tutti/cli.h"
#include "tutti/conf.h"
#include "tutti/data.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct opts {
    const char *tokenizer, *in;
    bool special;
} opts;

static const tt_keyrow rows[] = {
    {"tokenizer", TT_KTEXT, offsetof(opts, tokenizer), NULL, NULL, "folder with a SentencePiece model, or the model"},
    {"special", TT_KBOOL, offsetof(opts, special), "1", NULL,
     "as Hugging Face: special-token strings recognised, end token appended"},
    {"in", TT_KTEXT, offsetof(opts, in), NULL, NULL,
     "JSONL with text, or hex (raw bytes), in each line; default stdin"},
    {0},
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Bytes of hex digits, in place; SIZE_MAX if they are none. */
static size_t unhex(char *s, size_t size)
{
    if (size % 2) return SIZE_MAX;
    for (size_t i = 0; i < size; i += 2) {
        int hi = hex_digit(s[i]), lo = hex_digit(s[i + 1]);
        if (hi < 0 || lo < 0) return SIZE_MAX;
        s[i / 2] = (char)(hi * 16 + lo);
    }
    return size / 2;
}

static void print_ids(const tt_ids *ids)
{
    fputs("{\"ids\": [", stdout);
    for (int i = 0; i < ids->n; i++) printf("%s%d", i ? ", " : "", ids->id[i]);
    fputs("]}\n", stdout);
}

static tt_err print_encoded(const tt_tok *tok, const char *text, size_t size, bool special)
{
    tt_ids ids = {0};
    tt_err e = tt_tok_encode(tok, text, size, special, &ids);
    if (e == TT_OK) print_ids(&ids);
    tt_ids_fini(&ids);
    return e;
}

static tt_err one_object(const tt_tok *tok, const opts *o, const json_t *line, const char *name, int64_t number)
{
    const json_t *text = json_object_get(line, "text"), *hex = json_object_get(line, "hex");
    if (json_is_string(text)) return print_encoded(tok, json_string_value(text), json_string_length(text), o->special);
    if (!json_is_string(hex))
        return tt_fail(TT_EDATA, "%s:%lld: has no string \"text\" or \"hex\"; each line must hold one", name,
                       (long long)number);
    char *raw = strdup(json_string_value(hex));
    size_t n = unhex(raw, json_string_length(hex));
    tt_err e = n == SIZE_MAX
                   ? tt_fail(TT_EDATA, "%s:%lld: \"hex\" must be pairs of hexadecimal digits", name, (long long)number)
                   : print_encoded(tok, raw, n, o->special);
    free(raw);
    return e;
}

static tt_err one_line(const tt_tok *tok, const opts *o, const char *text, size_t size, const char *name,
                       int64_t number)
{
    json_error_t err;
    json_t *line = json_loadb(text, size, JSON_ALLOW_NUL, &err);
    if (!line)
        return tt_fail(TT_EDATA, "%s:%lld: is not JSON: %s; each line must be one object", name, (long long)number,
                       err.text);
    tt_err e = one_object(tok, o, line, name, number);
    json_decref(line);
    return e;
}

static bool blank(const char *s, size_t n)
{
    while (n && strchr(" \t\r\n", s[n - 1])) n--;
    return !n;
}

static tt_err each_line(const tt_tok *tok, const opts *o, FILE *f, const char *name)
{
    char *line = NULL;
    size_t cap = 0;
    tt_err e = TT_OK;
    int64_t number = 0;
    for (ssize_t n; e == TT_OK && (n = getline(&line, &cap, f)) > 0;) {
        number++;
        if (!blank(line, (size_t)n)) e = one_line(tok, o, line, (size_t)n, name, number);
    }
    free(line);
    if (e == TT_OK && (fflush(stdout) || ferror(stdout)))
        e = tt_fail(TT_ERUN, "the ids could not be written: %s; is the disk full?", strerror(errno));
    return e;
}

/* A file may be compressed (tt_slurp); stdin is read as it comes. */
static tt_err each_input(const tt_tok *tok, const opts *o)
{
    if (!o->in) return each_line(tok, o, stdin, "stdin");
    char *text;
    size_t size;
    TT_TRY(tt_slurp(o->in, &text, &size));
    FILE *f = size ? fmemopen(text, size, "r") : NULL;
    tt_err e = f ? each_line(tok, o, f, o->in) : TT_OK;
    if (f) fclose(f);
    free(text);
    return e;
}

tt_err tt_verb_tokenize(const tt_mesh *m, const tt_args *args)
{
    opts o = {0};
    TT_TRY(tt_args_bind(args, rows, &o));
    if (args->n) return tt_fail(TT_EJOB, "tokenize takes no '%s'; write in=%s", args->pos[0], args->pos[0]);
    if (!o.tokenizer) return tt_fail(TT_EJOB, "tokenize needs tokenizer=DIR, a folder with a SentencePiece model");
    tt_tok *tok;
    TT_TRY(tt_tok_open(o.tokenizer, &tok));
    tt_err e = each_input(tok, &o);
    tt_tok_close(tok);
    return e;
}
