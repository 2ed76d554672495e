/* SPDX-License-Identifier: MIT */
/*
 * All replaceable operator new and delete, for C++ programs that run on copse: libcopse-new.so, preloaded beside
 * libcopse-malloc.so.  It is a shared object of its own, so that C programs on copse do not load libstdc++.
 *
 * How it works.  libstdc++'s operators already call malloc and free, hence a C++ program is on copse without this file.
 * What this file adds is that `delete` hands on the size which the compiler knows, to free_sized and
 * free_aligned_sized: the instrumented drop-in checks it, and the release one is free to use it.
 *
 * A sized free is right only if the memory came from the same allocator's malloc, asked for with just that size.
 * Neither is certain here, since this object is one of several in the program:
 *   - the program may replace some of the operators.  A program that replaces operator new(size_t) or
 *     operator delete(void *) alone expects all the other forms to go through its own, as the standard says, and may
 *     well give out less than it got from malloc;
 *   - the program, or another preloaded object, may bring a malloc of its own, without free_sized, while
 *     free_sized is copse's; or copse may not be there at all (the references to free_sized are weak).
 * So a constructor looks once at what the dynamic linker bound: if both operators are those below, and malloc, free and
 * free_sized stand in one object, the sized forms go straight to it.  In all other cases, and before the constructor,
 * each form calls the plainer form that the standard says it calls, through its symbol, so that replacements are heard.
 *
 * A program that deletes an object with a size other than it was allocated with (a derived object through a base
 * without a virtual destructor) is undefined in C++, and here it may show.
 */
#include <cstdlib>
#include <dlfcn.h>
#include <malloc.h>
#include <new>

/*
 * weak: the word for "may be replaced" that holds under -fno-semantic-interposition too, under which a compiler else
 * calls, and inlines, the operator in this file where the program's is meant (noinline, and -fsemantic-interposition in local.mk: so does
 * link-time optimisation).
 */
#define EXPORT __attribute__((visibility("default"), weak, noinline))

extern "C" {
__attribute__((weak)) void free_sized(void *ptr, std::size_t size);
__attribute__((weak)) void free_aligned_sized(void *ptr, std::size_t alignment, std::size_t size);
}

namespace {

using sized_fn = void (*)(void *, std::size_t);
using aligned_sized_fn = void (*)(void *, std::size_t, std::size_t);

/* NULL: not to be used.  Written once, by the constructor below, before the program has threads. */
sized_fn sized_free;
aligned_sized_fn aligned_sized_free;

/* The standard's loop: the new handler may make memory available, throw, or not return. */
template <typename Allocate> inline void *allocate_or_throw(Allocate allocate) {
  for (;;) {
    void *ptr = allocate();
    if (__builtin_expect(ptr != nullptr, 1)) return ptr;
    std::new_handler handler = std::get_new_handler();
    if (!handler) throw std::bad_alloc();
    handler();
  }
}

/* Another malloc may answer a size of 0 with NULL. */
inline std::size_t at_least_one(std::size_t size) { return size ? size : 1; }

} // namespace

/* ------------------------------------------------------------------ the four that all others come down to */

EXPORT void *operator new(std::size_t size) {
  return allocate_or_throw([=] { return std::malloc(at_least_one(size)); });
}

EXPORT void operator delete(void *ptr) noexcept { std::free(ptr); }

EXPORT void *operator new(std::size_t size, std::align_val_t alignment) {
  auto bytes = static_cast<std::size_t>(alignment);
  /* The handler cannot help an alignment that there is none of. */
  if (!bytes || (bytes & (bytes - 1))) throw std::bad_alloc();
  return allocate_or_throw([=] { return aligned_alloc(bytes, at_least_one(size)); });
}

EXPORT void operator delete(void *ptr, std::align_val_t) noexcept { std::free(ptr); }

/* ------------------------------------------------------------------ new: array and nothrow */

EXPORT void *operator new[](std::size_t size) { return ::operator new(size); }

EXPORT void *operator new[](std::size_t size, std::align_val_t alignment) { return ::operator new(size, alignment); }

EXPORT void *operator new(std::size_t size, const std::nothrow_t &) noexcept {
  try {
    return ::operator new(size);
  } catch (...) {
    return nullptr;
  }
}

