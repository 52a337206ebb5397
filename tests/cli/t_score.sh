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

# ---- where things lie ------------------------------------------------------------------------------------------------------
half='{"exact_match": 0.5, "n": 2}'
lines a b >pred.txt
lines a x >ref1.txt
lines z b >ref2.txt
gives "$half" exact_match pred.txt references=ref1.txt
gives '{"exact_match": 1, "n": 2}' exact_match pred.txt references=ref1.txt,ref2.txt
lines '"a"' '["x", "y"]' >ref.jsonl
gives "$half" exact_match pred.txt references=ref.jsonl
lines '{"references":["q","a"]}' '{"reference":"b"}' >ref.jsonl
gives '{"exact_match": 1, "n": 2}' exact_match pred.txt references=ref.jsonl
lines '{"r":"a"}' '{"r":null}' >ref.jsonl
refused 3 'pred.txt:2: the example has no reference' exact_match pred.txt references=ref.jsonl fields.references=r
lines '{"answer":"a","truth":"a"}' '' '{"answer":"b","truth":["c",null]}' >own.jsonl
gives "$half" exact_match own.jsonl fields.prediction=answer fields.references=truth
gives '{"exact_match": 1, "n": 2}' exact_match own.jsonl fields.prediction=answer references=pred.txt
lines '{"prediction":"a"}' '{"prediction":"b"}' | gzip >pred.gz
gives "$half" exact_match pred.gz references=ref1.txt
lines '"a"' '"b"' | gzip >pred.jsonl.gz
gives "$half" exact_match pred.jsonl.gz references=ref1.txt
printf 'a\r\nb' >dos.txt
gives "$half" exact_match dos.txt references=ref1.txt
printf '\357\273\277{"prediction":"a","reference":"a"}\n' >mark
gives '{"exact_match": 1, "n": 1}' exact_match mark
lines '{a' 'b' >brace.txt
gives '{"exact_match": 0, "n": 2}' exact_match brace.txt references=ref1.txt
gives "$half" exact_match /dev/stdin references=ref1.txt <pred.txt
lines '' b >blank.txt
gives '{"exact_match": 1, "n": 2}' exact_match blank.txt references=blank.txt
# Keys that a metric does not need may hold anything.
lines '{"prediction":"a","reference":"a","tokens":["a"],"gold":"A","group":{},"loglikelihoods":"?","correct":"a","loglikelihood":[]}' >more.jsonl
gives '{"exact_match": 1, "n": 1}' exact_match more.jsonl
lines '{"a":0.5,"o":["x","yy"],"l":[-2,"-inf"],"g":0,"k":0,"u":[-1,-1],"d":[true,false],"s":-2,"t":1,"w":2,"b":4,"c":1}' >keys.jsonl
gives '{"acc": 1, "acc_norm": 1, "acc_bytes": 1, "acc_mutual_info": 1, "exact_match": 1, "prob_norm": 1, "brier": 0, "n": 1}' \
    choice keys.jsonl fields.options=o fields.loglikelihoods=l fields.gold=g fields.unconditional=u fields.is_greedy=d
gives '{"ece_10_bin": 0.5, "ece_1_bin": 0.5, "selective_acc@10": 1, "selective_cov_acc_area": 1, "n": 1}' \
    calibration keys.jsonl fields.confidence=a fields.correct=c
gives '{"perplexity": 7.3890561, "word_perplexity": 2.71828183, "byte_perplexity": 1.64872127, "bits_per_byte": 0.72134752, "token_perplexity": 7.3890561, "n": 1}' \
    perplexity keys.jsonl fields.loglikelihood=s fields.tokens=t fields.words=w fields.bytes=b
gives '{"exact": 100, "f1": 100, "n": 1}' squad_v2 keys.jsonl fields.prediction=k fields.references=g
gives '{"exact": 100, "f1": 100, "n": 1}' squad_v2 keys.jsonl fields.prediction=k fields.references=none fields.no_answer=a threshold=0.4

# ---- what is printed -------------------------------------------------------------------------------------------------------
gives "$(lines '{"exact_match": 0}' '{"exact_match": 1}')" exact_match texts.jsonl per_example=1
gives "$(lines '{"accuracy": 1}' '{"accuracy": 0}' '{"accuracy": 1}' '{"accuracy": 0}' '{"accuracy": 1}')" accuracy labels.jsonl per_example=1
gives '{"exact_match": 0.5, "stderr": {"exact_match": 0.5}, "n": 2}' exact_match texts.jsonl stderr=1 # sqrt(1/2) / sqrt 2
has '"stderr": {"accuracy": "nan"}, "n": 1' accuracy more.jsonl stderr=1
has '"stderr": {"matthews": 0.' matthews labels.jsonl stderr=1 bootstrap=50

