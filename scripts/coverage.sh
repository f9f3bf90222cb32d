#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs all tests, instrumented, and tells the lines that they reach, a line a file; fails when a test does, or when a
# folder that is held to it is under 90 %.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/coverage
cmake --preset coverage >/dev/null
cmake --build --preset coverage | tail -n 1
rm -rf "$build/profiles"
mkdir -p "$build/profiles"
# Processes of one program share four files: there are thousands of them.
LLVM_PROFILE_FILE="$PWD/$build/profiles/%4m.profraw" scripts/tests.sh coverage
llvm-profdata-14 merge -sparse "$build"/profiles/*.profraw -o "$build/all.profdata"

objects=()
for f in "$build"/tests/test_* "$build"/bin/*; do
    [ -x "$f" ] && [ -f "$f" ] && objects+=(-object "$f")
done
llvm-cov-14 export -summary-only -instr-profile="$build/all.profdata" "${objects[@]:1}" >"$build/coverage.json"
python3 - "$build/coverage.json" <<'PY'
import json, os, sys

files = json.load(open(sys.argv[1]))["data"][0]["files"]
held = {"base", "capture"}
sums = {folder: [0, 0] for folder in ("base", "capture", "cluster", "sync", "events", "naming", "node", "center", "sim")}
for f in sorted(files, key=lambda f: f["filename"]):
    name = os.path.relpath(f["filename"])
    folder = name.split("/")[0]
    lines = f["summary"]["lines"]
    if folder not in sums or lines["count"] == 0:
        continue
    sums[folder][0] += lines["covered"]
    sums[folder][1] += lines["count"]
    print("%6.1f %%  %5d lines  %s" % (lines["percent"], lines["count"], name))
bad = False
for folder, (covered, count) in sums.items():
    percent = 100.0 * covered / max(count, 1)
    bad |= percent < 90 and folder in held
    print("%6.1f %%  %5d lines  %s%s" % (percent, count, folder, " (at least 90 wanted)" if folder in held else ""))
sys.exit(bad)
PY
