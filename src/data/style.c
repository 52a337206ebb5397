#include "style.h"

#include <stdlib.h>
#include <string.h>

/* A number at *s, which is moved behind it; -1: none. */
static long number(const char **s)
{
    char *end;
    if (**s < '0' || **s > '9') return -1;
    long n = strtol(*s, &end, 10);
    *s = end;
    return n;
}

/* "5", "1-5" */
static bool parse_shots(const char *s, tt_style *out)
{
    long lo = number(&s), hi = lo;
    if (*s == '-') s++, hi = number(&s);
    if (*s || lo < 1 || hi < lo || hi > TT_MAX_SHOTS) return false;
    out->shots_lo = (int)lo;
    out->shots_hi = (int)hi;
    return true;
}

static tt_err read_shots(const char *text, const char *place, const char *key, tt_style *out)
{
    if (parse_shots(text, out)) return TT_OK;
    return tt_fail(TT_EJOB,
                   "%s: %s is '%s'; it takes a number of exemplars from 1 to %d, or a range as in 1-5 (few_shot: 0 for "
                   "prompts without any)",
                   place, key, text, TT_MAX_SHOTS);
}

tt_err tt_style_of_job(const tt_job *job, tt_style *out)
{
    *out = (tt_style){.few_shot = job->data.prompts.few_shot,
                      .options = job->data.prompts.options,
                      .cot = job->data.prompts.cot,
                      .invert = job->data.prompts.invert};
    char place[512];
    const tt_yaml *data = tt_yaml_get(job->root, "data"), *prompts = data ? tt_yaml_get(data, "prompts") : NULL;
    const tt_yaml *y = prompts ? tt_yaml_get(prompts, "shots") : NULL;
    snprintf(place, sizeof place, "%s:%d", y ? y->file : job->file, y ? y->line : 0);
    return read_shots(job->data.prompts.shots, place, "data.prompts.shots", out);
}

tt_err tt_style_override(tt_arena *a, const tt_yaml *map, tt_style *style)
{
    typedef struct said {
        tt_style style;
        const char *shots;
    } said;
#define AT(field) offsetof(said, field)
    static const tt_keyrow keys[] = {
        {"few_shot", TT_KREAL, AT(style.few_shot), NULL, "0..1", "share of the draws with exemplars"},
        {"shots", TT_KTEXT, AT(shots), NULL, NULL, "exemplars of a few-shot prompt, a number or a range"},
        {"options", TT_KREAL, AT(style.options), NULL, "0..1", "share of the draws with answer options"},
        {"cot", TT_KREAL, AT(style.cot), NULL, "0..", "weight of chain-of-thought templates"},
        {"invert", TT_KREAL, AT(style.invert), NULL, "0..", "weight of inverted templates"},
        {0},
    };
#undef AT
    if (!map) return TT_OK;
    said s = {*style, NULL};
    TT_TRY(tt_keys_bind(a, map, keys, &s, "prompts."));
    *style = s.style;
    if (!s.shots) return TT_OK;
    const tt_yaml *y = tt_yaml_get(map, "shots");
    char place[512];
    snprintf(place, sizeof place, "%s:%d", y->file, y->line);
    return read_shots(s.shots, place, "prompts.shots", style);
}
