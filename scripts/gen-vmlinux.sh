#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# gen-vmlinux.sh - make vmlinux/{x86,arm64}/vmlinux.h, the kernel types the BPF code compiles against.
#
# usage: scripts/gen-vmlinux.sh [x86|arm64...]     (default: both)
#
# They come from Debian 12's 6.1 cloud kernels, never from the machine that builds, so that every
# checkout compiles the same. 6.1 is old enough to be everywhere and new enough to name almost all
# that is used; field offsets are relocated (CO-RE) when a program is loaded, so the objects run on
# older and newer kernels alike. What 6.1 does not know, or knows in another shape, the BPF code
# declares itself under a name with a ___suffix ("flavour"), which libbpf ignores in matching:
#   struct bpf_iter_num, bpf_iter_task ... and their kfuncs (6.4+), the BPF_MAP_TYPE_CGRP_STORAGE and
#   BPF_MAP_TYPE_ARENA values, BPF_TRACE_UPROBE_MULTI (6.6+), struct iov_iter's __iov and __ubuf_iovec
#   (6.4+; 6.1 has iov).
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
cache=${SONDE_KERNEL_CACHE:-$top/.cache/kernels}
PATH=$PATH:/usr/sbin:/usr/local/sbin

die() { echo "gen-vmlinux: $*" >&2; exit 1; }

label_of() {
	case $1 in
	x86) echo 6.1 ;;
	arm64) echo 6.1-arm64 ;;
	*) die "no architecture '$1' (x86 or arm64)" ;;
	esac
}

generate() {
	local arch=$1 label package out tmp
	label=$(label_of "$arch")
	SONDE_KERNEL_CACHE=$cache "$top/scripts/vm/fetch-kernels.sh" "$label"
	package=$(cat "$cache/$label/package")
	out=$top/vmlinux/$arch
	mkdir -p "$out"
	tmp=$(mktemp -d)
	# shellcheck disable=SC2064 # expanded now: the next architecture has another directory
	trap "rm -rf '$tmp'" EXIT
	python3 "$top/scripts/extract-btf.py" "$cache/$label/vmlinuz" "$tmp/btf"
	cat >"$tmp/vmlinux.h" <<-END
		/* SPDX-License-Identifier: GPL-2.0-only */
		/*
		 * vmlinux.h - the kernel's types for BPF code, $arch.
		 *
		 * Made by scripts/gen-vmlinux.sh from the BTF of Debian's package
		 * ${package%=*}, version ${package#*=}. Do not edit.
		 */
	END
	bpftool btf dump file "$tmp/btf" format c >>"$tmp/vmlinux.h"
	grep -q '^struct task_struct {' "$tmp/vmlinux.h" || die "$arch: bpftool made no usable header"
	mv "$tmp/vmlinux.h" "$out/.vmlinux.h.new"
	mv "$out/.vmlinux.h.new" "$out/vmlinux.h" # atomic: a compiler may be reading the old one
	rm -rf "$tmp"
	trap - EXIT
	echo "vmlinux/$arch/vmlinux.h: $package"
}

command -v bpftool >/dev/null || die "needs bpftool (scripts/setup.sh build)"
[ $# -gt 0 ] || set -- x86 arm64
for arch; do generate "$arch"; done
