# SPDX-License-Identifier: MIT
# Flags and switches.

# COPSE_CHECK_FLAG(VARIABLE, FLAG): appends FLAG to VARIABLE where the C compiler takes it without a warning.
AC_DEFUN([COPSE_CHECK_FLAG], [
AS_VAR_PUSHDEF([cache], [copse_cv_flag_$2])dnl
AC_CACHE_CHECK([whether $CC takes $2], [cache], [
  copse_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $2"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM], [AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
  CFLAGS=$copse_saved_CFLAGS
])
AS_VAR_IF([cache], [yes], [$1="$$1 $2"])
AS_VAR_POPDEF([cache])dnl
])

# COPSE_FLAGS: what every object is compiled with.
AC_DEFUN([COPSE_FLAGS], [
COPSE_CFLAGS="-fvisibility=hidden $COPSE_CAS16_CFLAGS"
dnl Calls between copse's own functions are bound here: nobody may put a function of theirs in between.
COPSE_CHECK_FLAG([COPSE_CFLAGS], [-fno-semantic-interposition])
AC_SEARCH_LIBS([pthread_create], [pthread])
AC_SEARCH_LIBS([dlsym], [dl])
AC_SUBST([COPSE_CFLAGS])
AC_SUBST([COPSE_PC_LIBS_PRIVATE], ["-pthread"])
])

# COPSE_WARNINGS: --enable-werror is for development and CI; a user's newer compiler may know more warnings.
AC_DEFUN([COPSE_WARNINGS], [
AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [treat warnings as errors])], [], [enable_werror=no])
COPSE_WARN_CFLAGS="-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes"
COPSE_WARN_CXXFLAGS="-Wall -Wextra -Wshadow"
AS_IF([test "x$enable_werror" = xyes], [
  COPSE_WARN_CFLAGS="$COPSE_WARN_CFLAGS -Werror"
  COPSE_WARN_CXXFLAGS="$COPSE_WARN_CXXFLAGS -Werror"
])
AC_SUBST([COPSE_WARN_CFLAGS])
AC_SUBST([COPSE_WARN_CXXFLAGS])
])

# COPSE_SANITIZERS_SHARED: ahead of LT_INIT, since a sanitizer's runtime belongs to the program: static libraries only.
AC_DEFUN([COPSE_SANITIZERS_SHARED], [
AC_BEFORE([$0], [LT_INIT])dnl
AC_ARG_ENABLE([sanitizers],
  [AS_HELP_STRING([--enable-sanitizers=LIST], [build with -fsanitize=LIST; implies --disable-shared])],
  [], [enable_sanitizers=no])
AS_CASE([$enable_sanitizers],
  [yes], [AC_MSG_ERROR([--enable-sanitizers wants a list, such as address,undefined.])],
  [no], [copse_sanitizers=],
  [copse_sanitizers=$enable_sanitizers
   enable_shared=no])
])

# COPSE_SANITIZERS: `undefined` stands for all of its checks that find bugs only, where the compiler has them: not `integer`,
# which objects to unsigned arithmetic that wraps, as hashes and `b & -b` do.
AC_DEFUN([COPSE_SANITIZERS], [
AS_IF([test -n "$copse_sanitizers"], [
  COPSE_SANITIZE_FLAGS="-fsanitize=$copse_sanitizers -fno-omit-frame-pointer -fno-sanitize-recover=all"
  AC_MSG_CHECKING([whether $CC links with -fsanitize=$copse_sanitizers])
  copse_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS $COPSE_SANITIZE_FLAGS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM], [AC_MSG_RESULT([yes])], [
    AC_MSG_RESULT([no])
    AC_MSG_ERROR([$CC cannot link with -fsanitize=$copse_sanitizers.])])
  CFLAGS=$copse_saved_CFLAGS
  AS_CASE([",$copse_sanitizers,"], [*,undefined,*], [
    m4_foreach([copse_check], [implicit-conversion, nullability, local-bounds, unsigned-shift-base],
      [COPSE_CHECK_FLAG([COPSE_SANITIZE_FLAGS], [-fsanitize=copse_check])])
    dnl Again behind them: a check that is named later would recover.
    COPSE_SANITIZE_FLAGS="$COPSE_SANITIZE_FLAGS -fno-sanitize-recover=all"
  ])
  AS_CASE([",$copse_sanitizers,"], [*,memory,*],
    [COPSE_CHECK_FLAG([COPSE_SANITIZE_FLAGS], [-fsanitize-memory-track-origins])])
])
AC_SUBST([COPSE_SANITIZE_FLAGS])
])

