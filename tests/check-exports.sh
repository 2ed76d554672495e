#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the built libraries give and take: nothing undefined beyond the C library and the dynamic linker, nothing that
# allocates, no libatomic, and no name without copse_ (the families of the drop-ins aside), in shared and static libraries.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

# Each may be a command with options.
read -ra cc <<<"${CC:-gcc}"
read -ra nm <<<"${NM:-nm}"
read -ra readelf <<<"${READELF:-readelf}"
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "a sanitizer's own symbols are in all of it"
libs=$top_builddir/lib/.libs
[ -e "$libs/libcopse.a" ] || skip_all "nothing is built in $libs"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export LC_ALL=C

# ---------------------------------------------------------------- what is allowed

# All that libc and the dynamic linker define.
for file in libc.so.6 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1; do
  path=$("${cc[@]}" -print-file-name="$file")
  [ ! -e "$path" ] || "${nm[@]}" -D --defined-only "$path"
done | awk '{ sub(/@.*/, "", $NF); print $NF }' | sort -u >"$scratch/libc"
# What the linker and the compiler's start files bring; a static library also refers to the linker's table.
printf '%s\n' _ITM_deregisterTMCloneTable _ITM_registerTMCloneTable __gmon_start__ _GLOBAL_OFFSET_TABLE_ >"$scratch/linker"

# The malloc family: from the drop-in's map, where every line of its list ends in a semicolon.
sed -n '/global:/,/local:/s/^ *\([a-z_0-9]*\);$/\1/p' "$top_srcdir/lib/copse-malloc.map" | sort >"$scratch/family"
# What allocates inside of libc besides: an allocator that calls these calls itself.
printf '%s\n' strdup strndup asprintf vasprintf getline getdelim fopen fopen64 fdopen open_memstream opendir fdopendir \
  setlocale qsort_r pthread_getattr_np mallinfo >"$scratch/allocating"

# ---------------------------------------------------------------- lists

# Names defined outside of their own file, and names wanted from outside: a shared library's, then a static one's.
# A version (@COPSE_0) is cut off; the version's own name (type A) is no symbol.
defined() {
  case $1 in
    *.a) "${nm[@]}" -g --defined-only "$1" ;;
    *) "${nm[@]}" -D --defined-only "$1" ;;
  esac | awk 'NF == 3 && $2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u
}
undefined() {
  case $1 in
    *.a) "${nm[@]}" -g -u "$1" ;;
    *) "${nm[@]}" -D -u "$1" ;;
  esac | awk 'NF == 2 { sub(/@.*/, "", $2); print $2 }' | sort -u
}
# A static library's members want things of each other.
wanted() {
  defined "$1" >"$scratch/defined"
  undefined "$1" | comm -23 - "$scratch/defined"
}

# Prints what it is given and fails if that is anything.
nothing() {
  local lines
  lines=$(cat)
  [ -z "$lines" ] || {
    printf '%s\n' "$1" "$lines"
    return 1
  }
}

# ---------------------------------------------------------------- the rules

# The functions of the tools that lib/annotate*.c looks for: weak, or a program without them would not link.
weak_of_tools() {
  case $1 in
    *.a) "${nm[@]}" -g -u "$1" ;;
    *) "${nm[@]}" -D -u "$1" ;;
  esac | awk 'NF == 2 && $1 == "w" { print $2 }' | grep -E '^(__(asan|lsan|msan|tsan|sanitizer)_|AnnotateIgnore)' | sort -u || true
}
wants_libc_only() {
  sort -u "$scratch/libc" "$scratch/linker" >"$scratch/allowed"
  case $1 in
    *instrumented*) weak_of_tools "$1" | sort -u -m - "$scratch/allowed" -o "$scratch/allowed" ;;
  esac
  wanted "$1" | comm -23 - "$scratch/allowed" | nothing "undefined, and not libc's:"
}
wants_no_allocation() {
  sort -u "$scratch/family" "$scratch/allocating" >"$scratch/forbidden"
  wanted "$1" | comm -12 - "$scratch/forbidden" | nothing "undefined, and allocates:"
}
wants_no_libatomic() {
  wanted "$1" | grep -E '^__(atomic|sync)_' | nothing "undefined, and libatomic's:" || return 1
  case $1 in
    *.so) "${readelf[@]}" -d "$1" | sed -n '/NEEDED/s/.*\[\(.*\)\]/\1/p' | grep -vE '^(libc\.so|ld-linux)' |
      nothing "needed, and neither libc nor the dynamic linker:" ;;
  esac
}
# First of all: are there symbols to be seen?
gives() { defined "$1" | grep -x "$2" || { echo "$2 is not there" && return 1; }; }
gives_copse_only() { defined "$1" | grep -v '^copse_' | nothing "extern, and without copse_:"; }
gives_family_only() {
  defined "$1" >"$scratch/defined"
  comm -23 "$scratch/defined" "$scratch/family" | nothing "exported, and not in the map:" || return 1
  comm -13 "$scratch/defined" "$scratch/family" | nothing "in the map, and not exported:"
}
gives_operators_only() { defined "$1" | grep -vE '^_Z(nw|na|dl|da)' | nothing "exported, and no operator new or delete:"; }

