/* Published mixtures of FLAN, as they would stand under data.mixture. A job says with from, or with the key mixture of its data sets,
 * what belongs to each part. Parts without data are left out and the other shares grow.
 *
 * Paper: Chung et al. 2022, "Scaling Instruction-Finetuned Language Models", table 23: proportion A was used for the scaling and ablation
 * sections, B for Flan-T5. Caps act per task. Release: google-research/FLAN, flan/v2/run_example.py and mixtures.py; dialog's cap is
 * the release's. There, zero- and few-shot prompts, with and without answer options, have a quarter each in flan and t0, and half of
 * the prompts of the other parts are few-shot, all with options. */
#include "mixspec.h"

#include <string.h>

#define HALF_HALF "prompts: {few_shot: 0.5, options: 0.5}"
#define HALF "prompts: {few_shot: 0.5, options: 1}"
#define PARTS(flan, t0, cot, niv2)                                   \
    "parts:\n"                                                       \
    "  - {name: flan, share: " flan ", cap: 30000, " HALF_HALF "}\n" \
    "  - {name: t0, share: " t0 ", cap: 20000, " HALF_HALF "}\n"     \
    "  - {name: cot, share: " cot ", cap: 100000, " HALF "}\n"       \
    "  - {name: niv2, share: " niv2 ", cap: 5000, " HALF "}\n"

static const struct {
    const char *name, *text;
} presets[] = {
    {"flan-t5-paper-a", PARTS("0.52", "0.15", "0.03", "0.30")},
    {"flan-t5-paper-b", PARTS("0.46", "0.279", "0.018", "0.242")},
    {"flan2022-release",
     PARTS("0.40", "0.32", "0.05", "0.20") "  - {name: dialog, share: 0.03, cap: 200000, " HALF "}\n"},
};

const char *tt_mix_preset(const char *name)
{
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (!strcmp(presets[i].name, name)) return presets[i].text;
    return NULL;
}

const char *tt_mix_presets(void) { return "flan-t5-paper-a, flan-t5-paper-b, flan2022-release"; }
