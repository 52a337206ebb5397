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
"$tutti" bench stepz=1 >"$dir/out" 2>"$dir/err"
[ $? = 2 ] && grep -q "stepz" "$dir/err" && grep -q "steps" "$dir/err"
ok $? "a wrong option is named: $(head -c 200 "$dir/err" | tr '\n' ' ')"
echo "1..$n"
exit $failed
