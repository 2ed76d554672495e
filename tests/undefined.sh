# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For the scripts that compile with UndefinedBehaviorSanitizer: clang's checks that find bugs only, as COPSE_SANITIZERS
# (m4/copse_flags.m4) has them for --enable-sanitizers.
# shellcheck disable=SC2034 # the callers use it
clang_undefined=undefined,implicit-conversion,nullability,local-bounds,unsigned-shift-base
