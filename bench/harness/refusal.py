# SPDX-License-Identifier: MIT
"""What the user asked for cannot be done: one line on stderr, exit status 2."""


class Refusal(Exception):
    pass
