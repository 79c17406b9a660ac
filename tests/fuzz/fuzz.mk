# SPDX-License-Identifier: GPL-2.0-only
#
# fuzz.mk - rules of the fuzzers, included by the Makefile.
#
# `make fuzz` runs every target on a fixed seed (ELF files a tenth of the rounds: each is a file); FUZZ_ROUNDS=, FUZZ_SEED=. `make libfuzzer` runs them with clang's libFuzzer,
# each FUZZ_SECONDS= long; one alone: make O/tests/fuzz/fuzz_NAME-libfuzzer. fuzz_proto.c is built once for each parser that
# proto.def names; a directory corpus/NAME gives it a beginning: recorded sessions, and below found/ some of what libFuzzer made
# of them because it reaches something new.

FUZZ_ROUNDS ?= 100000
FUZZ_SEED ?= 1
FUZZ_SECONDS ?= 600
FUZZ_PROTOS := $(shell sed -n 's/^SONDE_PROTO_WIRE(.*, *\([a-z0-9_]*\))$$/\1/p' include/sonde/proto.def)
FUZZ_PROTO_BIN := $(FUZZ_PROTOS:%=$(O)/tests/fuzz/fuzz_%)
FUZZ_OTHER_SRC := $(filter-out tests/fuzz/fuzz_proto.c,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_OTHER_BIN := $(FUZZ_OTHER_SRC:%.c=$(O)/%)
# Those that need more than one file: the others, and libraries.
FUZZ_SYM := $(filter-out user/sym/sym.c,$(sort $(wildcard user/sym/*.c))) $(sort $(wildcard user/base/*.c))
FUZZ_WITH_elf := $(addprefix user/load/,elf.c tls_bin.c sqlite_bin.c gc_bin.c usdt.c go.c go_table.c callee.c site.c) $(addprefix user/sym/,elf_sane.c dwarf.c)
FUZZ_LIBS_elf := -ldw -lelf -lcapstone
FUZZ_WITH_module := $(FUZZ_SYM)
FUZZ_LIBS_module := -ldw -lelf -lz -liberty
FUZZ_WITH_maps := $(filter-out user/sym/space.c,$(FUZZ_SYM))
FUZZ_LIBS_maps := $(FUZZ_LIBS_module)
FUZZ_WITH_ehframe := $(addprefix user/unwind/,ehframe.c cfa.c cursor.c gopcln.c image.c table.c) user/base/pclntab.c
FUZZ_BASE := $(O)/tests/fuzz/elf_base.so
FUZZ_BIN := $(FUZZ_OTHER_BIN) $(FUZZ_PROTO_BIN)
FUZZ_CFLAGS = -std=gnu11 -O1 -g -D_GNU_SOURCE -Iinclude -Iuser -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers $(WERROR)
FUZZ_CFLAGS += -DSONDE_FUZZ_BASE='"$(FUZZ_BASE)"'
fuzz_with = $(FUZZ_WITH_$(patsubst fuzz_%,%,$*))
fuzz_libs = $(FUZZ_LIBS_$(patsubst fuzz_%,%,$*))
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all
fuzz_defines = -DSONDE_FUZZ_PROTO=$* -DSONDE_FUZZ_HEADER='"sonde/proto/$*.h"'

.PHONY: fuzz libfuzzer
fuzz: $(FUZZ_BIN) ## random and mutated input into the parsers, with sanitizers (FUZZ_ROUNDS=, FUZZ_SEED=)
	$(Q)for t in $(FUZZ_OTHER_BIN); do \
		name=$${t##*/fuzz_}; \
		rounds=$(FUZZ_ROUNDS); case $$name in elf | module | ehframe) rounds=$$((rounds / 10)) ;; esac; \
		$$t $$rounds $(FUZZ_SEED) || exit 1; \
		if [ -d tests/fuzz/corpus/$$name ]; then $$t tests/fuzz/corpus/$$name/* || exit 1; fi; \
	done
	$(Q)for p in $(FUZZ_PROTOS); do \
		$(O)/tests/fuzz/fuzz_$$p $(FUZZ_ROUNDS) $(FUZZ_SEED) $$(find tests/fuzz/corpus/$$p -type f 2>/dev/null | sort) || exit 1; \
	done

# New inputs that reach something new are kept in O, not beside the corpus.
libfuzzer: $(addsuffix -libfuzzer,$(FUZZ_BIN)) ## the same guided by coverage, FUZZ_SECONDS= (600) each
	$(Q)for t in $(FUZZ_BIN); do \
		name=$${t##*/fuzz_}; \
		mkdir -p $(O)/tests/fuzz/found/$$name; \
		case $$name in elf | module | ehframe) cp $(FUZZ_BASE) $(O)/tests/fuzz/found/$$name/base; max=65536 ;; *) max=8000 ;; esac; \
		$$t-libfuzzer -max_total_time=$(FUZZ_SECONDS) -max_len=$$max -print_final_stats=1 -verbosity=0 \
			-artifact_prefix=$(O)/tests/fuzz/$$name- $(O)/tests/fuzz/found/$$name \
			$$(ls -d tests/fuzz/corpus/$$name 2>/dev/null) || exit 1; \
	done

$(FUZZ_PROTO_BIN): $(O)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_proto.c
	$(call say,FUZZ,$*)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FUZZ_CFLAGS) $(SANITIZE) $(fuzz_defines) -MMD -MP -o $@ $<

$(addsuffix -libfuzzer,$(FUZZ_PROTO_BIN)): $(O)/tests/fuzz/fuzz_%-libfuzzer: tests/fuzz/fuzz_proto.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) $(fuzz_defines) -DSONDE_LIBFUZZER -fsanitize=fuzzer $(SANITIZE) -o $@ $<

$(O)/tests/fuzz/%-libfuzzer: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -DSONDE_LIBFUZZER -fsanitize=fuzzer $(SANITIZE) -o $@ $< $(fuzz_with) $(fuzz_libs)

# One file says itself what it depends on; of several make knows the files.
$(O)/tests/fuzz/%: tests/fuzz/%.c
	$(call say,FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FUZZ_CFLAGS) $(SANITIZE) $(if $(fuzz_with),,-MMD -MP) -o $@ $< $(fuzz_with) $(fuzz_libs)

$(addprefix $(O)/tests/fuzz/fuzz_,elf module ehframe): tests/fuzz/elf_mutate.h | $(FUZZ_BASE)
$(addprefix $(O)/tests/fuzz/fuzz_,elf-libfuzzer module-libfuzzer ehframe-libfuzzer): | $(FUZZ_BASE)
$(O)/tests/fuzz/fuzz_elf $(O)/tests/fuzz/fuzz_elf-libfuzzer: $(FUZZ_WITH_elf)
$(O)/tests/fuzz/fuzz_module $(O)/tests/fuzz/fuzz_module-libfuzzer: $(FUZZ_WITH_module)
$(O)/tests/fuzz/fuzz_ehframe $(O)/tests/fuzz/fuzz_ehframe-libfuzzer: $(FUZZ_WITH_ehframe)
$(O)/tests/fuzz/fuzz_maps $(O)/tests/fuzz/fuzz_maps-libfuzzer: $(FUZZ_WITH_maps) user/load/maps.c user/sym/space.c

$(FUZZ_BASE): tests/fuzz/elf_base.c
	@mkdir -p $(@D)
	$(Q)$(CC) -g -O1 -fno-omit-frame-pointer -fPIC -shared -nostdlib -Wl,--build-id -o $@ $<

-include $(addsuffix .d,$(FUZZ_BIN))
