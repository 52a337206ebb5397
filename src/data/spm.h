/* A C face of libsentencepiece. Nothing throws across it. Private to data. */
#ifndef TUTTI_DATA_SPM_H
#define TUTTI_DATA_SPM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_spm tt_spm;

/* The serialized model in memory; NULL if it is none. */
tt_spm *tt_spm_new(const char *bytes, size_t size);
void tt_spm_free(tt_spm *s);
int tt_spm_size(const tt_spm *s);
int tt_spm_id(const tt_spm *s, const char *piece); /* -1 if there is no such piece */
const char *tt_spm_piece(const tt_spm *s, int id); /* lives as long as s */
float tt_spm_score(const tt_spm *s, int id);
int tt_spm_byte(const tt_spm *s, int id); /* the byte of a byte-fallback piece <0xNN>, else -1 */
/* Ids with this meaning in the model file, -1 if it has none. */
int tt_spm_pad(const tt_spm *s);
int tt_spm_eos(const tt_spm *s);
int tt_spm_bos(const tt_spm *s);
int tt_spm_unk(const tt_spm *s);
/* *ids (malloc) and their number; -1 if the library fails. */
int tt_spm_encode(const tt_spm *s, const char *text, size_t size, int32_t **ids);
/* The normalized text (malloc) that the pieces cover, *len bytes; NULL if the library fails. */
char *tt_spm_normal(const tt_spm *s, const char *text, size_t size, size_t *len);

#ifdef __cplusplus
}
#endif
#endif
