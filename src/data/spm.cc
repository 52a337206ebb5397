/* libsentencepiece behind C functions (spm.h). */
#include "spm.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <sentencepiece_processor.h>

struct tt_spm {
    sentencepiece::SentencePieceProcessor proc;
};

tt_spm *tt_spm_new(const char *bytes, size_t size)
try {
    auto s = std::make_unique<tt_spm>();
    bool good = s->proc.LoadFromSerializedProto(absl::string_view(bytes, size)).ok();
    return good && s->proc.GetPieceSize() > 0 ? s.release() : nullptr;
} catch (...) {
    return nullptr;
}

void tt_spm_free(tt_spm *s) { delete s; }

int tt_spm_size(const tt_spm *s) { return s->proc.GetPieceSize(); }

int tt_spm_id(const tt_spm *s, const char *piece)
try {
    int id = s->proc.PieceToId(piece);
    return s->proc.IdToPiece(id) == piece ? id : -1;
} catch (...) {
    return -1;
}

const char *tt_spm_piece(const tt_spm *s, int id) { return s->proc.IdToPiece(id).c_str(); }

float tt_spm_score(const tt_spm *s, int id) { return s->proc.GetScore(id); }

int tt_spm_byte(const tt_spm *s, int id)
{
    return s->proc.IsByte(id) ? (int)std::strtol(tt_spm_piece(s, id) + 3, nullptr, 16) : -1;
}

int tt_spm_pad(const tt_spm *s) { return s->proc.pad_id(); }
int tt_spm_eos(const tt_spm *s) { return s->proc.eos_id(); }
int tt_spm_bos(const tt_spm *s) { return s->proc.bos_id(); }
int tt_spm_unk(const tt_spm *s) { return s->proc.unk_id(); }

int tt_spm_encode(const tt_spm *s, const char *text, size_t size, int32_t **ids)
try {
    std::vector<int> v;
    if (!s->proc.Encode(absl::string_view(text, size), &v).ok()) return -1;
    int32_t *out = (int32_t *)std::malloc(sizeof *out * (v.size() + 1));
    if (!out) return -1;
    for (size_t i = 0; i < v.size(); i++) out[i] = v[i];
    *ids = out;
    return (int)v.size();
} catch (...) {
    return -1;
}

char *tt_spm_normal(const tt_spm *s, const char *text, size_t size, size_t *len)
try {
    std::vector<std::string> piece;
    if (!s->proc.Encode(absl::string_view(text, size), &piece).ok()) return nullptr;
    std::string all;
    for (const std::string &p : piece) all += p;
    char *out = (char *)std::malloc(all.size() + 1);
    if (!out) return nullptr;
    std::memcpy(out, all.data(), all.size());
    *len = all.size();
    return out;
} catch (...) {
    return nullptr;
}
