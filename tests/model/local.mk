# SPDX-License-Identifier: MIT
# The model checker, the scenarios, and the library's own sources compiled for it: by the thread sanitizer's instrumentation, linked
# with tests/model/runtime.c in its place.  Flags are the checker's own: neither CFLAGS nor a sanitizer of the rest touch it.

model_checker = \
  tests/model/alone.c tests/model/expect.c tests/model/fibre.c tests/model/killers.c tests/model/main.c \
  tests/model/memory.c \
  tests/model/mutants.c tests/model/orders.c tests/model/places.c tests/model/races.c \
  tests/model/random.c tests/model/report.c tests/model/runtime.c tests/model/search.c tests/model/shadow.c \
  tests/model/sites.c tests/model/source.c tests/model/tables.c tests/model/undo.c tests/model/wrap.c
model_scenarios = \
  tests/model/self_litmus.c tests/model/self_stack.c \
  tests/model/library.c tests/model/users.c tests/model/recycler_scenarios.c tests/model/cache_scenarios.c \
  tests/model/pool_scenarios.c tests/model/pool_trim_scenarios.c tests/model/trim_scenarios.c tests/model/span_scenarios.c \
  tests/model/start_scenarios.c tests/model/arena_scenarios.c tests/model/fork_scenarios.c
model_headers = \
  tests/model/engine.h tests/model/expect.h tests/model/library.h tests/model/model.h tests/model/mutants.h tests/model/random.h tests/model/reference.h \
  tests/model/scenarios.h tests/model/search.h tests/model/sites.h tests/model/source.h tests/model/users.h

EXTRA_DIST += $(model_checker) $(model_scenarios) $(model_headers) \
  tests/model/mutants.allow tests/model/check-logic.sh tests/model/scenarios.sh tests/model/check-verdicts.sh \
  tests/model/check-objects.sh doc/SCENARIOS

model_objects = $(model_checker:.c=.o) $(model_scenarios:.c=.o) \
  $(patsubst lib/%.c,tests/model/lib_%.o,$(filter %.c,$(copse_core_sources)))

model_cas16 = $(if $(filter x86_64,$(host_cpu)),-mcx16)
model_compile = $(AM_V_CC)$(MKDIR_P) tests/model/.deps && $(CC) -std=gnu11 -D_GNU_SOURCE -I$(top_srcdir)/lib \
  -I$(top_srcdir)/tests/model $(CPPFLAGS) $(COPSE_WARN_CFLAGS) -g -fno-pie $(model_cas16) \
  -MMD -MP -MF tests/model/.deps/$(@F:.o=.d) -c -o $@ $<
# The checker sees neither builtins nor the C library's own accesses.
model_checked_flags = -O1 -fsanitize=thread -Dmemcpy=model_memcpy -Dmemmove=model_memmove -Dmemset=model_memset
model_comma = ,
model_wrapped = pthread_mutex_lock pthread_mutex_unlock pthread_mutex_init pthread_key_create pthread_setspecific \
  pthread_atfork open
model_wrap = $(addprefix -Wl$(model_comma)--wrap=,$(model_wrapped))

$(model_checker:.c=.o): tests/model/%.o: tests/model/%.c
	$(model_compile) -O2
$(model_scenarios:.c=.o): tests/model/%.o: tests/model/%.c
	$(model_compile) $(model_checked_flags)
tests/model/lib_%.o: lib/%.c
	$(model_compile) $(model_checked_flags)
tests/model/model: $(model_objects)
	$(AM_V_CCLD)$(CC) -no-pie $(model_wrap) -o $@ $(model_objects) -pthread
-include $(wildcard tests/model/.deps/*.d)

MODEL_JOBS = 2
# What runs it, where it was built for another processor.
MODEL_RUN =

# All scenarios but the lengthy ones, the checker against itself, and what it leaves behind in release objects: nothing.  Minutes.
check-model: tests/model/model
	$(MODEL_RUN) tests/model/model --jobs $(MODEL_JOBS)
	$(MODEL_RUN) tests/model/model --random 1 20000
	$(MODEL_RUN) tests/model/model --compare stack/2-push-pop stack/2-push-pop-torn recycler/2-push-pop
	top_srcdir='$(top_srcdir)' MODEL_RUN='$(MODEL_RUN)' $(top_srcdir)/tests/model/check-verdicts.sh
	top_srcdir='$(top_srcdir)' CC='$(CC)' $(top_srcdir)/tests/model/check-objects.sh
.PHONY: check-model

# With the lengthy ones, and three times as many random programs.  An hour.
check-model-long: tests/model/model
	$(MODEL_RUN) tests/model/model --jobs $(MODEL_JOBS) --long
	$(MODEL_RUN) tests/model/model --random 1 60000
.PHONY: check-model-long
CHECK_LONG += check-model-long

# The checker's switch of fibres, its counts, and some of each kind of scenario, on aarch64 under qemu-user.  Not those of two
# arenas: qemu notes each page of what they reserve.
model_emulated = litmus/ stack/2 stack/3-push-pop stack/3-pop-push stack/no stack/push stack/pop stack/link stack/unmap \
  recycler/2 recycler/aba recycler/cap cache/refill-refill cache/sp cache/cross cache/exit cache/count pool/take pool/put \
  pool/growth-against pool/trim-against trim/against-exit trim/checkpoint span/take-take span/give start/two-at-once \
  start/exit-and-exit fork/against-allocation fork/child-of-spill fork/child-of-refill fork/child-of-trim
check-model-emulated: tests/model/model
	qemu-aarch64 -L /usr/aarch64-linux-gnu tests/model/model --jobs $(MODEL_JOBS) $(model_emulated)
	qemu-aarch64 -L /usr/aarch64-linux-gnu tests/model/model --random 1 $(model_emulated_random)
model_emulated_random = 500
.PHONY: check-model-emulated

# Every memory order made weaker, and the logic made wrong: some scenario must fail; and each scenario fails for some.  Minutes.
check-mutants: tests/model/model
	tests/model/model --mutants $(top_srcdir)/tests/model/mutants.allow
	tests/model/model --check-killers $(top_srcdir)/doc/SCENARIOS
	top_srcdir='$(top_srcdir)' MODEL_OBJECTS='$(model_objects)' MODEL_LINK='$(CC) -no-pie $(model_wrap)' \
	  MODEL_COMPILE='$(CC) -std=gnu11 -D_GNU_SOURCE $(CPPFLAGS) -g -fno-pie $(model_cas16) $(model_checked_flags)' \
	  $(top_srcdir)/tests/model/check-logic.sh
.PHONY: check-mutants

# The table of them.  Minutes.
scenarios: tests/model/model
	$(top_srcdir)/tests/model/scenarios.sh tests/model/model >scenarios.tmp
	mv scenarios.tmp $(top_srcdir)/doc/SCENARIOS
.PHONY: scenarios

mostlyclean-local: model-clean
model-clean:
	-rm -rf tests/model/.deps tests/model/*.o tests/model/model tests/model/logic
.PHONY: model-clean
