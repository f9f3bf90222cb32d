#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks election.pml with spin: the rules as they are must pass in every configuration, and every mutant must
# be found in a configuration that passes without it. Prints a line for each, exits 1 when one is not as
# expected, 77 when spin is not installed.
#
# usage: run.sh [--long] [--trace] [NAME...]
#   --long    also the large configurations and the mutants that only those find (about 10 min, 4 GiB)
#   --trace   print the shortest story that the search kept for each violation
#   NAME      only the configurations and mutants of these names
set -euo pipefail

model=$(cd "$(dirname "$0")" && pwd)/election.pml
long=
trace=
names=()
for argument; do
    case $argument in
    --long) long=yes ;;
    --trace) trace=yes ;;
    -*) sed -n '3,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    *) names+=("$argument") ;;
    esac
done
command -v spin > /dev/null || { echo "spin is not installed: scripts/setup.sh --tests"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

declare -A faults=(
    [cold2]="-DCOLD"
    [tie2]="-DCOLD -DTIE"
    [cold3]="-DN=3 -DCOLD"
    [crash2]="-DCRASHES=2 -DLOSSES=2 -DCUTS=1 -DFENCE"
    [state_lost2]="-DCRASHES=2 -DLOSSES=2 -DCUTS=1 -DFENCE -DFENCE_SURVIVES"
    [draw2]="-DCRASHES=2 -DLOSSES=2 -DCUTS=1 -DONE_DRAW"
    [pause2]="-DCRASHES=2 -DPAUSES=1 -DCUTS=1"
    [off2]="-DCRASHES=2 -DOFFS=1"
    [late2]="-DCRASHES=2 -DDELAYS=1 -DFENCE"
    [late_bid2]="-DCRASHES=1 -DCUTS=1 -DDELAYS=1"
    [cycle2]="-DCRASHES=2 -DLOSSES=2 -DCUTS=1"
    [cycle3]="-DN=3 -DCRASHES=1"
    [crash3]="-DN=3 -DCRASHES=2"
    [cut3]="-DN=3 -DSTEADY -DCUTS=1"
    # --long
    [loss3]="-DN=3 -DCRASHES=2 -DLOSSES=1"
    [cut_crash3]="-DN=3 -DSTEADY -DCRASHES=1 -DCUTS=1"
    [cut_pause3]="-DN=3 -DSTEADY -DPAUSES=1 -DCUTS=1"
    [all2]="-DCRASHES=2 -DLOSSES=1 -DPAUSES=1 -DCUTS=1 -DOFFS=1"
    [turned2]="-DCRASHES=2 -DLOSSES=2 -DCUTS=2 -DDRAWS=64 -DFENCE"
    [cuts2]="-DCRASHES=2 -DCUTS=3 -DPAUSES=1"
)
quick=(cold2 tie2 cold3 crash2 state_lost2 draw2 pause2 off2 late2 late_bid2 cycle2 cycle3 crash3 cut3)
large=(loss3 cut_crash3 cut_pause3 all2 turned2 cuts2)

# mutant and the configuration that must find it
mutants=(NO_SETTLE:cold2 BID_STAYS:cold2 NO_ID:tie2 HOLDER_STAYS:crash2 NO_EXPIRY:late_bid2 NO_TILT:pause2
         NO_PRECHECK:pause2 NAMED_AT_BOOT_ONLY:crash2 NO_RELEASE:off2 OFF_STAYS_NAMED:off2 NO_LEARNING:cycle2
         INC_NOT_PERSISTED:late2 CLAIM_NOT_PERSISTED:pause2 NO_FENCE:late2 FENCE_FORGOTTEN:late2
         BATCH_WITHOUT_CLAIM:crash2 REGISTER_BELOW_FENCE:state_lost2 RANDOM_DRAW:draw2 SETTLED_LAST:late_bid2
         NO_REFUTATION:cut3 SUPPORT_AT_ONCE:cut3 BID_SUPPORT_AT_ONCE:cut3)
large_mutants=(BOOT_TEACHES:loss3 BID_KEPT:cut_crash3 BOOT_TELLS:cut_crash3 SILENT_BEFORE_CLAIM:cut_crash3
               BID_OUTLIVES_PAUSE:cut_pause3)

memory=900 # MiB
mutant_optimisation=-O0 # most fall at once: compiling would take longer than searching
[ -z "$long" ] || { memory=12000; mutant_optimisation=-O1; quick+=("${large[@]}"); mutants+=("${large_mutants[@]}"); }

is_wanted() { # NAME
    [ ${#names[@]} = 0 ] || [[ " ${names[*]} " == *" $1 "* ]]
}

search() { # CONFIGURATION OPTIMISATION [DEFINE]: writes pan.log and, after a violation, a trail
    local kind=(-DSAFETY) arguments=(-m2000)
    if [[ $1 == cycle* ]]; then
        kind=(-DNP)
        arguments+=(-l)
    fi
    rm -f ./*.trail pan.*
    # shellcheck disable=SC2086 # the faults are several words
    spin -a ${faults[$1]} ${3:+"$3"} "$model" > spin.log || { cat spin.log; exit 1; }
    gcc "$2" -w "${kind[@]}" -DNOREDUCE -DCOLLAPSE "-DMEMLIM=$memory" -o pan pan.c
    ./pan "${arguments[@]}" > pan.log 2>&1
}

was_exhaustive() {
    grep -q 'errors: 0' pan.log && ! grep -qiE 'search depth too small|out of memory|not completed' pan.log
}

verdict() { # what the search found: a cycle, or the line of the model whose assertion failed
    if grep -q '^pan:1: non-progress cycle' pan.log; then
        echo "endless cycle"
        return
    fi
    local line
    # shellcheck disable=SC2086
    line=$(spin -t -k election.pml.trail ${faults[$1]} ${2:+"$2"} "$model" |
        sed -n 's/.*election\.pml:\([0-9]*\), Error: assertion violated.*/\1/p' | head -1)
    [ -n "$line" ] || return 1
    sed -n "${line}s/^ *//p" "$model" | sed 's/ *\\$//'
}

tell() { # CONFIGURATION [DEFINE]
    [ -n "$trace" ] || return 0
    # shellcheck disable=SC2086
    spin -t -k election.pml.trail ${faults[$1]} ${2:+"$2"} "$model" | grep -vE '^[[:space:]]+[a-z_]+(\[.\])? = |^#'
}

figure() { # PATTERN
    sed -n "s/$1/\1/p" pan.log | head -1
}

failed=0
for name in "${quick[@]}"; do
    is_wanted "$name" || continue
    optimisation=-O0
    [[ $name != *3 || $name == cold3 ]] || optimisation=-O1
    [ -z "$long" ] || optimisation=-O2
    search "$name" $optimisation || true
    if was_exhaustive; then
        printf 'holds     %-13s %10s states, depth %3s, %7s MB, %6s s   %s\n' "$name" \
            "$(figure '^ *\([0-9.e+]*\) states, stored.*')" "$(figure '.*depth reached \([0-9]*\).*')" \
            "$(figure '^ *\([0-9.]*\)\ttotal actual memory usage.*')" \
            "$(figure 'pan: elapsed time \([0-9.]*\) seconds.*')" "${faults[$name]}"
    else
        failed=1
        printf 'VIOLATED  %-13s %s   %s\n' "$name" "$(verdict "$name" || tail -3 pan.log)" "${faults[$name]}"
        tell "$name"
    fi
done

for entry in "${mutants[@]}"; do
    mutant=${entry%:*}
    name=${entry#*:}
    is_wanted "$mutant" || continue
    search "$name" "$mutant_optimisation" "-DMUTANT_$mutant" || true
    if found=$(verdict "$name" "-DMUTANT_$mutant"); then
        printf 'found     %-20s in %-11s by %s\n' "$mutant" "$name" "$found"
        tell "$name" "-DMUTANT_$mutant"
    else
        failed=1
        printf 'NOT FOUND %-20s in %-11s %s\n' "$mutant" "$name" "$(grep 'errors:' pan.log || tail -3 pan.log)"
    fi
done
exit $failed
