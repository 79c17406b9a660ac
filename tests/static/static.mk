# SPDX-License-Identifier: GPL-2.0-only
#
# static.mk - rules that look at the code without running it, included by the Makefile.
#
# clang-tidy looks at each file again when it, a header it includes or .clang-tidy changed: a file is clean if
# O/static/NAME.tidy is newer than its object. What it found is kept there, too, as NAME.tidy.log.
# cppcheck keeps its own memory in O/static/cppcheck.

TIDY ?= clang-tidy
CPPCHECK ?= cppcheck
CHECK_JOBS ?= $(shell nproc)

# The analyzer walks paths up to a limit; at a sixth of its own a file takes two seconds at most.
TIDY_ANALYZER := -Xclang -analyzer-config -Xclang max-nodes=40000
TIDY_USER := $(USER_SRC:%.c=$(O)/static/%.tidy)
TIDY_BPF := $(BPF_SRC:%.c=$(O)/static/%.tidy)

.PHONY: tidy cppcheck arches
tidy: $(TIDY_USER) $(TIDY_BPF) ## clang-tidy on what changed (use -j)

# It follows the skeleton's own code, which bpftool generates, and does not know that the object takes it over.
TIDY_SKEL := $(shell grep -l 'include "sonde.skel.h"' user/load/*.c)
$(TIDY_SKEL:%.c=$(O)/static/%.tidy): TIDY_OPTS := --checks=-clang-analyzer-unix.Malloc

$(O)/static/user/%.tidy: $(O)/user/%.o .clang-tidy tests/static/static.mk
	$(call say,TIDY,user/$*.c)
	@mkdir -p $(@D)
	$(Q)$(TIDY) --quiet $(TIDY_OPTS) user/$*.c -- $(CPPFLAGS_ALL) -std=gnu11 $(TIDY_ANALYZER) >$@.log 2>&1 || { cat $@.log; exit 1; }
	@touch $@

$(O)/static/bpf/%.tidy: $(O)/bpf/%.o .clang-tidy tests/static/static.mk
	$(call say,TIDY,bpf/$*.c)
	@mkdir -p $(@D)
	$(Q)$(TIDY) --quiet bpf/$*.c -- $(BPF_CFLAGS) $(TIDY_ANALYZER) >$@.log 2>&1 || { cat $@.log; exit 1; }
	@touch $@

# The BPF side for each architecture, looked at and not kept.
ARCHES_OF = $(filter-out $(ARCH),$(notdir $(wildcard vmlinux/*)))
ARCHES := $(foreach arch,$(ARCHES_OF),$(BPF_SRC:%.c=$(O)/static/$(arch)/%.seen))
arches: $(ARCHES)

$(O)/static/%.seen: $(BPF_OBJ)
	$(call say,ARCH,$*)
	@mkdir -p $(@D)
	$(Q)arch=$(firstword $(subst /, ,$*)); $(CLANG) $(subst vmlinux/$(ARCH),vmlinux/$$arch,$(subst ARCH_$(ARCH),ARCH_$$arch,$(BPF_CFLAGS))) \
		-fsyntax-only $(subst $(firstword $(subst /, ,$*))/,,$*).c
	@touch $@

cppcheck: $(SKEL) ## cppcheck on the program
	$(call say,CPPCHECK,user)
	@mkdir -p $(O)/static/cppcheck
	$(Q)$(CPPCHECK) -q -j $(CHECK_JOBS) --cppcheck-build-dir=$(O)/static/cppcheck --std=c11 --language=c --platform=unix64 \
		--enable=warning,performance,portability,style --inline-suppr --suppressions-list=tests/static/cppcheck.txt \
		--error-exitcode=1 --template='{file}:{line}: {severity}: {message} [{id}]' \
		-Iinclude -Iuser -D_GNU_SOURCE -D__x86_64__ -DSONDE_VERSION='""' \
		'-Dbpf_object__for_each_program(p, obj)=while ((p = next(obj)))' '-Dbpf_object__for_each_map(m, obj)=while ((m = next(obj)))' \
		'-DLIBBPF_OPTS(type, name, ...)=struct type name = {}' user
