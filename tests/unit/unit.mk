# SPDX-License-Identifier: GPL-2.0-only
#
# unit.mk - the unit tests in other builds: with sanitizers, under valgrind, with line counts; included by the Makefile.
#
# Each build has a directory of its own in O and shares the BPF side. They are not part of `make check`: each compiles the whole
# program again, a minute or more of two processors. valgrind finds what the sanitizers do not: uninitialised values.

ASAN_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
COVERAGE_CFLAGS := -O0 -g --coverage
# Lines of include/ and user/model that the unit tests must reach, per cent.
COVERAGE_BOUND ?= 95
VALGRIND ?= valgrind

.PHONY: unit-built check-asan check-valgrind coverage
unit-built: all $(UNIT_BIN)

check-asan: $(SKEL) ## unit tests with address and undefined behaviour sanitizers
	$(Q)$(MAKE) --no-print-directory O=$(O)/asan BPF_O=$(BPF_O) CFLAGS='$(ASAN_CFLAGS)' unit-built
	$(Q)tests/run.sh $(O)/asan unit

check-valgrind: all $(UNIT_BIN) ## unit tests under valgrind (minutes)
	$(Q)scripts/setup.sh valgrind
	$(Q)SONDE_TEST_WRAPPER='$(VALGRIND) -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --track-origins=yes' \
		tests/run.sh $(O) unit

coverage: $(SKEL) ## lines that the unit tests reach; fails below 95 % of include/ or user/model
	$(Q)$(MAKE) --no-print-directory O=$(O)/coverage BPF_O=$(BPF_O) CFLAGS='$(COVERAGE_CFLAGS)' WERROR= unit-built
	$(Q)find $(O)/coverage -name '*.gcda' -delete
	$(Q)tests/run.sh $(O)/coverage unit
	$(Q)/usr/bin/python3 tests/unit/coverage.py --bound include=$(COVERAGE_BOUND) --bound user/model=$(COVERAGE_BOUND) $(O)/coverage
