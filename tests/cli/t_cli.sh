# TEST np=1
# The command line: help of every verb, keys and their suggestions, the exit codes, all ranks alike.
t=$TUTTI_BUILD/tutti n=0
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
out=$dir/out

# case_of NAME EXIT TEXT COMMAND...: the exit code, and TEXT somewhere in what was printed.
case_of() {
    local name=$1 want=$2 text=$3 rc
    shift 3
    "$@" >"$out" 2>&1
    rc=$?
    n=$((n + 1))
    if [ $rc = "$want" ] && grep -qF -- "$text" "$out"; then echo "ok $n - $name"; else
        echo "not ok $n - $name"
        echo "#   exit $rc, expected $want; expected text: $text"
        sed 's/^/#   /' "$out"
    fi
}

verbs=$("$t" help | sed -n 's/^  \([a-z][a-z]*\)  *[^ ].*/\1/p' | grep -v '^tutti$')
for v in $verbs; do case_of "help $v" 0 "tutti $v" "$t" help "$v"; done
for v in train tokenize generate probe inspect import export synth doctor help; do
    case_of "there is a verb $v" 0 "  $v " "$t" help
done
case_of "help train lists the keys" 0 "train.batch_tokens" "$t" help train
case_of "-h is help" 0 "Exit codes" "$t" -h
case_of "--version" 0 "tutti 0." "$t" --version

cat >"$dir/job.yaml" <<END
model:
  path: $dir/none
train:
  stepz: 3
END
case_of "an unknown key: line and suggestion" 2 "job.yaml:4: no such key 'train.stepz'; did you mean 'train.steps'?" \
    "$t" train "$dir/job.yaml"
case_of "an unknown key on the command line" 2 "did you mean 'train.steps'?" "$t" train train.step=3
case_of "a value out of range" 2 "train.grains" "$t" train train.grains=0
case_of "a word where a number belongs" 2 "train.steps" "$t" train train.steps=many
case_of "a job that is not there" 2 "nowhere.yaml" "$t" train "$dir/nowhere.yaml"
case_of "two jobs" 2 "one job file" "$t" train a.yaml b.yaml
printf 'train: [\n' >"$dir/broken.yaml"
case_of "a job that is not YAML" 2 "broken.yaml:" "$t" train "$dir/broken.yaml"
printf '{"source": "a", "target": "b"}\n' >"$dir/rows.jsonl"
printf 'data: {train: [%s/rows.jsonl]}\n' "$dir" >"$dir/good.yaml"
case_of "a model that is not there" 4 "$dir/none" "$t" train "$dir/good.yaml" model.path="$dir/none" run="$dir/run" \
    tokenizer.path=data/models/nano-t5 train.steps=1
# The tokenizer goes along with a run, named or not, and with its export.
nano=data/models/nano-t5
case_of "a step from drawn weights" 0 "done: 1 steps" "$t" train "$dir/good.yaml" model.config=$nano/config.json \
    tokenizer.path=$nano run="$dir/a" train.steps=1
case_of "a run exports" 0 "weights " "$t" export "$dir/a" out="$dir/hf"
case_of "a step from the export" 0 "done: 1 steps" "$t" train "$dir/good.yaml" model.path="$dir/hf" run="$dir/b" train.steps=1
case_of "generate from a run that names no tokenizer" 0 "" "$t" generate model="$dir/b" prompt=x max_new_tokens=2
case_of "inspect of nothing" 4 "$dir/none" "$t" inspect "$dir/none"
case_of "generate without a model" 2 "model" "$t" generate prompt=x
case_of "two ranks, one message" 2 "job.yaml:4: no such key" mpirun -q -n 2 "$t" train "$dir/job.yaml"
n=$((n + 1))
if [ "$(grep -c 'no such key' "$out")" = 1 ]; then echo "ok $n - it is printed once"; else
    echo "not ok $n - it is printed once"
    sed 's/^/#   /' "$out"
fi

printf '{"text": "a"}\n{"text": 1}\n' >"$dir/bad.jsonl"
case_of "tokenize names the bad line" 3 "bad.jsonl:2:" "$t" tokenize tokenizer=data/models/nano-t5 in="$dir/bad.jsonl"
printf '{"text": "a"}\nnot json\n' >"$dir/bad.jsonl"
case_of "tokenize: not JSON" 3 "bad.jsonl:2: is not JSON" "$t" tokenize tokenizer=data/models/nano-t5 in="$dir/bad.jsonl"
case_of "a verb's own key" 2 "did you mean 'tokenizer'?" "$t" tokenize tokenizr=x
echo "1..$n"