# COPSE_VALGRIND: the instrumented library talks to valgrind by its headers; nothing of valgrind is linked.
AC_DEFUN([COPSE_VALGRIND], [
copse_have_valgrind=yes
AC_CHECK_HEADERS([valgrind/memcheck.h], [], [
  copse_have_valgrind=no
  AC_MSG_WARN([valgrind/memcheck.h is missing (Debian: valgrind): the instrumented library will tell valgrind nothing.])])
])

# COPSE_TLS_MODEL: initial-exec reaches the thread's record without a call; it takes 10 bytes of static TLS, for which
# dlopen has room.  global-dynamic is for those who run out.
AC_DEFUN([COPSE_TLS_MODEL], [
AC_ARG_WITH([tls-model],
  [AS_HELP_STRING([--with-tls-model=MODEL], [initial-exec (default) or global-dynamic])],
  [], [with_tls_model=initial-exec])
AS_CASE([$with_tls_model],
  [initial-exec|global-dynamic], [],
  [AC_MSG_ERROR([--with-tls-model takes initial-exec or global-dynamic, not $with_tls_model.])])
COPSE_CFLAGS="$COPSE_CFLAGS -ftls-model=$with_tls_model"
dnl The headers name the model too, for programs as for the library: -DCOPSE_TLS_DYNAMIC tells them.
COPSE_PC_TLS_CFLAGS=
AS_IF([test "x$with_tls_model" = xglobal-dynamic], [
  COPSE_CFLAGS="$COPSE_CFLAGS -DCOPSE_TLS_DYNAMIC"
  COPSE_PC_TLS_CFLAGS=-DCOPSE_TLS_DYNAMIC
])
AC_SUBST([COPSE_PC_TLS_CFLAGS])
])

# COPSE_DEFAULT_LIBRARY: both libraries are always built and installed; this chooses the one that copse.pc names.
AC_DEFUN([COPSE_DEFAULT_LIBRARY], [
AC_ARG_ENABLE([instrumented],
  [AS_HELP_STRING([--enable-instrumented], [let copse.pc give the instrumented library])],
  [], [enable_instrumented=no])
AS_IF([test "x$enable_instrumented" = xyes],
  [COPSE_PC_LIB=copse-instrumented COPSE_PC_CFLAGS=-DCOPSE_INSTRUMENTED],
  [COPSE_PC_LIB=copse COPSE_PC_CFLAGS=])
AC_SUBST([COPSE_PC_LIB])
AC_SUBST([COPSE_PC_CFLAGS])
])

# COPSE_CXX_WORKS: without a C++ compiler everything but the C++ operators is built.
AC_DEFUN([COPSE_CXX_WORKS], [
AC_LANG_PUSH([C++])
AC_MSG_CHECKING([whether the C++ compiler makes programs])
AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <new>]], [[delete new int;]])], [copse_have_cxx=yes], [copse_have_cxx=no])
dnl Where there is no C++ compiler for a cross build's host, AC_PROG_CXX takes the machine's own.
copse_cc_cpu=`$CC -dumpmachine 2>/dev/null | $SED 's/-.*//'`
copse_cxx_cpu=`$CXX -dumpmachine 2>/dev/null | $SED 's/-.*//'`
AS_IF([test "x$copse_cc_cpu" != "x$copse_cxx_cpu"], [copse_have_cxx=no])
AC_MSG_RESULT([$copse_have_cxx])
AC_LANG_POP([C++])
AM_CONDITIONAL([COPSE_CXX], [test "x$copse_have_cxx" = xyes])
])

# COPSE_CMOCKA: wanted by `make check` alone.
AC_DEFUN([COPSE_CMOCKA], [
copse_have_cmocka=no
AC_CHECK_LIB([cmocka], [_cmocka_run_group_tests],
  [AC_CHECK_HEADER([cmocka.h], [copse_have_cmocka=yes], [], [[
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
]])])
AS_IF([test $copse_have_cmocka = yes], [CMOCKA_LIBS=-lcmocka],
  [CMOCKA_LIBS=
   AC_MSG_WARN([cmocka is missing (Debian: libcmocka-dev): everything builds, make check will fail.])])
AC_SUBST([CMOCKA_LIBS])
AM_CONDITIONAL([COPSE_CMOCKA], [test $copse_have_cmocka = yes])
])
