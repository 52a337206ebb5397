# TEST np=1
# Faults planted in a made-up collection are found by the audit, each by name; a run's draws are accounted for, example by example.
set -u
tutti=$TUTTI_BUILD/tutti dir=$(mktemp -d) n=0 bad=0
trap 'rm -rf "$dir"' EXIT
ok() {
    n=$((n + 1))
    if eval "$1"; then echo "ok $n - $2"; else
        bad=1 && echo "not ok $n - $2"
        grep -A60 '^found' out.txt 2>/dev/null | sed 's/^/#   /'
    fi
}
nok() { ok "! $1" "$2"; }
is() { ok "[ '$1' = '$2' ]" "$3 ($1)"; }
nano=$PWD/data/models/nano-t5
cd "$dir" || exit 1

"$tutti" synth out=s datasets=12 categories=6 rows=60 eval_rows=6 seed=3 2>/dev/null
mapfile -t name < <(tail -n +2 s/registry.tsv | cut -f1)
file() { echo "s/${name[$1]}.$2.jsonl"; }

# job NAME EXTRA-TRAIN EXTRA-TEST: a job over the collection.
job() {
    cat <<YAML
run: run-$1
model: {path: $nano}
data:
  cap: 50
  max_source: 96
  train:
    - list: s/train.yaml
$2
  test:
    - list: s/test.yaml
$3
train: {steps: 6, batch_tokens: 1000, grains: 2}
eval: {limit: 1}
YAML
}
audit() { "$tutti" audit "$@" rows=0 >out.txt 2>err.txt; }
# found KIND SET: the audit names the set under this kind.
found() { grep -A400 '^found' out.txt | grep -E "^  $1 +" | grep -q -- "$2"; }

job clean "" "" >clean.yaml
audit clean.yaml
is "$?" 0 "an audit of a clean collection"
for kind in listed-twice contamination exemplar-leak broken-json empty-target over-long wrong-cap; do
    nok "found $kind ." "no $kind in it"
done

# ---- the faults ------------------------------------------------------------------------------------------------------------
head -5 "$(file 0 train)" >dup.txt && cat dup.txt >>"$(file 0 train)"          # duplicate rows
head -4 "$(file 1 test)" >>"$(file 1 train)"                                   # evaluation rows in training
sed -i '7s/..$//; 9s/^./[/' "$(file 2 train)"                                  # broken JSON
sed -i -E '3,5s/"answer": "[^"]*"/"answer": " "/' "$(file 3 train)"            # empty targets
long=$(printf 'word%.0s ' $(seq 400))
sed -i -E "11s/\"answer\"/\"unused\": 1, \"answer\"/; 11s/\": \"/\": \"$long/" "$(file 4 train)" # an over-long row
job bad "    - {name: again, path: $(file 5 train), templates: [{source: '{x}', target: '{answer}'}]}
    - {name: small, path: cap.jsonl, cap: 3}" "    - {name: shown, path: shown.jsonl, exemplars: small}" >bad.yaml
for i in $(seq 40); do echo "{\"source\": \"what is the number after $i, counted in steps of one\", \"target\": \"$((i + 1))\"}"; done >cap.jsonl
head -3 cap.jsonl >shown.jsonl
# The same file under another name: with whatever columns it has.
column=$(head -1 "$(file 5 train)" | grep -oE '"[a-z_]+":' | grep -v answer | head -1 | tr -d '":')
sed -i "s/{x}/{$column}/" bad.yaml
audit bad.yaml
is "$?" 0 "an audit of a collection with faults"
ok "found exact-duplicate ${name[0]}" "duplicate rows"
ok "found contamination ${name[1]}" "evaluation rows in training"
ok "found exemplar-leak small" "exemplars that are evaluation rows"
ok "found broken-json ${name[2]}" "broken JSON"
ok "found empty-target ${name[3]}" "empty targets"
ok "found over-long ${name[4]}" "an over-long row"
ok "found listed-twice again" "a data set listed twice"
ok "found wrong-cap small" "a cap unlike the others"
ok "grep -q '2 rows that cannot be used\|rows that cannot be used' out.txt" "rows that cannot be used, with reasons"
ok "[ -s run-bad/audit.html ] && ! grep -q '@DATA@' run-bad/audit.html" "a page"
ok "grep -q '\"found\"' run-bad/audit.json" "a JSON document"
audit bad.yaml strict=1
is "$?" 3 "strict=1 makes findings an error"
"$tutti" audit bad.yaml show=3 >show.txt 2>/dev/null
is "$(grep -c '^draw ' show.txt)" 3 "three examples as the model sees them"
ok "grep -q 'target, .* all with loss' show.txt" "with their tokens and what carries loss"

# ---- dropping -----------------------------------------------------------------------------------------------------------------
"$tutti" train bad.yaml run=dropped data.decontaminate=drop data.deduplicate=drop 2>drop.txt
is "$?" 0 "a run without duplicates and contaminated rows"
ok "grep -q 'rows are left out for that' drop.txt" "it says what it leaves out"

# ---- after a run ----------------------------------------------------------------------------------------------------------------
"$tutti" train clean.yaml 2>/dev/null
audit run=run-clean examples=1
is "$?" 0 "an audit of a run"
ok "grep -q 'the run.s own counts, the plan.s and a walk over all draws agree' out.txt" "all counts agree"
ok "grep -q 'chi-square' out.txt" "plan and run are compared"
sum=$(zcat run-clean/examples.tsv.gz | awk -F'\t' 'NR > 1 {s += $4} END {print s}')
rows=$(zcat run-clean/examples.tsv.gz | awk -F'\t' 'NR > 1 && ($4 > 0 || $5 != "")' | wc -l)
is "$sum" "$(grep -oE '"draws":[0-9]+' run-clean/metrics.jsonl | tail -1 | cut -d: -f2)" "the examples' uses add up to the draws"
is "$rows" "$(cat s/*.train.jsonl | wc -l)" "every example is there: used, or why not"
audit run=nowhere
is "$?" 2 "no such run"
ok "grep -q 'is nowhere the folder of a run' err.txt" "it says so"
echo "1..$n"
exit $bad
