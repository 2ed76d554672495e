/* SPDX-License-Identifier: MIT */
/*
 * Is the size handed on?  This program brings a whole malloc family of its own, which counts: with it libcopse-new must
 * call free_sized and free_aligned_sized, with the size asked for.
 *
 * The malloc is the simplest there is: pages from mmap, cut up in order, never used twice.
 */
#include "test_new.h"

#include <cerrno>
#include <malloc.h>
#include <sys/mman.h>

namespace {

struct Header {
  std::size_t size, alignment;
};

char *arena;
std::size_t arena_left;
int plain_frees, sized_frees, wrong_sizes;

void *take(std::size_t size, std::size_t alignment) {
  const std::size_t most = std::size_t(64) << 20;
  if (size > most / 2) {
    errno = ENOMEM;
    return nullptr;
  }
  if (alignment < 16) alignment = 16;
  if (arena_left < size + 2 * alignment + sizeof(Header)) {
    void *fresh = mmap(nullptr, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fresh == MAP_FAILED) return nullptr;
    arena = static_cast<char *>(fresh);
    arena_left = most;
  }
  std::size_t gap = sizeof(Header);
  gap += (alignment - (reinterpret_cast<std::size_t>(arena) + gap) % alignment) % alignment;
  char *ptr = arena + gap;
  reinterpret_cast<Header *>(ptr)[-1] = Header{size, alignment};
  arena += gap + size;
  arena_left -= gap + size;
  return ptr;
}

Header *header_of(void *ptr) { return static_cast<Header *>(ptr) - 1; }

} // namespace

/* Whatever the build's default is: libcopse-new must find them. */
#pragma GCC visibility push(default)
extern "C" {
void free_sized(void *ptr, std::size_t size);
void free_aligned_sized(void *ptr, std::size_t alignment, std::size_t size);

void *malloc(std::size_t size) noexcept { return take(size, 16); }
void free(void *ptr) noexcept { plain_frees += ptr != nullptr; }
void *calloc(std::size_t n, std::size_t size) noexcept { return take(n * size, 16); }
void *realloc(void *ptr, std::size_t size) noexcept {
  void *next = take(size, 16);
  if (ptr && next) std::memcpy(next, ptr, header_of(ptr)->size < size ? header_of(ptr)->size : size);
  return next;
}
void *aligned_alloc(std::size_t alignment, std::size_t size) noexcept { return take(size, alignment); }
void free_sized(void *ptr, std::size_t size) {
  sized_frees++;
  wrong_sizes += ptr && header_of(ptr)->size != size;
}
void free_aligned_sized(void *ptr, std::size_t alignment, std::size_t size) {
  sized_frees++;
  wrong_sizes += ptr && (header_of(ptr)->size != size || header_of(ptr)->alignment != alignment);
}
}
#pragma GCC visibility pop

static void *hide(void *ptr) {
  asm volatile("" : "+r"(ptr) : : "memory");
  return ptr;
}

int main() {
  const int n = 500;
  const auto wide = std::align_val_t(64);
  check(home_is(address_of_sized_delete(), "libcopse-new"), "sized operator delete is copse's");
  plain_frees = sized_frees = 0;
  for (int i = 0; i < n; i++) {
    std::size_t size = static_cast<std::size_t>(i * 11 + 1);
    ::operator delete(hide(::operator new(size)), size);
    ::operator delete[](hide(::operator new[](size)), size);
    ::operator delete(hide(::operator new(size, wide)), size, wide);
    ::operator delete[](hide(::operator new[](size, wide)), size, wide);
  }
  check(sized_frees == 4 * n && plain_frees == 0, "every sized delete was a sized free");
  check(wrong_sizes == 0, "of the size, and the alignment, asked for");
  sized_frees = 0;
  for (int i = 0; i < n; i++) {
    ::operator delete(hide(::operator new(100)));
    ::operator delete[](hide(::operator new[](100)));
    ::operator delete(hide(::operator new(100, wide)), wide);
  }
  check(sized_frees == 0 && plain_frees == 3 * n, "and every other one was not");
  return finish();
}
