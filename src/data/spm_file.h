/* What a SentencePiece model file says and the library does not tell (sentencepiece_model.proto). Private to data. */
#ifndef TUTTI_DATA_SPM_FILE_H
#define TUTTI_DATA_SPM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TT_SPM_UNIGRAM = 1, TT_SPM_BPE = 2 };     /* TrainerSpec.ModelType */
enum { TT_PIECE_NORMAL = 1, TT_PIECE_USER = 4 }; /* SentencePiece.Type */

typedef struct tt_spm_file {
    int kind;        /* TT_SPM_UNIGRAM ... */
    bool known_rule; /* normalization is one of SentencePiece's own, or none */
    int npiece;
    uint8_t *type; /* [npiece] */
} tt_spm_file;

/* false if the bytes are no such message. */
bool tt_spm_file_read(const char *bytes, size_t size, tt_spm_file *out);
void tt_spm_file_fini(tt_spm_file *f);

#endif
