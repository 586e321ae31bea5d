#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks every model of this directory exhaustively with Spin, and that each of its mutants fails.
# Usage: run-models.sh [MODEL...], names without .pml; all by default.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
verdicts=0

# What pan says when it has not searched everything.
partial='search depth too small\|search not completed\|out of memory\|reached.*bound'

# check MODEL [MUTANT]: prints the number of errors that Spin finds, or "incomplete": no error is a
# result only if every state was visited.
check() {
    local model=$1
    local defines=()
    [ $# -lt 2 ] || defines=("-D$2")
    rm -rf "${work:?}"/*
    (
        cd "$work"
        spin "${defines[@]}" -a "$here/$model.pml" >spin.log
        "${CC:-cc}" -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=2000 -o pan pan.c
        timeout 600 ./pan -m1000000 -n >pan.log 2>&1 || true
    )
    local errors
    errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$work/pan.log")
    if [ -z "$errors" ] || {
        [ "$errors" = 0 ] && grep -qi "$partial" "$work/pan.log"
    }; then
        echo incomplete
        return
    fi
    echo "$errors"
}

if [ $# -eq 0 ]; then
    for path in "$here"/*.pml; do
        set -- "$@" "$(basename "$path" .pml)"
    done
fi

for model in "$@"; do
    if [ ! -f "$here/$model.pml" ]; then
        echo "model: no such model: $model (models: $(cd "$here" && printf '%s ' *.pml | sed 's/\.pml//g'))" >&2
        exit 2
    fi
done

for model in "$@"; do
    errors=$(check "$model")
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$work/pan.log")
    if [ "$errors" = 0 ]; then
        echo "model: $model ok states=$states"
    else
        echo "model: $model FAIL errors=$errors"
        verdicts=1
    fi
    mapfile -t mutants < <(grep -o 'MUTANT_[A-Z_]*' "$here/$model.pml" | sort -u)
    for mutant in "${mutants[@]}"; do
        errors=$(check "$model" "$mutant")
        case $errors in
        0 | incomplete)
            echo "model: $model $mutant FAIL not noticed errors=$errors"
            verdicts=1
            ;;
        *) echo "model: $model $mutant noticed" ;;
        esac
    done
done
exit $verdicts
