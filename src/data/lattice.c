/* The unigram model's lattice over one word, after unigram_model.cc (EncodeOptimized) of SentencePiece, with the second best sum kept
 * beside the best. Sums are double: exact for our purpose. */
#include "lattice.h"
#include "words.h"
#include "utf8.h"
#include "tutti/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 1 << 24 }; /* a key holds a node and a byte */

#define UNK_PENALTY 10.f /* kUnkPenalty of SentencePiece */

typedef struct edge { /* of the trie of pieces: key = parent * 256 + byte */
    uint32_t key, child;
} edge;

struct tt_lattice {
    edge *edge; /* open addressing; child 0: empty, for the root is no child */
    uint32_t nedge, nnode, cap;
    int32_t *piece; /* [cap] the id that ends at a node, or -1 */
    float *score;   /* [npiece] */
    float unk_score;
    int32_t unk;
    bool *user; /* [npiece] */
};

typedef struct node { /* of the lattice: a place between bytes */
    double best, second;
    int32_t id; /* of the last piece on the best path, which starts at from */
    int from;
} node;

/* ---- the trie -------------------------------------------------------------------------------------------------------*/

static uint32_t find_edge(const tt_lattice *l, uint32_t key)
{
    uint32_t mask = l->nedge - 1, i = (key * 2654435769u) >> 7 & mask;
    while (l->edge[i].child && l->edge[i].key != key) i = (i + 1) & mask;
    return i;
}

static void add_piece(tt_lattice *l, const char *text, int32_t id)
{
    uint32_t at = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        uint32_t key = at << 8 | *p, i = find_edge(l, key);
        if (!l->edge[i].child) {
            l->edge[i] = (edge){key, l->nnode};
            l->piece[l->nnode++] = -1;
        }
        at = l->edge[i].child;
    }
    if (at) l->piece[at] = id;
}

static bool in_trie(const tt_spm_file *f, int id)
{
    return f->type[id] == TT_PIECE_NORMAL || f->type[id] == TT_PIECE_USER;
}

static bool make_trie(tt_lattice *l, const tt_spm *s, const tt_spm_file *f)
{
    size_t nodes = 1;
    for (int id = 0; id < f->npiece; id++)
        if (in_trie(f, id)) nodes += strlen(tt_spm_piece(s, id));
    if (nodes >= MAX_NODES) return false;
    for (l->nedge = 16; l->nedge < 2 * nodes;) l->nedge *= 2;
    l->edge = tt_malloc(sizeof *l->edge * l->nedge);
    memset(l->edge, 0, sizeof *l->edge * l->nedge);
    l->piece = tt_malloc(sizeof *l->piece * nodes);
    l->piece[l->nnode++] = -1;
    for (int id = 0; id < f->npiece; id++)
        if (in_trie(f, id)) add_piece(l, tt_spm_piece(s, id), id);
    return true;
}

tt_lattice *tt_lattice_new(const tt_spm *s, const tt_spm_file *f)
{
    tt_lattice *l = tt_malloc(sizeof *l);
    *l = (tt_lattice){.unk = tt_spm_unk(s)};
    l->score = tt_malloc(sizeof *l->score * (size_t)f->npiece);
    l->user = tt_malloc(sizeof *l->user * (size_t)f->npiece);
    float least = INFINITY, most = -INFINITY;
    for (int id = 0; id < f->npiece; id++) {
        l->score[id] = tt_spm_score(s, id);
        l->user[id] = f->type[id] == TT_PIECE_USER;
        if (f->type[id] != TT_PIECE_NORMAL) continue;
        least = fminf(least, l->score[id]);
        most = fmaxf(most, l->score[id]);
    }
    l->unk_score = least - UNK_PENALTY;
    if (most <= 0 && isfinite(least) && make_trie(l, s, f)) return l;
    tt_lattice_free(l);
    return NULL;
}

void tt_lattice_free(tt_lattice *l)
{
    if (!l) return;
    free(l->edge);
    free(l->piece);
    free(l->score);
    free(l->user);
    free(l);
}

float tt_lattice_unk_cost(const tt_lattice *l) { return -l->unk_score; }

/* ---- paths ----------------------------------------------------------------------------------------------------------*/

/* The two best sums of `to`, with those that come over one more piece. */
static void relax(node *v, int from, int to, double score, int32_t id)
{
    double a = v[from].best + score, b = v[from].second + score;
    if (a > v[to].best) {
        v[to].second = fmax(v[to].best, b);
        v[to].best = a;
        v[to].id = id;
        v[to].from = from;
    } else
        v[to].second = fmax(v[to].second, a);
}

/* All pieces that start at `from`; false at a user-defined one. */
static bool expand(const tt_lattice *l, node *v, const char *text, int from, int size)
{
    int one = (int)tt_utf8_char(text + from, (size_t)(size - from));
    if (!one) return false;
    bool single = false;
    uint32_t at = 0;
    for (int i = from; i < size; i++) {
        at = l->edge[find_edge(l, at << 8 | (unsigned char)text[i])].child;
        if (!at) break;
        int32_t id = l->piece[at];
        if (id < 0) continue;
        if (l->user[id]) return false;
        single |= i + 1 == from + one;
        relax(v, from, i + 1, l->score[id], id);
    }
    if (!single) relax(v, from, from + one, l->unk_score, l->unk);
    return true;
}

/* Is ids the best path? A run of unknown characters is one id. */
static bool is_best(const tt_lattice *l, const node *v, int size, const int32_t *ids, int n)
{
    bool unknown = false;
    for (int at = size; at > 0; at = v[at].from) {
        if (unknown && v[at].id == l->unk) continue;
        if (!n || ids[--n] != v[at].id) return false;
        unknown = v[at].id == l->unk;
    }
    return n == 0;
}

float tt_lattice_slack(const tt_lattice *l, const char *text, size_t size, const int32_t *ids, int n, float *cost)
{
    node v[8 * TT_WORD_BYTES + 1];
    *cost = 0;
    if (!size) return INFINITY;
    if (size >= sizeof v / sizeof *v) return 0;
    v[0] = (node){0, -INFINITY, -1, 0};
    for (size_t i = 1; i <= size; i++) v[i] = (node){-INFINITY, -INFINITY, -1, 0};
    int chars = 0;
    for (int i = 0; i < (int)size; i++) {
        if (v[i].best == -INFINITY) continue;
        if (!expand(l, v, text, i, (int)size)) return 0;
        chars++;
    }
    if (!is_best(l, v, (int)size, ids, n)) return 0;
    *cost = (float)-v[size].best;
    return (float)((v[size].best - v[size].second) / chars);
}
