# TEST np=1
# Every ZeRO stage, recomputed or not, updated at the end of a step or block by block, on any number of ranks: the same weights bit
# for bit; and checkpoints that go from one to another.
. tests/train/sample.sh

job="train $W/job.yaml train.steps=12 checkpoint.every=0"

run 1 $job run="$W/one"
ok $rc "12 steps on 1 rank"
one=$(newest "$W/one")
for setting in "3 mesh.zero=0" "2 mesh.zero=2" "2 mesh.zero=3" "8 mesh.zero=3" "5 mesh.zero=2 train.recompute=block" \
    "3 mesh.zero=3 train.recompute=block" "1 train.recompute=block"; do
    set -- $setting
    ranks=$1
    shift
    run $ranks $job run="$W/r" "$@"
    [ $rc = 0 ] && same "$one" "$(newest "$W/r")"
    ok $? "the same weights on $ranks ranks with $*"
    rm -rf "$W/r"
done

# Without clipping every block may be updated as soon as its gradient is there.
run 1 $job run="$W/free" optim.clip=0
free=$(newest "$W/free")
! same "$one" "$free"
ok $? "without clipping: other weights"
for setting in "1 mesh.zero=1" "2 mesh.zero=1" "4 mesh.zero=3 train.recompute=block"; do
    set -- $setting
    ranks=$1
    shift
    run $ranks $job run="$W/r" optim.clip=0 optim.update=block "$@"
    [ $rc = 0 ] && same "$free" "$(newest "$W/r")"
    ok $? "updated block by block: the same weights on $ranks ranks with $*"
    rm -rf "$W/r"
done

run 1 $job run="$W/f" optim.name=adafactor optim.lr=0.01 optim.clip=0
for setting in "2 mesh.zero=0" "3 mesh.zero=3 optim.update=block" "7 mesh.zero=3"; do
    set -- $setting
    ranks=$1
    shift
    run $ranks $job run="$W/r" optim.name=adafactor optim.lr=0.01 optim.clip=0 "$@"
    [ $rc = 0 ] && same "$(newest "$W/f")" "$(newest "$W/r")"
    ok $? "Adafactor: the same weights on $ranks ranks with $*"
    rm -rf "$W/r"
done

# A checkpoint knows nothing of who held what.
step=0
for setting in "3 mesh.zero=3" "2 mesh.zero=0" "4 mesh.zero=1" "2 mesh.zero=2 train.recompute=block"; do
    set -- $setting
    ranks=$1 step=$((step + 3))
    shift
    run $ranks train "$W/job.yaml" run="$W/moved" checkpoint.every=0 train.steps=$step optim.schedule=constant "$@"
    [ $rc = 0 ] || break
done
run 1 $job run="$W/still" optim.schedule=constant
[ $rc = 0 ] && same "$(newest "$W/still")" "$(newest "$W/moved")"
ok $? "3 steps each on 3, 2, 4, 2 ranks at stages 3, 0, 1, 2: the weights of 12 steps on one"

# bf16: other bits than fp32, the same on any number of ranks and at any stage.
run 1 $job run="$W/h" precision=bf16
! same "$one" "$(newest "$W/h")"
ok $? "precision: bf16 gives other weights than fp32"
run 3 $job run="$W/h3" precision=bf16 mesh.zero=3 train.recompute=block
[ $rc = 0 ] && same "$(newest "$W/h")" "$(newest "$W/h3")"
ok $? "and the same on 3 ranks at stage 3, recomputed"

# Tensor parallelism changes bits, nearly nothing else; the stages and data parallelism do not change them any more.
loss() { sed -n 's/^ *12  *\([0-9.]*\) .*/\1/p' "$W/out" | cut -c1-6; }
run 1 $job run="$W/r1" log.every=1
want=$(loss)
run 2 $job run="$W/t" log.every=1 mesh.tp=2
[ $rc = 0 ] && [ -n "$want" ] && [ "$(loss)" = "$want" ]
ok $? "mesh.tp: 2 gives the loss of one rank ($(loss), $want)"
for setting in "4 mesh.tp=2 mesh.zero=0" "4 mesh.tp=2 mesh.zero=3 train.recompute=block" "6 mesh.tp=2 mesh.zero=2"; do
    set -- $setting
    ranks=$1
    shift
    run $ranks $job run="$W/r" "$@"
    [ $rc = 0 ] && same "$(newest "$W/t")" "$(newest "$W/r")"
    ok $? "the same weights on $ranks ranks with $*"
    rm -rf "$W/r"
done
run 3 $job run="$W/t3" log.every=1 mesh.tp=3 precision=bf16 mesh.zero=3
[ $rc = 0 ] && [ "$(loss | cut -c1-4)" = "$(echo $want | cut -c1-4)" ]
ok $? "three ranks of tp in bf16 at stage 3: nearly the same loss ($(loss), $want)"

# Gradients on the wire as bf16 are an option: nearly the same loss, other bits.
run 3 $job run="$W/w" mesh.wire=bf16
[ $rc = 0 ] && ! same "$one" "$(newest "$W/w")"
ok $? "mesh.wire: bf16 runs"

refused() { # TEXT SETTING...
    local text=$1
    shift
    run 2 $job run="$W/no" "$@"
    [ $rc = 2 ] && says "$text"
    ok $? "refused: $text"
}
refused "it needs optim.clip: 0" optim.update=block
refused "needs mesh.zero: 1 or more" optim.update=block optim.clip=0 mesh.zero=0
refused "is there to compare with" mesh.reduce=mpi mesh.zero=3
refused "does not divide the 2 ranks" mesh.tp=3
done_testing
