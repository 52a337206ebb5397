// TEST np=1
// The cache of words keeps what it is given until it is full; the lattice's slack is that of all segmentations, one by one.
#include "../../src/data/lattice.h"
#include "../../src/data/words.h"
#include "model.h"

/* ---- the cache ------------------------------------------------------------------------------------------------------*/

/* Word i and its ids, which are a function of i. */
static size_t word_of(uint64_t i, char *text, int32_t *ids, tt_word *w)
{
    size_t size = (size_t)sprintf(text, "w%llu", (unsigned long long)i);
    size_t more = i % 7 ? i % 11 : TT_WORD_BYTES - size;
    memset(text + size, 'x', more);
    *w = (tt_word){ids, (int)(i % 13), (float)i, (float)(i % 5)};
    for (int k = 0; k < w->n; k++) ids[k] = (int32_t)(i + (uint64_t)k);
    return size + more;
}

static bool holds(const tt_words *c, uint64_t i, bool *right)
{
    char text[TT_WORD_BYTES + 32];
    int32_t ids[16];
    tt_word want, got;
    size_t size = word_of(i, text, ids, &want);
    if (!tt_words_get(c, text, size, &got)) return false;
    *right &= got.n == want.n && got.cost == want.cost && got.slack == want.slack &&
              !memcmp(got.ids, ids, sizeof *ids * (size_t)want.n);
    return true;
}

static void fill(void)
{
    enum { WORDS = 1500000 };
    tt_words *c = tt_words_new();
    int64_t started = 0, lost = 0;
    bool right = true;
    for (uint64_t i = 0; i < WORDS; i++) {
        char text[TT_WORD_BYTES + 32];
        int32_t ids[16];
        tt_word w;
        size_t size = word_of(i, text, ids, &w);
        tt_words_put(c, text, size, &w);
        lost += !holds(c, i, &right);
        if (i && !holds(c, i - 1, &right)) started++;
    }
    ok(!lost && right, "a word is there as soon as it was put, with its ids");
    ok(started >= 1 && started <= 8, "a full cache starts anew (%lld times for %d words)", (long long)started, WORDS);
    int64_t there = 0;
    for (uint64_t i = 0; i < WORDS; i++) there += holds(c, i, &right);
    ok(right && there > 0 && there < WORDS, "%lld words are left, none with another's ids", (long long)there);
    ok(!holds(c, WORDS + 1, &right), "a word that was not put is not found");
    tt_words_free(c);
}

/* ---- the lattice ----------------------------------------------------------------------------------------------------*/

#define MARK "\xe2\x96\x81"

static const char *const piece[] = {MARK, MARK "a", "a", "b", "ab", "ba", "aa", MARK "ab", "bb", "aba"};
static const float score[] = {-2, -2.5f, -3, -3.25f, -4, -4.5f, -5.75f, -3, -6, -6.5f};
enum { NPIECE = sizeof piece / sizeof *piece, FIRST = 3 };

typedef struct search { /* of all segmentations */
    double best, second;
    int n, ids[32], best_n;
    int32_t best_ids[32];
} search;

static void walk(search *s, const char *text, double sum)
{
    if (!*text) {
        if (sum > s->best) {
            s->second = s->best;
            s->best = sum;
            s->best_n = s->n;
            for (int i = 0; i < s->n; i++) s->best_ids[i] = s->ids[i];
        } else if (sum > s->second)
            s->second = sum;
        return;
    }
    for (int p = 0; p < NPIECE; p++) {
        size_t n = strlen(piece[p]);
        if (strncmp(text, piece[p], n) != 0) continue;
        s->ids[s->n++] = FIRST + p;
        walk(s, text + n, sum + (double)score[p]);
        s->n--;
    }
}

static void against_search(const tt_lattice *l)
{
    int words = 0, bad = 0, ties = 0;
    for (int size = 1; size <= 9; size++)
        for (unsigned bits = 0; bits < 1u << size; bits++) {
            char text[16] = MARK;
            for (int i = 0; i < size; i++) text[3 + i] = bits >> i & 1 ? 'b' : 'a';
            text[3 + size] = 0;
            search s = {.best = -INFINITY, .second = -INFINITY};
            walk(&s, text, 0);
            float cost, slack = tt_lattice_slack(l, text, strlen(text), s.best_ids, s.best_n, &cost);
            bool tie = s.best == s.second;
            ties += tie;
            bad +=
                tie ? slack != 0 : fabs(slack - (s.best - s.second) / (size + 1)) > 1e-6 || fabs(cost + s.best) > 1e-5;
            words++;
        }
    ok(!bad && ties, "%d words, %d of them with ties: slack and cost as by trying all (%d wrong)", words, ties, bad);
}

static void slack_of_words(place *p)
{
    char *path = tt_sprintf(p->a, "%s/ab.model", p->dir), *bytes;
    size_t size;
    model_write(path, NPIECE, piece, score);
    if (tt_slurp(path, &bytes, &size)) abort();
    tt_spm *s = tt_spm_new(bytes, size);
    tt_spm_file f;
    ok(tt_spm_file_read(bytes, size, &f) && f.kind == TT_SPM_UNIGRAM && f.known_rule && f.npiece == FIRST + NPIECE &&
           f.type[0] == 3 && f.type[FIRST] == TT_PIECE_NORMAL,
       "what the file says");
    ok(!tt_spm_file_read(bytes, size - 1, &(tt_spm_file){0}), "a file cut short is refused");
    tt_lattice *l = tt_lattice_new(s, &f);
    against_search(l);
    float cost, slack = tt_lattice_slack(l, MARK "~~", 5, (int32_t[]){3, 2}, 2, &cost);
    ok(slack == INFINITY && fabsf(cost - 35.f) < 1e-4f, "unknown characters: one id, each at 10 below the least score");
    ok(tt_lattice_slack(l, MARK "b", 4, (int32_t[]){3, 5}, 2, &cost) == 0, "ids that are not the best: no slack");
    tt_lattice_free(l);
    tt_spm_file_fini(&f);
    tt_spm_free(s);
    free(bytes);
}

int main(int argc, char **argv)
{
    tt_mesh m;
    if (tt_mesh_init(&m, &argc, &argv)) return 1;
    place p = place_new(&m);
    fill();
    slack_of_words(&p);
    place_free(&p);
    int rc = tap_done();
    tt_mesh_fini(&m);
    return rc;
}
