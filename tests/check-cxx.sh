#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The public headers are C++, of every standard since 2011, and C, strictly: compiled with all warnings, linked, and run.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
libs=$top_builddir/lib/.libs
read -ra sanitize <<<"${COPSE_SANITIZERS:+-fsanitize=$COPSE_SANITIZERS}"
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Werror)

# build LIBRARY STANDARD FLAG...
build() {
  local library=$1 standard=$2
  shift 2
  "${CXX:-c++}" -std="$standard" "${warnings[@]}" "${sanitize[@]}" -O2 -pthread -I"$top_srcdir/lib" "$@" \
    "$top_srcdir/tests/test_copse_cxx.cc" "$libs/$library" -o "$work/test"
}

if [ "${COPSE_CXX-yes}" = yes ]; then
  for standard in c++11 c++14 c++17 c++20; do
    if ! echo 'int main() {}' | "${CXX:-c++}" -std=$standard -x c++ -fsyntax-only - 2>/dev/null; then
      skip "$standard" "the compiler does not know it"
      continue
    fi
    check "$standard compiles without a warning" build libcopse_internal.a $standard
    adopt "$standard" "$work/test"
  done
  check "instrumented compiles without a warning" build libcopse_internal_instrumented.a c++17 -DCOPSE_INSTRUMENTED
  adopt "instrumented" "$work/test"
else
  skip "C++" "there is no C++ compiler"
fi

# What a C++ program with more warnings than ours includes, and uses the macros of: by every compiler that is here.
printf '%s\n' '#include <copse.h>' '#include <copse-inline.h>' 'struct copse_stats stats;' 'int main() {' \
  '  copse_stats(&stats);' '  void *p = copse_inline_alloc(COPSE_CLASS_SIZE_MAX);' '  copse_inline_free(p, 64);' \
  '  return COPSE_ALIGNMENT_MAX == 0;' '}' >"$work/strict.cc"
for compiler in g++ clang++; do
  if command -v $compiler >/dev/null; then
    check "the headers are clean under $compiler's -Wold-style-cast and -Wshadow" $compiler -std=c++17 -fsyntax-only \
      -I"$top_srcdir/lib" "${warnings[@]}" -Wold-style-cast -Wuseless-cast -Wno-unknown-warning-option "$work/strict.cc"
  else
    skip "$compiler" "it is not installed"
  fi
done

# A header that stands alone, in strict C; alone and first, so that it includes what it needs.
for header in copse.h copse-inline.h; do
  for standard in c11 c17 gnu11; do
    printf '#include "%s"\nint main(void) { return copse_good_size(1) == 0; }\n' "$header" >"$work/alone.c"
    check "$header alone is $standard" "${CC:-cc}" -std=$standard -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
      -Werror -I"$top_srcdir/lib" -c -o "$work/alone.o" "$work/alone.c"
  done
done
finish
