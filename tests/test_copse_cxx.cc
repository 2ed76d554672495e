// SPDX-License-Identifier: MIT
// The public headers as C++: every function of them, called from namespaces, templates and containers.  Prints TAP.
#include "copse-inline.h"
#include "copse.h" // both, in either order, twice
#include "copse-inline.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <thread>
#include <vector>

static int count, failed;
static void result(bool good, const char *name) {
  failed += !good;
  std::printf("%sok %d - %s\n", good ? "" : "not ", ++count, name);
}

namespace {

// As somebody would wrap it for a container.
template <class T> struct allocator {
  using value_type = T;
  allocator() = default;
  template <class U> allocator(const allocator<U> &) noexcept {}
  T *allocate(std::size_t n) {
    if (void *p = copse_inline_alloc(n * sizeof(T))) return static_cast<T *>(p);
    throw std::bad_alloc();
  }
  void deallocate(T *p, std::size_t n) noexcept { copse_inline_free(p, n * sizeof(T)); }
  template <class U> bool operator==(const allocator<U> &) const noexcept { return true; }
  template <class U> bool operator!=(const allocator<U> &) const noexcept { return false; }
};

struct component {
  static void *operator new(std::size_t size) { return copse_alloc(size); }
  static void operator delete(void *p, std::size_t size) { copse_free(p, size); }
  double x[7];
};

bool containers() {
  std::vector<int, allocator<int>> numbers;
  for (int i = 0; i < 100000; i++) numbers.push_back(i);
  long sum = 0;
  for (int i : numbers) sum += i;
  std::basic_string<char, std::char_traits<char>, allocator<char>> text(1000, 'x');
  text += text;
  component *c = new component();
  delete c;
  return sum == 4999950000L && text.size() == 2000;
}

bool every_function() {
  bool good = true;
  void *p = copse_alloc(100);
  p = copse_realloc(p, 100, 5000);
  good = good && p && copse_usable_size(p) >= 5000 && copse_good_size(5000) >= 5000;
  copse_free(p, 5000);
  p = copse_alloc_zeroed(70);
  good = good && p && static_cast<char *>(p)[69] == 0;
  copse_free_unsized(p);
  p = copse_alloc_aligned(100, 256);
  good = good && reinterpret_cast<std::uintptr_t>(p) % 256 == 0;
  copse_free_aligned(p, 100, 256);
  void *many[10];
  good = good && copse_alloc_batch(40, 10, many) == 10;
  copse_free_batch(40, 10, many);
  copse_trim();
  copse_checkpoint();
  copse_thread_flush();
  good = good && copse_trim_pending() == 0;
  struct copse_stats stats;
  copse_stats(&stats);
  good = good && stats.page_size != 0 && copse_stats_json(nullptr, 0) > 0;
  size_t found = 0;
  auto count = [](const copse_block *, size_t n, void *sum) { *static_cast<size_t *>(sum) += n; return 0; };
  good = good && copse_heap_walk(count, &found) == 0 && found > 0;
  std::uint64_t value = 0;
  good = good && copse_tune_get("recycler", &value) == 0 && copse_tune_set("recycler", value) == 0;
  good = good && copse_tune_set("nothing", 1) == ENOENT;
  p = copse_inline_alloc(33);
  copse_inline_free(p, 33);
  p = copse_inline_alloc(33);
  copse_inline_free_unsized(p);
  static_assert(COPSE_CLASSES == 60 && COPSE_ALIGNMENT_MIN == 16, "constants are constant expressions");
  char version[64];
  std::snprintf(version, sizeof version, "%d.%d.%d", COPSE_VERSION_MAJOR, COPSE_VERSION_MINOR, COPSE_VERSION_PATCH);
  return good && std::strncmp(copse_version(), version, std::strlen(version)) == 0;
}

// Objects with destructors at thread exit, which free after or before the library's own.
struct late {
  void *p = copse_alloc(300);
  ~late() { copse_free(p, 300); }
};
thread_local late at_exit;

bool threads() {
  std::vector<std::thread> all;
  for (int i = 0; i < 8; i++)
    all.emplace_back([] {
      std::memset(at_exit.p, 1, 300);
      std::vector<long, allocator<long>> mine(1000, 3);
    });
  for (auto &t : all) t.join();
  struct copse_stats stats;
  copse_stats(&stats);
  return stats.threads == 1;
}

} // namespace

int main() {
  result(containers(), "containers over the inlined calls");
  result(every_function(), "every function of the header");
  result(threads(), "thread_local objects that free at their end");
  std::printf("1..%d\n", count);
  return failed != 0;
}
