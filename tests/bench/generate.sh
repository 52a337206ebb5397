#!/usr/bin/env bash
# Greedy generation against eager PyTorch, one core each.
# usage: tests/bench/generate.sh [BUILDDIR] [key=value ...]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build} python=${PYTHON:-/usr/bin/python3}
shift $(($# > 0))
if "$python" -c 'import torch' 2>/dev/null; then
    set -- peer=tests/bench/generate_torch.py "$@"
else
    echo "no torch for $python: tutti alone; apt-get install --no-install-recommends python3-torch brings it"
fi
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$build/tutti" bench generate "$@"
