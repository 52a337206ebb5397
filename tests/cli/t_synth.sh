# TEST np=1
# tutti synth by the command line: options, files, exit codes.
set -u
tutti=$TUTTI_BUILD/tutti tmp=$(mktemp -d) n=0 bad=0
trap 'rm -rf "$tmp"' EXIT
ok() {
    n=$((n + 1))
    if eval "$1"; then echo "ok $n - $2"; else bad=1 && echo "not ok $n - $2"; fi
}

"$tutti" synth out="$tmp/a" datasets=9 categories=4 rows=5 eval_rows=2 2>"$tmp/log"
ok "[ $? = 0 ]" "writes a collection: $(cat "$tmp/log" | sed "s|$tmp|TMP|")"
ok '[ "$(wc -l <"$tmp/a/registry.tsv")" = 10 ]' "a line a data set in registry.tsv"
ok '[ "$(cut -f2 "$tmp/a/registry.tsv" | sed 1d | sort -u | wc -l)" = 4 ]' "four categories"
ok '[ "$(cat "$tmp"/a/*.train.jsonl | wc -l)" = 45 ] && [ "$(cat "$tmp"/a/*.test.jsonl | wc -l)" = 18 ]' "rows as asked"
"$tutti" synth 2>"$tmp/log"
ok "[ $? = 2 ] && grep -q 'out=FOLDER' '$tmp/log'" "without out: exit code 2 and what to say"
"$tutti" synth out="$tmp/b" datasets=2 categories=3 2>"$tmp/log"
ok "[ $? = 2 ] && grep -q '3 categories' '$tmp/log'" "more categories than data sets: exit code 2"
"$tutti" synth out="$tmp/b" row=3 2>"$tmp/log"
ok "[ $? = 2 ] && grep -q \"did you mean 'rows'\" '$tmp/log'" "a wrong key: exit code 2 and the nearest key"
"$tutti" synth out=/proc/no/such 2>"$tmp/log"
ok "[ $? = 1 ] && grep -q /proc/no '$tmp/log'" "a place that cannot be written: exit code 1 and the place"
echo "1..$n"
exit $bad
