# SPDX-License-Identifier: MIT
dist_man_MANS += doc/man/copse.7
EXTRA_DIST += doc/DESIGN
