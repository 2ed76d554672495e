# SPDX-License-Identifier: MIT
# What a target must be, and have.  What is not is refused in one sentence.

# COPSE_REQUIRE_SYSTEM: addresses, system calls and instructions are those of Linux on two processors.
AC_DEFUN([COPSE_REQUIRE_SYSTEM], [
AC_REQUIRE([AC_CANONICAL_HOST])dnl
AC_BEFORE([$0], [AC_PROG_CC])dnl
case $host_cpu-$host_os in #(
  x86_64-linux* | aarch64-linux*) ;; #(
  *) AC_MSG_ERROR([copse needs Linux on x86-64 or aarch64: $host is neither.]) ;;
esac
])

# COPSE_REQUIRE_64BIT: asked of the preprocessor, ahead of AC_PROG_CC: a compiler that is told -m32 but has no 32-bit
# libraries would otherwise fail with a sentence about executables.  A compiler that is not found yet says nothing here.
AC_DEFUN([COPSE_REQUIRE_64BIT], [
AC_BEFORE([$0], [AC_PROG_CC])dnl
AC_MSG_CHECKING([for a 64-bit target])
copse_pointer=unknown
for copse_cc in "$CC" "${host_alias:+$host_alias-}gcc" "${host_alias:+$host_alias-}cc" clang; do
  test -n "$copse_cc" || continue
  copse_pointer=`echo __SIZEOF_POINTER__ | $copse_cc $CPPFLAGS $CFLAGS -E -P -x c - 2>/dev/null`
  case $copse_pointer in #(
    [[0-9]]*) break ;; #(
    *) copse_pointer=unknown ;;
  esac
done
AC_MSG_RESULT([pointers of $copse_pointer bytes])
case $copse_pointer in #(
  8 | unknown) ;; #(
  *) AC_MSG_ERROR([copse needs a 64-bit target: this compiler's pointers have $copse_pointer bytes.]) ;;
esac
])

# COPSE_REQUIRE_CAS16: the recyclers' heads are {pointer, generation}, swapped as one.  The code is that of lib/atomic.h:
# gcc makes the instruction of __sync and a call into libatomic of __atomic, clang the instruction of __atomic.
# On x86-64 the instruction is asked for by -mcx16, always.  libatomic is never linked.
AC_DEFUN([COPSE_REQUIRE_CAS16], [
AC_REQUIRE([AC_CANONICAL_HOST])dnl
case $host_cpu in #(
  x86_64) COPSE_CAS16_CFLAGS=-mcx16 ;; #(
  *) COPSE_CAS16_CFLAGS= ;;
esac
AC_CACHE_CHECK([for a 128-bit compare-and-swap instruction], [copse_cv_cas16], [
  copse_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS $COPSE_CAS16_CFLAGS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[
    static __attribute__((aligned(16))) unsigned __int128 word;
  ]], [[
    unsigned __int128 seen = 0;
  #if defined(__clang__)
    return !__atomic_compare_exchange_n(&word, &seen, (unsigned __int128)1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  #else
    seen = __sync_val_compare_and_swap(&word, seen, (unsigned __int128)1);
    return seen != 0;
  #endif
  ]])], [copse_cv_cas16=yes], [copse_cv_cas16=no])
  CFLAGS=$copse_saved_CFLAGS
])
AS_IF([test "x$copse_cv_cas16" != xyes],
  [AC_MSG_ERROR([copse needs a target with a 128-bit compare-and-swap instruction: $host has none with $CC $CFLAGS.])])
])
