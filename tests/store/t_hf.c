// TEST np=1
/* Hugging Face folders: load, save in shards as transformers cuts them, hashes, and what does not belong together. */
#include "tutti/store.h"
#include "../tap.h"

#include <unistd.h>

static char dir[] = "/tmp/tutti-hf-XXXXXX";

static char *path_of(const char *a, const char *b)
{
    static char p[8][4096];
    static int i;
    i = (i + 1) % 8;
    if (snprintf(p[i], sizeof p[i], "%s/%s", a, b) >= (int)sizeof p[i]) abort();
    return p[i];
}

static bool same_bytes(const char *p, const char *q)
{
    FILE *f = fopen(p, "rb"), *g = fopen(q, "rb");
    bool same = f && g;
    for (int c = 0; same && c != EOF;) same = (c = getc(f)) == getc(g);
    if (f) fclose(f);
    if (g) fclose(g);
    return same;
}

static void put(const char *p, const char *text)
{
    FILE *f = fopen(p, "w");
    fputs(text, f);
    fclose(f);
}

/* ---- samples of our own -------------------------------------------------------------------------------------------------*/
static void model(tt_pars *p)
{
    tt_pars_init(p);
    tt_pars_add(p, "shared.weight", 2, (int64_t[]){7, 4}, TT_INIT_NORMAL, 1, false);
    tt_pars_add(p, "encoder.norm.weight", 1, (int64_t[]){4}, TT_INIT_ONE, 0, true);
    tt_pars_add(p, "encoder.wo.weight", 2, (int64_t[]){4, 6}, TT_INIT_NORMAL, 1, false);
    tt_pars_add(p, "decoder.wo.weight", 2, (int64_t[]){4, 6}, TT_INIT_NORMAL, 1, false);
    tt_pars_add(p, "lm_head.weight", 2, (int64_t[]){7, 4}, TT_INIT_NORMAL, 1, false);
    tt_pars_seal(p);
}

static const char *tied(const char *stored, const tt_pars *p)
{
    if (!strcmp(stored, "encoder.embed_tokens.weight")) return "shared.weight";
    return strcmp(stored, "junk") ? stored : NULL;
}

static void test_own_files(const char *own)
{
    tt_stfile *f;
    ok(tt_st_open(path_of(own, "model-00004-of-00005.safetensors"), &f) == TT_OK && tt_st_find(f, "lm_head.weight") &&
           tt_st_count(f) == 1,
       "a tensor larger than a shard comes before the shard that was open");
    tt_st_close(f);
}

static void test_round_trip(tt_pars *p)
{
    tt_pars q;
    char h[33], g[33];
    model(&q);
    tt_weights_hash(p, h);
    /* Bytes 112 16 96 96 112. At most 230: 112+16+96 | 96+112. At most 120: 112 | 16+96 | 96 | 112. At most 100: the large ones
     * have files of their own, while the one being filled stays open: 112 | 16 | 96 | 112 (lm_head) | 96 (decoder). */
    const struct {
        int64_t shard;
        const char *last;
    } cases[] = {{230, "model-00002-of-00002.safetensors"},
                 {120, "model-00004-of-00004.safetensors"},
                 {100, "model-00005-of-00005.safetensors"},
                 {0, "model.safetensors"}};
    const char *d = path_of(dir, "own");
    char own[4096];
    strcpy(own, d);
    for (int i = 0; i < 4; i++) {
        ok(tt_hf_save(own, p, TT_F32, cases[i].shard) == TT_OK, "save, shards of %d: %s", (int)cases[i].shard,
           tt_fail_text());
        ok(tt_exists(path_of(own, cases[i].last)), "%s", cases[i].last);
        ok(tt_exists(path_of(own, "model.safetensors.index.json")) == (i < 3), "index");
        memset(q.w, 0, (size_t)q.size * 4);
        ok(tt_hf_load(own, &q, NULL) == TT_OK, "load: %s", tt_fail_text());
        tt_weights_hash(&q, g);
        ok(!strcmp(g, h), "the same weights: %s", g);
        if (cases[i].shard == 100) test_own_files(own);
    }
    ok(!tt_exists(path_of(own, "model-00005-of-00005.safetensors")), "files of the earlier saves are gone");
    tt_pars_fini(&q);
}