# ---- refusals: data --------------------------------------------------------------------------------------------------------
lines a b c >three.txt
refused 3 'ref1.txt: has 2 lines, but three.txt has more: line 3 has no reference' exact_match three.txt references=ref1.txt
refused 3 'three.txt: has more lines than pred.txt, which ends at 2' exact_match pred.txt references=three.txt
: >empty.jsonl
printf '\357\273\277' >mark.txt
lines '' '  ' >blank.jsonl
refused 3 'empty.jsonl: is empty; each line must hold one example' rouge empty.jsonl
refused 3 'empty.jsonl: is empty' rouge pred.txt references=empty.jsonl
refused 3 'mark.txt: is empty' rouge mark.txt
refused 3 'blank.jsonl: holds no example' rouge blank.jsonl
refused 3 'none.jsonl: cannot be opened: No such file' rouge none.jsonl
refused 3 'none.txt: cannot be opened: No such file' rouge pred.txt references=ref1.txt,none.txt
refused 3 '-: cannot be opened' rouge -
refused 3 'is a folder, a file is needed' rouge "$dir"
head -c 30 pred.gz >torn.gz
refused 3 'torn.gz: ends in the middle of its compressed data' rouge torn.gz
if [ "$(id -u)" = 0 ]; then n=$((n + 1)) && echo "ok $n # SKIP root reads everything"; else
    cp pred.txt secret.txt && chmod 0 secret.txt
    refused 3 'secret.txt: cannot be opened: Permission denied' rouge secret.txt
fi

