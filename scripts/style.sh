#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails when a C file is not as clang-format would have it, or an include goes against the folders' order.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror

# FOLDER may not include what stands in OTHERS (separated by |).
forbid() {
    if git grep -nE "^#include \"($2)/" -- "$1/*.[ch]"; then
        echo "style: $1 may not use these" >&2
        exit 1
    fi
}
forbid base 'cluster|capture|sync|events|naming|keys|node|center|sim'
forbid cluster 'capture|sync|events|naming|keys|node|center|sim'
forbid capture 'cluster|sync|events|naming|keys|node|center|sim'
forbid sync 'capture|events|naming|keys|node|center|sim'
forbid events 'cluster|sync|naming|keys|node|center|sim'
forbid naming 'cluster|sync|events|keys|node|center|sim'
forbid keys 'cluster|sync|events|naming|node|center|sim'
forbid sim 'capture|events|naming|keys|node|center'
forbid center 'events|naming|keys|node|sim'
echo "style: fine"
