# TEST np=1
# Injected faults, end to end: one message with fact, place and remedy; the right exit code from all ranks; no hang; nothing committed is lost.
. tests/train/sample.sh
trap 'umount "$W/small" 2>/dev/null; rm -rf "$W"' EXIT

# fails RANKS CODE TEXT ARG ...: the exit code and the message, said once
fails() {
    local ranks=$1 code=$2 text=$3
    shift 3
    run "$ranks" "$@"
    [ "$rc" = "$code" ] && [ "$(grep -cF -- "$text" "$W/out")" = 1 ]
    ok $? "exit code $code, \"$text\" (code $rc)"
}
job() { sed "$1" "$W/job.yaml" >"$W/bad.yaml"; } # a copy of the job with something changed

# ---- the job
job 's/  grains: 8/  grainz: 8/'
fails 2 2 "$W/bad.yaml:15: no such key 'train.grainz'; did you mean 'train.grains'?" train "$W/bad.yaml"
fails 2 2 "$W/none.yaml" train "$W/none.yaml"
fails 2 2 "no such key 'optim.lrr'; did you mean 'optim.lr'?" train "$W/job.yaml" optim.lrr=1
fails 2 2 "train.steps is 'many'" train "$W/job.yaml" train.steps=many
job 's/lr: 3e-3/lr: [3/'
fails 2 2 "$W/bad.yaml:" train "$W/bad.yaml"

fails 2 1 "$W/job.yaml/run" train "$W/job.yaml" run="$W/job.yaml/run"
fails 2 2 "optim.nesterov needs optim.momentum" train "$W/job.yaml" optim.name=sgd optim.nesterov=1

# ---- data
job 's/turn.jsonl/turned.jsonl/'
fails 2 3 "$W/data/turned.jsonl cannot be read" train "$W/bad.yaml" run="$W/r1"
cp "$W/data/copy.jsonl" "$W/data/broken.jsonl"
sed -i '3s/.*/{"prompt": "copy: x", /; 5s/.*/{"prompt": "copy: y"}/; 7s/.*/{"prompt": "copy: z", "completion": ""}/' "$W/data/broken.jsonl"
job 's/path: copy.jsonl/path: broken.jsonl/'
fails 2 3 "$W/data/broken.jsonl: line 3 is not JSON" train "$W/bad.yaml" run="$W/r2" data.on_bad_row=fail
run 2 train "$W/bad.yaml" run="$W/r3" train.steps=2
[ $rc = 0 ] && [ "$(wc -l <"$W/r3/quarantine.jsonl")" = 3 ]
ok $? "on_bad_row: skip trains on the rest and lists three rows"
cp "$W/r3/quarantine.jsonl" "$W/out"
for line in 3 5 7; do
    grep -qE "broken.jsonl.*\"line\": ?$line\b.*reason|\"line\": ?$line\b.*broken.jsonl.*reason" "$W/out"
    ok $? "quarantine.jsonl names file, line $line and a reason"
done
: >"$W/data/empty.jsonl"
job 's/path: .*.jsonl,/path: empty.jsonl,/'
fails 2 3 "empty.jsonl has no rows" train "$W/bad.yaml" run="$W/r4"

# ---- models and tokenizers
config 24 100 >"$W/model/small.json"
fails 2 3 "it has 135 ids but the model's vocabulary only 100" train "$W/job.yaml" run="$W/r5" model.config="$W/model/small.json"
fails 2 4 "$W/model/none.json" train "$W/job.yaml" run="$W/r6" model.config="$W/model/none.json"
fails 2 3 "$W/data" train "$W/job.yaml" run="$W/r7" tokenizer.path="$W/data"
run 2 train "$W/job.yaml" run="$W/good" train.steps=10
ok $rc "ten steps"
first=$(weights "$W/good/checkpoints/step-00000010.h5")
run 1 export "$W/good/checkpoints/step-00000010.h5" out="$W/hf" tokenizer="$W/model"
ok $rc "export"
run 2 train "$W/job.yaml" run="$W/r8" model.path="$W/hf" model.config= train.steps=2
ok $rc "training goes on from the exported folder"
truncate -s 9000 "$W/hf/model.safetensors"
fails 2 4 "$W/hf/model.safetensors: truncated" train "$W/job.yaml" run="$W/r9" model.path="$W/hf" model.config=
printf '\xff\xff\xff\xff\xff\xff\xff\x7f' | dd of="$W/hf/model.safetensors" conv=notrunc status=none
fails 2 4 "$W/hf/model.safetensors: header length says 9223372036854775807 bytes" train "$W/job.yaml" run="$W/r10" model.path="$W/hf" model.config=

