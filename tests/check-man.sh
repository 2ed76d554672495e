#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The manual pages are well-formed, say what the headers say, have a page for each public function, and their examples
# compile without a warning and run, on both libraries.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
command -v mandoc >/dev/null || skip_all "mandoc is not installed"
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "the examples are linked without a sanitizer"
libs=$top_builddir/lib/.libs
[ -e "$libs/libcopse.a" ] || skip_all "nothing is built in $libs"
unset LD_PRELOAD COPSE_OPTIONS COPSE_SHOW_STATS COPSE_MAP
export LC_ALL=C
read -ra cc <<<"${CC:-gcc}"
read -ra cxx <<<"${CXX:-g++}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# ---------------------------------------------------------------- what the pages and the headers say

# section NAME PAGE: the lines of one section.
section() { awk -v name="$1" '/^\.Sh / { inside = substr($0, 5) == name; next } inside' "$2"; }

# names PAGE: what its NAME section has, one a line.
names() { section NAME "$1" | awk '$1 == ".Nm" { print $2 }'; }

# page_prototypes PAGE...: as C, one a line.
page_prototypes() {
  local page
  for page; do
    section SYNOPSIS "$page" | awk '
      # The words of a macro line, of which some are quoted, joined by ", ".
      function words(line,    n, i, parts, bare, m, k, all) {
        n = split(line, parts, "\"")
        for (i = 1; i <= n; i++) {
          if (i % 2 == 0) { all = all (all == "" ? "" : ", ") parts[i]; continue }
          m = split(parts[i], bare, " ")
          for (k = 1; k <= m; k++) all = all (all == "" ? "" : ", ") bare[k]
        }
        return all
      }
      function prototype(name, arguments) { print type (type ~ /\*$/ ? "" : " ") name "(" arguments ")" }
      $1 == ".Ft" { type = substr($0, 5) }
      $1 == ".Fn" { name = $2; sub(/^\.Fn +[^ ]+ */, ""); prototype(name, words($0)) }
      $1 == ".Fo" { name = $2; arguments = "" }
      $1 == ".Fa" { sub(/^\.Fa */, ""); arguments = arguments (arguments == "" ? "" : ", ") words($0) }
      $1 == ".Fc" { prototype(name, arguments) }'
  done
}

