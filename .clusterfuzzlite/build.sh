#!/bin/bash -eu
# SPDX-License-Identifier: MIT
bash fuzz/ossfuzz.sh
