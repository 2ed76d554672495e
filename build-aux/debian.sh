# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Where this machine's apt has Debian 12 from.  Source it behind a function fail MESSAGE; it sets
#   sources   "URI suite component" for each part that apt knows here, a line each
#   mirror    the URI of the release itself
# shellcheck disable=SC2016 # apt expands them
sources=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
  awk '$1 == "Debian" && $2 ~ /^bookworm/ && $3 == "main" { print $4, $2, $3 }' | sort -u -k 2,2)
mirror=$(printf '%s\n' "$sources" | awk '$2 == "bookworm" { print $1; exit }')
[ -n "$mirror" ] || fail "apt knows no mirror of Debian 12 here (or has no lists yet: apt-get update)"
