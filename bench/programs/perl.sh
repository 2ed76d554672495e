#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Perl: hashes of arrays, strings that grow, sorting and matching.
# needs: perl
set -eu

case $1 in
setup)
  cat >work.pl <<'END'
use strict;
use warnings;

my ($n, $state, %table, $text) = ($ARGV[0], 1);
sub draw { $state = ($state * 1103515245 + 12345) % 2147483648; return $state >> 8 }

for my $i (1 .. $n) {
  push @{$table{"key" . draw() % 20000}}, "value " . "x" x (draw() % 200);
  $text .= "item" . draw() % 1000 . " ";
}
my %lengths = map { $_ => length join ",", @{$table{$_}} } keys %table;
my @order = sort { $lengths{$a} <=> $lengths{$b} || $a cmp $b } keys %lengths;
my $matches = () = $text =~ /item\d*7 /g;
my $sum = 0;
$sum += $_ for map { length } split / /, $text;
print scalar(@order), " $order[0] $order[-1] $matches $sum\n";
END
  ;;
run)
  export PERL_HASH_SEED=0
  exec perl work.pl "$([ -n "${BENCH_QUICK:-}" ] && echo 60000 || echo 400000)"
  ;;
esac
