# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For gcc.sh and clang.sh: `compile COMPILER setup|run`.  Compiles a file of many functions; the object must be the
# same.

write_source() {
  local functions=$1
  echo '#include <stdio.h>'
  echo '#include <stdlib.h>'
  echo '#include <string.h>'
  echo 'struct s { int a[16]; double d; char *text; struct s *next; };'
  local i
  for ((i = 0; i < functions; i++)); do
    cat <<END
static int helper$i(int x, const struct s *p) {
  int sum = $i;
  for (int i = 0; i < 16; i++) sum += p->a[i] * x + (i ^ $((i % 97)));
  switch (sum & 7) {
  case 0: sum *= 3; break;
  case 1: sum -= x; break;
  case 5: sum ^= 0x$((i % 89)); break;
  default: sum++;
  }
  return sum;
}
int function$i(struct s *p, int n) {
  int total = 0;
  for (struct s *q = p; q; q = q->next) {
    for (int i = 0; i < n; i++) total += helper$i(i + $((i % 13)), q) - (q->text ? (int)strlen(q->text) : $i);
    q->d = q->d * 1.$((i % 10)) + total;
    memset(q->a, total & 3, sizeof q->a / 2);
  }
  return total;
}
END
  done
}

compile() {
  case $2 in
  setup) write_source "$([ -n "${BENCH_QUICK:-}" ] && echo 60 || echo 400)" >work.c ;;
  run)
    "$1" -O2 -c -o work.o work.c
    sha256sum <work.o
    ;;
  esac
}
