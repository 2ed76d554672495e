#!/bin/bash
# SPDX-License-Identifier: MIT
# gcc: a C file of some 3000 lines is compiled with and without optimisation; assembly and object must be identical.
set -eu
# shellcheck source=tests/programs/common.bash
. "${BASH_SOURCE[0]%/*}/common.bash"
begin "gcc: an identical object"

# 250 functions over some structs: loops, switches, calls between them, strings, floating point.
awk 'BEGIN {
  print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>\n"
  for (s = 0; s < 40; s++) {
    printf "struct s%d {\n  int a[%d];\n  double d;\n  const char *name;\n", s, s % 9 + 1
    if (s) printf "  struct s%d inner;\n", s - 1 - (s > 3 ? s % 3 : 0)
    print "};\n"
  }
  for (f = 0; f < 250; f++) {
    s = f % 40
    printf "%s int f%d(struct s%d *p, int n) {\n", f % 3 ? "static" : "extern", f, s
    printf "  int sum = n * %d;\n  for (int i = 0; i < n; i++) {\n    sum += p->a[i %% %d] * (i ^ %d);\n", f * 7 + 1, s % 9 + 1, f
    printf "    switch (sum & 7) {\n    case %d: p->d += sin(i) * %d.5; break;\n    case %d: sum ^= (int)strlen(p->name); break;\n", f % 4, f, f % 4 + 4
    print "    default: sum += i; }\n  }"
    if (f % 3 == 0) printf "  printf(\"f%d %%d %%f %%s\\n\", sum, p->d, p->name);\n", f
    if (f >= 40) printf "  if (n > 3) sum += f%d(p, n - 3);\n", f - 40
    print "  return sum;\n}\n"
  }
  print "int main(void) {\n  int sum = 0;"
  for (f = 210; f < 250; f++) printf "  { struct s%d x; memset(&x, 0, sizeof x); x.name = \"n%d\"; sum += f%d(&x, %d); }\n", f % 40, f, f, f % 11 + 2
  print "  return sum & 127;\n}"
}' >"$work/real.c"
printf '  the file has %s lines\n' "$(wc -l <"$work/real.c")"

compile() {
  local on=$1 name=$2
  mkdir "$work/$name"
  cd "$work/$name"
  cp ../real.c real.c
  # The paths in debugging information are relative, and equal.
  "$on" gcc -O2 -g -fdebug-prefix-map="$work/$name"=. -fno-record-gcc-switches -c real.c -o real.o
  "$on" gcc -O0 -S real.c -o real0.s
  "$on" gcc -O3 -S -funroll-loops real.c -o real3.s
  "$on" gcc -O2 -E real.c -o real.i
  "$on" gcc real.o -o real -lm -Wl,--build-id=none
}
both compile
same "the object of -O2 -g" "$work/system/real.o" "$work/copse/real.o"
same "the assembly of -O0" "$work/system/real0.s" "$work/copse/real0.s"
same "the assembly of -O3" "$work/system/real3.s" "$work/copse/real3.s"
same "what the preprocessor makes of it" "$work/system/real.i" "$work/copse/real.i"
same "the linked program" "$work/system/real" "$work/copse/real"
bound "$(gcc -print-prog-name=cc1)" -version
ended cc1 4
ended as
ended "(ld|ld.bfd|collect2)"
finish
