#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# git: clones a repository, packs it anew and checks it.
# needs: git awk
set -eu

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
case $1 in
setup)
  git init --quiet --bare origin.git
  awk -v commits="$([ -n "${BENCH_QUICK:-}" ] && echo 100 || echo 600)" 'BEGIN {
    for (c = 1; c <= commits; c++) {
      message = "Change " c
      printf "commit refs/heads/main\ncommitter A <a@example.invalid> %d +0000\ndata %d\n%s\n",
             1000000000 + c, length(message), message
      for (f = c % 20; f < 400; f += 20) {
        text = ""
        for (l = 0; l < 20 + f % 50; l++) text = text "line " l " of file " f " " (l * f * (1 + c % 7)) "\n"
        printf "M 100644 inline d%d/f%d\ndata %d\n%s\n", f % 10, f, length(text), text
      }
    }
  }' | git --git-dir=origin.git fast-import --quiet
  ;;
run)
  rm -rf copy.git
  git clone --quiet --bare --no-local origin.git copy.git
  git --git-dir=copy.git -c pack.threads=1 repack -q -a -d -f --depth=20 --window=20
  git --git-dir=copy.git fsck --full --strict --no-progress
  git --git-dir=copy.git for-each-ref
  ;;
esac
