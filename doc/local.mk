# SPDX-License-Identifier: MIT
dist_man_MANS += doc/man/copse.7 doc/man/copse-map.1 doc/man/copse-run.1 \
  doc/man/copse.hpp.3 doc/man/copse_alloc.3 doc/man/copse_alloc_batch.3 doc/man/copse_free.3 doc/man/copse_heap_walk.3 doc/man/copse_inline_alloc.3 \
  doc/man/copse_on_misuse.3 doc/man/copse_realloc.3 doc/man/copse_stats.3 doc/man/copse_trim.3 doc/man/copse_tune_set.3 \
  doc/man/copse_usable_size.3 doc/man/copse_version.3
EXTRA_DIST += doc/man/links.sh doc/DESIGN doc/DEBUGGING doc/MISUSE doc/MUTANTS doc/PERFORMANCE doc/RELEASING doc/VERIFICATION doc/ordering doc/memory.svg doc/speed.svg

# A page of several functions is found by the name of each.
copse_man_links = cd $(top_srcdir)/doc/man && $(SHELL) ./links.sh *.3
install-data-hook: install-man-links
install-man-links: install-man
	@links=`$(copse_man_links)` && set -e && printf '%s\n' "$$links" | while read page link; do \
	  rm -f "$(DESTDIR)$(man3dir)/$$link" && (cd "$(DESTDIR)$(man3dir)" && $(LN_S) "$$page" "$$link"); \
	done
uninstall-hook: uninstall-man-links
uninstall-man-links:
	@links=`$(copse_man_links)` && printf '%s\n' "$$links" | while read page link; do \
	  rm -f "$(DESTDIR)$(man3dir)/$$link"; \
	done
.PHONY: install-man-links uninstall-man-links
