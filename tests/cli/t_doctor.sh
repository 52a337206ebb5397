# TEST np=1
# tutti doctor, and the manners of the command line that need no job.
t=$TUTTI_BUILD/tutti n=0
out=$(mktemp) && trap 'rm -f "$out"' EXIT

# case NAME EXIT TEXT COMMAND...: the exit code, and TEXT somewhere in what was printed.
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

case_of "doctor finds nothing bad here" 0 " 0 bad" "$t" doctor
case_of "doctor proves the products" 0 "matrix products agree" "$t" doctor
case_of "doctor refuses vulcan" 1 "unset OMPI_MCA_fcoll" env OMPI_MCA_fcoll=vulcan "$t" doctor
case_of "doctor warns of too many threads" 0 "OMP_NUM_THREADS=4096" env OMP_NUM_THREADS=4096 "$t" doctor
case_of "doctor sees a task without PMIx" 1 "srun --mpi=pmix" \
    env -u PMIX_RANK SLURM_JOB_ID=1 SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=0 "$t" doctor
case_of "doctor takes no arguments" 2 "doctor takes no 'x'" "$t" doctor x
case_of "no verb: help" 0 "tutti <verb>" "$t"
case_of "--version" 0 "tutti " "$t" --version
case_of "a wrong verb is answered by the nearest" 2 "did you mean 'doctor'?" "$t" docto
case_of "a verb that is like no other" 2 "tutti help lists them all" "$t" zzzzzzzz
case_of "help of an unknown verb" 2 "there is no verb 'zzz'" "$t" help zzz
case_of "a wrong option of a small verb" 2 "no such key 'ot'; did you mean 'out'?" "$t" synth ot=x

env OMPI_COMM_WORLD_RANK=1 "$t" doctor >"$out" 2>&1
rc=$?
n=$((n + 1))
if [ $rc = 0 ] && [ ! -s "$out" ]; then echo "ok $n - task 1 of a verb without a mesh is silent"; else
    echo "not ok $n - task 1 of a verb without a mesh is silent"
fi
echo "1..$n"
