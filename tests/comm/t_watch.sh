# TEST np=1
# A rank that hangs, dies or meets a bug ends the whole job: soon, with a message and exit code 1.
exe=${TUTTI_BUILD:-build}/tests/comm/t_watch n=0 failed=0
check() { # condition's status, text
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/#   /' "$out"; failed=1; fi
}
out=$(mktemp) && trap 'rm -f "$out"' EXIT
run() { timeout 60 mpirun -q -n "$1" "$exe" "$2" >"$out" 2>&1; rc=$?; }

run 3 hang
check $((rc != 1)) "a rank that hangs: exit code 1 (was $rc)"
grep -q "tutti: rank [012] of 3 on .*: no progress for 2 s in 'step 7: reduce'" "$out"
check $? "the watchdog names rank, host and place"
run 3 bug
check $((rc != 1)) "a bug: exit code 1 (was $rc)"
grep -q "fatal on .*t_watch.c:.*: slab of 16 floats has no owner" "$out" && grep -q "tutti: rank 2 of 3 ends the job" "$out"
check $? "the bug's place and rank are printed"
run 3 kill
check $((rc == 0 || rc == 124)) "a killed rank ends the job (exit code $rc)"
timeout 60 "$exe" hang >"$out" 2>&1
rc=$?
check $((rc != 1)) "alone, without mpirun: exit code 1 (was $rc)"
SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=0 timeout 60 "$exe" >"$out" 2>&1
check $(($? != 1)) "tasks of srun that do not see each other are refused"
echo "1..$n"
exit $failed
