# TEST np=1
# tutti prepare by the command line: what it says, killed and continued, two at once, a full disk, several ranks, and a run from the store.
t=$TUTTI_BUILD/tutti n=0 bad=0
dir=$(mktemp -d) && trap 'umount "$dir/full" 2>/dev/null; rm -rf "$dir"' EXIT
model=$PWD/data/models/nano-t5
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

"$t" synth out="$dir/data" datasets=6 categories=3 rows=300 eval_rows=5 2>"$out" || exit 1
echo 'not JSON' >>"$dir/data/$(cd "$dir/data" && ls *.train.jsonl | head -1)"
gzip "$dir/data/$(cd "$dir/data" && ls *.train.jsonl | tail -1)"
sed -i "s/$(cd "$dir/data" && ls *.gz | sed 's/.gz//')/&.gz/" "$dir/data/train.yaml"
cat >"$dir/job.yaml" <<END
model: {path: $model}
data:
  root: $dir/data
  store: $dir/store
  train: [{list: train.yaml}]
  validation: [{list: validation.yaml}]
train: {steps: 3, batch_tokens: 600}
eval: {every: 0}
run: $dir/run
END
job=$dir/job.yaml
small="chunk=700 round=2500"

"$t" prepare "$job" $small >"$out" 2>&1
ok '[ $rc = 0 ] && grep -q "12: 12 done" "$out" && grep -q "rows  *1830, 1 bad" "$out"' "prepares twelve data sets and says so"
"$t" prepare "$job" $small >"$out" 2>&1
ok '[ $rc = 0 ] && grep -q "0 done .* 12 unchanged" "$out" && grep -q "this run  *0.0 MB, 0 rows" "$out"' "the second time nothing is read"
"$t" prepare "$job" verify=1 >"$out" 2>&1
ok '[ $rc = 0 ] && grep -q "every checksum is right" "$out"' "verify=1"
parts=$(ls "$dir"/store/part-*.h5 | wc -l)
ok '[ "$parts" -gt 10 ]' "many rounds ($parts parts)"

# Killed at some moment, again and again; the parts are in the end those of a run that nobody disturbed, to the byte.
for wait in 0.05 0.1 0.2 0.3 0.4 0.6; do
    "$t" prepare "$job" data.store="$dir/torn" $small >"$out" 2>&1 &
    sleep $wait
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
done
timeout 300 "$t" prepare "$job" data.store="$dir/torn" $small >"$out" 2>&1
ok '[ $rc = 0 ]' "killed six times, continued"
same=yes
for p in "$dir"/store/part-*.h5; do cmp -s "$p" "$dir/torn/${p##*/}" || same=no; done
ok '[ $same = yes ] && [ "$(ls "$dir/torn" | wc -l)" = "$(ls "$dir/store" | wc -l)" ]' "the store is that of an undisturbed run"

# Somebody else has the lock.
exec 9>>"$dir/torn/lock" && flock 9
timeout 60 "$t" prepare "$job" data.store="$dir/torn" >"$out" 2>&1
ok '[ $rc = 1 ] && grep -q "another tutti prepare is at work" "$out"' "two at once: exit code 1"
exec 9>&-

# A disk that is full.
mkdir "$dir/full"
if mount -t tmpfs -o size=120k tmpfs "$dir/full" 2>/dev/null; then
    timeout 60 "$t" prepare "$job" data.store="$dir/full" $small >"$out" 2>&1
    ok '[ $rc = 1 ] && grep -q "$dir/full/.*No space left" "$out"' "no space: exit code 1 and the place"
    mount -o remount,size=20m "$dir/full"
    timeout 60 "$t" prepare "$job" data.store="$dir/full" $small >"$out" 2>&1
    ok '[ $rc = 0 ] && grep -q "rows  *1830, 1 bad" "$out"' "with space again it goes on"
    umount "$dir/full"
else
    n=$((n + 1)) && echo "ok $n # SKIP a full disk: no right to mount one"
fi

for np in 2 3; do
    timeout 120 mpirun -q -n $np "$t" prepare "$job" data.store="$dir/np$np" $small >"$out" 2>&1
    ok '[ $rc = 0 ] && grep -q "rows  *1830, 1 bad" "$out"' "on $np ranks"
done

# From the store or from the files: the same steps.
timeout 300 "$t" train "$job" data.store= run="$dir/run1" >"$out" 2>&1
ok '[ $rc = 0 ]' "a run from the files"
timeout 300 "$t" train "$job" data.store="$dir/np3" run="$dir/run2" >"$out" 2>&1
ok '[ $rc = 0 ]' "a run from the store"
losses() { grep -o '"loss":[^,}]*' "$1/metrics.jsonl"; }
losses "$dir/run1" >"$dir/l1"
losses "$dir/run2" >"$dir/l2"
ok '[ -s "$dir/l1" ] && cmp -s "$dir/l1" "$dir/l2"' "with the same losses"
ok 'cmp -s "$dir/run1/quarantine.jsonl" "$dir/run2/quarantine.jsonl"' "and the same quarantine.jsonl"

"$t" train "$job" data.store="$dir/none" >"$out" 2>&1
ok '[ $rc = 3 ] && grep -q "tutti prepare $job" "$out"' "without a store a run says how to make one"
"$t" prepare "$job" data.store= >"$out" 2>&1
ok '[ $rc = 2 ] && grep -q "data.store is not set" "$out"' "without data.store: exit code 2"
"$t" prepare >"$out" 2>&1
ok '[ $rc = 2 ] && grep -q "one job file" "$out"' "without a job: exit code 2"
"$t" prepare "$job" chnk=3 >"$out" 2>&1
ok '[ $rc = 2 ] && grep -q chnk "$out"' "a wrong key: exit code 2"
echo "1..$n"
exit $bad
