#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the fuzz targets with their seeds: tests/fuzz/run.sh [SECONDS [TARGET...]], 600 seconds each by default,
# as many at a time as there are processors. PICKET_FUZZ_SEED: the same inputs each time, on a fresh corpus. What was found stays in build/fuzz/findings, the grown corpora in
# build/fuzz/corpus; the seeds in the tree are not touched. Exit status 1 on a finding.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-600}
shift || true
build=build/fuzz
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzzers | tail -n 1
mkdir -p "$build/findings" "$build/logs"

one() {
    local target=$1 seconds=$2 build=build/fuzz
    local name=${target#fuzz_}
    local corpus=$build/corpus/$name seeds=tests/fuzz/corpus/$name
    mkdir -p "$corpus"
    [ -d "$seeds" ] || seeds=
    if "$build/fuzz/$target" -max_total_time="$seconds" ${PICKET_FUZZ_SEED:+"-seed=$PICKET_FUZZ_SEED"} -rss_limit_mb=2048 -timeout=10 -max_len=65536 \
        -artifact_prefix="$build/findings/$target-" "$corpus" $seeds >"$build/logs/$target" 2>&1; then
        printf '%-18s fine: %s\n' "$target" "$(grep -a '^Done' "$build/logs/$target" || tail -n 1 "$build/logs/$target")"
    else
        printf '%-18s FOUND SOMETHING: %s\n' "$target" "$build/logs/$target"
        tail -n 40 "$build/logs/$target"
        return 1
    fi
}
export -f one

targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    for t in "$build"/fuzz/fuzz_*; do
        [ -x "$t" ] && targets+=("$(basename "$t")")
    done
fi
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'one {} '"$seconds"
