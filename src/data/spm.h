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
int tt_spm_byte(const tt_spm *s, int id);          /* the byte of a byte-fallback piece <0xNN>, else -1 */
/* Ids with this meaning in the model file, -1 if it has none. */
int tt_spm_pad(const tt_spm *s);
int tt_spm_eos(const tt_spm *s);
int tt_spm_bos(const tt_spm *s);
int tt_spm_unk(const tt_spm *s);
/* By how much (natural log of the probability) the best segmentation of the text beats the second; infinite if there is no second. Below
 * rounding errors the library's choice depends on what stands before. */
double tt_spm_margin(const tt_spm *s, const char *text, size_t size);
/* *ids (malloc) and their number; -1 if the library fails. */
int tt_spm_encode(const tt_spm *s, const char *text, size_t size, int32_t **ids);

#ifdef __cplusplus
}
#endif
#endif
