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
# Each may be a command with options.
read -ra cc <<<"${CC:-cc}"
read -ra cxx <<<"${CXX:-c++}"
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Werror)

# build SOURCE LIBRARY STANDARD FLAG...: warnings are about the headers, not about the library that is linked.
build() {
  local source=$1 library=$2 standard=$3
  shift 3
  rm -f "$work/test"
  "${cxx[@]}" -std="$standard" "${warnings[@]}" "${sanitize[@]}" -O2 -fno-lto -pthread "$@" -I"$top_srcdir/lib" \
    "$top_srcdir/tests/$source" "$libs/$library" -o "$work/test"
}

if [ "${COPSE_CXX-yes}" = yes ]; then
  for standard in c++11 c++14 c++17 c++20; do
    if ! echo 'int main() {}' | "${cxx[@]}" -std=$standard -x c++ -fsyntax-only - 2>/dev/null; then
      skip "$standard" "the compiler does not know it"
      continue
    fi
    for source in test_copse_cxx.cc test_copse_hpp.cc; do
      check "$source as $standard compiles without a warning" build $source libcopse_internal.a $standard
      adopt "$source as $standard" "$work/test"
    done
  done
  for source in test_copse_cxx.cc test_copse_hpp.cc; do
    check "$source compiles without a warning, instrumented" build $source libcopse_internal_instrumented.a c++17 \
      -DCOPSE_INSTRUMENTED
    adopt "$source, instrumented" "$work/test"
  done
  check "copse.hpp compiles without RTTI" build test_copse_hpp.cc libcopse_internal.a c++17 -fno-rtti
  adopt "copse.hpp without RTTI" "$work/test"
  check "copse.hpp compiles without exceptions" build test_copse_hpp.cc libcopse_internal.a c++17 -fno-exceptions
  adopt "copse.hpp without exceptions, aborting in place of a throw" "$work/test"
  # copse.hpp with a fault: it compiles, and the test finds it.
  quietly() { "$@" >/dev/null 2>&1; }
  planted() {
    mkdir -p "$work/planted"
    sed "$2" "$top_srcdir/lib/copse.hpp" >"$work/planted/copse.hpp"
    ! cmp -s "$work/planted/copse.hpp" "$top_srcdir/lib/copse.hpp" || { nok "$1" "nothing was planted" && return; }
    if checked "$1: it compiles" build test_copse_hpp.cc libcopse_internal_instrumented.a c++17 -DCOPSE_INSTRUMENTED -I"$work/planted"; then
      check_fails "$1" quietly "$work/test"
    fi
  }
  planted "a planted wrong size is found" 's/deallocate(p, n \* sizeof(T),/deallocate(p, n,/'
  planted "a planted multiplication that wraps is found" '/if (n > std::numeric_limits/d'
  planted "a planted alignment that is lost is found" 's/copse_alloc_aligned(size, alignment)/copse_alloc(size)/; s/copse_free_aligned(p, size, alignment)/copse_free(p, size)/'
else
  skip "C++" "there is no C++ compiler"
fi

# What a C++ program with more warnings than ours includes, and uses the macros of: by every compiler that is here.
printf '%s\n' '#include <copse.h>' '#include <copse-inline.h>' '#include <copse.hpp>' \
  'template class copse::allocator<double>; copse::memory_resource resource;' 'struct copse_stats stats;' 'int main() {' \
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
    check "$header alone is $standard" "${cc[@]}" -std=$standard -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
      -Werror -I"$top_srcdir/lib" -c -o "$work/alone.o" "$work/alone.c"
  done
done
# Assembly is in either syntax what the compiler was told to write.
printf '%s\n' '#include <copse-inline.h>' 'int main(void) {' '  void *p = copse_inline_alloc(40);' '  copse_inline_free(p, 40);' \
  '  return p == 0;' '}' >"$work/inline.c"
inlined() {
  "${cc[@]}" "${sanitize[@]}" -O2 -fno-lto -pthread "$@" -I"$top_srcdir/lib" "$work/inline.c" "$libs/libcopse_internal.a" -o "$work/inline" &&
    "$work/inline"
}
check "copse-inline.h compiles, and runs" inlined
check "and position-independent" inlined -fPIC
if echo 'int main(void) { return 0; }' | "${cc[@]}" -masm=intel -fsyntax-only -x c - 2>/dev/null; then
  check "and in Intel's syntax" inlined -masm=intel
else
  skip "and in Intel's syntax" "the processor has one syntax"
fi
# Before gcc 11 the attribute malloc has no arguments.
plain_malloc() {
  echo '#include <copse.h>' | "${cc[@]}" -U__GNUC__ -D__GNUC__="$1" -I"$top_srcdir/lib" -E -x c - >"$work/read" && grep -q 'copse_alloc_zeroed(' "$work/read" &&
    ! grep 'malloc(' "$work/read"
}
check "copse.h read as gcc 10 names no deallocator" plain_malloc 10
if "${cc[@]}" --version | grep -q clang; then
  skip "copse.h read as gcc 11 names one" "clang knows none"
else
  check_fails "copse.h read as gcc 11 names one" plain_malloc 11
fi
finish
