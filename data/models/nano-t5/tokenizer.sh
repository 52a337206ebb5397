#!/usr/bin/env bash
# Trains spiece.model, the vocabulary of nano-t5: 4,000 unigram pieces with T5's conventions.
# usage: tokenizer.sh DATASETS TUTTI      DATASETS holds corpus/ and superni/; TUTTI is the program, for the made-up tasks
# Needs spm_train (Debian: sentencepiece) and jq. The result depends on the input alone.
set -euo pipefail
datasets=$1 tutti=$2 here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT

for f in "$datasets"/corpus/*/*.txt.gz; do zcat "$f"; done | tr -s ' ' | sed 's/ @\(.\)@ /\1/g; s/<unk>//g' >"$work/corpus.txt"

# Of each task its definition and its first 60 instances; an instance longer than 600 characters is cut.
for f in "$datasets"/superni/tasks/*.jsonl.gz; do
    case $(zcat "$f" | sed -n '1s/.*"split": "\([a-z_]*\)".*/\1/p;1q') in train) zcat "$f" | sed -n 1,61p ;; esac
done | jq -r 'if .type == "task" then .definition else .input[:600], .output[0] end | gsub("\n"; " ")' >"$work/tasks.txt"

"$tutti" synth out="$work/synth" rows=60
cat "$work"/synth/*.train.jsonl | jq -r 'to_entries | map(.value) | join(" ")' >"$work/synth.txt"
sed -n 's/.*source: "\(.*\)", target.*/\1/p' "$work/synth/train.yaml" | sed 's/\\n/ /g; s/\\"/"/g; s/{[a-z]*}//g' >>"$work/synth.txt"

# Digits stay single, so that numbers are read digit by digit.
spm_train --input="$work/corpus.txt,$work/tasks.txt,$work/synth.txt" --model_prefix="$work/spiece" --model_type=unigram \
    --vocab_size=4000 --character_coverage=0.9995 --split_digits=true --pad_id=0 --eos_id=1 --unk_id=2 --bos_id=-1 \
    --normalization_rule_name=nmt_nfkc --max_sentence_length=4000 --num_threads=2 --minloglevel=1
cp "$work/spiece.model" "$here/spiece.model"
