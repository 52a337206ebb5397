# TEST np=1
# tutti plan by the command line: what it prints, its JSON, what would fit, exit codes; and a run held against its plan.
source "$(dirname "$0")/../train/sample.sh"

config 256 32128 >"$W/model/config.json"
words 3000 3 | awk '{ l = l " " $1 } NR % 30 == 0 { printf "{\"prompt\": \"copy:%s\", \"completion\": \"%s\"}\n", l, $1; l = "" }' \
    >"$W/data/copy.jsonl"
keys="train.steps=3 train.grains=4 train.batch_tokens=2000 checkpoint.every=0 log.every=1"
number() { sed -n "s/^ *\"$1\": *\([-0-9.e+]*\),*$/\1/p" "$W/p.json"; }
# within PLAN MEASURED PERCENT
within() { awk -v p="$1" -v m="$2" -v c="$3" 'BEGIN { d = 100 * (p / m - 1); exit !(m > 0 && d < c && d > -c) }'; }

run 1 plan "$W/job.yaml" $keys json="$W/p.json"
[ $rc = 0 ]
ok $? "plans a job"
says "weights" && says "activations" && says "step" && says "checkpoint" && says "the first 3 batches of the job's data"
ok $? "memory, time, files; lengths from the data"
planned=$(number rank_bytes)
[ -n "$planned" ] && [ "$(number ranks_per_node)" = 1 ] && grep -q '"fits": true' "$W/p.json"
ok $? "the same in JSON: $planned bytes a rank"

for ranks in 1 2; do
    run $ranks plan "$W/job.yaml" $keys json="$W/p.json"
    planned=$(number rank_bytes)
    run $ranks train "$W/job.yaml" $keys run="$W/r$ranks"
    used=$(sed -n 's/.*"rss_gib":\([0-9.]*\).*/\1/p' "$W/r$ranks/metrics.jsonl" | sort -n | tail -n 1)
    used=$(awk -v g="${used:-0}" 'BEGIN { printf "%.0f", g * 1073741824 }')
    within "$planned" "$used" 10
    ok $? "$ranks rank(s): $planned bytes planned, $used measured"
done

run 1 plan "$W/job.yaml" $keys nodes=2 ranks=8 plan.calibrate=false json="$W/p.json"
[ $rc = 0 ] && [ "$(number ranks_per_node)" = 4 ] && [ "$(number nodes)" = 2 ] && says "not measured"
ok $? "other places than here"
run 1 plan "$W/job.yaml" $keys nodes=2 ranks=8 plan.memory=0.3 plan.calibrate=false json="$W/p.json"
[ $rc = 0 ] && says "does not fit. The fastest setting that does" && grep -q '"instead": "' "$W/p.json"
ok $? "what would fit: $(sed -n 's/.*that does: //p' "$W/out")"
setting=$(sed -n 's/.*that does: //p' "$W/out")
run 1 plan "$W/job.yaml" $keys plan.nodes=2 plan.ranks_per_node=4 plan.memory=0.3 plan.calibrate=false $setting json="$W/p.json"
[ $rc = 0 ] && grep -q '"fits": true' "$W/p.json"
ok $? "and it does"
run 1 plan "$W/job.yaml" $keys plan.memory=0.01 plan.calibrate=false json="$W/p.json"
[ $rc = 0 ] && says "more nodes are needed" && grep -q '"instead": null' "$W/p.json"
ok $? "nothing fits: said so"
run 1 plan table "$W/job.yaml" $keys plan.ranks_per_node=4 plan.calibrate=false
[ $rc = 0 ] && [ "$(grep -c ' %' "$W/out")" = 8 ] && says "no hot spots"
ok $? "a table of nodes, assumptions above it"
run 2 plan calibrate
[ $rc = 0 ] && grep -q 'plan.copy_latency=[0-9.e+-]* plan.copy=[0-9.e+-]*$' "$W/out"
ok $? "what a message costs: $(tail -n 1 "$W/out")"

run 1 plan
[ $rc = 2 ] && says "takes one job file"
ok $? "no job: exit code 2"
run 1 plan "$W/job.yaml" nodes=3 ranks=8
[ $rc = 2 ] && says "spread evenly"
ok $? "ranks that do not fit the nodes: exit code 2"
run 1 plan "$W/job.yaml" mesh.tp=2
[ $rc = 2 ] && says "mesh.tp"
ok $? "tp that does not divide the ranks: exit code 2"
run 1 plan "$W/job.yaml" model.config=/no/such.json
[ $rc = 4 ] && says "/no/such.json"
ok $? "no such model: exit code 4"
run 1 plan "$W/job.yaml" $keys plan.calibrate=false json=/no/such/p.json
[ $rc = 1 ] && says "/no/such/p.json"
ok $? "a file that cannot be written: exit code 1"
run 1 plan calibrate
[ $rc = 2 ] && says "mpirun"
ok $? "calibrate on one rank: exit code 2"
done_testing
