#!/bin/sh
# SPDX-License-Identifier: MIT
# stages.sh [long-]: the stages as a line "list=[...]" for a workflow that makes a job of each: those that CI runs, or the long ones.
set -eu
cd "$(dirname "$0")"
case ${1-} in
  long-) set -- long-*.sh ;;
  *) set -- [0-9]*.sh ;;
esac
printf 'list=['
separator=''
for stage; do
  printf '%s"%s"' "$separator" "${stage%.sh}"
  separator=,
done
printf ']\n'
