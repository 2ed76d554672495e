#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# clang: many small C++ objects.
# needs: clang
set -eu

# shellcheck source=bench/programs/compile.bash
. "$(dirname "$0")/compile.bash"
compile clang "$1"
