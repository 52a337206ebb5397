/* A growing stack of blocks. Blocks are never returned before tt_arena_free, so a step that fits once fits for ever. */
#include "tutti/base.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64, MAX_BLOCKS = 256, LARGE_PAGE = 1 << 21 };

struct tt_arena {
    int n, at; /* blocks held; the one in use */
    bool phantom;
    struct {
        char *mem;
        size_t size, used, most; /* most: of used, ever */
    } block[MAX_BLOCKS];
};

static size_t round_up(size_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

static bool in_large_pages(size_t size) { return size >= 2 * LARGE_PAGE; }

/* Pages of 4 KB cost a fault each and more of the translation's cache than there is. C11 wants whole multiples of the alignment. */
static char *block_new(size_t size)
{
    size_t align = in_large_pages(size) ? LARGE_PAGE : ALIGN, whole = (size + align - 1) / align * align;
    char *mem = aligned_alloc(align, whole);
    if (!mem) TT_BUG("out of memory: %zu bytes were refused; use fewer tokens per grain or more nodes", size);
#ifdef MADV_HUGEPAGE
    if (align == LARGE_PAGE) madvise(mem, whole, MADV_HUGEPAGE); /* a wish: failing does no harm */
#endif
    return mem;
}

void *tt_malloc_large(size_t bytes) { return block_new(round_up(bytes ? bytes : 1)); }

static char *phantom_new(size_t size)
{
    char *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mem == MAP_FAILED) TT_BUG("%zu bytes of address space were refused; raise ulimit -v", size);
    return mem;
}

static void add_block(tt_arena *a, size_t size)
{
    a->at = a->n++;
    a->block[a->at].mem = a->phantom ? phantom_new(size) : block_new(size);
    a->block[a->at].size = size;
}

static tt_arena *arena_new(size_t first_bytes, bool phantom)
{
    tt_arena *a = tt_malloc(sizeof *a);
    memset(a, 0, sizeof *a);
    a->phantom = phantom;
    add_block(a, round_up(first_bytes < 4096 ? 4096 : first_bytes));
    return a;
}

tt_arena *tt_arena_new(size_t first_bytes) { return arena_new(first_bytes, false); }
tt_arena *tt_arena_new_phantom(size_t first_bytes) { return arena_new(first_bytes, true); }

void tt_arena_free(tt_arena *a)
{
    if (!a) return;
    for (int i = 0; i < a->n; i++)
        if (a->phantom)
            munmap(a->block[i].mem, a->block[i].size);
        else
            free(a->block[i].mem);
    free(a);
}

/* Moves to the next block with room, making one at least twice as large as the last. */
static void next_block(tt_arena *a, size_t bytes)
{
    while (a->at + 1 < a->n) {
        a->at++;
        a->block[a->at].used = 0;
        if (a->block[a->at].size >= bytes) return;
    }
    if (a->n == MAX_BLOCKS) TT_BUG("arena: more than %d blocks", MAX_BLOCKS);
    size_t size = 2 * a->block[a->n - 1].size;
    if (size > (size_t)1 << 30) size = (size_t)1 << 30;
    if (size < bytes) size = bytes;
    add_block(a, size);
}

void *tt_alloc(tt_arena *a, size_t bytes)
{
    bytes = round_up(bytes ? bytes : 1);
    if (a->block[a->at].used + bytes > a->block[a->at].size) next_block(a, bytes);
    void *p = a->block[a->at].mem + a->block[a->at].used;
    a->block[a->at].used += bytes;
    if (a->block[a->at].used > a->block[a->at].most) a->block[a->at].most = a->block[a->at].used;
    return p;
}

void *tt_zalloc(tt_arena *a, size_t bytes) { return memset(tt_alloc(a, bytes), 0, bytes ? bytes : 1); }

char *tt_strdup(tt_arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(tt_alloc(a, n), s, n);
}

char *tt_sprintf(tt_arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = tt_alloc(a, (size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

tt_mark tt_arena_mark(const tt_arena *a) { return (tt_mark){a->at, a->block[a->at].used}; }

void tt_arena_rewind(tt_arena *a, tt_mark m)
{
    assert(m.block <= a->at);
    a->at = m.block;
    a->block[a->at].used = m.used;
}

void tt_arena_reset(tt_arena *a) { tt_arena_rewind(a, (tt_mark){0, 0}); }

size_t tt_arena_peak(const tt_arena *a)
{
    size_t sum = 0;
    for (int i = 0; i < a->n; i++) sum += a->block[i].size;
    return sum;
}

size_t tt_arena_touched(const tt_arena *a)
{
    size_t sum = 0;
    for (int i = 0; i < a->n; i++) {
        size_t page = in_large_pages(a->block[i].size) ? LARGE_PAGE : 4096;
        sum += (a->block[i].most + page - 1) / page * page;
    }
    return sum;
}

void *tt_malloc(size_t bytes) { return tt_realloc(NULL, bytes); }

void *tt_realloc(void *p, size_t bytes)
{
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q) TT_BUG("out of memory: %zu bytes were refused", bytes);
    return q;
}
