#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# gcc: its compiler proper keeps most of what it allocates.
# needs: gcc
set -eu

# shellcheck source=bench/programs/compile.bash
. "$(dirname "$0")/compile.bash"
compile gcc "$1"
