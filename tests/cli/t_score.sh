# TEST np=1
# tutti score by the command line: every metric on a few lines whose values are worked out by hand, where references come from, and every refusal.
t=$TUTTI_BUILD/tutti n=0 bad=0
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
out=$dir/out
cd "$dir" || exit 1

verdict() { # GOOD NAME EXPECTED
    n=$((n + 1))
    if [ "$1" = yes ]; then echo "ok $n - $2"; else
        bad=1
        echo "not ok $n - $2"
        echo "#   expected: $3"
        sed 's/^/#   /' "$out"
    fi
}

# gives EXPECTED ARGUMENTS...: all that is printed, numbers to nine digits.
gives() {
    local want=$1 good=no
    shift
    "$t" score "$@" >"$out" 2>&1 && [ "$(perl -pe 's/-?\d+\.\d+(e-?\d+)?/sprintf("%.9g", $&)/ge' "$out")" = "$want" ] && good=yes
    verdict $good "score $*" "$want"
}

# has TEXT ARGUMENTS...: somewhere in the result.
has() {
    local want=$1 good=no
    shift
    "$t" score "$@" >"$out" 2>&1 && grep -qF -- "$want" "$out" && good=yes
    verdict $good "score $*" "$want"
}

# refused CODE TEXT ARGUMENTS...: nothing but the message, and the exit code.
refused() {
    local code=$1 want=$2 good=no
    shift 2
    "$t" score "$@" >"$out" 2>&1
    [ $? = "$code" ] && [ "$(wc -l <"$out")" = 1 ] && grep -qF -- "$want" "$out" && good=yes
    verdict $good "refused: $* ($want)" "exit $code: $want"
}

lines() { printf '%s\n' "$@"; }

# ---- every metric ----------------------------------------------------------------------------------------------------------
lines '{"prediction":"the cat sat","references":["the cat lay"]}' '{"prediction":"a dog","reference":"a dog"}' >texts.jsonl
one='{"precision": 0.833333333, "recall": 0.833333333, "f1": 0.833333333}' # (2/3 + 1) / 2
two='{"precision": 0.75, "recall": 0.75, "f1": 0.75}'                     # (1/2 + 1) / 2
zero='{"precision": 0, "recall": 0, "f1": 0}'
gives "{\"rouge1\": $one, \"rouge2\": $two, \"rouge3\": $zero, \"rougeL\": $one, \"rougeLsum\": $one, \"n\": 2}" rouge texts.jsonl
# 4 of 5 words, 2 of 3 pairs: sqrt(4/5 * 2/3)
has '"bleu": 73.029674' bleu texts.jsonl max_order=2
has '"counts": [4, 2], "totals": [5, 3], "precisions": [80.0, 66.6' bleu texts.jsonl max_order=2
has '"bleu": 0.0' bleu texts.jsonl smooth=none # no four words in a row
# 7 of 9 characters and 4 of 4
has '"chrf": 84.61538461' chrf texts.jsonl char_order=1
gives '{"exact_match": 0.5, "n": 2}' exact_match texts.jsonl
lines '{"prediction":"The cat.","references":["a cat","dog"]}' '{"prediction":"red car","references":["car"]}' >answers.jsonl
gives '{"exact_match": 50, "f1": 83.3333333, "n": 2}' squad answers.jsonl
gives '{"em": 50, "f1": 83.3333333, "n": 2}' trivia_qa answers.jsonl
gives '{"exact_match": 0.5, "f1": 0.833333333, "n": 2}' record answers.jsonl
lines '{"prediction":"","references":[]}' '{"prediction":"red car","references":["car"],"no_answer":0.2}' \
    '{"prediction":"x","references":[null],"no_answer":0.9}' >unanswered.jsonl
gives '{"exact": 33.3333333, "f1": 55.5555556, "n": 3}' squad_v2 unanswered.jsonl
gives '{"exact": 66.6666667, "f1": 88.8888889, "n": 3}' squad_v2 unanswered.jsonl threshold=0.5
# Labels as numbers, texts and booleans: 2 right ones, 1 false alarm, 1 missed, 1 rightly left alone
lines '{"prediction":1,"reference":1}' '{"prediction":true,"reference":0}' '{"prediction":"0","reference":false}' \
    '{"prediction":0,"reference":true}' '{"prediction":1,"reference":"1"}' >labels.jsonl
