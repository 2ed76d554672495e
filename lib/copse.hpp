// SPDX-License-Identifier: MIT
//
// copse for C++'s containers: an allocator, and a memory resource.  Header only, on the functions of copse.h.
//
//   std::vector<particle, copse::allocator<particle>> particles;
//   std::pmr::vector<particle> others(copse::resource());                from C++17 on
//
// Both free with the size, which the containers know; both take any alignment.  Neither has a state: all are equal, and what
// one allocated any other frees, in any thread.  What fails throws std::bad_alloc; compiled without exceptions, it aborts.
#ifndef COPSE_HPP
#define COPSE_HPP

#include "copse.h"

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>
#include <type_traits>
#if __cplusplus >= 201703L && defined(__has_include)
#if __has_include(<memory_resource>)
#include <memory_resource>
#endif
#endif

namespace copse {

namespace detail {
template <class Exception> [[noreturn]] inline void fail() {
#ifdef __cpp_exceptions
  throw Exception();
#else
  std::abort();
#endif
}
} // namespace detail

/// `size` bytes, aligned to `alignment`, a power of two.  Throws std::bad_alloc.
inline void *allocate(std::size_t size, std::size_t alignment) {
  void *p = alignment <= COPSE_ALIGNMENT_MIN ? copse_alloc(size) : copse_alloc_aligned(size, alignment);
  if (!p) detail::fail<std::bad_alloc>();
  return p;
}

/// Frees what `allocate` gave.  pre: `size` and `alignment` are those asked for.
inline void deallocate(void *p, std::size_t size, std::size_t alignment) noexcept {
  if (alignment <= COPSE_ALIGNMENT_MIN)
    copse_free(p, size);
  else
    copse_free_aligned(p, size, alignment);
}

/// An allocator as the standard's containers want it.
template <class T> class allocator {
public:
  using value_type = T;
  using is_always_equal = std::true_type;
  using propagate_on_container_move_assignment = std::true_type;

  constexpr allocator() noexcept = default;
  template <class U> constexpr allocator(const allocator<U> &) noexcept {}

  T *allocate(std::size_t n) {
    // What multiplies to more than there are addresses would come out small.
    if (n > std::numeric_limits<std::size_t>::max() / sizeof(T)) detail::fail<std::bad_array_new_length>();
    return static_cast<T *>(copse::allocate(n * sizeof(T), alignof(T)));
  }
  void deallocate(T *p, std::size_t n) noexcept { copse::deallocate(p, n * sizeof(T), alignof(T)); }
};

template <class T, class U> constexpr bool operator==(const allocator<T> &, const allocator<U> &) noexcept { return true; }
template <class T, class U> constexpr bool operator!=(const allocator<T> &, const allocator<U> &) noexcept { return false; }

#ifdef __cpp_lib_memory_resource

/// A resource for std::pmr's containers, and upstream of its pools.
class memory_resource final : public std::pmr::memory_resource {
  void *do_allocate(std::size_t size, std::size_t alignment) override { return copse::allocate(size, alignment); }
  void do_deallocate(void *p, std::size_t size, std::size_t alignment) override { copse::deallocate(p, size, alignment); }
  bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override {
#ifdef __cpp_rtti
    return dynamic_cast<const memory_resource *>(&other) != nullptr;
#else
    return this == &other;
#endif
  }
};

/// The one that is always there: never destroyed, so that static objects may free at their end.
inline memory_resource *resource() noexcept {
  alignas(memory_resource) static unsigned char place[sizeof(memory_resource)];
  static memory_resource *const one = ::new (static_cast<void *>(place)) memory_resource;
  return one;
}

#endif

} // namespace copse

#endif
