// SPDX-License-Identifier: MIT
// The same in C++: containers on copse.  Prints the library's version.
#include <copse.hpp>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

int main() {
  std::vector<long, copse::allocator<long>> numbers;
  for (long i = 0; i < 100000; i++) numbers.push_back(i);
  std::pmr::map<int, std::pmr::string> names(copse::resource());
  for (int i = 0; i < 1000; i++) names.emplace(i, "a name that is too long to stand in the string itself");
  if (numbers.back() != 99999 || names.size() != 1000) return 1;
  std::puts(copse_version());
  return 0;
}
