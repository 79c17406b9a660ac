# SPDX-License-Identifier: GPL-2.0-only
#
# fuzz.mk - rules of the fuzzers, included by the Makefile.
#
# `make fuzz` runs every target on a fixed seed; FUZZ_ROUNDS=, FUZZ_SEED=. With clang's libFuzzer: make O/tests/fuzz/NAME-libfuzzer.

FUZZ_ROUNDS ?= 1000000
FUZZ_SEED ?= 1
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(FUZZ_SRC:%.c=$(O)/%)
FUZZ_CFLAGS = -std=gnu11 -O1 -g -D_GNU_SOURCE -Iinclude -Iuser -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers $(WERROR)
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all

fuzz: $(FUZZ_BIN) ## random and mutated input into the parsers, with sanitizers (FUZZ_ROUNDS=, FUZZ_SEED=)
	$(Q)for t in $(FUZZ_BIN); do \
		$$t $(FUZZ_ROUNDS) $(FUZZ_SEED) || exit 1; \
		name=$${t##*/fuzz_}; \
		if [ -d tests/fuzz/corpus/$$name ]; then $$t tests/fuzz/corpus/$$name/* || exit 1; fi; \
	done

$(O)/tests/fuzz/%-libfuzzer: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -DSONDE_LIBFUZZER -fsanitize=fuzzer,address,undefined -o $@ $<

$(O)/tests/fuzz/%: tests/fuzz/%.c
	$(call say,FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FUZZ_CFLAGS) $(SANITIZE) -MMD -MP -o $@ $<

-include $(addsuffix .d,$(FUZZ_BIN))
