#!/usr/bin/env bash
# What `make demo` shows once tutti is built: makes 473 little tasks, fine-tunes the bundled nano T5 on them, and asks it
# the same questions before and after. Run it again and it starts afresh and shows the same.
# usage: jobs/demo.sh [BUILDDIR] [key=value ...]      the settings go to tutti train
set -euo pipefail
cd "$(dirname "$0")/.."
tutti=${1:-build}/tutti run=runs/demo
shift $(($# > 0))
start=$SECONDS

ranks=(-n 2)
[ "$(nproc)" -ge 2 ] || ranks+=(--oversubscribe)
# Open MPI refuses to run as root unless told twice; in a container there is often no other user.
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

say() { printf '\n==== %s\n' "$*"; }
ask() { "$tutti" generate model="$1" tokenizer=data/models/nano-t5 max_new_tokens=24 <<<"$questions"; }

questions='What is 12 plus 7?
Give the larger number of 47 and 74.
Sort these numbers from small to large: 71, 8, 56
Which one does not belong to the others? apple, hammer, pear
Write this in the past tense: Mary walks to the market.
Write these words in reverse order: river stone cloud
Write in upper case : r a i n
Name the capital of the country: Tom lives in France.'

say "1 of 4: 473 data sets in 146 categories of tasks"
"$tutti" synth out=data/synth

say "2 of 4: before, and 2 ranks fine-tune nano-t5 on all of them at once"
rm -rf "$run"
mpirun "${ranks[@]}" "$tutti" train jobs/demo.yaml run="$run" "$@"

say "3 of 4: the same questions to both models"
before=$(ask data/models/nano-t5)
after=$(ask "$run")
paste -d '\n' <(sed 's/^/Q       /' <<<"$questions") <(sed 's/^/  before  /' <<<"$before") \
    <(sed 's/^/  after   /' <<<"$after")

say "4 of 4: where everything lies ($((SECONDS - start)) s)"
line() { printf '%-30s %s\n' "$@"; }
line data/synth "the data sets, their templates and lists"
line "$run/job.resolved.yaml" "every key of the job with the value that was used"
line "$run/log.txt" "what you saw"
line "$run/metrics.jsonl" "every number, a line per report"
line "$run/eval-test.tsv" "each task before and after"
line "$run/predictions-*.jsonl" "each answer that was scored"
line "$run/checkpoints" "HDF5: weights, optimizer, place in the data"
line "Ask it yourself:" "$tutti generate model=$run prompt='What is 5 plus 6?'"
line "As a Hugging Face folder:" "$tutti export $run out=runs/demo-t5"
line "Then your own data:" 'README.md, "Your first fine-tune"'
