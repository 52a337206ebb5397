# TEST np=1
# tutti eval by the command line: the same bits on any number of ranks and rows, answers ranked and generated, scores that tutti score gives again,
# metrics of each data set, a run's checkpoint, and what it refuses.
t=$TUTTI_BUILD/tutti n=0 bad=0
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
out=$dir/out

ok() { # CONDITION NAME; rc in it is the exit code of the command before
    local rc=$?
    n=$((n + 1))
    if eval "$1"; then echo "ok $n - $2"; else
        bad=1
        echo "not ok $n - $2"
        sed 's/^/#   /' "$out"
    fi
}
eval_on() { timeout -k 5 200 mpirun -q -n "$1" "$t" eval "$dir/job.yaml" "${@:2}" >"$out" 2>&1; }
value() { awk -F '\t' -v d="$2" -v m="$3" -v v="$4" '$1 == d && $4 == m && $5 == v { print $6 }' "$1"; } # scores.tsv set metric value

# Four data sets: questions with options (some right by chance), with options of their own in each row, free answers, three references.
for i in $(seq 1 60); do
    echo "{\"q\": \"is $i even?\", \"a\": $((i % 2))}"
done >"$dir/even.jsonl"
for i in $(seq 1 21); do
    echo "{\"q\": \"which word has $i?\", \"a\": \"word$((i % 3))\", \"c\": [\"word0\", \"word1\", \"word2\"]}"
done >"$dir/which.jsonl"
for i in $(seq 1 37); do
    echo "{\"source\": \"Repeat $(printf 'the words %.0s' $(seq 1 $((i % 7 + 1)))) $i\", \"target\": \"the words $i\"}"
done >"$dir/repeat.jsonl"
cat >"$dir/job.yaml" <<END
run: $dir/run
model: {path: $PWD/data/models/nano-t5}
data:
  root: $dir
  test:
    - name: even
      path: even.jsonl
      category: numbers
      values: {a: {0: "yes", 1: "no"}}
      options: ["yes", "no"]
      answer: rank
      metrics: accuracy f1:positive=yes matthews choice calibration brier
      templates: [{source: "{q}", target: "{a}"}]
    - name: which
      path: which.jsonl
      category: words
      options: {column: c}
      answer: auto
      metrics: accuracy choice loss
      templates: [{source: "{q}", target: "It is {a}."}]
    - {name: repeat, path: repeat.jsonl, category: words}
eval: {metrics: "loss exact_match rouge:stem=1 bleu chrf perplexity", max_new_tokens: 12}
END

eval_on 1
ok '[ $rc = 0 ] && grep -q "every value: $dir/run/eval/scores.tsv" "$out"' "runs"
cp -r "$dir/run/eval" "$dir/one"
for ranks in 2 3 8; do
    eval_on $ranks eval.rows=$((9 - ranks)) eval.out="$dir/other"
    ok '[ $rc = 0 ] && cmp -s "$dir/one/predictions.jsonl" "$dir/other/predictions.jsonl" &&
        cmp -s "$dir/one/scores.tsv" "$dir/other/scores.tsv"' "$ranks ranks, other rows: the same bytes"
done
ok '[ "$(wc -l <"$dir/one/predictions.jsonl")" = 118 ]' "every example once"
ok '[ "$(grep -c "\"options\":\\[\"It is word0.\",\"It is word1.\",\"It is word2.\"\\]" "$dir/one/predictions.jsonl")" = 21 ]' \
    "options stand in the target's words"

# What tutti score makes of the file of predictions.
grep '"task":"repeat"' "$dir/one/predictions.jsonl" >"$dir/repeat.p"
grep '"task":"even"' "$dir/one/predictions.jsonl" >"$dir/even.p"
for m in "repeat rouge stem=1 rouge:stem=1 rougeL.f1" "repeat bleu - bleu bleu" "repeat chrf - chrf chrf" \
    "repeat perplexity - perplexity bits_per_byte" "repeat loss - loss loss" "even accuracy - accuracy accuracy" \
    "even f1 positive=yes f1:positive=yes f1" "even choice - choice acc_norm" "even calibration - calibration ece_10_bin" \
    "even brier - brier brier"; do
    set -- $m
    "$t" score "$2" "$dir/$1.p" $([ "$3" = - ] || echo "$3") >"$out" 2>&1
    x=$(value "$dir/one/scores.tsv" "$1" "$4" "$5")
    ok '[ $rc = 0 ] && [ -n "$x" ] && grep -qF "$x" "$out"' "tutti score: $4 of $1 is $x again"
