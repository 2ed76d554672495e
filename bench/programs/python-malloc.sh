#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same as python.sh, every object by malloc.
# needs: python3
set -eu

export PYTHONMALLOC=malloc
exec bash "$(dirname "$0")/python.sh" "$1"