gives '{"accuracy": 0.6, "n": 5}' accuracy labels.jsonl
gives '{"f1": 0.666666667, "n": 5}' f1 labels.jsonl
gives '{"f1": 0.5, "n": 5}' f1 labels.jsonl positive=0
gives '{"f1_macro": 0.583333333, "n": 5}' f1_macro labels.jsonl
gives '{"f1_macro": 0.388888889, "n": 5}' f1_macro labels.jsonl classes=3
gives '{"f1_micro": 0.6, "n": 5}' f1_micro labels.jsonl
gives '{"f1_weighted": 0.6, "n": 5}' f1_weighted labels.jsonl
gives '{"matthews": 0.166666667, "n": 5}' matthews labels.jsonl
lines '{"prediction":1,"reference":1}' '{"prediction":"2","reference":3}' '{"prediction":4.0,"reference":2}' >numbers.jsonl
gives '{"pearson": 0.327326835, "n": 3}' pearson numbers.jsonl # 1 / sqrt(42/9 * 2)
gives '{"spearman": 0.5, "n": 3}' spearman numbers.jsonl
lines '{"prediction":1,"reference":1,"p":1,"q":"a"}' '{"prediction":0,"reference":1,"p":1,"q":"a"}' \
    '{"prediction":0,"reference":0,"p":1,"q":"b"}' >questions.jsonl
has '{"f1a": 0.66666666666666663, "exact_match": 0.5' multirc questions.jsonl fields.group=p,q
has '{"f1a": 0.66666666666666663, "exact_match": 0.0' multirc questions.jsonl fields.group=p
lines '{"options":["aa","b"],"loglikelihoods":[-1.5,-1],"gold":0,"option_tokens":[2,1],"unconditional":[-3,-1],"is_greedy":[true,false]}' \
    '{"options":["aa","b"],"loglikelihoods":[-2,-1],"gold":1,"option_tokens":[1,1],"unconditional":[-3,-1],"is_greedy":[false,false]}' \
    >options.jsonl
gives '{"acc": 0.5, "acc_norm": 0.5, "acc_bytes": 0.5, "acc_token": 1, "acc_mutual_info": 0.5, "exact_match": 0.5, "prob_norm": 0.554299624, "brier": 0.459785107, "n": 2}' \
    choice options.jsonl
gives '{"brier": 0.459785107, "n": 2}' brier options.jsonl # (2 / (1+e^-0.5)^2 + 2 / (1+e)^2) / 2
lines '{"loglikelihoods":[-1,-2,-3],"gold":[1,0],"unconditional":null,"options":null}' >bare.jsonl
gives '{"acc": 1, "prob_norm": 0.909969427, "n": 1}' choice bare.jsonl
lines '{"confidence":0.9,"correct":1}' '{"confidence":0.8,"correct":false}' >sure.jsonl
gives '{"ece_10_bin": 0.45, "ece_1_bin": 0.35, "selective_acc@10": 1, "selective_cov_acc_area": 0.75, "n": 2}' calibration sure.jsonl
lines '{"loglikelihood":-4,"tokens":2,"words":1,"bytes":4}' '{"loglikelihood":-2,"tokens":4,"words":2,"bytes":4}' >likely.jsonl
has '{"loss": 1.0' loss likely.jsonl # 6 nats, 6 tokens
gives '{"perplexity": 20.0855369, "word_perplexity": 7.3890561, "byte_perplexity": 2.11700002, "bits_per_byte": 1.08202128, "token_perplexity": 2.71828183, "n": 2}' \
    perplexity likely.jsonl # e^3, e^2, e^0.75, 0.75/ln 2, e
tested=$(sed -n 's/^\(gives\|has\) .*[^ ]* \([a-z_0-9]*\) [a-z0-9]*\.jsonl.*/\2/p; s/^    \([a-z_0-9]*\) [a-z]*\.jsonl.*/\1/p' "$OLDPWD/tests/cli/t_score.sh")
for m in $("$t" help score | sed -n '/^Metrics:/,$s/^  \([a-z][a-z0-9_]*\) .*/\1/p'); do
    echo "$tested" | grep -qx "$m" && good=yes || good=no
    echo "$tested" >"$out"
    verdict $good "$m is tested above" "$m"
done
