#!/usr/bin/env bash
# Includes go downward only: base <- kern, comm <- tensor, linalg <- store <- optim, data, model <- eval <- train <- cli.
cd "$(dirname "$0")/.." || exit 2
declare -A may=(
    [base]="base conf" [kern]="base kern" [comm]="base comm"
    [tensor]="base kern comm tensor" [linalg]="base kern comm tensor linalg"
    [store]="base kern comm tensor store" [optim]="base conf kern comm tensor store optim"
    [data]="base conf kern comm store data" [model]="base kern comm tensor store data model"
    [eval]="base conf kern comm tensor store data model eval"
    [train]="base conf kern comm tensor linalg store optim data model eval train"
    [cli]="base conf kern comm tensor linalg store optim data model eval train cli"
)
bad=0
for layer in "${!may[@]}"; do
    for f in src/$layer/*.[ch] src/$layer/*.cc include/tutti/$layer.h; do
        [ -f "$f" ] || continue
        for h in $(sed -n 's/^#include "tutti\/\([a-z0-9]*\)\.h".*/\1/p' "$f"); do
            case " ${may[$layer]} " in *" $h "*) ;; *) echo "$f: layer $layer may not include tutti/$h.h"; bad=1 ;; esac
        done
        for h in $(sed -n 's/^#include "\.\.\/\([a-z]*\)\/.*/\1/p' "$f"); do
            echo "$f: includes a private header of $h"; bad=1
        done
    done
done
[ $bad = 0 ] && echo "layers: in order"
exit $bad
