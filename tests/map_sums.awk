# SPDX-License-Identifier: MIT
# Of an SVG of copse-map: a line "CLASS SIZE BLOCKS SLOTS USED FREE BARE" for each group, of what its rects add up to.
# `of=groups`: of what the groups say of themselves.
function value(line, name,    at) {
  at = index(line, " data-" name "=\"")
  if (!at) return -1
  line = substr(line, at + length(name) + 8)
  return substr(line, 1, index(line, "\"") - 1)
}
function add(line) {
  blocks += value(line, "blocks"); slots += value(line, "slots"); used += value(line, "used")
  free += value(line, "free"); bare += value(line, "bare")
}
/^<g class="group"/ {
  class = value($0, "class"); size = value($0, "size"); blocks = slots = used = free = bare = 0
  inside = 1
  if (of == "groups") add($0)
}
inside && /^<rect / && of != "groups" { add($0) }
inside && /^<\/g>/ { print class, size, blocks, slots, used, free, bare; inside = 0 }
