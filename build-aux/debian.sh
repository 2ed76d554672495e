# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Where this machine's apt has Debian 12 from.  Source it behind a function fail MESSAGE; it sets
#   sources   "URI suite component" for each part that apt knows here, a line each
#   mirror    the URI of the release itself
# and has minimal_debian.
# shellcheck disable=SC2016 # apt expands them
sources=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
  awk '$1 == "Debian" && $2 ~ /^bookworm/ && $3 == "main" { print $4, $2, $3 }' | sort -u -k 2,2)
mirror=$(printf '%s\n' "$sources" | awk '$2 == "bookworm" { print $1; exit }')
[ -n "$mirror" ] || fail "apt knows no mirror of Debian 12 here (or has no lists yet: apt-get update)"

# minimal_debian ROOT LOG: a Debian 12 in that directory, whose apt asks where this machine's does.
minimal_debian() {
  local root=$1 log=$2 proxy file
  # This machine's way to the mirror, where it has one of its own.
  proxy=$(apt-config dump --format '%v' Acquire::http::Proxy || true)
  [ -z "$proxy" ] || export http_proxy="$proxy"
  debootstrap --variant=minbase bookworm "$root" "$mirror" >"$log" 2>&1 || {
    tail -n 20 "$log"
    fail "debootstrap failed"
  }
  printf '%s\n' "$sources" | sed 's/^/deb /' >"$root/etc/apt/sources.list"
  [ -z "$proxy" ] || printf 'Acquire::http::Proxy "%s";\n' "$proxy" >"$root/etc/apt/apt.conf.d/00proxy"
  for file in /etc/resolv.conf /etc/hosts; do
    [ ! -e "$file" ] || cp -L "$file" "$root$file"
  done
}
