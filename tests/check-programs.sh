#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs real programs on the system's malloc and on copse, and compares: every script in tests/programs.
#
#   check-programs.sh [NAME]...     all of them, or those named
#
# COPSE_RUN is the path of copse-run, COPSE_LIBDIR where the libraries are if not installed; both are found by themselves
# in build/release.  COPSE_RUN_FLAGS goes to copse-run (for instance "--new").  Missing programs are installed by apt-get;
# a program that cannot be had is a failure.  Prints TAP, and closes with "N passed, N failed".
set -eu

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
build=${top_builddir:-$here/../build/release}
export COPSE_RUN=${COPSE_RUN:-$build/bin/copse-run}
export COPSE_LIBDIR=${COPSE_LIBDIR:-$build/lib/.libs}
limit=600 # seconds for one script, on a machine that does much else
jobs=2    # at a time: python's tests mostly wait

# What each needs, as Debian calls it.  The longest first.
packages=(python3 libpython3.11-testsuite sqlite3 perl git gcc libc6-dev libcmocka-dev redis-server redis-tools nodejs)
scripts=(python3 sqlite3 node self-test git gcc perl redis)
(($# == 0)) || scripts=("$@")

[[ -x $COPSE_RUN ]] || {
  printf '%s: not there; build copse first, or set COPSE_RUN\n' "$COPSE_RUN" >&2
  exit 1
}

install_missing() {
  local missing=() sudo=() package
  for package in "${packages[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  ((UID == 0)) || sudo=(sudo)
  printf '# installing %s\n' "${missing[*]}"
  # A service that starts by itself would only be in the way.
  "${sudo[@]}" apt-get -qq update >/dev/null 2>&1 || true
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends "${missing[@]}" \
    </dev/null >"$logs/apt.log" 2>&1 || {
    printf '# apt-get failed: %s\n' "$(tail -n 1 "$logs/apt.log")"
  }
}

logs=$(mktemp -d "${TMPDIR:-/tmp}/copse-programs.XXXXXX")
trap 'rm -rf "$logs"' EXIT
install_missing

printf '1..%d\n' "${#scripts[@]}"
run_one() {
  local script=$1 start=$SECONDS status=0
  timeout -k 5 "$limit" "$here/programs/$script.sh" >"$logs/$script.log" 2>&1 </dev/null || status=$?
  ((status != 124)) || printf 'FAIL: %s took longer than %d s\n' "$script" "$limit" >>"$logs/$script.log"
  printf '%d %d\n' "$status" $((SECONDS - start)) >"$logs/$script.status"
}

running=0
for script in "${scripts[@]}"; do
  if ((running >= jobs)); then
    wait -n || true
    running=$((running - 1))
  fi
  run_one "$script" &
  running=$((running + 1))
done
wait

passed=0 failed=0
for script in "${scripts[@]}"; do
  read -r status seconds <"$logs/$script.status"
  sed 's/^/# /' "$logs/$script.log"
  if ((status == 0)); then
    passed=$((passed + 1))
    printf 'ok %d - %s (%d s)\n' $((passed + failed)) "$script" "$seconds"
  else
    failed=$((failed + 1))
    printf 'not ok %d - %s (%d s)\n' $((passed + failed)) "$script" "$seconds"
  fi
done
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
