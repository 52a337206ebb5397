#!/usr/bin/env bash
# Runs one case FILE:RANKS for prove.
t=${1%:*} n=${1##*:}
case $t in
*.sh) exec timeout "${TUTTI_TIMEOUT:-300}" bash "$t" "$n" ;;
*) exe=$TUTTI_BUILD/${t%.c} ;;
esac
if [ "$n" = 1 ]; then exec timeout "${TUTTI_TIMEOUT:-300}" "$exe"; fi
exec timeout "${TUTTI_TIMEOUT:-300}" mpirun -q -n "$n" "$exe"
