# SPDX-License-Identifier: GPL-2.0-only
#
# bench.mk - what tracing costs: rules of the benchmark, included by the Makefile.

##@ Measure
.PHONY: bench
bench: all $(O)/tests/bench/empty ## measure what tracing PostgreSQL costs (root, a calm machine, 3 minutes)
	$(Q)O=$(O) SONDE=$(O)/sonde /usr/bin/python3 tests/bench/cost.py $(BENCH_ARGS)

$(O)/tests/bench/empty: tests/bench/empty.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -o $@ $< $(LDLIBS_ALL)
