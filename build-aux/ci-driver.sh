#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the stages of build-aux/ci/ one after the other; a stage that fails does not keep the next from running.
# Usage: ci-driver.sh [STAGE...], a stage by the beginning of its name, for instance 40, or long-45; without one all but the
# long ones.
#
# A stage is a script NN-name.sh, or long-NN-name.sh, with two lines for this driver:
#   # limit: MINUTES            it is killed when they are over
#   # packages: NAME...         Debian packages that it wants; those that are missing are installed before
# It runs in the top directory and reports each suite by `passed_failed` (build-aux/ci/common.sh).  A stage fails by its
# exit status, and if it reported nothing that passed.  Status 77 says that what it is to run does not exist yet.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
cd "$(dirname "$0")/.."

stages=()
for stage in build-aux/ci/[0-9]*.sh build-aux/ci/long-*.sh; do
  [ $# -gt 0 ] || case ${stage##*/} in [0-9]*) stages+=("$stage") ;; esac
  for wanted in "$@"; do
    case ${stage##*/} in "$wanted"*) stages+=("$stage") ;; esac
  done
done
[ ${#stages[@]} -gt 0 ] || {
  echo "ci: no such stage: $*" >&2
  exit 1
}

header() { sed -n "s/^# $1: *//p" "$2"; }

# What is missing of the packages of all stages, in one go; nothing if nothing is missing.
install_packages() {
  local package missing=() as_root=()
  for package in $(for stage in "${stages[@]}"; do header packages "$stage"; done | tr ' ' '\n' | sort -u); do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
      "install ok installed") ;;
      *) missing+=("$package") ;;
    esac
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
  echo "ci: installing ${missing[*]}"
  {
    "${as_root[@]}" apt-get -q -o Acquire::Retries=3 update &&
      "${as_root[@]}" apt-get -q -y -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}"
  } >build/log/ci-packages.log 2>&1 || {
    tail -n 20 build/log/ci-packages.log
    echo "ci: could not install ${missing[*]}"
    return 1
  }
}

minutes() { awk -v s="$1" 'BEGIN { printf "%.1f", s / 60 }'; }

# git reads this tree even if it is another user's (a container's clone often is).
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$PWD

mkdir -p build/log
passed=0 failed=0 summary=()
begin_all=$SECONDS
if ! install_packages; then
  failed=1
  summary+=("packages                           0 passed, 1 failed: build/log/ci-packages.log")
fi

for stage in "${stages[@]}"; do
  name=${stage##*/}
  name=${name%.sh}
  limit=$(header limit "$stage")
  counts=$PWD/build/log/ci-$name.counts
  : >"$counts"
  printf '\n==== %s, at most %s minutes\n' "$name" "$limit"
  begin=$SECONDS
  set +e
  COPSE_CI_COUNTS=$counts timeout -k 30 "${limit}m" bash "$stage" </dev/null 2>&1 | tee "build/log/ci-$name.log"
  status=${PIPESTATUS[0]}
  set -e
  spent=$(minutes $((SECONDS - begin)))
  # Sums of what the stage reported: "passed failed" a line.
  p=$(awk '{ n += $1 } END { print n + 0 }' "$counts")
  f=$(awk '{ n += $2 } END { print n + 0 }' "$counts")
  why=
  case $status in
    0)
      # A failure that was reported and then forgotten is one nevertheless; so is a stage that ran nothing.
      if [ "$p" = 0 ] && [ "$f" = 0 ]; then f=1 why=", ran nothing"; fi
      ;;
    77)
      summary+=("$(printf '%-24s %6s min  %s' "$name" "$spent" "$(tail -n 1 "build/log/ci-$name.log")")")
      printf '==== %s LEFT OUT, %s minutes\n' "$name" "$spent"
      continue
      ;;
    124 | 137) f=$((f + 1)) why=", cut off after $limit minutes" ;;
    *) if [ "$f" = 0 ]; then f=1 why=", ended with status $status"; fi ;;
  esac
  passed=$((passed + p)) failed=$((failed + f))
  summary+=("$(printf '%-24s %6s min  %s passed, %s failed%s' "$name" "$spent" "$p" "$f" "$why")")
  printf '==== %s: %s minutes, %s passed, %s failed%s\n' "$name" "$spent" "$p" "$f" "$why"
done

printf '\n==== in all %s minutes\n' "$(minutes $((SECONDS - begin_all)))"
printf '%s\n' "${summary[@]}"
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
