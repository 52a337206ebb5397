# TEST np=1
# inspect, import and export: folders come back byte for byte, hashes agree, mistakes are named. h5dump reads the checkpoints.
tutti=$TUTTI_BUILD/tutti
d=$(mktemp -d) && trap 'rm -rf "$d"' EXIT
n=0 bad=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }
is() { [ "$1" = "$2" ]; ok $? "$3: $1"; }
has() { case $1 in *"$2"*) ok 0 "$3: $1" ;; *) ok 1 "$3: $1" ;; esac; }
hash_of() { "$tutti" inspect "$1" | tail -1; }

golden=$TUTTI_SHARED/golden/hf
if [ ! -d "$golden" ]; then golden=none; echo "# no golden files: our own model only"; fi
for m in data/models/nano-t5 "$golden"/t5_v10 "$golden"/t5_v11; do
    [ -f "$m/model.safetensors" ] || continue
    name=$(basename "$m")
    "$tutti" import "$m" out="$d/$name.h5" >/dev/null
    ok $? "import $name"
    is "$(hash_of "$m")" "$(hash_of "$d/$name.h5")" "$name: one hash for the folder and its checkpoint"
    case $(cat "$m/config.json") in *'"torch_dtype": "bfloat16"'*) dtype=bf16 ;; *) dtype=f32 ;; esac
    "$tutti" export "$d/$name.h5" out="$d/$name" dtype=$dtype >/dev/null 2>&1
    ok $? "export $name as it was stored, $dtype"
    for f in config.json generation_config.json model.safetensors spiece.model; do
        [ -f "$m/$f" ] || continue
        cmp -s "$m/$f" "$d/$name/$f"
        ok $? "$name/$f comes back byte for byte"
    done
    one=$name
done
if [ "$golden" != none ]; then
    "$tutti" export "$d/t5_v11.h5" out="$d/half" dtype=bf16 >/dev/null 2>&1
    for f in config.json model.safetensors; do
        cmp -s "$golden/t5_v11/bf16/$f" "$d/half/$f"
        ok $? "bf16/$f as transformers writes it"
    done
    "$tutti" export "$d/t5_v11.h5" out="$d/shards" shard=20000 >/dev/null 2>&1
    is "$(hash_of "$d/shards")" "$(hash_of "$d/t5_v11.h5")" "in shards of 20000 bytes, $(ls "$d/shards" | grep -c of) of them"
    # the tokenizer goes along, and only the right one
    mkdir "$d/with" && cp "$golden"/t5_v11/*.json "$golden"/t5_v11/model.safetensors "$d/with"
    cp data/models/nano-t5/spiece.model "$d/with"
    "$tutti" import "$d/with" out="$d/with.h5" >/dev/null && "$tutti" export "$d/with.h5" out="$d/with2" >/dev/null
    cmp -s "$d/with/spiece.model" "$d/with2/spiece.model"
    ok $? "the tokenizer is copied"
    other=$(find "$TUTTI_SHARED/tokenizers" -name spiece.model | head -1)
    cp "$other" "$d/with/spiece.model"
    says=$("$tutti" export "$d/with.h5" out="$d/with3" 2>&1 >/dev/null); rc=$?
    has "$says" "another tokenizer" "a changed tokenizer"
    is $rc 4 "exit code"
    mv "$d/with" "$d/moved"
    says=$("$tutti" export "$d/with.h5" out="$d/with3" 2>&1 >/dev/null); rc=$?
    has "$says" "say where with tokenizer=DIR" "a tokenizer that is gone"
    is $rc 3 "exit code"
    "$tutti" export "$d/with.h5" out="$d/with3" tokenizer=none >/dev/null 2>&1 && [ ! -f "$d/with3/spiece.model" ]
    ok $? "tokenizer=none"
    "$tutti" export "$d/with.h5" out="$d/with4" tokenizer="$d/with2/spiece.model" >/dev/null 2>&1 && [ -f "$d/with4/spiece.model" ]
    ok $? "tokenizer=FILE"
    has "$("$tutti" inspect "$golden/llama" | tail -1)" "weights " "a model that is not built in has a hash too"
fi

if [ -n "${one:-}" ]; then
    mkdir -p "$d/run/checkpoints"
    cp "$d/$one.h5" "$d/run/checkpoints/step-00000007.h5"
    cp "$d/$one.h5" "$d/run/checkpoints/step-00000009.h5"
    is "$("$tutti" inspect "$d/run" | sed 's/,.*//;q')" "checkpoint $d/run/checkpoints/step-00000009.h5" "a run: its newest"
    echo step-00000007.h5 >"$d/run/checkpoints/latest"
    is "$("$tutti" inspect "$d/run" | sed 's/,.*//;q')" "checkpoint $d/run/checkpoints/step-00000007.h5" "or where latest points"
    if command -v h5dump >/dev/null; then
        h5dump -d /weights/shared.weight "$d/$one.h5" | grep -q "H5T_IEEE_F32LE"
        ok $? "h5dump reads a weight"
        h5dump -a /state/step "$d/$one.h5" | grep -q "(0): 0"
        ok $? "and the state"
        h5dump -d /model_config "$d/$one.h5" | grep -q model_type
        ok $? "and a text"
    fi
    says=$(truncate -s -1 "$d/$one.h5" && "$tutti" inspect "$d/$one.h5" 2>&1 >/dev/null); rc=$?
    has "$says" "truncated file" "a truncated checkpoint"
    is $rc 4 "exit code"
fi

cp tests/store/columns.h5 "$d/columns.h5"
list=$("$tutti" inspect "$d/columns.h5")
is $? 0 "inspect a column file"
is "$(sed 's/,.*//;q' <<<"$list")" "columns $d/columns.h5" "what it is"
is "$(grep -c ' ok$' <<<"$list")" 4 "its columns and texts"
has "$(tr -s ' ' <<<"$list")" "/b/d [5] i32 20 ok" "name, length, type, bytes"
if command -v h5dump >/dev/null; then
    has "$(h5dump -y -d /b/d "$d/columns.h5")" "858927408, 926299444" "h5dump reads a column"
    has "$(h5dump -a kind "$d/columns.h5")" "columns" "and the kind"
fi
at=$(grep -obUa 0123456789abcdef0123456789abcde "$d/columns.h5" | cut -d: -f1)
printf x | dd of="$d/columns.h5" bs=1 seek="$at" conv=notrunc 2>/dev/null
list=$("$tutti" inspect "$d/columns.h5" 2>/dev/null)
is $? 4 "exit code of a damaged one"
has "$(tr -s ' ' <<<"$list")" "/b/c [31] u8 31 DAMAGED" "which column"

try() { # code, text, arguments
    local code=$1 text=$2; shift 2
    says=$("$tutti" "$@" 2>&1 >/dev/null); rc=$?
    has "$says" "$text" "tutti $*"
    is $rc "$code" "exit code"
}
try 2 "takes one path" inspect
try 4 "no such file" inspect /no/such
try 4 "holds neither" inspect src
try 2 "import takes" import x
try 2 "ends in .h5" import x out=y
try 4 "x" import /no/such/x out="$d/y.h5"
try 2 "export takes" export x
try 4 "holds no checkpoint" export "$d" out="$d/y"
try 2 "dtype" export "$d" out="$d/y" dtype=f8
echo "1..$n"
exit $bad
