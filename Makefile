# tutti. `make demo` and `make check` need nothing but git, make, a compiler and a package manager.
# Elsewhere than Debian: make CC=mpicc CXX=mpicxx PKGS="..." (modules or Spack give pkg-config files).
# oneDNN 2 has no pkg-config file: -ldnnl stands in LIBS.
PKGS   ?= ompi-c hdf5-openmpi openblas yaml-0.1 jansson sentencepiece libxxhash zlib libutf8proc
BUILD  ?= fast
PREFIX ?= /usr/local
CC     ?= cc
CXX    ?= c++

# What PKGS and TOOLS are called by apt, by environment modules, by Spack.
DEBS    = libopenmpi-dev openmpi-bin libopenblas-openmp-dev libhdf5-openmpi-dev libyaml-dev libjansson-dev \
          libsentencepiece-dev sentencepiece libxxhash-dev zlib1g-dev libutf8proc-dev libdnnl-dev pkg-config g++ perl
MODULES = gcc openmpi hdf5 (parallel) openblas libyaml jansson sentencepiece xxhash zlib utf8proc onednn pkgconf
SPACK   = openmpi openblas threads=openmp hdf5+mpi libyaml jansson sentencepiece xxhash zlib utf8proc onednn pkgconf
TOOLS   = pkg-config $(CXX) mpirun prove
LINT    = clang-format cppcheck
# It does not see that TT_BUG never returns, nor that a softmax over no keys is meant to give log(0) = -inf.
CPPCHECK_NOT = nullPointerRedundantCheck invalidFunctionArg

OUT       = build$(if $(filter fast,$(BUILD)),,/$(BUILD))
OPT_fast  = -O3 -fno-math-errno -fno-trapping-math
OPT_debug = -O0 -g3
OPT_asan  = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
WARN      = -Wall -Wextra -Wshadow -Wvla -Wno-unused-parameter -Wno-psabi
# Empty where pkg-config or a package is missing: `deps` mends that and the build is started anew.
HAVE     := $(shell pkg-config --exists $(PKGS) 2>/dev/null && echo yes)
PKGINC   := $(if $(HAVE),$(shell pkg-config --cflags $(PKGS)))
PKGLIB   := $(if $(HAVE),$(shell pkg-config --libs $(PKGS)))
FLAGS     = $(OPT_$(BUILD)) -g -pthread -D_GNU_SOURCE -fopenmp $(WARN) -Iinclude -MMD -MP $(PKGINC)
LIBS      = -fopenmp $(PKGLIB) -ldnnl -lm -lpthread $(filter -fsanitize%,$(OPT_$(BUILD)))

SRC    = $(filter-out src/cli/main.c,$(wildcard src/*/*.c)) $(wildcard src/*/*.cc)
OBJ    = $(addprefix $(OUT)/,$(addsuffix .o,$(SRC)))
TESTC  = $(wildcard tests/*/t_*.c)
TESTS  = $(patsubst tests/%.c,$(OUT)/tests/%,$(TESTC))
FORMAT = $(wildcard src/*/*.[ch] src/*/*.cc include/tutti/*.h tests/*.h tests/*/*.[ch])

all: $(OUT)/tutti
tests: $(TESTS)

$(OUT)/tutti: $(OUT)/src/cli/main.c.o $(OUT)/libtutti.a
	$(CXX) -o $@ $^ $(LIBS)
$(OUT)/libtutti.a: $(OBJ)
	rm -f $@; ar rcs $@ $^
$(OUT)/%.c.o: %.c $(if $(HAVE),,missing)
	@mkdir -p $(@D)
	$(CC) -std=c11 $(FLAGS) $(CFLAGS) -c -o $@ $<
$(OUT)/%.cc.o: %.cc $(if $(HAVE),,missing)
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(FLAGS) $(CXXFLAGS) -c -o $@ $<
$(OUT)/src/cli/audit_page.c.o: src/cli/audit_page.html
$(OUT)/tests/%: $(OUT)/tests/%.c.o $(OUT)/libtutti.a
	$(CXX) -o $@ $^ $(LIBS)

missing:
	@echo "tutti: not found by pkg-config: one of $(PKGS). 'make deps' installs them or tells their names."; exit 1

# Quick when all is there. As root with apt: installs. Otherwise: names, and exit 1.
deps:
	@lack=; pkg-config --exists $(PKGS) 2>/dev/null || lack=libraries; \
	for t in $(TOOLS) $(WANT); do command -v $$t >/dev/null 2>&1 || lack="$$lack $$t"; done; \
	[ -z "$$lack" ] && exit 0; echo "missing: $$lack"; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(DEBS) $(WANT); \
	else printf '%s\n' "Install these, then call make again:" "  Debian, Ubuntu: sudo apt-get install $(DEBS)" \
	    "  modules:        $(MODULES)" "  Spack:          spack install $(SPACK)"; exit 1; fi

demo: deps
	@$(MAKE) --no-print-directory all
	@jobs/demo.sh $(OUT)
check: deps
	@$(MAKE) --no-print-directory all tests
	tests/run.sh -b $(OUT) $(if $(filter asan,$(BUILD)),-u)
lint:
	@$(MAKE) --no-print-directory deps WANT="$(LINT)"
	clang-format --dry-run -Werror $(FORMAT)
	cppcheck -q --std=c11 --language=c --enable=warning --inline-suppr --error-exitcode=1 -D_GNU_SOURCE -Iinclude -j2 \
	    -D'json_array_foreach(a,i,v)=for(;;)' $(addprefix --suppress=,$(CPPCHECK_NOT)) $(wildcard src/*/*.c)
	tests/layers.sh
bench: all
	tests/bench/all.sh $(OUT)
	tests/bench/generate.sh $(OUT)
	tests/bench/metrics.sh $(OUT)
	tests/bench/prepare.sh $(OUT) 1 2 4

install: all
	install -D -m 755 $(OUT)/tutti $(DESTDIR)$(PREFIX)/bin/tutti
	install -D -m 644 $(OUT)/libtutti.a $(DESTDIR)$(PREFIX)/lib/libtutti.a
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/tutti include/tutti/*.h
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/tutti $(wildcard jobs/*.yaml slurm/*.sbatch)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/tutti/data $(wildcard data/*.yaml)
clean:
	rm -rf build

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
.PHONY: all tests missing deps demo check lint bench install clean
.SECONDARY:
