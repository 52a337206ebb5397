#!/usr/bin/env bash
# Runs the tests named (or all) under prove. A test's first line says on how many ranks: // TEST np=1,2,4 (C) or # TEST np=1 (sh).
# usage: tests/run.sh [-b BUILDDIR] [-u] [test ...]      -u: unit tests (C) only
set -u
cd "$(dirname "$0")/.." || exit 2
build=build only=all
while getopts b:u o; do
    case $o in b) build=$OPTARG ;; u) only=unit ;; *) exit 2 ;; esac
done
shift $((OPTIND - 1))
export TUTTI_BUILD=$PWD/$build TUTTI_SHARED=${TUTTI_SHARED:-$PWD/../shared}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_fcoll=dynamic_gen2
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# Suppressions for leaks inside Open MPI; ours stay visible.
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0 ASAN_OPTIONS=detect_leaks=${TUTTI_LEAKS:-0}

list=$(mktemp) && trap 'rm -rf "$list"' EXIT
if [ $# -gt 0 ]; then printf '%s\n' "$@" >"$list"; else
    ls tests/*/t_*.c >"$list"
    [ $only = unit ] || ls tests/*/t_*.sh >>"$list" 2>/dev/null
fi
cases=()
while read -r t; do
    np=$(head -1 "$t" | sed -n 's/.*TEST np=\([0-9,]*\).*/\1/p')
    for n in $(echo "${np:-1}" | tr , ' '); do cases+=("$t:$n"); done
done <"$list"
exec prove --merge -j "${TUTTI_JOBS:-2}" --exec "$PWD/tests/one.sh" "${cases[@]}"
