# SPDX-License-Identifier: MIT
bin_SCRIPTS += bin/copse-run
EXTRA_DIST += bin/copse-run.in

bin/copse-run: bin/copse-run.in Makefile
	$(AM_V_GEN)$(MKDIR_P) bin && \
	$(SED) -e 's|@prefix[@]|$(prefix)|g' -e 's|@exec_prefix[@]|$(exec_prefix)|g' -e 's|@libdir[@]|$(libdir)|g' \
	  -e 's|@PACKAGE_VERSION[@]|$(PACKAGE_VERSION)|g' \
	  $(top_srcdir)/bin/copse-run.in >$@.tmp && chmod +x $@.tmp && mv $@.tmp $@

# A program of its own: it only reads what the library wrote.
bin_PROGRAMS += bin/copse-map
bin_copse_map_SOURCES = bin/map.h bin/copse-map.c bin/map_read.c bin/map_cell.c bin/map_svg.c bin/map_terminal.c