done

# Ranking by other measures; generation where options could be ranked; the first rows only.
eval_on 2 eval.rank=byte eval.out="$dir/byte" eval.limit=20
ok '[ $rc = 0 ] && [ "$(wc -l <"$dir/byte/predictions.jsonl")" = 60 ]' "a limit, options per byte"
for how in "eval.beams=3" "eval.sample=true eval.temperature=0.7 eval.top_k=20 eval.top_p=0.9" "eval.repetition_penalty=1.3 eval.no_repeat_ngram=2"; do
    for ranks in 1 3; do eval_on $ranks $how eval.rows=$((2 * ranks)) eval.out="$dir/s$ranks"; done
    ok '[ $rc = 0 ] && cmp -s "$dir/s1/predictions.jsonl" "$dir/s3/predictions.jsonl" &&
        ! cmp -s "$dir/s1/predictions.jsonl" "$dir/one/predictions.jsonl"' "$how: the same on 1 and 3 ranks"
done
eval_on 1 eval.sample=true seed=2 eval.out="$dir/seed"
ok '[ $rc = 0 ] && ! cmp -s "$dir/s1/predictions.jsonl" "$dir/seed/predictions.jsonl"' "another seed, other answers"

# More examples than go round once.
for i in $(seq 1 2500); do echo "{\"source\": \"s $i\", \"target\": \"$((i % 9))\"}"; done >"$dir/many.jsonl"
for ranks in 1 2; do
    eval_on $ranks data.test="[{name: many, path: many.jsonl}]" eval.metrics=loss eval.out="$dir/m$ranks"
done
ok '[ $rc = 0 ] && [ "$(wc -l <"$dir/m2/predictions.jsonl")" = 2500 ] && cmp -s "$dir/m1/predictions.jsonl" "$dir/m2/predictions.jsonl" &&
    cmp -s "$dir/m1/scores.tsv" "$dir/m2/scores.tsv"' "2,500 examples in rounds"

# A checkpoint, on the list that the run was validated on.
cat >>"$dir/job.yaml" <<END
train: {steps: 2, batch_tokens: 300, grains: 2}
END
"$t" train "$dir/job.yaml" data.train="[{name: t, path: repeat.jsonl}]" data.validation="[{name: v, path: repeat.jsonl}]" \
    data.test= eval.metrics=loss run="$dir/trained" >"$out" 2>&1
"$t" eval "$dir/job.yaml" model.path="$dir/trained" data.validation="[{name: v, path: repeat.jsonl}]" eval.split=validation \
    eval.metrics=loss eval.out="$dir/v" >"$out" 2>&1
a=$(value "$dir/v/scores.tsv" v loss loss) b=$(awk '/^v\t/ { print $NF }' "$dir/trained/eval-validation.tsv")
ok '[ -n "$b" ] && [ "$(printf %.4f "$a")" = "$(printf %.4f "$b")" ]' "a run's checkpoint has the loss that training gave: $a, $b"

# Refused.
refuse() { # CODE WORDS ARG ...
    local code=$1 words=$2
    eval_on 2 "${@:3}"
    ok '[ $rc = '"$code"' ] && grep -qF "$words" "$out"' "$words"
}
refuse 2 "no such metric 'rogue'; did you mean 'rouge'?" eval.metrics="loss rogue"
refuse 2 "'stem' is no option; bleu has: tokenize" eval.metrics="bleu:stem=1"
refuse 2 "repeat: has no options to rank" eval.answer=rank
refuse 2 "needs groups of examples" eval.metrics=multirc
refuse 2 "beams are not sampled" eval.beams=2 eval.sample=true
refuse 2 "data.validation is empty" eval.split=validation
refuse 2 "no model; set model.path" model.path=
refuse 4 "nowhere" model.path="$dir/nowhere"
refuse 2 "it takes one of generate|rank|auto" eval.answer=guess
echo '{"q": "is it?", "a": "word9", "c": ["word0", "word1"]}' >>"$dir/which.jsonl"
refuse 3 "which.jsonl:22: the answer 'It is word9.' is none of the options"
sed -i 22d "$dir/which.jsonl"
refuse 1 "cannot be made" eval.out=/dev/full/x
mkdir "$dir/ro" && ln -s /dev/full "$dir/ro/predictions.jsonl"
refuse 1 "is the disk full?" eval.out="$dir/ro"

echo "1..$n"
exit $bad