# header_prototypes DIR: of the public functions, the inline ones among them; names that end in an underscore are copse's own.
header_prototypes() {
  awk '
    /^COPSE_API/ || /^static inline .*copse_inline_/ { text = "" ; inside = 1 }
    inside {
      text = text " " $0
      if (text !~ /[;{]/) next
      inside = 0
      gsub(/COPSE_API|static inline/, "", text)
      sub(/ *(COPSE_MALLOC_|__attribute__|;|\{).*/, "", text)
      gsub(/[ \t]+/, " ", text)
      sub(/^ /, "", text)
      name = text
      sub(/\(.*/, "", name)
      if (name !~ /_$/) print text
    }' "$1/copse.h" "$1/copse-inline.h" | sort -u
}

# ---------------------------------------------------------------- checks: DIR has the pages

well_formed() {
  local page said
  for page in "$1"/*.[1-9]; do
    # Others' pages may not be installed here; ours are looked for below.
    said=$(mandoc -Tlint "$page" 2>&1 | grep -v -e 'referenced manual not found' -e 'mandoc: outdated mandoc.db' || true)
    [ -z "$said" ] || { printf '%s\n' "$said" && return 1; }
  done
}

# The first name is the file's, the title too; each name stands in one page; each of our own pages that is named exists.
well_named() {
  local page base bad=0 all
  all=$(for page in "$1"/*.[1-9]; do names "$page" | sed "s/\$/.${page##*.}/"; done)
  printf '%s\n' "$all" | sort | uniq -d | grep . && bad=1
  for page in "$1"/*.[1-9]; do
    base=${page##*/} base=${base%.*}
    [ "$(names "$page" | head -n 1)" = "$base" ] || { echo "$page: its first name is not $base" && bad=1; }
    grep -qx ".Dt ${base^^} ${page##*.}" "$page" || { echo "$page: its title is not ${base^^}" && bad=1; }
    # shellcheck disable=SC2013 # words
    for word in $(awk '($1 == ".Xr" || $2 == "Xr") && /copse/ { for (i = 1; i < NF; i++) if ($i == "Xr" || $i == ".Xr") print $(i + 1) "." $(i + 2) }' "$page"); do
      case $word in copse*) grep -qxF "$word" <<<"$all" || { echo "$page: there is no $word" && bad=1; } ;; esac
    done
  done
  return "$bad"
}

same_prototypes() {
  header_prototypes "$2" >"$scratch/header"
  page_prototypes "$1"/*.3 | grep -v '::' | sort >"$scratch/pages"
  [ "$(wc -l <"$scratch/header")" -ge 20 ] || { echo "the headers have hardly any functions" && return 1; }
  diff "$scratch/header" "$scratch/pages"
}

# What a page declares is what its NAME section has.
declares_its_names() {
  local page bad=0
  for page in "$1"/copse_*.3; do
    diff <(names "$page" | sed 's/ *,$//' | sort) <(page_prototypes "$page" | sed 's/(.*//; s/.*[ *]//' | sort) ||
      { echo "in $page" && bad=1; }
  done
  return "$bad"
}

# Each error that the comment above a declaration names is among the ERRORS of its page.
same_errors() {
  local name error page bad=0 seen=0
  while read -r name error; do
    seen=$((seen + 1))
    page=$(grep -lx "\.Nm $name\( ,\)\?" "$1"/*.3) || { echo "$name has no page" && return 1; }
    section ERRORS "$page" | grep -qx "\.It Bq Er $error" || { echo "$page: no $error" && bad=1; }
  done < <(awk '
    /^\/\*/ { comment = "" }
    { comment = comment "\n" $0 }
    /^COPSE_API .*\(/ {
      name = $0
      sub(/\(.*/, "", name)
      sub(/.*[ *]/, "", name)
      while (match(comment, /E(NOMEM|INVAL|NOENT|BUSY)/)) {
        print name, substr(comment, RSTART, RLENGTH)
        comment = substr(comment, RSTART + RLENGTH)
      }
    }' "$2/copse.h" | sort -u)
  [ "$seen" -ge 6 ] || { echo "the header names $seen errors" && return 1; }
  return "$bad"
}

# Each field of the public structs is in some page, and no page has one that is not there.
same_fields() {
  sed -n '/^struct copse_/,/^};/s/^  [a-z][^;(]*[ *]\([a-z_0-9]*\)\(\[[A-Z_]*\]\)\{0,1\};.*/\1/p' "$2/copse.h" | sort -u >"$scratch/header"
  sed -n 's/^\.It Va \([a-z_0-9]*\)$/\1/p' "$1"/*.3 | sort -u >"$scratch/pages"
  diff "$scratch/header" "$scratch/pages"
}

# copse(7) has each parameter with its default and range.
same_parameters() {
  cat >"$scratch/parameters.c" <<'END_C'
#include "tunables.h"
#include <stdio.h>
int main(void) {
#define X(name, value, least, greatest, early) printf("%s %ju %ju %ju\n", #name, (uintmax_t)(value), (uintmax_t)(least), (uintmax_t)(greatest));
  COPSE_PARAMETERS(X)
  return 0;
}
END_C
  # Those of the release library, and what the instrumented one has besides.
  "${cc[@]}" -D_GNU_SOURCE -I"$2" "$scratch/parameters.c" -o "$scratch/parameters"
  "${cc[@]}" -D_GNU_SOURCE -DCOPSE_INSTRUMENTED -I"$2" "$scratch/parameters.c" -o "$scratch/parameters-instrumented"
  { "$scratch/parameters" && "$scratch/parameters-instrumented"; } | awk '!seen[$1]++' | sort >"$scratch/header"
  sed -n 's/^\.It Sy \([a-z_0-9]*\) Ta \([0-9]* \{0,1\}[KMGT]\{0,1\}\) Ta \([0-9]* \{0,1\}[KMGT]\{0,1\}\) to \([0-9]* \{0,1\}[KMGT]\{0,1\}\) Ta .*/\1,\2,\3,\4/p' \
    "$1/copse.7" | awk -F , '
      function number(text,    parts) {
        split(text, parts, " ")
        return parts[1] * (parts[2] == "" ? 1 : 1024 ^ index("KMGT", parts[2]))
      }
      { printf "%s %.0f %.0f %.0f\n", $1, number($2), number($3), number($4) }' | sort >"$scratch/pages"
  diff "$scratch/header" "$scratch/pages"
}

# Each declaration of copse.hpp(3) stands in copse.hpp.
same_classes() {
  local line bad=0 seen=0
  while IFS= read -r line; do
    case $line in *\;) ;; *) continue ;; esac
    seen=$((seen + 1))
    grep -qF -e "${line%;}" "$2/copse.hpp" || { echo "not in copse.hpp: $line" && bad=1; }
  done < <(section SYNOPSIS "$1/copse.hpp.3")
  [ "$seen" -ge 4 ] || { echo "copse.hpp(3) declares $seen things" && return 1; }
  return "$bad"
}

# example PAGE: the program in its EXAMPLES, as it is read.
example() {
  section EXAMPLES "$1" | awk '/^\.Bd -literal$/ { inside = 1; next } /^\.Ed/ { inside = 0 } inside' |
    sed 's/\\e/\\/g; s/\\&//g'
}

# What is extracted is what a reader sees.
rendered() {
  local line text
  text=$(mandoc -Tutf8 -Owidth=160 "$1" | col -bx | sed 's/^ *//; s/ *$//')
  while IFS= read -r line; do
    line=$(sed 's/^ *//; s/ *$//' <<<"$line")
    [ -z "$line" ] || grep -qxF -e "$line" <<<"$text" || { echo "not rendered as it is written: $line" && return 1; }
  done < <(example "$1")
}

# says PAGE FILE: of what the page says that its example prints (.D1), each line is in the file, but for numbers other than 0.
numbers() { sed -E 's/[1-9][0-9]*/N/g'; }
says() {
  local line
  while IFS= read -r line; do
    numbers <"$2" | grep -qxF -e "$(numbers <<<"$line")" || { echo "it does not print: $line" && head -n 20 "$2" && return 1; }
  done < <(section EXAMPLES "$1" | sed -n 's/^\.D1 //p')
}

# builds_and_runs PAGE MODE
builds_and_runs() {
  local library=libcopse flags=() source=$scratch/example.c compiler=("${cc[@]}" -std=gnu11)
  [ "$2" = release ] || library=libcopse-instrumented flags=(-DCOPSE_INSTRUMENTED)
  case $1 in *.hpp.3) source=$scratch/example.cc compiler=("${cxx[@]}" -std=c++17) ;; esac
  example "$1" >"$source"
  grep -q 'int main' "$source" || { echo "no program" && return 1; }
  # Only the header that stands in the installation is to be found.  Warnings are about the example, not about the library that is
  # linked: where that has what link-time optimisation wants, the machine code beside it is taken.
  "${compiler[@]}" -O2 -fno-lto -Wall -Wextra -Wshadow -Werror "${flags[@]}" -I"$scratch/include" "$source" "$libs/$library.a" -pthread \
    -o "$scratch/example" || return 1
  timeout 60 "$scratch/example" >"$scratch/said" 2>&1 || { head -n 20 "$scratch/said" && return 1; }
  says "$1" "$scratch/said"
}

# The commands of a page's EXAMPLES (.Dl), in a directory with a file `words`.
runs_commands() {
  local command seen=0
  while IFS= read -r command; do
    echo "$command"
    seen=$((seen + 1))
    (cd "$scratch/trial" && PATH=$top_builddir/bin:$PATH COPSE_LIBDIR=$top_builddir/lib bash -e -c "$command" >"$scratch/said" 2>&1) ||
      { cat "$scratch/said" && return 1; }
  done < <(section EXAMPLES "$1" | sed -n 's/^\.Dl //p')
  [ "$seen" != 0 ]
}

# ---------------------------------------------------------------- the pages as they are

pages=$top_srcdir/doc/man
headers=$top_srcdir/lib
mkdir "$scratch/include" "$scratch/trial"
cp "$headers"/copse.h "$headers"/copse-inline.h "$scratch/include"
[ ! -e "$headers/copse.hpp" ] || cp "$headers/copse.hpp" "$scratch/include"
printf '%s\n' oak alder hazel >"$scratch/trial/words"

check "mandoc -Tlint has nothing to say" well_formed "$pages"
check "names, titles and references are right" well_named "$pages"
check "every public function has a page with its prototype" same_prototypes "$pages" "$headers"
check "every page declares what it is named for" declares_its_names "$pages"
check "every error of a function is in its page" same_errors "$pages" "$headers"
check "every field of a struct is in a page" same_fields "$pages" "$headers"
check "copse(7) has the parameters with their ranges" same_parameters "$pages" "$headers"
check "copse.hpp(3) declares what copse.hpp has" same_classes "$pages" "$headers"
for page in "$pages"/copse.7 "$pages"/*.3; do
  name=${page##*/}
  case $name in *.hpp.3) [ "${COPSE_CXX-yes}" = yes ] || { skip "$name" "there is no C++ compiler" && continue; } ;; esac
  check "$name: its example is rendered as it is" rendered "$page"
  for mode in release instrumented; do check "$name: its example runs, $mode" builds_and_runs "$page" $mode; done
