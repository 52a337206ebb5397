#include "spm_file.h"
#include "tutti/base.h"

#include <stdlib.h>
#include <string.h>

typedef struct span {
    const unsigned char *p, *end;
} span;

typedef struct field {
    unsigned number;
    uint64_t value; /* of a varint */
    span bytes;     /* of a length-delimited field; else empty */
} field;

static bool varint(span *s, uint64_t *v)
{
    *v = 0;
    for (unsigned shift = 0; s->p < s->end && shift < 64; shift += 7) {
        *v |= (uint64_t)(*s->p & 127) << shift;
        if (*s->p++ < 128) return true;
    }
    return false;
}

static bool take(span *s, uint64_t n, span *out)
{
    if (n > (uint64_t)(s->end - s->p)) return false;
    *out = (span){s->p, s->p + n};
    s->p += n;
    return true;
}

static bool next_field(span *s, field *f)
{
    uint64_t key, n;
    span fixed;
    if (!varint(s, &key)) return false;
    *f = (field){.number = (unsigned)(key >> 3)};
    switch (key & 7) {
    case 0: return varint(s, &f->value);
    case 1: return take(s, 8, &fixed);
    case 2: return varint(s, &n) && take(s, n, &f->bytes);
    case 5: return take(s, 4, &fixed);
    default: return false;
    }
}

/* SentencePiece { piece = 1; score = 2; type = 3 [default = NORMAL]; } */
static bool read_piece(span s, tt_spm_file *out)
{
    uint8_t type = TT_PIECE_NORMAL;
    for (field f; s.p < s.end;) {
        if (!next_field(&s, &f)) return false;
        if (f.number == 3) type = (uint8_t)f.value;
    }
    if (!(out->npiece & (out->npiece + 1))) /* 2^k - 1: the array is full */
        out->type = tt_realloc(out->type, 2 * ((size_t)out->npiece + 1));
    out->type[out->npiece++] = type;
    return true;
}

/* TrainerSpec { model_type = 3 [default = UNIGRAM]; } */
static bool read_trainer(span s, tt_spm_file *out)
{
    for (field f; s.p < s.end;) {
        if (!next_field(&s, &f)) return false;
        if (f.number == 3) out->kind = (int)f.value;
    }
    return true;
}

static bool known(span name)
{
    static const char *const rule[] = {"identity", "nfkc", "nfkc_cf", "nmt_nfkc", "nmt_nfkc_cf"};
    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++)
        if (strlen(rule[i]) == (size_t)(name.end - name.p) && !memcmp(rule[i], name.p, strlen(rule[i]))) return true;
    return false;
}

/* NormalizerSpec { name = 1; precompiled_charsmap = 2; } */
static bool read_normalizer(span s, tt_spm_file *out)
{
    bool named = false, map = false;
    for (field f; s.p < s.end;) {
        if (!next_field(&s, &f)) return false;
        if (f.number == 1) named = known(f.bytes);
        if (f.number == 2) map = f.bytes.p < f.bytes.end;
    }
    out->known_rule = named || !map;
    return true;
}

/* ModelProto { pieces = 1; trainer_spec = 2; normalizer_spec = 3; } */
static bool read_model(span s, tt_spm_file *out)
{
    for (field f; s.p < s.end;) {
        if (!next_field(&s, &f)) return false;
        if (f.number == 1 && !read_piece(f.bytes, out)) return false;
        if (f.number == 2 && !read_trainer(f.bytes, out)) return false;
        if (f.number == 3 && !read_normalizer(f.bytes, out)) return false;
    }
    return true;
}

bool tt_spm_file_read(const char *bytes, size_t size, tt_spm_file *out)
{
    const unsigned char *p = (const unsigned char *)bytes;
    *out = (tt_spm_file){.kind = TT_SPM_UNIGRAM, .known_rule = true};
    return read_model((span){p, p + size}, out);
}

void tt_spm_file_fini(tt_spm_file *f)
{
    free(f->type);
    *f = (tt_spm_file){0};
}
