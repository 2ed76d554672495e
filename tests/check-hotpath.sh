#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The fast paths of the library's functions, counted: compiles them with gcc -O2 and the library's flags, and walks the
# machine code from entry to the first ret.  The compiler lays the likely way out straight, so the walk takes no conditional
# jump and follows every unconditional one.  On the way there must be no call, no locked instruction, and no way out.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

# Each may be a command with options.
read -ra nm <<<"${NM:-nm}"
read -ra objdump <<<"${OBJDUMP:-objdump}"
[ "$(uname -m)" = x86_64 ] || skip_all "counts instructions of x86-64"
# The limits are for gcc, whatever the rest was built with.
gcc=gcc
command -v "$gcc" >/dev/null || skip_all "gcc is missing"
flags=(-O2 -std=gnu11 -fPIC -fvisibility=hidden -mcx16 -fno-semantic-interposition -ftls-model=initial-exec
  -fcf-protection=none -I"$top_srcdir/lib")

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# walk OBJECT FUNCTION MOST: prints the path; fails on what must not be there.
walk() {
  "${objdump[@]}" -dr --no-show-raw-insn "$1" | awk -v function_name="$2" -v most="$3" '
    # "   1f:\tmov    %rax,%rdx", and below it "\t\t\t21: R_X86_64_PC32\tname": the second belongs to the first.
    /^[0-9a-f]+ <.*>:$/ { inside = $2 == "<" function_name ">:" }
    !inside { next }
    $2 ~ /^R_X86_64/ { relocation[last] = $3 }
    /^ *[0-9a-f]+:\t/ {
      address = $1
      sub(/:$/, "", address)
      text = $0
      sub(/^[^\t]*\t/, "", text)
      sub(/[ \t]+$/, "", text)
      if (last != "") after[last] = address
      else first = address
      code[address] = text
      last = address
      next
    }
    END {
      if (first == "") { print function_name ": not found"; exit 1 }
      at = first
      while (1) {
        if (!(at in code)) { print function_name ": the path leaves the function"; exit 1 }
        text = code[at]
        count++
        print "  " text (at in relocation ? "   -> " relocation[at] : "")
        n = split(text, word, /[ \t]+/)
        op = word[1]
        k = 1
        while (op ~ /^(bnd|notrack|repz|rep|data16|cs|ds|fs|gs)$/ && k < n) op = word[++k]
        if (op == "lock" || (op ~ /^xchg/ && text ~ /\(/)) { print function_name ": a locked instruction"; exit 1 }
        if (op ~ /^call/) { print function_name ": a call"; exit 1 }
        if (op ~ /^ret/) break
        if (count > 1000) { print function_name ": no ret in 1000 instructions"; exit 1 }
        if (op ~ /^jmp/) {
          # A jump by a relocation or a register goes elsewhere.
          if (at in relocation || word[k + 1] !~ /^[0-9a-f]+$/) { print function_name ": the path leaves the function"; exit 1 }
          at = word[k + 1]
        } else {
          at = after[at]
        }
      }
      printf "%s: %d instructions, %d allowed\n", function_name, count, most
      exit count > most
    }'
}

# compile SOURCE: prints the object.
compile() {
  local object
  object=$scratch/$(basename "$1" .c).o
  "$gcc" "${flags[@]}" -c "$1" -o "$object" && printf '%s\n' "$object"
}

# The object of the source that defines a function: copse.c first, it is likely there.
object_of() {
  local source object
  for source in "$top_srcdir/lib/copse.c" "$top_srcdir"/lib/*.c; do
    case $source in */malloc*.c) continue ;; esac
    object=$(compile "$source") || return 1
    if "${nm[@]}" -g --defined-only "$object" | grep -q " T $1\$"; then
      printf '%s\n' "$object"
      return
    fi
  done
  printf 'no source defines %s\n' "$1" >&2
  return 1
}

fast_path() {
  local object
  object=$(object_of "$1") && walk "$object" "$1" "$2"
}

check "copse_free_unsized takes at most 16 instructions" fast_path copse_free_unsized 16
check "copse_alloc takes at most 20 instructions" fast_path copse_alloc 20

# ---------------------------------------------------------------- the same with planted faults

cat >"$scratch/planted.c" <<'END'
extern void slow(long);
extern long words[];
#define unlikely(x) __builtin_expect(!!(x), 0)
long fine(long x) { if (unlikely(x > 9)) slow(x); return words[x]; }
long calls(long x) { if (unlikely(x < 9)) return 1; slow(x); return words[x]; }
void leaves(long x) { words[1] = x; slow(x); }
long locks(long x) { return __atomic_fetch_add(&words[x], 1, __ATOMIC_RELAXED); }
long swaps(long x) { return __atomic_exchange_n(&words[1], x, __ATOMIC_RELAXED); }
long lengthy(long x) { return words[x] * words[x + 3] + words[x + 9] * words[x * 7] + words[x / 11] + words[x % 13]; }
END
planted=$(compile "$scratch/planted.c")
check "a function without fault passes" walk "$planted" fine 12
check_fails "a planted call is found" walk "$planted" calls 100
check_fails "a planted tail call is found" walk "$planted" leaves 100
check_fails "a planted lock prefix is found" walk "$planted" locks 100
check_fails "a planted exchange, locked by nature, is found" walk "$planted" swaps 100
check_fails "planted length is found" walk "$planted" lengthy 20
check_fails "a function that is not there is missed" walk "$planted" absent 20
finish
