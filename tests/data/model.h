/* A SentencePiece model made by hand (sentencepiece_model.proto): unigram pieces, ids as T5's. */
#ifndef TUTTI_TESTS_DATA_MODEL_H
#define TUTTI_TESTS_DATA_MODEL_H

#include "make.h"

static void model_varint(FILE *f, unsigned v)
{
    for (; v > 127; v >>= 7) fputc((int)(v & 127) | 128, f);
    fputc((int)v, f);
}

static void model_piece(FILE *f, const char *text, float score, int type)
{
    size_t n = strlen(text);
    fputc(0x0a, f); /* ModelProto.pieces */
    model_varint(f, (unsigned)(2 + n + 5 + 2));
    fprintf(f, "%c%c%s%c", 0x0a, (int)n, text, 0x15); /* piece, score */
    fwrite(&score, 4, 1, f);
    fprintf(f, "%c%c", 0x18, type);
}

/* <pad> </s> <unk>, then the pieces. */
__attribute__((unused)) static void model_write(const char *path, int n, const char *const *piece, const float *score)
{
    FILE *f = fopen(path, "wb");
    if (!f) abort();
    model_piece(f, "<pad>", 0, 3);
    model_piece(f, "</s>", 0, 3);
    model_piece(f, "<unk>", 0, 2);
    for (int i = 0; i < n; i++) model_piece(f, piece[i], score[i], 1);
    /* TrainerSpec (field 2): unk_id 40 = 2, bos_id 41 = -1, eos_id 42 = 1, pad_id 43 = 0 */
    static const unsigned char spec[] = {0xc0, 2,   2,   0xc8, 2,    255, 255, 255,  255, 255, 255,
                                         255,  255, 255, 1,    0xd0, 2,   1,   0xd8, 2,   0};
    fputc(0x12, f);
    model_varint(f, sizeof spec);
    fwrite(spec, 1, sizeof spec, f);
    fclose(f);
}

/* Collective. A tokenizer of the ASCII characters, in the place's folder. */
__attribute__((unused)) static tt_tok *own_tokenizer(place *p)
{
    static char text[96][4];
    const char *piece[96];
    float score[96];
    for (int i = 0; i < 96; i++) {
        snprintf(text[i], sizeof text[i], "%c", 32 + i);
        piece[i] = i ? text[i] : "\xe2\x96\x81";
        score[i] = -1.f - (float)i / 100;
    }
    char *path = tt_sprintf(p->a, "%s/spiece.model", p->dir);
    if (p->m->rank == 0) model_write(path, 95, piece, score);
    tt_barrier(p->m);
    tt_tok *t;
    if (tt_tok_open(p->dir, &t)) {
        printf("# %s\n", tt_fail_text());
        abort();
    }
    return t;
}

#endif