# library NAME RULE SYMBOL: all that holds for each, then what it may give; the symbol is there.
library() {
  check "$1 gives $3" gives "$libs/$1" "$3"
  check "$1 wants nothing beyond libc" wants_libc_only "$libs/$1"
  check "$1 wants nothing that allocates" wants_no_allocation "$libs/$1"
  check "$1 wants no libatomic" wants_no_libatomic "$libs/$1"
  check "$1 gives what it should" "$2" "$libs/$1"
}

library libcopse.a gives_copse_only copse_alloc
library libcopse-instrumented.a gives_copse_only copse_alloc
if [ "${COPSE_SHARED-yes}" = yes ]; then
  library libcopse.so gives_copse_only copse_alloc
  library libcopse-instrumented.so gives_copse_only copse_alloc
  library libcopse-malloc.so gives_family_only malloc
  library libcopse-malloc-instrumented.so gives_family_only malloc
  if [ "${COPSE_CXX-yes}" = yes ]; then
    check "libcopse-new.so gives operator new" gives "$libs/libcopse-new.so" _Znwm
    check "libcopse-new.so gives what it should" gives_operators_only "$libs/libcopse-new.so"
  fi
fi

# ---------------------------------------------------------------- the same with planted faults

cat >"$scratch/fault.c" <<'END'
extern void *malloc(unsigned long);
extern char *strdup(const char *);
extern int nobodys(void);
extern unsigned __int128 __atomic_load_16(const volatile void *, int);
unsigned __int128 word;
void *leaky(void) { return nobodys() ? strdup("") : (word = __atomic_load_16(&word, 0)) ? malloc(1) : (void *)0; }
END
"${cc[@]}" -w -O1 -fPIC -fno-builtin -c "$scratch/fault.c" -o "$scratch/fault.o"
cp "$libs/libcopse.a" "$scratch/fault.a"
ar r "$scratch/fault.a" "$scratch/fault.o"
"${cc[@]}" -shared "$scratch/fault.o" -o "$scratch/fault.so"
# A library that wants another one.
printf 'int nobodys(void) { return 0; }\n' >"$scratch/other.c"
"${cc[@]}" -w -shared -fPIC "$scratch/other.c" -o "$scratch/libother.so"
printf 'extern int nobodys(void);\nint copse_x(void) { return nobodys(); }\n' >"$scratch/needs.c"
"${cc[@]}" -w -shared -fPIC "$scratch/needs.c" "$scratch/libother.so" -o "$scratch/needs.so"
for kind in a so; do
  check_fails "a planted symbol of nobody's is found in .$kind" wants_libc_only "$scratch/fault.$kind"
  check_fails "a planted call of malloc is found in .$kind" wants_no_allocation "$scratch/fault.$kind"
  check_fails "a planted call into libatomic is found in .$kind" wants_no_libatomic "$scratch/fault.$kind"
  check_fails "a planted extern is found in .$kind" gives_copse_only "$scratch/fault.$kind"
done
check_fails "a planted needed library is found" wants_no_libatomic "$scratch/needs.so"
# A tool's function that no program without the tool has.
printf 'extern void __asan_version(void);\nvoid copse_y(void) { __asan_version(); }\n' >"$scratch/strong.c"
"${cc[@]}" -w -shared -fPIC "$scratch/strong.c" -o "$scratch/fault-instrumented.so"
check_fails "a tool's function that is not weak is found" wants_libc_only "$scratch/fault-instrumented.so"
check_fails "a drop-in that lacks malloc is found" gives_family_only "$scratch/fault.so"
finish