# ---- checkpoints
config 16 136 >"$W/model/other.json"
fails 2 4 "step-00000010.h5: is from another model" train "$W/job.yaml" run="$W/good" model.config="$W/model/other.json"
[ "$(weights "$W/good/checkpoints/step-00000010.h5")" = "$first" ]
ok $? "the checkpoint is as it was"

# No room for a checkpoint: by a limit on the size of files, and on a file system that is full.
run 1 train "$W/job.yaml" run="$W/whole" train.steps=20
no_room() { # what has happened, its exit code: the old checkpoint is there, no rubbish beside it
    [ "$2" = 1 ] && says "no room for the checkpoint" && [ "$(weights "$W/good/checkpoints/step-00000010.h5")" = "$first" ] &&
        [ "$(ls "$W/good/checkpoints" | tr '\n' ' ')" = "latest owner step-00000010.h5 " ]
    ok $? "$1: said, exit code 1 (was $2), what was committed is as it was"
}
(
    trap '' XFSZ # ignored in the program as well: writes fail instead
    OMPI_MCA_btl=self,tcp timeout -k 5 120 mpirun -q -n 2 bash -c "ulimit -f 100; exec $tutti train $W/job.yaml run=$W/good train.steps=20" >"$W/out" 2>&1
)
no_room "a limit on the size of files" $?
mkdir "$W/small"
if mount -t tmpfs -o size=4m none "$W/small" 2>/dev/null; then
    mv "$W/good" "$W/small/" && ln -s "$W/small/good" "$W/good"
    dd if=/dev/zero of="$W/small/filler" bs=1M status=none 2>/dev/null
    truncate -s -100K "$W/small/filler"
    run 2 train "$W/job.yaml" run="$W/good" train.steps=20
    no_room "a full disk" $rc
    rm "$W/good" && mv "$W/small/good" "$W/"
    umount "$W/small"
else
    n=$((n + 1)) && echo "ok $n # SKIP a small file system cannot be mounted here"
fi
run 2 train "$W/job.yaml" run="$W/good" train.steps=20
[ $rc = 0 ] && same "$(newest "$W/good")" "$(newest "$W/whole")"
ok $? "with room again it goes on as if nothing had happened"

# The newest checkpoint is torn, as if the machine had lost power and the file system its order.
cp -r "$W/good" "$W/torn"
truncate -s 20000 "$W/torn/checkpoints/step-00000020.h5"
run 2 train "$W/job.yaml" run="$W/torn" train.steps=20
says "step-00000020.h5" && [ $rc = 0 ] && same "$(newest "$W/torn")" "$(newest "$W/whole")"
ok $? "a torn checkpoint is named and the one before it is used"

# ---- one rank alone
timeout 120 mpirun -q -n 2 "$tutti" train "$W/job.yaml" run="$W/r11" : -n 1 "$tutti" train "$W/alone.yaml" >"$W/out" 2>&1
rc=$?
[ $rc = 2 ] && says "$W/alone.yaml" && says "(first on rank 2; 1 of 3 ranks failed)"
ok $? "a rank that fails alone takes all ranks out with its message (code $rc)"
mpirun -q -n 3 "$tutti" train "$W/job.yaml" run="$W/r12" train.steps=1000000 checkpoint.every=10 >"$W/out" 2>&1 </dev/null &
mpi=$!
for i in $(seq 600); do [ -n "$(newest "$W/r12")" ] && break; sleep 0.1; done
kill -9 $(ranks_of "$mpi" | tail -n 1)
timeout 60 tail --pid=$mpi -f /dev/null
ok $? "one rank killed: the job ends by itself"
wait $mpi
rc=$?
run 2 train "$W/job.yaml" run="$W/r12" train.steps=1
says "step" && [ $rc = 0 ]
ok $? "and what it had committed can be resumed"
done_testing
