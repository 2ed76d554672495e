/* SPDX-License-Identifier: MIT */
/*
 * A program that replaces operator new and operator delete, these two alone, and puts a header before each object.  As
 * the standard says, all other forms must come through them, although libcopse-new has those other forms: a sized
 * delete that freed the object at once would free what malloc never returned.
 */
#include "test_new.h"

#include <vector>

namespace {

const std::size_t header = 64;
int news, deletes, wrong;

} // namespace

void *operator new(std::size_t size) {
  news++;
  char *start = static_cast<char *>(std::malloc(size + header));
  if (!start) throw std::bad_alloc();
  std::memset(start, 0x42, header);
  return start + header;
}

/* gcc asks for the sized form beside it, which is the point. */
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wsized-deallocation"
void operator delete(void *ptr) noexcept {
  if (!ptr) return;
  deletes++;
  char *start = static_cast<char *>(ptr) - header;
  for (std::size_t i = 0; i < header; i++) wrong += start[i] != 0x42;
  std::free(start);
}

static void *hide(void *ptr) {
  asm volatile("" : "+r"(ptr) : : "memory");
  return ptr;
}

int main() {
  const int n = 1000;
  check(!home_is(address_of_new(), "libcopse-new") || std::getenv("COPSE_TEST_ANY_MALLOC"),
        "operator new is the program's");
  check(home_is(address_of_sized_delete(), "libcopse-new"), "sized operator delete is copse's");
  news = deletes = 0;
  for (int i = 0; i < n; i++) {
    std::size_t size = static_cast<std::size_t>(i * 7);
    ::operator delete(hide(::operator new(size)), size);
    ::operator delete[](hide(::operator new[](size)));
    ::operator delete[](hide(::operator new[](size)), size);
    ::operator delete(hide(::operator new(size, std::nothrow)), std::nothrow);
    ::operator delete[](hide(::operator new[](size, std::nothrow)), std::nothrow);
    std::vector<int> numbers(static_cast<std::size_t>(i + 1), i);
    hide(numbers.data());
  }
  check(news == 6 * n, "every new came through the program's");
  check(deletes == 6 * n, "every delete came through the program's");
  check(wrong == 0, "with the pointer that it gave out");
  return finish();
}
