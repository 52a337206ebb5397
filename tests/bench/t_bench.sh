# TEST np=1
# tutti bench prints its table and writes its numbers. Says nothing of how fast anything is.
n=0 failed=0
ok() {
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; fi
}
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
tutti=${TUTTI_BUILD:-build}/tutti

"$tutti" bench layers=1 vocab=200 batch=2 enc=9 dec=5 steps=1 json="$dir/b.json" >"$dir/out" 2>"$dir/err"
ok $? "it runs"
for word in gemm attn_bwd head adam sumsq step 'tokens/s' 'sgemm peak'; do
    grep -q "$word" "$dir/out"
    ok $? "the table has $word"
done
for key in blas peak_gflops step_s step_cpu_s gflops tok_s kernels; do
    grep -q "\"$key\":" "$dir/b.json"
    ok $? "the file has $key"
done
"$tutti" bench generate layers=1 vocab=200 batches=1,r18 enc=8 new=3 profile=1 json="$dir/g.json" >"$dir/out" 2>"$dir/err"
ok $? "generation runs"
for word in '^r18 ' linear attn_fwd logsumexp 'tokens/s'; do
    grep -q "$word" "$dir/out"
    ok $? "its table has $word"
done
tail -1 "$dir/out" | grep -q '^{.*"r18":' && grep -q '"peer_tok_s":' "$dir/g.json"
ok $? "its last line and its file are JSON"

# No token is -1: this answer is not ours.
cat >"$dir/peer.sh" <<'SH'
echo '{"batches": [{"seconds": 1.0, "ids": [[-1]]}]}'
SH
PYTHON=/bin/sh "$tutti" bench generate layers=1 vocab=200 batches=1 enc=8 new=3 peer="$dir/peer.sh" >"$dir/out" 2>"$dir/err"
grep -q '0 of *1' "$dir/out"
ok $? "other answers of a peer are counted"

printf '%s\n' '{"prediction": "the cat sat", "reference": "a cat sat down"}' '{"prediction": "b", "reference": "b"}' >"$dir/pairs"
"$tutti" bench metrics in="$dir/pairs" resamples=1000 times=1 json="$dir/m.json" >"$dir/out" 2>"$dir/err"
ok $? "metrics run"
for word in 'ROUGE-1, 2, L, Lsum' BLEU Matthews F1 'tutti score' elsewhere; do
    grep -q "$word" "$dir/out"
    ok $? "their table has $word"
done
echo "echo '{\"rouge\": 1.0, \"rouge_main\": 0.25}'" >"$dir/peer.sh"
PYTHON=/bin/sh "$tutti" bench metrics in="$dir/pairs" resamples=1000 times=1 peer="$dir/peer.sh" >"$dir/out" 2>"$dir/err"
[ $? = 1 ] && grep -q 'but the peer has 0.25' "$dir/err"
ok $? "a peer of another value is refused"
echo '{"prediction": "b"}' >"$dir/pairs"
"$tutti" bench metrics in="$dir/pairs" >"$dir/out" 2>"$dir/err"
[ $? = 3 ] && grep -q 'example 1 has no prediction and reference' "$dir/err"
ok $? "a pair without a reference is named"
"$tutti" bench metric >"$dir/out" 2>"$dir/err"
[ $? = 2 ] && grep -q "no part 'metric'" "$dir/err"
ok $? "a wrong part is named"
"$tutti" bench stepz=1 >"$dir/out" 2>"$dir/err"
[ $? = 2 ] && grep -q "stepz" "$dir/err" && grep -q "steps" "$dir/err"
ok $? "a wrong option is named: $(head -c 200 "$dir/err" | tr '\n' ' ')"
echo "1..$n"
exit $failed
