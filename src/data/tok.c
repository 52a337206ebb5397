/* Tokenizers of SentencePiece folders with the special tokens of Hugging Face's slow ("legacy") tokenizers: their strings are cut
 * out of the text first, longest match at the leftmost place, and each remaining piece is encoded on its own.
 *
 * Two families, told apart by the model file: T5 has no <s>, appends </s>, and owns sentinels above the pieces; Llama has <s>, which
 * is put in front, and appends nothing. tokenizer_config.json (add_bos_token, add_eos_token, extra_ids) overrides this. */
#include "tok.h"
#include "utf8.h"

#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

enum { MAX_EXTRA = 100000, DEFAULT_EXTRA = 100, PATH_SIZE = 4096 };

/* ---- ids -------------------------------------------------------------------------------------------------------*/

void tt_ids_reserve(tt_ids *v, int more)
{
    if (v->n + more <= v->cap) return;
    v->cap = v->n + more > 2 * v->cap ? v->n + more + 16 : 2 * v->cap;
    v->id = tt_realloc(v->id, sizeof *v->id * (size_t)v->cap);
}

void tt_ids_push(tt_ids *v, int32_t id)
{
    tt_ids_reserve(v, 1);
    v->id[v->n++] = id;
}

void tt_ids_fini(tt_ids *v)
{
    free(v->id);
    *v = (tt_ids){0};
}

/* ---- opening ------------------------------------------------------------------------------------------------------*/

/* The only *.model file of the folder. */
static tt_err find_model(const char *dir, char path[PATH_SIZE])
{
    DIR *d = opendir(dir);
    if (!d) return tt_fail(TT_EDATA, "%s: no such tokenizer folder; set tokenizer.path", dir);
    int found = 0;
    for (struct dirent *e; (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (n > 6 && !strcmp(e->d_name + n - 6, ".model") && !found++)
            snprintf(path, PATH_SIZE, "%s/%s", dir, e->d_name);
    }
    closedir(d);
    if (found == 1) return TT_OK;
    if (found)
        return tt_fail(TT_EDATA, "%s: holds %d SentencePiece models; give the path of the one that is meant", dir,
                       found);
    return tt_fail(TT_EDATA, "%s: has no SentencePiece model (spiece.model, tokenizer.model); copy it there", dir);
}

/* dir may be the model file itself. */
static tt_err model_path(const char *dir, char path[PATH_SIZE])
{
    static const char *const usual[] = {"spiece.model", "tokenizer.model"};
    struct stat st;
    if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode)) {
        snprintf(path, PATH_SIZE, "%s", dir);
        return TT_OK;
    }
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        snprintf(path, PATH_SIZE, "%s/%s", dir, usual[i]);
        if (tt_exists(path)) return TT_OK;
    }
    return find_model(dir, path);
}

static void hash_hex(const char *bytes, size_t size, char hex[33])
{
    XXH128_hash_t h = XXH3_128bits(bytes, size);
    snprintf(hex, 33, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
}

static tt_err load_model(tt_tok *t, const char *path)
{
    char *bytes;
    size_t size;
    TT_TRY(tt_slurp(path, &bytes, &size));
    t->spm = tt_spm_new(bytes, size);
    hash_hex(bytes, size, t->hash);
    bool good = t->spm && tt_spm_file_read(bytes, size, &t->file) && t->file.npiece == tt_spm_size(t->spm);
    free(bytes);
    if (!good)
        return tt_fail(TT_EDATA, "%s: is not a SentencePiece model; copy it again from the model's folder", path);
    t->npiece = tt_spm_size(t->spm);
    if (tt_spm_unk(t->spm) < 0) return tt_fail(TT_EDATA, "%s: the model has no unknown piece; use another", path);
    return TT_OK;
}

static tt_err read_flag(const json_t *conf, const char *path, const char *key, bool *flag)
{
    const json_t *v = json_object_get(conf, key);
    if (!v || json_is_null(v)) return TT_OK;
    if (!json_is_boolean(v)) return tt_fail(TT_EDATA, "%s: %s must be true or false", path, key);
    *flag = json_is_true(v);
    return TT_OK;
}

static tt_err read_extra(const json_t *conf, const char *path, int *extra)
{
    const json_t *v = json_object_get(conf, "extra_ids");
    if (!v || json_is_null(v)) return TT_OK;
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < 0 || n > MAX_EXTRA)
        return tt_fail(TT_EDATA, "%s: extra_ids must be an integer from 0 to %d", path, MAX_EXTRA);
    *extra = (int)n;
    return TT_OK;
}

static tt_err parse_config(tt_tok *t, const char *path, const char *text, size_t size)
{
    json_error_t err;
    json_t *conf = json_loadb(text, size, 0, &err);
    if (!json_is_object(conf)) {
        json_decref(conf);
        return tt_fail(TT_EDATA, "%s:%d: is not a JSON object: %s", path, conf ? 1 : err.line,
                       conf ? "a list" : err.text);
    }
    tt_err e = read_flag(conf, path, "add_bos_token", &t->add_bos);
    if (e == TT_OK) e = read_flag(conf, path, "add_eos_token", &t->add_eos);
    if (e == TT_OK) e = read_extra(conf, path, &t->extra);
    json_decref(conf);
    return e;
}