EXPORT void *operator new[](std::size_t size, const std::nothrow_t &) noexcept {
  try {
    return ::operator new[](size);
  } catch (...) {
    return nullptr;
  }
}

EXPORT void *operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t &) noexcept {
  try {
    return ::operator new(size, alignment);
  } catch (...) {
    return nullptr;
  }
}

EXPORT void *operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t &) noexcept {
  try {
    return ::operator new[](size, alignment);
  } catch (...) {
    return nullptr;
  }
}

/* ------------------------------------------------------------------ delete: array and nothrow */

EXPORT void operator delete[](void *ptr) noexcept { ::operator delete(ptr); }

EXPORT void operator delete[](void *ptr, std::align_val_t alignment) noexcept { ::operator delete(ptr, alignment); }

EXPORT void operator delete(void *ptr, const std::nothrow_t &) noexcept { ::operator delete(ptr); }

EXPORT void operator delete[](void *ptr, const std::nothrow_t &) noexcept { ::operator delete[](ptr); }

EXPORT void operator delete(void *ptr, std::align_val_t alignment, const std::nothrow_t &) noexcept {
  ::operator delete(ptr, alignment);
}

EXPORT void operator delete[](void *ptr, std::align_val_t alignment, const std::nothrow_t &) noexcept {
  ::operator delete[](ptr, alignment);
}

/* ------------------------------------------------------------------ delete: sized */

EXPORT void operator delete(void *ptr, std::size_t size) noexcept {
  if (__builtin_expect(sized_free != nullptr, 1)) return sized_free(ptr, at_least_one(size));
  ::operator delete(ptr);
}

EXPORT void operator delete[](void *ptr, std::size_t size) noexcept {
  if (__builtin_expect(sized_free != nullptr, 1)) return sized_free(ptr, at_least_one(size));
  ::operator delete[](ptr);
}

EXPORT void operator delete(void *ptr, std::size_t size, std::align_val_t alignment) noexcept {
  if (aligned_sized_free) return aligned_sized_free(ptr, static_cast<std::size_t>(alignment), at_least_one(size));
  ::operator delete(ptr, alignment);
}

EXPORT void operator delete[](void *ptr, std::size_t size, std::align_val_t alignment) noexcept {
  if (aligned_sized_free) return aligned_sized_free(ptr, static_cast<std::size_t>(alignment), at_least_one(size));
  ::operator delete[](ptr, alignment);
}

/* ------------------------------------------------------------------ may the sizes be used? */

namespace {

/* The object that `function` stands in; nullptr when there is none. */
const void *home(void *function) {
  Dl_info info;
  return function && dladdr(function, &info) ? info.dli_fbase : nullptr;
}

template <typename Function> const void *home(Function *function) { return home(reinterpret_cast<void *>(function)); }

bool together(const void *one, const void *two) { return one && one == two; }

/*
 * The addresses of functions below are those that the dynamic linker bound, not necessarily this file's.  The array
 * forms count too: a program may have replaced these alone.
 */
__attribute__((constructor)) void look_around() {
  using new_fn = void *(std::size_t);
  using delete_fn = void(void *);
  using new_aligned_fn = void *(std::size_t, std::align_val_t);
  using delete_aligned_fn = void(void *, std::align_val_t);

  const void *here = home(&sized_free);
  const void *heap = home(&std::malloc);
  bool whole = together(heap, home(&std::free));
  bool plain = together(here, home(static_cast<new_fn *>(&::operator new))) &&
               together(here, home(static_cast<new_fn *>(&::operator new[]))) &&
               together(here, home(static_cast<delete_fn *>(&::operator delete))) &&
               together(here, home(static_cast<delete_fn *>(&::operator delete[])));
  bool over_aligned = together(here, home(static_cast<new_aligned_fn *>(&::operator new))) &&
                      together(here, home(static_cast<new_aligned_fn *>(&::operator new[]))) &&
                      together(here, home(static_cast<delete_aligned_fn *>(&::operator delete))) &&
                      together(here, home(static_cast<delete_aligned_fn *>(&::operator delete[])));

  if (whole && plain && together(heap, home(free_sized))) sized_free = free_sized;
  if (whole && over_aligned && together(heap, home(&aligned_alloc)) && together(heap, home(free_aligned_sized))) {
    aligned_sized_free = free_aligned_sized;
  }
}

} // namespace
