/* SPDX-License-Identifier: MIT */
/*
 * C++'s operators new and delete on copse: every form, sizes and alignments, failure with and without a new handler.
 * Linked with libcopse-new and libcopse-malloc, or run with both preloaded.
 */
#include "test_new.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

const std::size_t too_much = PTRDIFF_MAX;

/* Without these the compiler may leave out a pair of new and delete. */
void *hide(void *ptr) {
  asm volatile("" : "+r"(ptr) : : "memory");
  return ptr;
}

std::size_t opaque(std::size_t size) {
  asm volatile("" : "+r"(size));
  return size;
}

bool is_aligned(void *ptr, std::size_t alignment) {
  return ptr && reinterpret_cast<std::uintptr_t>(ptr) % alignment == 0;
}

/* Every way to allocate and every way to free that goes with it, for one size. */
bool all_plain_forms(std::size_t size) {
  bool good = true;
  void *ptr[6];
  for (int i = 0; i < 6; i++) {
    ptr[i] = hide(i % 2 ? ::operator new(size) : ::operator new(size, std::nothrow));
    good = good && is_aligned(ptr[i], 16);
    if (ptr[i]) std::memset(ptr[i], i, size);
  }
  ::operator delete(ptr[0]);
  ::operator delete(ptr[1], size);
  ::operator delete(ptr[2], std::nothrow);
  ::operator delete(ptr[3], size);
  ::operator delete(ptr[4]);
  ::operator delete(ptr[5]);
  for (int i = 0; i < 6; i++) {
    ptr[i] = hide(i % 2 ? ::operator new[](size) : ::operator new[](size, std::nothrow));
    good = good && is_aligned(ptr[i], 16);
    if (ptr[i]) std::memset(ptr[i], i, size);
  }
  ::operator delete[](ptr[0]);
  ::operator delete[](ptr[1], size);
  ::operator delete[](ptr[2], std::nothrow);
  ::operator delete[](ptr[3], size);
  ::operator delete[](ptr[4]);
  ::operator delete[](ptr[5]);
  return good;
}

bool all_aligned_forms(std::size_t size, std::align_val_t alignment) {
  bool good = true;
  auto bytes = static_cast<std::size_t>(alignment);
  void *ptr[4];
  for (int i = 0; i < 4; i++) {
    ptr[i] = hide(i % 2 ? ::operator new(size, alignment) : ::operator new(size, alignment, std::nothrow));
    good = good && is_aligned(ptr[i], bytes);
    if (ptr[i]) std::memset(ptr[i], i, size);
  }
  ::operator delete(ptr[0], alignment);
  ::operator delete(ptr[1], size, alignment);
  ::operator delete(ptr[2], alignment, std::nothrow);
  ::operator delete(ptr[3], size, alignment);
  for (int i = 0; i < 4; i++) {
    ptr[i] = hide(i % 2 ? ::operator new[](size, alignment) : ::operator new[](size, alignment, std::nothrow));
    good = good && is_aligned(ptr[i], bytes);
    if (ptr[i]) std::memset(ptr[i], i, size);
  }
  ::operator delete[](ptr[0], alignment);
  ::operator delete[](ptr[1], size, alignment);
  ::operator delete[](ptr[2], alignment, std::nothrow);
  ::operator delete[](ptr[3], size, alignment);
  return good;
}

void test_forms() {
  bool good = true, aligned = true;
  for (std::size_t size = 0; size < 5000000; size = size < 300 ? size + 1 : size + size / 3) {
    good = all_plain_forms(size) && good;
    for (std::size_t alignment = 1; alignment <= 8192; alignment *= 4) {
      aligned = all_aligned_forms(size, std::align_val_t(alignment)) && aligned;
    }
  }
  check(good, "every plain form at every size");
  check(aligned, "every aligned form at every size");
  check(all_aligned_forms(10, std::align_val_t(std::size_t(1) << 30)), "an alignment of 1 GB");
}

void test_null_and_zero() {
  ::operator delete(hide(nullptr));
  ::operator delete[](hide(nullptr));
  ::operator delete(hide(nullptr), std::size_t(8));
  ::operator delete[](hide(nullptr), std::size_t(8));
  ::operator delete(hide(nullptr), std::align_val_t(64));
  ::operator delete[](hide(nullptr), std::align_val_t(64));
  ::operator delete(hide(nullptr), std::size_t(8), std::align_val_t(64));
  ::operator delete[](hide(nullptr), std::size_t(8), std::align_val_t(64));
  ::operator delete(hide(nullptr), std::nothrow);
  check(true, "every delete takes a null pointer");
  void *one = hide(::operator new(opaque(0))), *two = hide(::operator new[](opaque(0)));
  check(one && two && one != two, "a size of 0 gives a pointer of its own");
  ::operator delete(one, opaque(0));
  ::operator delete[](two, opaque(0));
}

