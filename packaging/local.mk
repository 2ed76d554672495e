# SPDX-License-Identifier: MIT
EXTRA_DIST += packaging/test-installed.sh \
  packaging/consumers/run.sh packaging/consumers/installed.sh packaging/consumers/program.c packaging/consumers/program.cc \
  packaging/consumers/CMakeLists.txt packaging/consumers/meson.build \
  packaging/rpm/copse.spec packaging/abi/libcopse.0.abi packaging/abi/private.suppr \
  packaging/debian/changelog packaging/debian/control packaging/debian/copyright packaging/debian/rules \
  packaging/debian/source/format packaging/debian/tests/control packaging/debian/tests/consumers packaging/debian/tests/copse-run \
  packaging/debian/libcopse0.install packaging/debian/libcopse0.symbols \
  packaging/debian/libcopse-dev.install packaging/debian/libcopse-dev.docs packaging/debian/libcopse-dev.examples \
  packaging/debian/libcopse-dev.manpages \
  packaging/debian/watch packaging/debian/libcopse-instrumented-dev.install packaging/debian/libcopse-instrumented-dev.symbols \
  packaging/debian/libcopse-instrumented-dev.lintian-overrides \
  packaging/debian/copse-tools.install packaging/debian/copse-tools.manpages

# Programs on the installed library, found by pkg-config; see also tests/installcheck.
installcheck-local: installcheck-consumers
installcheck-consumers:
	CC='$(CC)' CXX='$(CXX)' DESTDIR='$(DESTDIR)' libdir='$(libdir)' $(SHELL) $(top_srcdir)/packaging/consumers/installed.sh
.PHONY: installcheck-consumers

CHECK_LONG += check-packages
check-packages:
	$(top_srcdir)/build-aux/check-tarball.sh
	$(top_srcdir)/build-aux/check-deb.sh --install --tests all
	$(top_srcdir)/build-aux/check-rpm.sh
.PHONY: check-packages
