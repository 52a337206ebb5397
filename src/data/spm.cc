/* libsentencepiece behind C functions (spm.h). */
#include "spm.h"

#include <cmath>
#include <cstdlib>
#include <memory>
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

int tt_spm_byte(const tt_spm *s, int id)
{
    return s->proc.IsByte(id) ? (int)std::strtol(tt_spm_piece(s, id) + 3, nullptr, 16) : -1;
}

int tt_spm_pad(const tt_spm *s) { return s->proc.pad_id(); }
int tt_spm_eos(const tt_spm *s) { return s->proc.eos_id(); }
int tt_spm_bos(const tt_spm *s) { return s->proc.bos_id(); }
int tt_spm_unk(const tt_spm *s) { return s->proc.unk_id(); }

double tt_spm_margin(const tt_spm *s, const char *text, size_t size)
try {
    std::vector<std::vector<int>> best;
    if (!s->proc.NBestEncode(absl::string_view(text, size), 2, &best).ok() || best.empty()) return 0;
    if (best.size() < 2) return HUGE_VAL;
    double score[2] = {0, 0};
    for (int k = 0; k < 2; k++)
        for (int id : best[k])
            if (!s->proc.IsUnknown(id)) score[k] += s->proc.GetScore(id); /* unknown characters are in both */
    return score[0] - score[1];
} catch (...) {
    return 0;
}

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
