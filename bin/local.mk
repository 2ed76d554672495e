# SPDX-License-Identifier: MIT
bin_SCRIPTS += bin/copse-run
EXTRA_DIST += bin/copse-run.in

bin/copse-run: bin/copse-run.in Makefile
	$(AM_V_GEN)$(MKDIR_P) bin && \
	$(SED) -e 's|@prefix[@]|$(prefix)|g' -e 's|@exec_prefix[@]|$(exec_prefix)|g' -e 's|@libdir[@]|$(libdir)|g' \
	  -e 's|@PACKAGE_VERSION[@]|$(PACKAGE_VERSION)|g' \
	  $(top_srcdir)/bin/copse-run.in >$@.tmp && chmod +x $@.tmp && mv $@.tmp $@
