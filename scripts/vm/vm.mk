# SPDX-License-Identifier: GPL-2.0-only
# vm.mk - targets that need other kernels: boot them, or take their types. Included by the Makefile.

##@ Kernels
.PHONY: test-kernels vmlinux
# KERNELS: labels of scripts/vm/fetch-kernels.sh; empty means tests/kernels/run.sh's own choice.
KERNELS ?=

test-kernels: ## boot other kernels and run the tests in them (root; KERNELS="6.12 sid")
	$(Q)scripts/setup.sh build test kernels
	$(Q)$(MAKE) --no-print-directory all $(BPFT_BIN) test-programs
	$(Q)tests/kernels/run.sh -o $(O) $(KERNELS)

vmlinux: ## make vmlinux/*/vmlinux.h again from the distribution kernels
	$(Q)scripts/gen-vmlinux.sh
