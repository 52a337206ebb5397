#!/usr/bin/env bash
# Every part of tutti bench and the targets; beside eager PyTorch where ../shared or TUTTI_PEER has it.
# usage: tests/bench/all.sh [BUILDDIR] [key=value ...]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build} peer=${TUTTI_PEER:-${TUTTI_SHARED:-../shared}/peers/torch_t5.py}
shift $(($# > 0))
# Open MPI refuses to run as root unless told twice, and more ranks than cores.
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
[ "$(nproc)" -ge 2 ] || set -- mpirun='mpirun --oversubscribe' "$@"
[ ! -f "$peer" ] || set -- peer="$peer" "$@"
"$build/tutti" bench all json="$build/bench.json" "$@"
