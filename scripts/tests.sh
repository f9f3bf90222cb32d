#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs tests of a build: scripts/tests.sh PRESET [ARGUMENT OF CTEST]... Silent about those that pass; what a failing one
# wrote is told. Those that failed are run once more, alone, to tell whether they always do; a failure they remain.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
# More at a time than there are processors: many tests wait.
jobs=$((3 * $(nproc)))

passes() { # [ARGUMENT]...
    ctest --preset "$preset" --output-on-failure "$@" |
        grep -vE '^ +Start +[0-9]+: |^ *[0-9]+/[0-9]+ Test +#[0-9]+: .* +Passed +[0-9.]+ sec$'
}
passes -j"$jobs" "$@" && exit
echo
echo "-- what failed, once more, one at a time"
passes --rerun-failed || true
exit 1
