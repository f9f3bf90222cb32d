#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails when a C file is not as clang-format would have it, or an include goes against the folders' order.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror
! git grep -nE '^#include "(cluster|capture|sync|node|center|sim)/' -- 'base/*.[ch]'
! git grep -nE '^#include "(capture|sync|node|center|sim)/' -- 'cluster/*.[ch]'
! git grep -nE '^#include "(cluster|sync|node|center|sim)/' -- 'capture/*.[ch]'
! git grep -nE '^#include "(capture|sync|node|center)/' -- 'sim/*.[ch]'
echo "style: fine"