static void test_alias(tt_pars *p)
{
    float junk[28] = {9};
    tt_stout t[7];
    int n = 0;
    for (int i = 0; i < p->n; i++) {
        t[n] = (tt_stout){.name = p->p[i].name, .dtype = TT_F32, .ndim = p->p[i].ndim, .data = p->p[i].w};
        memcpy(t[n++].shape, p->p[i].shape, sizeof p->p[i].shape);
    }
    t[n++] = (tt_stout){"encoder.embed_tokens.weight", TT_F32, 2, {7, 4}, junk};
    t[n++] = (tt_stout){"junk", TT_I64, 1, {2}, junk};
    tt_pars q;
    char h[33], g[33];
    model(&q);
    char own[4096];
    strcpy(own, path_of(dir, "alias"));
    tt_mkdirs(own);
    tt_st_write(path_of(own, "model.safetensors"), n, t, true);
    ok(tt_hf_load(own, &q, tied) == TT_OK, "aliases: %s", tt_fail_text());
    tt_weights_hash(p, h);
    tt_weights_hash(&q, g);
    ok(!strcmp(g, h), "the table's own name wins over an alias");
    t[0] = t[n - 2]; /* only the alias is there */
    tt_st_write(path_of(own, "model.safetensors"), n - 2, t, true);
    ok(tt_hf_load(own, &q, tied) == TT_OK && tt_pars_find(&q, "shared.weight")->w[0] == 9, "an alias fills: %s",
       tt_fail_text());

    ok(tt_hf_load(own, &q, NULL) == TT_EFILE && strstr(tt_fail_text(), "1 of 5 weights are missing: shared.weight"),
       "missing: %s", tt_fail_text());
    tt_fail_clear();
    t[n - 2] = (tt_stout){.name = "shared.weight", .dtype = TT_F32, .ndim = 2, .shape = {7, 4}, .data = junk};
    t[n - 1] = (tt_stout){"x.weight", TT_F32, 1, {1}, junk};
    tt_st_write(path_of(own, "model.safetensors"), n, t, true);
    ok(tt_hf_load(own, &q, NULL) == TT_EFILE &&
           strstr(tt_fail_text(), "does not have: encoder.embed_tokens.weight, x.weight"),
       "unknown: %s", tt_fail_text());
    tt_fail_clear();
    t[1].shape[0] = 3;
    tt_st_write(path_of(own, "model.safetensors"), n, t, true);
    ok(tt_hf_load(own, &q, tied) == TT_EFILE && strstr(tt_fail_text(), "encoder.norm.weight is [3]") &&
           strstr(tt_fail_text(), "asks for [4]"),
       "shape: %s", tt_fail_text());
    tt_fail_clear();
    tt_pars_fini(&q);
}

static void test_bad_index(void)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{\"weight_map\":", "index.json:1:"},
        {"{\"weights\":{}}", "no \"weight_map\""},
        {"{\"weight_map\":{\"a\":1}}", "not a file name"},
        {"{\"weight_map\":{\"a\":\"../alias/model.safetensors\"}}", "outside the folder"},
        {"{\"weight_map\":{\"a\":\"gone.safetensors\"}}", "gone.safetensors: cannot be opened"},
        {"{\"weight_map\":{}}", "5 of 5 weights are missing: shared.weight, encoder.norm.weight"},
    };
    tt_pars q;
    model(&q);
    char own[4096];
    strcpy(own, path_of(dir, "bad"));
    tt_mkdirs(own);
    for (int i = 0; i < 6; i++) {
        put(path_of(own, "model.safetensors.index.json"), cases[i].text);
        ok(tt_hf_load(own, &q, NULL) == TT_EFILE && strstr(tt_fail_text(), cases[i].says), "%s", tt_fail_text());
        tt_fail_clear();
    }
    unlink(path_of(own, "model.safetensors.index.json"));
    ok(tt_hf_load(own, &q, NULL) == TT_EFILE && strstr(tt_fail_text(), "neither"), "%s", tt_fail_text());
    tt_fail_clear();
    put(path_of(own, "pytorch_model.bin"), "");
    ok(tt_hf_load(own, &q, NULL) == TT_EFILE && strstr(tt_fail_text(), "safe_serialization"), "%s", tt_fail_text());
    tt_fail_clear();
    ok(tt_hf_load("/no/such", &q, NULL) == TT_EFILE && strstr(tt_fail_text(), "no such folder"), "%s", tt_fail_text());
    tt_fail_clear();
    tt_pars_fini(&q);
}