/* The family's habits, then what tokenizer_config.json beside the model says. */
static tt_err load_config(tt_tok *t, const char *model)
{
    bool llama = tt_spm_bos(t->spm) >= 0;
    t->add_bos = llama;
    t->add_eos = !llama;
    t->extra = llama || tt_spm_id(t->spm, "<extra_id_0>") >= 0 ? 0 : DEFAULT_EXTRA;
    char path[PATH_SIZE + 32], *text;
    const char *slash = strrchr(model, '/');
    snprintf(path, sizeof path, "%.*stokenizer_config.json", slash ? (int)(slash - model + 1) : 0, model);
    size_t size;
    if (!tt_exists(path)) return TT_OK;
    TT_TRY(tt_slurp(path, &text, &size));
    tt_err e = parse_config(t, path, text, size);
    free(text);
    if (tt_spm_id(t->spm, "<extra_id_0>") >= 0) t->extra = 0; /* the sentinels are pieces already */
    t->add_bos = t->add_bos && tt_spm_bos(t->spm) >= 0;
    t->add_eos = t->add_eos && tt_spm_eos(t->spm) >= 0;
    return e;
}

static void add_special(tt_tok *t, const char *text, int id)
{
    if (id < 0 || !*text) return;
    t->special = tt_realloc(t->special, sizeof *t->special * (size_t)(t->nspecial + 1));
    t->special[t->nspecial++] = (tt_special){strdup(text), strlen(text), id};
    t->byte[(unsigned char)*text] |= TT_BYTE_SPECIAL;
}

static void add_specials(tt_tok *t)
{
    const int id[] = {tt_spm_pad(t->spm), tt_spm_eos(t->spm), tt_spm_unk(t->spm), tt_spm_bos(t->spm)};
    for (size_t i = 0; i < sizeof id / sizeof *id; i++)
        if (id[i] >= 0) add_special(t, tt_spm_piece(t->spm, id[i]), id[i]);
    char text[32];
    for (int k = 0; tt_tok_sentinel(t, k) >= 0; k++) {
        snprintf(text, sizeof text, "<extra_id_%d>", k);
        add_special(t, text, tt_tok_sentinel(t, k));
    }
}

tt_err tt_tok_open(const char *dir, tt_tok **out)
{
    char path[PATH_SIZE];
    TT_TRY(model_path(dir, path));
    tt_tok *t = tt_malloc(sizeof *t);
    memset(t, 0, sizeof *t);
    tt_err e = load_model(t, path);
    if (e == TT_OK) e = load_config(t, path);
    if (e != TT_OK) {
        tt_tok_close(t);
        return e;
    }
    add_specials(t);
    tt_tok_compose(t);
    *out = t;
    return TT_OK;
}

void tt_tok_close(tt_tok *t)
{
    if (!t) return;
    tt_spm_free(t->spm);
    tt_spm_file_fini(&t->file);
    tt_lattice_free(t->lattice);
    tt_words_free(t->words);
    free(t->cost);
    for (int i = 0; i < t->nspecial; i++) free(t->special[i].text);
    free(t->special);
    free(t);
}

int tt_tok_size(const tt_tok *t) { return t->npiece + t->extra; }
int tt_tok_pad(const tt_tok *t) { return tt_spm_pad(t->spm); }
int tt_tok_eos(const tt_tok *t) { return tt_spm_eos(t->spm); }
int tt_tok_unk(const tt_tok *t) { return tt_spm_unk(t->spm); }

int tt_tok_sentinel(const tt_tok *t, int k)
{
    if (t->extra) return k < t->extra ? t->npiece + t->extra - 1 - k : -1;
    char text[32];
    snprintf(text, sizeof text, "<extra_id_%d>", k);
    return tt_spm_id(t->spm, text);
}

void tt_tok_hash(const tt_tok *t, char hex[33]) { memcpy(hex, t->hash, 33); }

/* ---- decoding -------------------------------------------------------------------------------------------------------*/

static const tt_special *special_of(const tt_tok *t, int32_t id)
{
    for (const tt_special *s = t->special; s < t->special + t->nspecial; s++)
        if (s->id == id) return s;
    return NULL;
}

/* The word mark U+2581 becomes a blank. */
static void put_piece(FILE *f, const char *p)
{
    static const char mark[] = "\xe2\x96\x81";
    for (const char *hit; (hit = strstr(p, mark)); p = hit + 3) fprintf(f, "%.*s ", (int)(hit - p), p);
    fputs(p, f);
}

/* A run of byte pieces: text where the run is UTF-8, else one U+FFFD a byte. A zero byte would end a C string: U+FFFD too. */
static int put_bytes(const tt_tok *t, FILE *f, const int32_t *ids, int n)
{
    int len = 0;
    while (len < n && ids[len] >= 0 && ids[len] < t->npiece && tt_spm_byte(t->spm, ids[len]) >= 0) len++;
    if (!len) return 0;
    char *raw = tt_malloc((size_t)len);
    for (int i = 0; i < len; i++) raw[i] = (char)tt_spm_byte(t->spm, ids[i]);
    bool good = tt_utf8_valid(raw, (size_t)len);
    for (int i = 0; i < len; i++) {
        if (good && raw[i])
            fputc(raw[i], f);
        else
            fputs("\xef\xbf\xbd", f);
    }
    free(raw);
    return len;
}

char *tt_tok_decode(const tt_tok *t, const int32_t *ids, int n, bool skip_special)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f) TT_BUG("out of memory");
    for (int i = 0; i < n;) {
        int bytes = put_bytes(t, f, ids + i, n - i);
        i += bytes;
        if (bytes) continue;
        const tt_special *s = special_of(t, ids[i]);
        if (s && !skip_special) fputs(s->text, f);
        if (!s && ids[i] >= 0 && ids[i] < t->npiece) put_piece(f, tt_spm_piece(t->spm, ids[i]));
        i++;
    }
    fclose(f);
    if (text[0] == ' ') memmove(text, text + 1, size); /* the dummy prefix; size counts the 0 of the shorter text */
    return text;
}
