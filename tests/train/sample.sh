# Sourced by the end-to-end tests: a folder $W with a tiny T5, a tokenizer of single letters, two small data sets and a job.
tutti=${TUTTI_BUILD:-$PWD/build}/tutti
W=$(mktemp -d /tmp/tutti-e2e.XXXXXX)
n=0 failed=0

ok() { # status, text
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else
        echo "not ok $n - $2"
        [ -f "$W/out" ] && tail -n 15 "$W/out" | sed 's/^/#   /'
        failed=1
    fi
}
done_testing() { echo "1..$n"; rm -rf "$W"; exit $failed; }
trap 'rm -rf "$W"' EXIT

# run RANKS ARG ...: the program's exit code in rc, all it says in $W/out. Never longer than two minutes.
run() {
    local ranks=$1
    shift
    timeout -k 5 120 mpirun -q -n "$ranks" "$tutti" "$@" >"$W/out" 2>&1 </dev/null
    rc=$?
}
says() { grep -qF -- "$1" "$W/out"; }
weights() { "$tutti" inspect "$1" 2>&1 | tail -n 1; } # "weights <hash>"
same() { [[ $(weights "$1") =~ ^weights\ [0-9a-f]{32}$ ]] && [ "$(weights "$1")" = "$(weights "$2")" ]; } # two checkpoints
newest() { ls "$1"/checkpoints/step-*.h5 2>/dev/null | sort | tail -n 1; }

ranks_of() { cat /proc/[0-9]*/stat 2>/dev/null | sed -n "s/^\([0-9]*\) (.*) . $1 .*/\1/p"; } # an mpirun's programs: pids

byte() { printf "\\x$(printf %02x "$1")"; }
piece() { # text, type (1 normal, 2 unknown, 3 control): one entry of a SentencePiece ModelProto, score -3 or 0
    local len=${#1} score='\x00\x00\x40\xc0'
    [ "$2" = 1 ] || score='\x00\x00\x00\x00'
    printf '\x0a' && byte $((len + 9)) && printf '\x0a' && byte "$len" && printf %s "$1" && printf "\\x15$score\\x18" && byte "$2"
}
tokenizer() (
    LC_ALL=C
    piece '<pad>' 3 && piece '</s>' 3 && piece '<unk>' 2 && piece $'\xe2\x96\x81' 1
    for c in a b c d e f g h i j k l m n o p q r s t u v w x y z : 0 1 2 3; do piece $c 1; done
    # TrainerSpec: unk 2, bos -1, eos 1, pad 0
    printf '\x12\x15\xc0\x02\x02\xc8\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xd0\x02\x01\xd8\x02\x00'
)
config() { # d_model, vocabulary
    cat <<EOF
{"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "vocab_size": $2, "d_model": $1, "d_kv": 8, "d_ff": 48,
 "num_layers": 2, "num_decoder_layers": 2, "num_heads": 3, "feed_forward_proj": "gated-gelu", "dropout_rate": 0.1,
 "layer_norm_epsilon": 1e-6, "relative_attention_num_buckets": 8, "relative_attention_max_distance": 20,
 "tie_word_embeddings": false, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "initializer_factor": 1.0}
EOF
}
words() { # count, seed: made-up words of two to six letters
    awk -v n="$1" -v s="$2" 'BEGIN { for (i = 0; i < n; i++) { w = ""; s = (s * 69069 + 12345) % 2147483648
        k = 2 + int(s / 65536) % 5
        for (j = 0; j < k; j++) { s = (s * 69069 + 12345) % 2147483648; w = w sprintf("%c", 97 + int(s / 65536) % 26) }
        print w } }'
}

mkdir -p "$W/model" "$W/data"
tokenizer >"$W/model/spiece.model"
config 24 136 >"$W/model/config.json"
words 300 1 | awk '{ printf "{\"prompt\": \"copy: %s\", \"completion\": \"%s\"}\n", $1, $1 }' >"$W/data/copy.jsonl"
words 200 2 | awk '{ r = ""; for (i = length($1); i > 0; i--) r = r substr($1, i, 1)
    printf "{\"prompt\": \"turn: %s\", \"completion\": \"%s\"}\n", $1, r }' >"$W/data/turn.jsonl"
cat >"$W/job.yaml" <<EOF
run: $W/run
seed: 5
model:
  config: $W/model/config.json
tokenizer:
  path: $W/model
data:
  root: $W/data
  train:
    - {name: copy, path: copy.jsonl, format: prompt_completion}
    - {name: turn, path: turn.jsonl, format: prompt_completion}
train:
  steps: 50
  batch_tokens: 400
  grains: 8
optim:
  lr: 3e-3
  schedule: rsqrt
  warmup: 10
  weight_decay: 0.01
checkpoint:
  every: 10
  keep: 3
mesh:
  watchdog: 60
EOF
