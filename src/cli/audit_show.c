/* Examples as the model will see them: text, tokens, which of them carry loss, and how the prompt came about. */
#include "audit.h"

#include <stdlib.h>
#include <string.h>

/* Pieces with their ids, about a line's width each. loss: every target token carries some. */
static void print_ids(const audit *u, const char *what, const int32_t *id, int n, bool loss)
{
    int column = 0;
    printf("  %s, %d tokens%s\n   ", what, n, loss ? ", all with loss" : ", none with loss");
    for (int i = 0; i < n; i++) {
        char *piece = tt_tok_decode(u->tok, &id[i], 1, false);
        int wide = printf(" %s/%d", *piece ? piece : "_", id[i]);
        free(piece);
        if ((column += wide) > 110 && i + 1 < n) {
            printf("\n   ");
            column = 0;
        }
    }
    putchar('\n');
}

/* The text, each line set in. */
static void print_text(const char *mark, const char *text)
{
    for (const char *p = text, *end; *p; p = end) {
        end = strchrnul(p, '\n');
        printf("  %s %.*s\n", mark, (int)(end - p), p);
        end += *end != 0;
    }
}

static void print_choices(const tt_shown *s)
{
    const tt_prompt *p = &s->prompt;
    printf("  template %d (%s), answer options: %s, exemplars: %d", p->template + 1, tt_prompt_kind(p->kind),
           tt_prompt_style(p->style), s->kept);
    if (p->nshot > s->kept) printf(" of %d, the others did not fit", p->nshot);
    for (int i = p->nshot - s->kept; i < p->nshot; i++)
        printf("%s%lld", i == p->nshot - s->kept ? " (lines " : ", ", (long long)p->shot[i].line);
    printf("%s%s\n", s->kept ? ")" : "", s->size.cut ? "; CUT to the longest allowed" : "");
}

static tt_err show_one(const audit *u, tt_maker *k, int64_t n)
{
    tt_draw d = tt_mix_draw(u->mix, n);
    const tt_set *set = u->train->set[d.set];
    const tt_setinfo *info = tt_set_info(set);
    tt_shown s;
    TT_TRY(tt_maker_show(k, n, d, &s));
    printf("\ndraw %lld: %s (%s), %s line %lld, round %lld of its rows\n", (long long)n, info->name, info->category,
           info->path, (long long)tt_set_line(set, d.row), (long long)d.epoch);
    print_choices(&s);
    print_text("|", s.text.source);
    print_text(">", s.text.target);
    print_ids(u, "source", s.src, s.size.S, false);
    print_ids(u, "target", s.tgt, s.size.T, true);
    return TT_OK;
}

tt_err audit_show(const audit *u, int64_t first, int64_t n)
{
    tt_maker k;
    tt_maker_init(&k, u->job, u->train, u->tok);
    tt_err e = TT_OK;
    for (int64_t i = first; i < first + n && e == TT_OK; i++) e = show_one(u, &k, i);
    tt_maker_fini(&k);
    return e;
}
