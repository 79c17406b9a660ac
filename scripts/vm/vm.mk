# SPDX-License-Identifier: GPL-2.0-only
# vm.mk - targets that need other kernels: boot them, or take their types. Included by the Makefile.

##@ Kernels
.PHONY: test-kernels vmlinux
# KERNELS: labels of scripts/vm/fetch-kernels.sh; empty means tests/kernels/run.sh's own choice.
KERNELS ?=
# KERNEL_ARGS: more for tests/kernels/run.sh, such as "-j 2 -c programs"
KERNEL_ARGS ?=

test-kernels: ## boot other kernels and run the tests in them (root; KERNELS="6.12 sid"; default: all, arm64 too)
	$(Q)scripts/setup.sh build test kernels
	$(Q)$(MAKE) --no-print-directory $(JOBS) all bpf-tests test-programs
	$(Q)[ -n "$(KERNELS)" ] && [ -z "$(filter %-arm64,$(KERNELS))" ] || $(MAKE) --no-print-directory cross-arm64
	$(Q)tests/kernels/run.sh -o $(O) $(KERNEL_ARGS) $(KERNELS)

vmlinux: ## make vmlinux/*/vmlinux.h again from the distribution kernels
	$(Q)scripts/gen-vmlinux.sh

# Another architecture's system, unpacked: what is built against it runs in its guests.
CROSS_CACHE = $(or $(SONDE_KERNEL_CACHE),$(CURDIR)/.cache/kernels)
CROSS_arm64 = aarch64-linux-gnu

# What tests/e2e/kernel_commands.py traces: there is no compiler in an arm64 guest.
GUEST_PROGRAMS := alloc_truth growth_truth

.PHONY: cross-arm64 bpf-tests
bpf-tests: $(BPFT_BIN)

cross-arm64: ## build for arm64, in build/arm64 (needs gcc-aarch64-linux-gnu)
	$(Q)scripts/vm/fetch-root.sh arm64
	$(Q)root=$(CROSS_CACHE)/root-arm64; export PKG_CONFIG_SYSROOT_DIR=$$root PKG_CONFIG_DIR= \
		PKG_CONFIG_LIBDIR=$$root/usr/lib/$(CROSS_arm64)/pkgconfig:$$root/usr/share/pkgconfig; \
		export CC="$(CROSS_arm64)-gcc --sysroot=$$root"; \
		$(MAKE) --no-print-directory O=$(O)/arm64 ARCH=arm64 CC="$$CC" MULTIARCH=$$(gcc -print-multiarch) all bpf-tests $(GUEST_PROGRAMS:%=$(O)/arm64/tests/e2e/programs/%) && \
		O=$(O)/arm64 scripts/insns.sh -b
