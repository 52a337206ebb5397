# TEST np=1
# The verb tokenize: golden ids through the command line, bad lines, exit codes.
set -u
exe=$TUTTI_BUILD/tutti n=0 bad=0
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
check() { # check WHAT CONDITION...
    n=$((n + 1))
    local what=$1
    shift
    if "$@"; then echo "ok $n - $what"; else echo "not ok $n - $what"; bad=$((bad + 1)); fi
}
refused() { # refused CODE TEXT ARGUMENT...: exit code and message
    local code=$1 text=$2
    shift 2
    "$exe" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    [ $? = "$code" ] && grep -qF -- "$text" "$tmp/err" || { sed 's/^/# /' "$tmp/err"; return 1; }
}
ids_of() { sed -n 's/.*"ids": \(\[[^]]*\]\).*/{"ids": \1}/p' "$1"; }

t5=$TUTTI_SHARED/tokenizers/t5
refused 2 "tokenizer=DIR" tokenize; check "no tokenizer: exit code 2" [ $? = 0 ]
refused 3 "no such tokenizer folder" tokenize tokenizer="$tmp/none"; check "no such folder: exit code 3" [ $? = 0 ]
refused 2 "tokenzier" tokenize tokenzier=x; check "a wrong key: exit code 2" [ $? = 0 ]
if [ -f "$t5/spiece.model" ]; then
    grep '"mode": "spm"' "$t5/golden.jsonl" >"$tmp/spm.jsonl"
    grep '"mode": "hf"' "$t5/golden.jsonl" >"$tmp/hf.jsonl"
    ids_of "$tmp/spm.jsonl" >"$tmp/want"
    "$exe" tokenize tokenizer="$t5" special=0 in="$tmp/spm.jsonl" >"$tmp/got" 2>"$tmp/err"
    check "golden ids, plain, from a file" cmp -s "$tmp/want" "$tmp/got"
    ids_of "$tmp/hf.jsonl" >"$tmp/want"
    "$exe" tokenize tokenizer="$t5" <"$tmp/hf.jsonl" >"$tmp/got" 2>"$tmp/err"
    check "golden ids, special by default, from stdin" cmp -s "$tmp/want" "$tmp/got"
    printf '{"text": "a"}\n{"txt": "b"}\n' >"$tmp/bad1"
    printf '{"text": "a"}\n\n{"hex": "0g"}\n' >"$tmp/bad2"
    printf 'text\n' >"$tmp/bad3"
    refused 3 "$tmp/bad1:2: has no string" tokenize tokenizer="$t5" in="$tmp/bad1"; check "a line without text" [ $? = 0 ]
    refused 3 "$tmp/bad2:3: \"hex\"" tokenize tokenizer="$t5" in="$tmp/bad2"; check "hex that is none" [ $? = 0 ]
    refused 3 "$tmp/bad3:1: is not JSON" tokenize tokenizer="$t5" in="$tmp/bad3"; check "a line that is not JSON" [ $? = 0 ]
    refused 3 "$tmp/none.jsonl" tokenize tokenizer="$t5" in="$tmp/none.jsonl"; check "no such input" [ $? = 0 ]
else
    n=$((n + 1)); echo "ok $n # SKIP the shared tokenizers are not here"
fi
echo "1..$n"
[ $bad = 0 ]