/* ---- golden -----------------------------------------------------------------------------------------------------------------*/
/* A table with the tensors of a file, in the order in which torch holds qwen2's modules. */
static void table_of(tt_pars *p, const char *file)
{
    static const char *const order[] = {
        "embed_tokens",   ".0.self_attn.q", ".0.self_attn.k", ".0.self_attn.v", ".0.self_attn.o", ".0.mlp.gate",
        ".0.mlp.up",      ".0.mlp.down",    ".0.input",       ".0.post",        ".1.self_attn.q", ".1.self_attn.k",
        ".1.self_attn.v", ".1.self_attn.o", ".1.mlp.gate",    ".1.mlp.up",      ".1.mlp.down",    ".1.input",
        ".1.post",        "model.norm",     "lm_head"};
    tt_stfile *f;
    tt_pars_init(p);
    if (tt_st_open(file, &f) != TT_OK) return;
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        for (int i = tt_st_count(f) - 1; i >= 0; i--) { /* weight before bias */
            const tt_sten *t = tt_st_at(f, i);
            if (strstr(t->name, order[k])) tt_pars_add(p, t->name, t->ndim, t->shape, TT_INIT_ZERO, 0, false);
        }
    tt_st_close(f);
    tt_pars_seal(p);
}

static void test_golden(void)
{
    const char *shared = shared_dir();
    if (!shared) {
        skip(1, "no shared folder");
        return;
    }
    char qwen[4096], shards[4096], out[4096], h[33], g[33];
    strcpy(qwen, path_of(shared, "golden/hf/qwen2"));
    strcpy(shards, path_of(qwen, "sharded"));
    strcpy(out, path_of(dir, "qwen"));
    tt_pars p, q;
    table_of(&p, path_of(qwen, "model.safetensors"));
    table_of(&q, path_of(qwen, "model.safetensors"));
    ok(p.n == 27 && tt_hf_load(qwen, &p, NULL) == TT_OK, "single: %d, %s", p.n, tt_fail_text());
    ok(tt_hf_load(shards, &q, NULL) == TT_OK, "sharded: %s", tt_fail_text());
    tt_weights_hash(&p, h);
    tt_weights_hash(&q, g);
    ok(!strcmp(h, g), "one file and two shards hold the same weights: %s", h);
    ok(tt_hf_save(out, &q, TT_F32, 60000) == TT_OK, "save: %s", tt_fail_text());
    static const char *const files[] = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                                        "model.safetensors.index.json"};
    for (int i = 0; i < 3; i++) ok(same_bytes(path_of(shards, files[i]), path_of(out, files[i])), "%s", files[i]);
    ok(tt_hf_save(out, &q, TT_F32, 0) == TT_OK &&
           same_bytes(path_of(qwen, "model.safetensors"), path_of(out, "model.safetensors")),
       "model.safetensors");
    ok(tt_hf_save(out, &q, TT_BF16, 0) == TT_OK &&
           same_bytes(path_of(qwen, "bf16/model.safetensors"), path_of(out, "model.safetensors")),
       "bf16/model.safetensors: rounding included");
    FILE *null = fopen(path_of(dir, "toc"), "w+");
    char line[256] = "", want[64];
    ok(tt_hf_inspect(shards, NULL, null) == TT_OK, "inspect: %s", tt_fail_text());
    rewind(null);
    while (fgets(line, sizeof line, null)) continue;
    snprintf(want, sizeof want, "weights %s\n", h);
    ok(!strcmp(line, want), "last line: %s", want);
    fclose(null);
    tt_pars_fini(&p);
    tt_pars_fini(&q);
}

static void test_hash(tt_pars *p)
{
    char h[33], g[33];
    tt_weights_hash(p, h);
    p->p[4].w[27] += 1;
    tt_weights_hash(p, g);
    ok(strcmp(h, g) != 0 && strlen(h) == 32, "one changed value changes the hash");
    p->p[4].w[27] -= 1;
    tt_pars q;
    tt_pars_init(&q); /* the same rows in another order */
    for (int i = p->n - 1; i >= 0; i--)
        tt_pars_add(&q, p->p[i].name, p->p[i].ndim, p->p[i].shape, TT_INIT_ZERO, 0, false);
    tt_pars_seal(&q);
    for (int i = 0; i < p->n; i++) memcpy(tt_pars_find(&q, p->p[i].name)->w, p->p[i].w, (size_t)p->p[i].n * 4);
    tt_weights_hash(p, h);
    tt_weights_hash(&q, g);
    ok(!strcmp(h, g), "the order of the table does not matter");
    tt_pars_fini(&q);
}

int main(void)
{
    if (!mkdtemp(dir)) return 1;
    tt_pars p;
    model(&p);
    tt_pars_draw(&p, 3);
    for (int i = 0; i < 28; i++) p.p[4].w[i] = (float)i;
    test_round_trip(&p);
    test_alias(&p);
    test_bad_index();
    test_hash(&p);
    test_golden();
    tt_pars_fini(&p);
    char cmd[300];
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    ok(system(cmd) == 0, "clean");
    return tap_done();
}