/* ------------------------------------------------------------------ failure */

template <typename Call> bool throws_bad_alloc(Call call) {
  try {
    hide(call());
  } catch (const std::bad_alloc &) {
    return true;
  }
  return false;
}

int handled;

void handler_gives_up() {
  if (++handled == 3) std::set_new_handler(nullptr);
}

void handler_throws() {
  handled++;
  throw std::bad_alloc();
}

void test_failure() {
  const auto wide = std::align_val_t(64);
  check(throws_bad_alloc([] { return ::operator new(opaque(too_much)); }), "new throws bad_alloc");
  check(throws_bad_alloc([] { return ::operator new[](opaque(too_much)); }), "new[] throws bad_alloc");
  check(throws_bad_alloc([=] { return ::operator new(opaque(too_much), wide); }), "aligned new throws bad_alloc");
  check(throws_bad_alloc([=] { return ::operator new[](opaque(too_much), wide); }), "aligned new[] throws bad_alloc");
  check(throws_bad_alloc([] { return ::operator new(8, std::align_val_t(opaque(24))); }), "a crooked alignment throws");
  check(!hide(::operator new(opaque(too_much), std::nothrow)), "nothrow new returns null");
  check(!hide(::operator new[](opaque(too_much), std::nothrow)), "nothrow new[] returns null");
  check(!hide(::operator new(opaque(too_much), wide, std::nothrow)), "nothrow aligned new returns null");
  check(!hide(::operator new[](opaque(too_much), wide, std::nothrow)), "nothrow aligned new[] returns null");

  handled = 0;
  std::set_new_handler(handler_gives_up);
  check(throws_bad_alloc([] { return ::operator new(opaque(too_much)); }) && handled == 3,
        "the new handler is called until there is none");
  handled = 0;
  std::set_new_handler(handler_gives_up);
  check(!hide(::operator new[](opaque(too_much), wide, std::nothrow)) && handled == 3, "nothrow calls it too");
  handled = 0;
  std::set_new_handler(handler_throws);
  check(throws_bad_alloc([] { return ::operator new(opaque(too_much)); }) && handled == 1,
        "its exception comes through");
  check(!hide(::operator new(opaque(too_much), std::nothrow)) && handled == 2, "but not through nothrow");
  std::set_new_handler(nullptr);
  check(throws_bad_alloc([] { return static_cast<void *>(new char[opaque(too_much)]); }), "a new expression throws");
}

/* ------------------------------------------------------------------ as programs use it */

struct alignas(128) Wide {
  char bytes[300];
};

struct Base {
  virtual ~Base() {}
  long number = 1;
};

struct Derived : Base {
  std::vector<std::string> words{std::vector<std::string>(20, std::string(50, 'x'))};
};

/* A small number is the seed of all sizes; the result is a sum that both threads must agree on. */
std::size_t use_containers(unsigned seed) {
  std::map<std::string, std::unique_ptr<Base>> tree;
  std::vector<std::unique_ptr<Wide>> wide;
  std::size_t sum = 0;
  for (unsigned i = 0; i < 5000; i++) {
    seed = seed * 1664525u + 1013904223u;
    std::string key(seed >> 26, static_cast<char>('a' + (seed >> 20) % 26));
    tree[key].reset(i % 2 ? new Base : new Derived);
    if (i % 3 == 0) tree.erase(tree.begin());
    wide.push_back(std::make_unique<Wide>());
    if (!is_aligned(wide.back().get(), 128)) return 0;
    if (wide.size() > 100) wide.erase(wide.begin(), wide.begin() + 50);
    sum += tree.size() + key.size();
  }
  return sum;
}

void test_programs() {
  std::size_t here = use_containers(1), there = 0;
  std::thread other([&] { there = use_containers(1); });
  use_containers(2);
  other.join();
  check(here && here == there, "containers, in two threads");
  auto shared = std::make_shared<std::vector<Wide>>(10);
  std::thread last([shared = std::move(shared)]() mutable { shared.reset(); });
  last.join();
  check(true, "freed by another thread");
}

} // namespace

int main() {
  check(home_is(address_of_new(), "libcopse-new"), "operator new comes from copse");
  check(home_is(address_of_sized_delete(), "libcopse-new"), "sized operator delete comes from copse");
  check(home_is(address_of_malloc(), "libcopse-malloc"), "and malloc too");
  test_forms();
  test_null_and_zero();
  test_failure();
  test_programs();
  return finish();
}
