// SPDX-License-Identifier: MIT
// copse.hpp: the allocator and the memory resource in containers, with every alignment, and what they refuse.  Prints TAP.
// Compiled by tests/check-cxx.sh for several standards, on both libraries.
#include "copse.hpp"
#include "copse.hpp" // twice

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>
#ifndef __cpp_exceptions
#include <csignal>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

static int count, failed;
static void result(bool good, const char *name) {
  failed += !good;
  std::printf("%sok %d - %s\n", good ? "" : "not ", ++count, name);
}

namespace {

int misused;
void on_misuse(const copse_misuse *, void *) { misused++; }

// Objects that are with the program: slots that no counter has, and spans, of which the instrumented library holds some back.
std::uint64_t live() {
  static struct copse_stats stats;
  copse_stats(&stats);
#ifdef COPSE_INSTRUMENTED
  std::uint64_t slots = 0;
#else
  std::uint64_t slots = stats.spans;
#endif
  for (const copse_class_stats &c : stats.classes)
    slots += 64 * c.blocks - c.cached - c.free - c.detached - c.uncommitted - c.quarantined - c.lost;
  return slots;
}

bool aligned(const void *p, std::size_t alignment) { return reinterpret_cast<std::uintptr_t>(p) % alignment == 0; }

struct alignas(64) line {
  double x[3];
};
struct alignas(8192) page {
  char bytes[100];
};

bool containers() {
  std::uint64_t before = live();
  bool served = false;
  {
    std::vector<int, copse::allocator<int>> numbers;
    for (int i = 0; i < 300000; i++) numbers.push_back(i);
    std::list<long, copse::allocator<long>> list(numbers.begin(), numbers.begin() + 1000);
    std::map<int, int, std::less<int>, copse::allocator<std::pair<const int, int>>> map;
    for (int i = 0; i < 1000; i++) map[i * 7919 % 1000] = i;
    std::unordered_map<int, int, std::hash<int>, std::equal_to<int>, copse::allocator<std::pair<const int, int>>> hashed;
    for (int i = 0; i < 1000; i++) hashed[i] = i;
    std::basic_string<char, std::char_traits<char>, copse::allocator<char>> text(5000, 'x');
    auto shared = std::allocate_shared<line>(copse::allocator<line>(), line{{1, 2, 3}});
    std::vector<int, copse::allocator<int>> moved = std::move(numbers);
    served = live() >= before + 3000 && aligned(shared.get(), 64) && moved.size() == 300000 && moved[299999] == 299999 &&
             list.back() == 999 && map.size() == 1000 && hashed[999] == 999 && text[4999] == 'x';
  }
  return served && live() == before;
}

template <class T> bool one_alignment() {
  copse::allocator<T> a;
  for (std::size_t n : {1, 2, 3, 17, 40000}) {
    T *p = a.allocate(n);
    if (!aligned(p, alignof(T))) return false;
    std::memset(static_cast<void *>(p), 1, n * sizeof(T));
    a.deallocate(p, n);
  }
  return true;
}
bool alignments() {
  std::uint64_t before = live();
  return one_alignment<char>() && one_alignment<long double>() && one_alignment<line>() && one_alignment<page>() && live() == before;
}

bool nothing_asked() {
  copse::allocator<int> a;
  int *p = a.allocate(0), *q = a.allocate(0);
  bool good = p && q && p != q;
  a.deallocate(p, 0);
  a.deallocate(q, 0);
  return good;
}

#ifdef __cpp_exceptions
template <class Call> bool throws_bad_alloc(Call call) {
  try {
    call();
  } catch (const std::bad_alloc &) {
    return true;
  }
  return false;
}
#else
// Without exceptions it is to abort.
template <class Call> bool throws_bad_alloc(Call call) {
  std::fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    const rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    call();
    _exit(0);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
#endif
// From a variable: the compiler knows that the constants are refused, and says so.
volatile std::size_t most = ~std::size_t{0};
bool refusals() {
  return throws_bad_alloc([] { (void)copse::allocator<int>().allocate(most / 2); }) &&
         throws_bad_alloc([] { (void)copse::allocator<int>().allocate(most / 4 + 2); }) && // 4 bytes, were it not looked at
         throws_bad_alloc([] { (void)copse::allocator<char>().allocate(most); }) &&
         throws_bad_alloc([] { (void)copse::allocator<line>().allocate(most / 64); });
}

static_assert(std::is_same<std::allocator_traits<copse::allocator<int>>::rebind_alloc<line>, copse::allocator<line>>::value,
              "it rebinds");
static_assert(std::is_empty<copse::allocator<int>>::value, "it has no state");
static_assert(copse::allocator<int>() == copse::allocator<line>() && !(copse::allocator<int>() != copse::allocator<char>()),
              "all are equal");

bool threads() {
  std::uint64_t before = live();
  std::vector<std::thread> all;
  for (int i = 0; i < 4; i++)
    all.emplace_back([i] {
      for (int round = 0; round < 50; round++) std::vector<int, copse::allocator<int>>(1000, i);
    });
  for (auto &t : all) t.join();
  return live() == before;
}

#ifdef __cpp_lib_memory_resource
bool resource_in_containers() {
  std::uint64_t before = live();
  bool good = false;
  {
    std::pmr::vector<std::pmr::string> names(copse::resource());
    for (int i = 0; i < 1000; i++) names.emplace_back("a name that is too long to stand in the string itself");
    good = live() >= before + 1000 && names[999].get_allocator().resource() == copse::resource();
    std::pmr::unsynchronized_pool_resource pool(copse::resource());
    std::pmr::monotonic_buffer_resource buffer(copse::resource());
    std::pmr::list<int> one(&pool), two(&buffer);
    for (int i = 0; i < 10000; i++) one.push_back(i), two.push_back(i);
    good = good && one.back() == 9999 && two.back() == 9999;
  }
  return good && live() == before;
}

bool resource_alignments() {
  std::uint64_t before = live();
  for (std::size_t alignment = 1; alignment <= 1 << 21; alignment *= 2)
    for (std::size_t size : {0, 1, 24, 100, 5000, 2000000}) {
      void *p = copse::resource()->allocate(size, alignment);
      if (!aligned(p, alignment)) return false;
      std::memset(p, 2, size);
      copse::resource()->deallocate(p, size, alignment);
    }
  return live() == before;
}

volatile std::size_t terabyte = std::size_t{1} << 40;
bool resource_refuses() {
  return throws_bad_alloc([] { (void)copse::resource()->allocate(most); }) &&
         throws_bad_alloc([] { (void)copse::resource()->allocate(1, terabyte); });
}

bool resource_equality() {
  copse::memory_resource other;
  std::pmr::memory_resource *base = &other;
  bool good = copse::resource()->is_equal(*copse::resource()) && !copse::resource()->is_equal(*std::pmr::new_delete_resource());
#ifdef __cpp_rtti
  good = good && *copse::resource() == *base;
#endif
  return good && base != nullptr;
}

// Frees when static objects are destroyed, long after main.
std::pmr::vector<int> late(copse::resource());
#endif

#ifdef COPSE_INSTRUMENTED
// The size and the alignment do arrive: other ones are found.
bool sizes_arrive() {
  copse::allocator<int> a;
  int *p = a.allocate(10);
  misused = 0;
  a.deallocate(p, 9);
  bool good = misused == 1;
  a.deallocate(p, 10);
  copse::allocator<line> b;
  line *q = b.allocate(2);
  copse::deallocate(q, 2 * sizeof(line), 128);
  good = good && misused == 2;
  b.deallocate(q, 2);
  good = good && misused == 2;
  misused = 0;
  return good;
}
#endif

} // namespace

int main() {
  copse_on_misuse(on_misuse, nullptr);
  result(containers(), "containers, and nothing left of them");
  result(alignments(), "types of every alignment");
  result(nothing_asked(), "no objects are unique ones");
  result(refusals(), "too much throws");
  result(threads(), "several threads");
#ifdef __cpp_lib_memory_resource
  result(resource_in_containers(), "resource: containers and pools on it, and nothing left of them");
  result(resource_alignments(), "resource: every alignment");
  result(resource_refuses(), "resource: too much throws");
  result(resource_equality(), "resource: all are equal, and not others");
  late.assign(1000, 3);
#endif
#ifdef COPSE_INSTRUMENTED
  result(sizes_arrive(), "a wrong size, or alignment, is found");
#endif
  result(misused == 0, "no misuse");
  std::printf("1..%d\n", count);
  return failed != 0;
}
