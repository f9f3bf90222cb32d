#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compare_reference.sh PROGRAM ARGUMENT PAGE: fails when the page is not what the program prints.
"$1" "$2" | diff -u "$3" - && exit 0
echo "$3 is not what the code says. Write it again: cmake --build build/dev --target docs-reference"
exit 1
