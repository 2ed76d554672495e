# SPDX-License-Identifier: MIT
# Holds what a program of this directory printed to what its head says (death.h has the form).
#
#   awk -v column=asan -v status=1 -v clean=0 -f verify.awk PROGRAM.c OUTPUT
#
# Prints "seen TEXT", the cell of the table, and a line "not so: ..." for each thing that is not as it must be.

function add(words, key, value,   n, i, name) {
  n = split(words, name, " ")
  for (i = 1; i <= n; i++)
    if (name[i] == column) { keys[++count] = key; values[count] = value }
}

function complain(text) { print "not so: " text }

# A frame of a stack: "    #0 0x... in f", "==1==    at 0x...: f" or "by".
function is_frame(text) { return text ~ /^(==[0-9]+==)? *(#[0-9]+|at 0x|by 0x)/ }

function matched(regex,   i) {
  for (i = 1; i <= lines; i++)
    if (match(line[i], regex)) return substr(line[i], RSTART, RLENGTH)
  return ""
}

# Whether under a line that matches `regex`, up to the next one that is no frame, a frame names `name`.
function has_stack(regex, name,   i, inside) {
  for (i = 1; i <= lines; i++) {
    if (!is_frame(line[i])) inside = line[i] ~ regex
    else if (inside && line[i] ~ ("(^|[^A-Za-z0-9_])" name "([^A-Za-z0-9_]|$)")) return 1
  }
  return 0
}

FILENAME == ARGV[1] {
  if (ended) next
  if ($0 == " */") { ended = 1; next }
  if (match($0, /^ \* [a-z ]+: +(report|address|stack|signal|none) /)) {
    columns = substr($0, 4, index($0, ":") - 4)
    rest = substr($0, index($0, ":") + 1)
  } else if (columns != "" && $0 ~ /^ \*   +(report|address|stack|signal|none) /) {
    rest = substr($0, 3)
  } else {
    columns = ""
    next
  }
  sub(/^ +/, "", rest)
  key = rest
  sub(/ .*/, "", key)
  sub(/^[a-z]+ +/, "", rest)
  add(columns, key, rest)
  next
}

{ line[++lines] = $0 }

END {
  if (!count) complain("the head says nothing of " column)
  silent = clean || (count == 1 && keys[1] == "none")
  if (silent) {
    if (!clean) print "seen -"
    if (status != 0) complain("it ended with status " status)
    if (lines) complain("it was not silent")
    exit
  }
  for (i = 1; i <= count; i++) {
    value = values[i]
    if (keys[i] == "report") {
      cell = matched(value)
      if (cell == "") complain("no line matches: " value)
    } else if (keys[i] == "address") {
      if (matched(value) == "") complain("nothing says of the address: " value)
    } else if (keys[i] == "signal") {
      number = value == "SEGV" ? 11 : value == "ABRT" ? 6 : value == "TRAP" ? 5 : value == "ILL" ? 4 : 0
      if (status != 128 + number) complain("it ended with status " status ", not by SIG" value)
      else if (cell == "") cell = "SIG" value
    } else if (keys[i] == "stack") {
      at = match(value, /: [A-Za-z0-9_]+$/)
      if (!has_stack(substr(value, 1, at - 1), substr(value, at + 2)))
        complain("no stack under \"" substr(value, 1, at - 1) "\" with " substr(value, at + 2))
    } else {
      complain("none beside other things")
    }
  }
  if (cell == "") complain("the head asks for no report")
  if (status == 0) complain("it ended with status 0")
  if (status == 124) complain("it did not end")
  print "seen " cell
}
