#!/usr/bin/env bash
# How quick tutti prepare is: against SentencePiece's own encoder on the same text, on two ranks against one, and its memory as the data grow.
# usage: tests/bench/prepare.sh [BUILDDIR] [million rows ...]      default: build 1; figures of the README: build 1 2 4
set -euo pipefail
cd "$(dirname "$0")/../.."
tutti=${1:-build}/tutti model=data/models/nano-t5 times=2
shift $(($# > 0))
[ $# -gt 0 ] || set -- 1
work=$(mktemp -d "${TMPDIR:-/tmp}/tutti-bench.XXXXXX") && trap 'rm -rf "$work"' EXIT
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

now() { date +%s.%N; }
div() { awk -v a="$1" -v b="$2" -v f="${3:-%.2f}" 'BEGIN {printf f, a / b}'; }
# seconds COMMAND ...: the wall clock of one run, its output in $work/log.
seconds() {
    local start
    start=$(now)
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    awk -v a="$start" -v b="$(now)" 'BEGIN {print b - a}'
}
least() { sort -g | head -1; }
prepare() { # RANKS
    rm -rf "$work/store"
    seconds mpirun -n "$1" "$tutti" prepare "$work/job.yaml"
}
encode() { seconds spm_encode --model "$model/spiece.model" --output_format=id --output "$work/ids" "$work/text"; }

printf '%12s %10s %10s %12s %12s\n' rows MB seconds rows/s 'memory MB'
for millions; do
    rows=$(div "$((millions * 1000000))" 473 %.0f)
    rm -rf "$work/data"
    "$tutti" synth out="$work/data" rows="$rows" 2>/dev/null
    cat >"$work/job.yaml" <<YAML
model: {path: $model}
data: {root: $work/data, store: $work/store, train: {list: train.yaml}}
YAML
    s=$(prepare 1)
    printf '%12d %10.0f %10.1f %12.0f %12s\n' $((rows * 473)) "$(du -bc "$work"/data/*.train.jsonl | tail -1 | awk '{print $1 / 1e6}')" \
        "$s" "$(div $((rows * 473)) "$s")" "$(sed -n 's/^memory *\([0-9]*\) MB.*/\1/p' "$work/log")"
done

echo
if ! command -v spm_encode >/dev/null; then
    echo "spm_encode is not here; the package sentencepiece brings it"
    exit 0
fi
# The values of the rows: what prepare tokenizes.
cat "$work"/data/*.train.jsonl | perl -ne 'print "$1\n" while /: "((?:[^"\\]|\\.)*)"/g' >"$work/text"
one=$(for _ in $(seq $times); do prepare 1; done | least)
spm=$(encode)
two=$(for _ in $(seq $times); do prepare 2; done | least)
bytes=$(stat -c %s "$work/text")
printf '%-38s %8s %10s\n' 'the same text, least of some runs' seconds MB/s
printf '%-38s %8.2f %10.1f\n' 'spm_encode, one process' "$spm" "$(div "$bytes" "$spm" %.0f | awk '{print $1 / 1e6}')"
printf '%-38s %8.2f %10.1f\n' 'tutti prepare, 1 rank, files and all' "$one" "$(div "$bytes" "$one" %.0f | awk '{print $1 / 1e6}')"
printf '%-38s %8.2f %10.1f\n' 'tutti prepare, 2 ranks' "$two" "$(div "$bytes" "$two" %.0f | awk '{print $1 / 1e6}')"
echo "1 rank to spm_encode: $(div "$spm" "$one") (target 0.9); 2 ranks to 1: $(div "$one" "$two") (target 1.8)"
