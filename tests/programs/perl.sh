#!/bin/bash
# SPDX-License-Identifier: MIT
# perl: strings, hashes, sorting, regular expressions, deep structures and fork; the output must be equal.
set -eu
# shellcheck source=tests/programs/common.bash
. "${BASH_SOURCE[0]%/*}/common.bash"
begin "perl: strings and hashes"

cat >"$work/script.pl" <<'END'
use strict; use warnings;
my $x = 12345;
sub next_number { $x = ($x * 1103515245 + 12345) & 0x7fffffff; return $x >> 8 }
sub sum_of { my $s = 0; $s = ($s * 31 + unpack('%32C*', $_)) & 0xffffffff for @_; return $s }

my (%count, @words);
for my $i (1 .. 120_000) {
  my $word = join '', map { chr(97 + next_number() % 26) } 1 .. 1 + next_number() % 12;
  $count{$word}++; push @words, $word if $i % 3 == 0;
  delete $count{$words[next_number() % @words]} if @words && $i % 7 == 0;
}
my @sorted = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
printf "words %d %s %d\n", scalar @sorted, join(',', @sorted[0 .. 20]), sum_of(@sorted);

my $text = '';
$text .= $words[$_ % @words] . ($_ % 11 ? ' ' : "\n") for 0 .. 160_000;
printf "text %d %d\n", length $text, sum_of($text);
(my $turned = $text) =~ s/(\w+) (\w+)/\u$2 $1/g;
my @found = $turned =~ /\b([A-Z][aeiou]\w{2,5})\b/g;
printf "turned %d found %d %d\n", sum_of($turned), scalar @found, sum_of(@found);
printf "split %d\n", sum_of(map { scalar reverse } split /[aeiou\n]+/, $text);

sub tree { my $d = shift; return $d ? { map { ($_ => tree($d - 1)) } 'a' .. 'e' } : [ map { next_number() } 1 .. 3 ] }
sub depth_sum { my $t = shift; my $s = 0;
  if (ref $t eq 'HASH') { $s = ($s * 7 + depth_sum($t->{$_})) & 0xffffffff for sort keys %$t } else { $s += $_ for @$t } $s }
for (1 .. 4) { my $t = tree(5); printf "tree %d\n", depth_sum($t) }

my $grown = ''; my @sizes;
for (1 .. 60) { $grown .= pack('N*', map { next_number() } 1 .. $_ * 100); push @sizes, length $grown }
printf "grown %s %d\n", join(' ', @sizes[0, 30, 59]), unpack('%32C*', $grown);

$| = 1;
my @result;
for my $child (1 .. 6) {
  pipe(my $read, my $write) or die;
  my $pid = fork // die;
  if (!$pid) { close $read; my %h = map { ($_ => $_ x $child) } @words[0 .. 5000]; print $write sum_of(map { $h{$_} } sort keys %h); close $write; exit 0 }
  close $write; push @result, <$read>; waitpid $pid, 0; die "child $?" if $?;
}
print "children @result\n";
open my $in, '<', '/proc/self/maps' or die; open my $out, '>', $ARGV[0] or die; print {$out} readline $in;
END

export PERL_HASH_SEED=0
run() { "$1" perl "$work/script.pl" "$work/$2.maps" >"$work/$2.out" 2>&1; }
both run
loaded perl "$work/copse.maps"
same "what the script prints" "$work/system.out" "$work/copse.out"
good "it came to its end" grep -q '^children' "$work/copse.out"
bound "$(command -v perl)" -v
ended perl 7
finish
