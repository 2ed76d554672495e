# SPDX-License-Identifier: MIT
dist_man_MANS += doc/man/copse.7 doc/man/copse-run.1
EXTRA_DIST += doc/DESIGN doc/DEBUGGING doc/MISUSE doc/MUTANTS doc/VERIFICATION
