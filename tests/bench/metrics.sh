#!/usr/bin/env bash
# Metrics against the programs whose numbers they give, on pairs of real summaries of one text where DialogSum is there, else made-up text.
# usage: tests/bench/metrics.sh [BUILDDIR] [key=value ...]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
shift $(($# > 0))
summaries=${TUTTI_SHARED:-../shared}/datasets/dialogsum/dialogsum.test_public.jsonl.gz
if [ -f "$summaries" ]; then
    pairs=$(mktemp "${TMPDIR:-/tmp}/tutti-bench.XXXXXX") && trap 'rm -f "$pairs"' EXIT
    # Three people's summaries of each of 250 texts: 1000 pairs.
    gzip -dc "$summaries" | perl -ne '
        my %s = /"summary([123])": ("(?:[^"\\]|\\.)*")/g;
        print qq({"prediction": $s{$_->[0]}, "reference": $s{$_->[1]}}\n) for [1, 2], [1, 3], [2, 3], [3, 1];' >"$pairs"
    set -- in="$pairs" "$@"
fi
"$build/tutti" bench metrics peer=tests/bench/metrics_peer.py "$@"