done
# The program of frames, which a reader writes from README and copse(7) alone, by the other compiler too.
for compiler in gcc clang; do
  [ "${cc[0]}" != "$compiler" ] || continue
  if command -v "$compiler" >/dev/null; then
    cc=("$compiler")
    for mode in release instrumented; do
      check "copse.7: its example runs, $mode, by $compiler" builds_and_runs "$pages/copse.7" "$mode"
    done
  else
    skip "copse.7: its example by $compiler" "not installed"
  fi
done
read -ra cc <<<"${CC:-gcc}"
if [ "${COPSE_SHARED-yes}" = yes ]; then
  for page in "$pages"/*.[1-9]; do
    if section EXAMPLES "$page" | grep -q '^\.Dl '; then check "${page##*/}: its commands run" runs_commands "$page"; fi
  done
else
  skip "commands of the pages" "built without shared libraries"
fi

# ---------------------------------------------------------------- as installed

installed() {
  local root=$scratch/root name page bad=0
  make -s -C "$top_builddir" install-man install-man-links DESTDIR="$root" >/dev/null || return 1
  [ -z "${plant-}" ] || find "$root" -name "$plant" -delete
  for name in $(for page in "$pages"/*.[1-9]; do names "$page" | sed "s/\$/.${page##*.}/"; done); do
    page=$(find "$root" -path "*/man${name##*.}/$name")
    [ -s "$page" ] || { echo "$name is not installed" && bad=1; }
  done
  make -s -C "$top_builddir" uninstall-man uninstall-man-links DESTDIR="$root" >/dev/null || bad=1
  find "$root" ! -type d | grep . && bad=1
  return "$bad"
}
check "all are installed under all their names, and uninstalled" installed
plant=copse_alloc_zeroed.3 check_fails "a link that is missing is found" installed

# ---------------------------------------------------------------- the same with planted faults

# planted NAME FILE SED CHECK...: a copy with one change; the check gets the copy's pages and headers.
planted() {
  local name=$1 file=$2 change=$3
  shift 3
  rm -rf "$scratch/copy"
  mkdir "$scratch/copy" "$scratch/copy/lib"
  cp "$pages"/*.[1-9] "$scratch/copy"
  cp "$headers"/*.h "$scratch/copy/lib"
  chmod -R u+w "$scratch/copy"
  sed -i "$change" "$scratch/copy/$file"
  # A change that changes nothing plants nothing.
  if cmp -s "$scratch/copy/$file" "$pages/$file" || cmp -s "$scratch/copy/$file" "$headers/${file#lib/}"; then
    nok "$name" "nothing was planted"
    return
  fi
  check_fails "$name" "$@"
}
copy=$scratch/copy
planted "a macro that does not exist is found" copse_free.3 's/^\.Fa alignment$/.Fm x/' well_formed "$copy"
planted "a reference to no page is found" copse_free.3 's/^\.Xr copse_alloc 3/.Xr copse_allok 3/' well_named "$copy"
planted "a prototype with another type is found" copse_alloc.3 's/^\(\.Fn copse_alloc \)"size_t/\1"int/' \
  same_prototypes "$copy" "$headers"
planted "a function without a page is found" lib/copse.h \
  's/^COPSE_API void copse_checkpoint/COPSE_API int copse_new_thing(void);\n&/' same_prototypes "$copy" "$copy/lib"
planted "a name that is not declared is found" copse_trim.3 's/^\.Nm copse_trim_pending/.Nm copse_trim_late/' declares_its_names "$copy"
planted "a class that is not there is found" copse.hpp.3 's/^template <class T> class allocator;/template <class T> class allocater;/' \
  same_classes "$copy" "$headers"
planted "an error that a page lacks is found" copse_tune_set.3 '/Bq Er EBUSY/d' same_errors "$copy" "$headers"
planted "a field that a page lacks is found" copse_stats.3 '/^\.It Va lost/d' same_fields "$copy" "$headers"
planted "a default that is another is found" copse.7 's/^\.It Sy recycler Ta [0-9]*/.It Sy recycler Ta 77/' \
  same_parameters "$copy" "$headers"
planted "an example that does not compile is found" copse_free.3 's/static char \*keep/char *keep/; s/return 0;/return nothing;/' \
  builds_and_runs "$copy/copse_free.3" release
planted "an example with a warning is found" copse_free.3 's/^  return 0;/  int unused;\n&/' builds_and_runs "$copy/copse_free.3" release
planted "an example that fails is found" copse_free.3 's/^  return 0;/  return 3;/' builds_and_runs "$copy/copse_free.3" release
planted "an example that prints something else is found" copse.7 's/sparks left, %zu/left, %zu/' builds_and_runs "$copy/copse.7" release
planted "an example that misuses is found" copse_free.3 's/^  drop(name);/&\n  drop(other);/' \
  builds_and_runs "$copy/copse_free.3" instrumented
planted "an escape that swallows is found" copse_version.3 's/on %s\\en/on %s\\\&\\n/' rendered "$copy/copse_version.3"
planted "a command that fails is found" copse-run.1 's/sort words/sort wards/' runs_commands "$copy/copse-run.1"
finish