# bad TEXT LINE METRIC [OPTION...]: the second line of a file is LINE.
bad() {
    local want=$1 line=$2
    shift 2
    { echo "$good_line" && printf '%b\n' "$line"; } >bad.jsonl
    local metric=$1
    shift
    refused 3 "bad.jsonl:2: $want" "$metric" bad.jsonl "$@"
}
good_line='{"prediction":"a","reference":"a"}'
bad 'is not JSON' '{"prediction":' rouge
bad 'is not JSON' '{"prediction":"a"} x' rouge
bad 'is not JSON: maximum parsing depth' "$(perl -e 'print "[" x 5000')" rouge
bad 'is not UTF-8; convert the file' '{"prediction":"\0377","reference":"a"}' rouge
bad 'NaN and Infinity are no JSON; write "nan"' '{"prediction":NaN}' rouge
bad 'NaN and Infinity are no JSON; write "nan"' '{"prediction":-Infinity}' rouge
bad 'NaN and Infinity are no JSON; write "nan"' '{"prediction":[1, Infinity]}' rouge
bad 'the example has no prediction, which rouge needs; if its key is another, say fields.prediction=KEY' '{"reference":"a"}' rouge
bad 'the example has no prediction' '{"prediction":null,"reference":"a"}' rouge
bad 'the example has no reference, which rouge needs; if its key is another, say fields.references=KEY' '{"prediction":"a"}' rouge
bad 'the example has no reference' '{"prediction":"a","references":[]}' rouge
bad 'the example has no reference' '{"prediction":"a","references":[null]}' bleu
bad '"prediction" is not a text, a number or a label' '{"prediction":["a"],"reference":"a"}' rouge
bad '"references" is not a text or a list of texts' '{"prediction":"a","references":[["a"]]}' rouge
good_line='{"prediction":"1","reference":"1","group":"g"}'
bad "the prediction 'a' is no finite number; pearson compares numbers" '{"prediction":"a","reference":"1"}' pearson
bad 'the example has no group' '{"prediction":"1","reference":"1"}' multirc
bad '"group" is not a text or a number' '{"prediction":"1","reference":"1","group":[1]}' multirc
bad "the label 'maybe' says neither right nor wrong" '{"prediction":"1","reference":"maybe","group":"g"}' multirc
good_line='{"loglikelihoods":[-1,-2],"gold":0}'
bad 'the example has no log-likelihoods of options' '{"gold":0}' choice
bad 'the example has no log-likelihoods of options' '{"loglikelihoods":[],"gold":0}' choice
bad 'the example has no right option' '{"loglikelihoods":[-1]}' choice
bad 'the log-likelihood of option 1 is nan; give natural logarithms' '{"loglikelihoods":[-1,"nan"],"gold":0}' choice
bad 'the log-likelihood of option 0 is inf; give natural logarithms' '{"loglikelihoods":["inf",-1],"gold":0}' choice
bad '"loglikelihoods" is not a list of numbers' '{"loglikelihoods":[-1,"x"],"gold":0}' choice
bad 'the right option is 2, but there are 2; options count from 0' '{"loglikelihoods":[-1,-2],"gold":2}' choice
bad 'the right option is -1, but there are 2' '{"loglikelihoods":[-1,-2],"gold":-1}' choice
bad 'the right option is 2147483647, but there are 2' '{"loglikelihoods":[-1,-2],"gold":4294967296}' choice
bad '"gold" is not the number of an option, from 0' '{"loglikelihoods":[-1,-2],"gold":"A"}' choice
bad '2 right options; the Brier score is of one' '{"loglikelihoods":[-1,-2],"gold":[0,1]}' brier
bad '"options" has 1 texts, but "loglikelihoods" 2 values' '{"loglikelihoods":[-1,-2],"gold":0,"options":["a"]}' choice
bad '"unconditional" has 1 values, but there are 2 options' '{"loglikelihoods":[-1,-2],"gold":0,"unconditional":[-1]}' choice
for x in '-1' '0.5' '"nan"' '1e300'; do
    bad '"option_tokens" is not a list of counts' "{\"loglikelihoods\":[-1,-2],\"gold\":0,\"option_tokens\":[1,$x]}" choice
done
good_line='{"confidence":0.5,"correct":1}'
bad 'the example has no confidence (or it is nan), which calibration needs' '{"correct":1}' calibration
bad 'the example has no confidence (or it is nan)' '{"confidence":"nan","correct":1}' calibration
bad 'the example has no mark whether it was right' '{"confidence":0.5}' calibration
bad 'the confidence is 1.5; give' '{"confidence":1.5,"correct":1}' calibration
bad '"correct" is not a number' '{"confidence":0.5,"correct":"yes"}' calibration
good_line='{"loglikelihood":-1,"tokens":1}'
bad 'the example has no log-likelihood (or it is nan), which loss needs' '{"loglikelihood":"nan","tokens":1}' loss
bad 'the example has no log-likelihood (or it is nan), which perplexity needs' '{"tokens":1}' perplexity
bad 'the log-likelihood is inf' '{"loglikelihood":"inf"}' perplexity
bad '"tokens" is not a count, a whole number from 0' '{"loglikelihood":-1,"tokens":1.5}' loss
bad '"loglikelihood" is not a number' '{"loglikelihood":"much"}' loss
bad 'loss needs' '{"loglikelihood":-1}' loss
printf 'a\n\377\n' >latin.txt
refused 3 'latin.txt:2: is not UTF-8; convert the file, for instance with iconv' rouge latin.txt references=ref1.txt
refused 3 'latin.txt:2: is not UTF-8' rouge pred.txt references=latin.txt
printf 'a\nb\0c\n' >zero.txt
refused 3 'zero.txt:2: holds a zero byte' rouge zero.txt references=ref1.txt
refused 3 'pred.txt:1: the example has no reference' rouge pred.txt
lines '{"x":1}' '{"x":1}' >ref.jsonl
refused 3 'ref.jsonl:1: has no "references"; map it with fields.references=KEY' rouge pred.txt references=ref.jsonl

# ---- refusals: usage -------------------------------------------------------------------------------------------------------
refused 2 "no such metric 'rogue'; did you mean 'rouge'?" rogue texts.jsonl
refused 2 "no such metric 'meteor'; tutti help score lists them" meteor texts.jsonl
refused 2 "'stm' is no option of any metric; did you mean 'stem'?" rouge texts.jsonl stm=1
refused 2 "'wordy' is no option of any metric; tutti help score lists them" rouge texts.jsonl wordy=1
refused 2 "'beta' is no option; rouge has: stem split_sentences aggregate bootstrap" rouge texts.jsonl beta=1
refused 2 "'beta' is no option; squad has none but bootstrap" squad texts.jsonl beta=1
refused 2 "did you mean 'per_example'?" rouge texts.jsonl per_exmple=1
refused 2 "did you mean 'fields.prediction'?" rouge texts.jsonl fields.predicton=x
refused 2 "stem is 'perhaps'; it takes true or false" rouge texts.jsonl stem=perhaps
refused 2 "max_order is '17'; it takes an integer in 1..16" bleu texts.jsonl max_order=17
refused 2 "smooth is 'more'; it takes one of exp|floor|add-k|none" bleu texts.jsonl smooth=more
refused 2 'one example has no standard error; leave out per_example or stderr' rouge texts.jsonl per_example=1 stderr=1
refused 2 'score takes a metric and a file' rouge
refused 2 'score takes a metric and a file' rouge texts.jsonl more.jsonl
for each in 0 1; do
    "$t" score rouge texts.jsonl per_example=$each 2>"$out" >/dev/full
    [ $? = 1 ] && grep -q "could not be written: .*; is the disk full?" "$out" && good=yes || good=no
    verdict $good "a full disk, per_example=$each" "exit 1: is the disk full?"
done
echo "1..$n"
exit $bad
