# tutti. `make demo` and `make check` need nothing but git, make, a compiler and a package manager.
# Elsewhere than Debian: make CC=mpicc CXX=mpicxx PKGS="..." (modules or Spack give pkg-config files).
PKGS   ?= ompi-c hdf5-openmpi openblas yaml-0.1 jansson sentencepiece libxxhash zlib
BUILD  ?= fast
PREFIX ?= /usr/local
CC     ?= cc
CXX    ?= c++

OUT      = build$(if $(filter fast,$(BUILD)),,/$(BUILD))
OPT_fast  = -O3 -fno-math-errno -fno-trapping-math
OPT_debug = -O0 -g3
OPT_asan  = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
WARN      = -Wall -Wextra -Wshadow -Wvla -Wno-unused-parameter
FLAGS     = $(OPT_$(BUILD)) -g -pthread -D_GNU_SOURCE -fopenmp-simd $(WARN) -Iinclude -MMD -MP $(shell pkg-config --cflags $(PKGS))
LIBS      = $(shell pkg-config --libs $(PKGS)) -lm -lpthread $(filter -fsanitize%,$(OPT_$(BUILD)))

SRC   = $(filter-out src/cli/main.c,$(wildcard src/*/*.c)) $(wildcard src/*/*.cc)
OBJ   = $(addprefix $(OUT)/,$(addsuffix .o,$(SRC)))
TESTC = $(wildcard tests/*/t_*.c)
TESTS = $(patsubst tests/%.c,$(OUT)/tests/%,$(TESTC))

all: $(OUT)/tutti
tests: $(TESTS)

$(OUT)/tutti: $(OUT)/src/cli/main.c.o $(OUT)/libtutti.a
	$(CXX) -o $@ $^ $(LIBS)
$(OUT)/libtutti.a: $(OBJ)
	rm -f $@; ar rcs $@ $^
$(OUT)/%.c.o: %.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(FLAGS) $(CFLAGS) -c -o $@ $<
$(OUT)/%.cc.o: %.cc
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(FLAGS) $(CXXFLAGS) -c -o $@ $<
$(OUT)/tests/%: $(OUT)/tests/%.c.o $(OUT)/libtutti.a
	$(CXX) -o $@ $^ $(LIBS)

clean:
	rm -rf build

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
.PHONY: all tests clean
.SECONDARY:
