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
for word in gemm attn_bwd head adam sumsq step 'tokens/s' 'peak of a square'; do
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
# ---- peaks, ranks, growth, start, versus, all
# number FILE KEY: the file has a number of that name.
number() { perl -0777 -ne 'exit !/"'"$2"'": ?-?\d/' "$1"; }
"$tutti" bench peaks quick=1 disk="$dir" json="$dir/p.json" >"$dir/out" 2>"$dir/err"
ok $? "peaks run"
for word in 'square of' 'to weights' '^head' memcpy 'read back'; do
    grep -q -- "$word" "$dir/out"
    ok $? "their table has $word"
done
for key in fp32_gflops bf16_gflops triad_gb_s raw_mb_s checkpoint_mb_s; do
    number "$dir/p.json" $key
    ok $? "their file has a number $key"
done
[ -z "$(find "$dir" -name 'tutti-bench.*')" ]
ok $? "no checkpoint is left"
printf '{"d_model": 16, "d_ff": 32, "num_layers": 1, "num_heads": 2, "d_kv": 8}' >"$dir/config.json"
"$tutti" bench peaks config="$dir/config.json" >"$dir/out" 2>"$dir/err"
[ $? = 4 ] && grep -q 'has no vocab_size' "$dir/err"
ok $? "a config that lacks a size is refused: $(head -c 200 "$dir/err")"
"$tutti" bench peaks model=tiny >"$dir/out" 2>"$dir/err"
[ $? = 2 ] && grep -q "no size 'tiny'" "$dir/err"
ok $? "an unknown size is named"

for np in 1 2 3; do
    mpirun -n $np "$tutti" bench ranks quick=1 json="$dir/r.json" >"$dir/out" 2>"$dir/err"
    ok $? "ranks run on $np"
    [ "$(grep -c '^[0-9]* ranks\{0,1\}[ ,]' "$dir/out")" = $((np == 1 ? 2 : np == 2 ? 4 : 5)) ]
    ok $? "they are all there: $(grep -o '^[0-9]* rank[^0-9]*' "$dir/out" | tr -s ' \n' ' ')"
    number "$dir/r.json" ceiling && number "$dir/r.json" sum_share
    ok $? "their file has the ceiling and the sum's share"
done
mpirun -n 2 "$tutti" bench growth quick=1 times=1 json="$dir/w.json" >"$dir/out" 2>"$dir/err"
ok $? "growth runs on 2"
[ "$(grep -o '"exponent":' "$dir/w.json" | wc -l)" = 6 ]
ok $? "it has an exponent for width, depth, length, batch, vocabulary and ranks"
mpirun -n 2 "$tutti" bench peaks quick=1 >"$dir/out" 2>"$dir/err"
[ $? != 0 ] && grep -q 'run it without mpirun' "$dir/err"
ok $? "a part of one process refuses two"

(cd "$(dirname "$0")/../.." && "$tutti" bench start quick=1 json="$dir/s.json") >"$dir/out" 2>"$dir/err"
ok $? "start runs: $(tail -1 "$dir/err")"
for key in launcher_s mpi_s ready_s step_s end_s; do
    number "$dir/s.json" $key
    ok $? "its file has a number $key"
done
"$tutti" bench start model="$dir/none" >"$dir/out" 2>"$dir/err"
[ $? = 2 ] && grep -q 'no folder' "$dir/err"
ok $? "start without a model says so"

# A peer that answers with what it was started with: rates 10, 20 and 30 tell the three ways apart.
cat >"$dir/python" <<'SH'
#!/bin/sh
[ "$1" = -c ] && exit 0
rate=10
[ -n "$OPENBLAS_CORETYPE" ] || rate=20
[ -z "$MALLOC_TRIM_THRESHOLD_" ] || rate=30
echo noise
echo "{\"tok_s\": $rate, \"rss_mib\": 64}"
SH
chmod +x "$dir/python"
export OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE:-Haswell}
PYTHON="$dir/python" "$tutti" bench versus quick=1 rounds=3 steps=1 cases=fp32 peer="$dir/python" json="$dir/v.json" >"$dir/out" 2>"$dir/err"
ok $? "versus runs"
perl -0777 -ne 'exit !(/"as it is":\s*\{\s*"tok_s":\s*\{\s*"n": 1,\s*"least": 10/ && /"BLAS kernels[^{]*\{\s*"tok_s":\s*\{\s*"n": 1,\s*"least": 20/ &&
    /"memory kept":\s*\{\s*"tok_s":\s*\{\s*"n": 3,\s*"least": 30/ && /"best_start": "memory kept"/)' "$dir/v.json"
ok $? "every way to start the peer is tried once, the best again"
perl -MJSON::PP -0777 -ne 'my $c = decode_json($_)->{cases}{fp32}; my $o = $c->{ours}{tok_s}{median};
    exit !(abs($c->{ratio} * 30 / $o - 1) < 1e-3 && abs($c->{ratio_plain} * 20 / $o - 1) < 1e-3)' "$dir/v.json"
ok $? "the ratios are to the best way, and to the best without its memory kept"
# Rows of 512 + 90 tokens, 8 of them, in 2 seconds: the tokens that the peer itself counted are of no account.
printf '#!/bin/sh\n[ "$1" = -c ] && exit 0\necho %s\n' "'{\"tok_s\": 77777, \"step_s\": 2.0, \"rss_mib\": 64}'" >"$dir/python"
PYTHON="$dir/python" "$tutti" bench versus quick=1 rounds=1 steps=1 cases=fp32-real peer="$dir/python" json="$dir/v.json" >"$dir/out" 2>"$dir/err"
perl -MJSON::PP -0777 -ne 'my $c = decode_json($_)->{cases}{"fp32-real"}; my $want = 8 * 602 * $c->{fill} / 2;
    exit !($c->{fill} < 1 && abs($c->{peer}{"as it is"}{tok_s}{median} / $want - 1) < 1e-3 &&
        abs($c->{peer_padded}{tok_s}{median} / $want - 1) < 1e-3)' "$dir/v.json"
ok $? "of a padded batch the share of real tokens counts, by the time of its step"
PYTHON=/bin/false "$tutti" bench versus quick=1 rounds=1 steps=1 cases=fp32 peer="$dir/python" >"$dir/out" 2>"$dir/err"
[ $? = 0 ] && grep -q 'python3-torch' "$dir/err"
ok $? "without torch it says how to get it"

(cd "$(dirname "$0")/../.." && "$tutti" bench all quick=1 only=peaks json="$dir/a.json") >"$dir/out" 2>"$dir/err"
ok $? "all runs, here one part of it"
perl -MJSON::PP -0777 -ne 'my $j = decode_json($_); exit !($j->{parts}{peaks}{fp32_gflops} > 0 && !@{$j->{targets}})' "$dir/a.json"
ok $? "its file has the part; toys are held against no target"

"$tutti" bench metric >"$dir/out" 2>"$dir/err"
[ $? = 2 ] && grep -q "no part 'metric'" "$dir/err"
ok $? "a wrong part is named"
"$tutti" bench stepz=1 >"$dir/out" 2>"$dir/err"
[ $? = 2 ] && grep -q "stepz" "$dir/err" && grep -q "steps" "$dir/err"
ok $? "a wrong option is named: $(head -c 200 "$dir/err" | tr '\n' ' ')"
echo "1..$n"
exit $failed
