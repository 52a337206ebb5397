# TEST np=1
# The same weights, bit for bit: on any number of ranks, after stopping and resuming elsewhere, after kill -9, after a signal.
. tests/train/sample.sh

start() { # RANKS ARG ...: in the background; its mpirun's pid in mpi
    local ranks=$1
    shift
    mpirun -q -n "$ranks" "$tutti" "$@" >"$W/out" 2>&1 </dev/null &
    mpi=$!
}
await() { # FILE: until it exists or the program has ended
    local i
    for i in $(seq 1200); do
        compgen -G "$1" >/dev/null && return 0
        kill -0 "$mpi" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}
finish() { wait "$mpi"; rc=$?; }

run 1 train "$W/job.yaml" run="$W/n1"
ok $rc "50 steps on 1 rank"
whole=$(newest "$W/n1")
same "$whole" "$whole"
ok $? "inspect ends with the hash of the weights: $(weights "$whole")"
for ranks in 2 3 4 7 8; do
    run $ranks train "$W/job.yaml" run="$W/n$ranks"
    [ $rc = 0 ] && same "$whole" "$(newest "$W/n$ranks")"
    ok $? "the same weights on $ranks ranks"
done

run 4 train "$W/job.yaml" run="$W/half" train.steps=25
[ $rc = 0 ] && ! same "$whole" "$(newest "$W/half")"
ok $? "25 steps on 4 ranks: other weights"
run 3 train "$W/job.yaml" run="$W/half"
[ $rc = 0 ] && same "$whole" "$(newest "$W/half")"
ok $? "then 25 steps on 3 ranks: the same weights"
[ "$(ls "$W/half/checkpoints" | grep -c '^step-')" = 3 ]
ok $? "three checkpoints are kept"

# Twice: wait for a checkpoint, then kill all ranks at some moment after it.
for i in 1 2; do
    start 3 train "$W/job.yaml" run="$W/killed" checkpoint.every=2
    await "$W/killed/checkpoints/step-*.h5"
    sleep 0.$((RANDOM % 5 + 1))
    kill -9 $(ranks_of "$mpi") 2>/dev/null
    finish
done
run 2 train "$W/job.yaml" run="$W/killed"
[ $rc = 0 ] && same "$whole" "$(newest "$W/killed")"
ok $? "killed twice and resumed on 2 ranks: the same weights"

# A signal to one rank alone, or through mpirun, stops all ranks after a clean checkpoint.
for sig in TERM USR1; do
    start 3 train "$W/job.yaml" run="$W/$sig" train.steps=100000 checkpoint.every=0
    await "$W/$sig/metrics.jsonl"
    sleep 0.2
    if [ $sig = TERM ]; then kill -TERM $(ranks_of "$mpi" | tail -n 1); else kill -USR1 "$mpi"; fi
    finish
    [ $rc = 75 ]
    ok $? "SIG$sig: exit code 75 (was $rc)"
    last=$(newest "$W/$sig") step=${last##*step-} step=$((10#${step%.h5}))
    run 1 train "$W/job.yaml" run="$W/$sig-whole" train.steps=$step checkpoint.every=0
    [ "$step" -gt 0 ] && same "$last" "$(newest "$W/$sig-whole")"
    ok $? "SIG$sig: stopped at step $step with the weights of an unbroken run"
done

run 1 train "$W/job.yaml" run="$W/f1" train.steps=20 optim.name=adafactor optim.lr=0.01
run 3 train "$W/job.yaml" run="$W/f3" train.steps=20 optim.name=adafactor optim.lr=0.01
same "$(newest "$W/f1")" "$(newest "$W/f3")"
ok $? "Adafactor: the same weights on 1 and 3 ranks"
# Scores and answers, too.
head -n 23 "$W/data/turn.jsonl" >"$W/data/test.jsonl"
sed 's/^train:/  test:\n    - {name: test, path: test.jsonl, format: prompt_completion}\n&/' "$W/job.yaml" >"$W/scored.yaml"
for ranks in 1 3; do
    run $ranks train "$W/scored.yaml" run="$W/s$ranks" train.steps=10 eval.metrics="loss exact_match rouge" eval.max_new_tokens=12
    ok $rc "evaluation on $ranks ranks"
done
cmp -s "$W/s1/eval-test.tsv" "$W/s3/eval-test.tsv" && cmp -s "$W/s1/predictions-test-10.jsonl" "$W/s3/predictions-test-10.jsonl" &&
    [ "$(wc -l <"$W/s1/predictions-test-10.jsonl")" = 23 ]
ok $? "the same scores and answers on 1 and 3 ranks"

run 3 train "$W/job.yaml" run="$W/mpi" mesh.reduce=mpi
ok $rc "reduce: mpi runs, too"
done_testing
