# SPDX-License-Identifier: GPL-2.0-only
#
# bench.mk - what tracing costs: rules of the benchmark, included by the Makefile.

BENCH_BIN := $(O)/tests/bench/empty $(O)/tests/bench/roundtrip $(O)/tests/bench/switches $(O)/tests/bench/mallocs $(O)/tests/bench/faults

##@ Measure
.PHONY: bench bench-protocols
bench: all $(BENCH_BIN) ## compare sonde with other tools on the same loads (root, a calm machine, 15 minutes; BENCH_ARGS="-w LOAD,... -n ROUNDS")
	$(Q)scripts/setup.sh bench || echo "bench: what is missing is named below"
	$(Q)O=$(O) SONDE=$(O)/sonde /usr/bin/python3 tests/bench/bench.py $(BENCH_ARGS)

bench-protocols: all $(BENCH_BIN) ## measure what tracing costs, each protocol (root, a calm machine, 20 minutes; BENCH_ARGS="-w NAME,... -n PAIRS")
	$(Q)O=$(O) SONDE=$(O)/sonde /usr/bin/python3 tests/bench/cost.py $(BENCH_ARGS)

.PHONY: soak
soak: all ## trace a mixed load for an hour: memory flat, counts exact (root; SOAK_SECONDS=3600)
	$(Q)O=$(O) SONDE=$(O)/sonde /usr/bin/python3 tests/bench/soak.py

$(O)/tests/bench/%: tests/bench/%.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -o $@ $< $(LDLIBS_ALL)
