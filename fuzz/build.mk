# SPDX-License-Identifier: MIT
# The targets for an engine, without configure: as OSS-Fuzz builds them, and the scripts beside this file.
#
#   make -f fuzz/build.mk OUT=DIRECTORY [CC=...] [CXX=...] [CFLAGS=...] [CXXFLAGS=...] [LIB_FUZZING_ENGINE=...] [NAMES=...]
#
# Each target is built twice: fuzz_NAME on the release library, fuzz_NAME_instrumented on the instrumented one.  Where no engine
# is named, driver.c is linked, which replays files.  MODES may name one of the two libraries.  SRC may be another tree: that of a planted fault.

SRC := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/..)
OUT = .
WORK = $(OUT)/work
NAMES = api threads threads_overlap thread_lifecycle bit_tree size_class recycler span vm_failures malloc options misuse
MODES = release instrumented
LIB_FUZZING_ENGINE =

fuzz_flags = -std=gnu11 -D_GNU_SOURCE -pthread -fvisibility=hidden -fno-omit-frame-pointer \
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(filter x86_64,$(shell uname -m)),-mcx16) \
  -I$(SRC)/lib -I$(SRC)/fuzz -I$(SRC)/tests
fuzz_library := $(filter-out $(wildcard $(SRC)/lib/malloc*.c),$(wildcard $(SRC)/lib/*.c))
fuzz_family := $(wildcard $(SRC)/lib/malloc*.c)
fuzz_common = api api_figures api_service balance crew model mutator op
# Text has no records to mutate.
fuzz_common_of = $(if $(filter options,$(1)),$(filter-out mutator,$(fuzz_common)),$(fuzz_common))
fuzz_link = $(if $(LIB_FUZZING_ENGINE),$(CXX) $(CXXFLAGS),$(CC) $(CFLAGS))

all: $(foreach n,$(NAMES),$(foreach m,$(MODES),$(OUT)/fuzz_$(n)$(patsubst release,,$(m:instrumented=_instrumented))))
.PHONY: all
.SECONDARY:

# $(1) release or instrumented, $(2) its definition
define fuzz_mode
$(WORK)/$(1)/%.o: $(SRC)/lib/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(fuzz_flags) $(2) $$(CFLAGS) -MMD -MP -c -o $$@ $$<
$(WORK)/$(1)/fuzz/%.o: $(SRC)/fuzz/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(fuzz_flags) $(2) $$(CFLAGS) -MMD -MP -c -o $$@ $$<
$(WORK)/$(1)/fuzz/vm_faults.o: $(SRC)/tests/vm_faults.c
	@mkdir -p $$(@D)
	$$(CC) $$(fuzz_flags) $(2) $$(CFLAGS) -MMD -MP -c -o $$@ $$<
$(WORK)/$(1)/prefixed/%.o: $(SRC)/lib/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(fuzz_flags) $(2) -fno-builtin -include $(SRC)/fuzz/prefix.h $$(CFLAGS) -MMD -MP -c -o $$@ $$<
$(WORK)/$(1)/libcopse.a: $(patsubst $(SRC)/lib/%.c,$(WORK)/$(1)/%.o,$(fuzz_library)) \
  $(patsubst $(SRC)/lib/%.c,$(WORK)/$(1)/prefixed/%.o,$(fuzz_family)) $(WORK)/$(1)/fuzz/vm_faults.o
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(eval $(call fuzz_mode,release,))
$(eval $(call fuzz_mode,instrumented,-DCOPSE_INSTRUMENTED))

# AFL++ loads its mutator into itself, by whatever compiler and without a sanitizer.
HOST_CC = cc
$(OUT)/mutator_afl.so: $(SRC)/fuzz/mutator_afl.c $(SRC)/fuzz/mutator.c $(SRC)/fuzz/op.h
	@mkdir -p $(@D)
	$(HOST_CC) $(fuzz_flags) -O2 -fPIC -shared -o $@ $(filter %.c,$^)

# $(1) release or instrumented, $(2) the suffix, $(3) the name
define fuzz_target
$(OUT)/fuzz_$(3)$(2): $(WORK)/$(1)/fuzz/fuzz_$(3).o $(patsubst %,$(WORK)/$(1)/fuzz/%.o,$(call fuzz_common_of,$(3)) \
  $(if $(LIB_FUZZING_ENGINE),,driver)) $(WORK)/$(1)/libcopse.a
	$$(fuzz_link) -o $$@ $$^ $$(LIB_FUZZING_ENGINE) -pthread -ldl
endef
$(foreach n,$(NAMES),$(eval $(call fuzz_target,release,,$(n)))$(eval $(call fuzz_target,instrumented,_instrumented,$(n))))

-include $(wildcard $(WORK)/*/*.d $(WORK)/*/*/*.d)
