#!/usr/bin/env bash
# Runs one case FILE:RANKS for prove. The limit is there for a hang, not for a slow machine.
t=${1%:*} n=${1##*:}
case $t in
*.sh) exec timeout "${TUTTI_TIMEOUT:-900}" bash "$t" "$n" ;;
*) exe=$TUTTI_BUILD/${t%.c} ;;
esac
if [ "$n" = 1 ]; then exec timeout "${TUTTI_TIMEOUT:-900}" "$exe"; fi
exec timeout "${TUTTI_TIMEOUT:-900}" mpirun -q -n "$n" "$exe"
