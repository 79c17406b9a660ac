#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# boot.sh - run one command under another kernel, in a virtual machine that sees this machine's files.
#
# usage: scripts/vm/boot.sh [options] KERNEL [--] COMMAND [ARG...]
#
#   KERNEL      a label of fetch-kernels.sh (6.1, 6.12, sid, ...; fetched if not cached) or a directory
#               made by it. An arm64 one runs the system of fetch-root.sh, with the directory that
#               this is called in and what -b names
#   -c CPUS     processors (2)
#   -m MB       memory (1536); what the guest writes lives in it
#   -t SECONDS  kill the guest after this long (300)
#   -a TEXT     more kernel command line
#   -b DIR      arm64: this directory is there, too
#   -v          print the kernel's console, too (on stderr, at the end)
#   -s          print how long it took (on stderr)
#
# The command runs as root in the same directory as here, with the host's own programs and
# libraries. The host's root is read-only below; writes go to memory and vanish with the guest.
# There is no network but lo. Output comes as it is written; stdin is empty.
# Exit code: the command's; 2 usage, 124 time is up, 125 the guest did not boot or died.
#
# Needs root (virtiofsd), qemu-system-x86_64, virtiofsd, a static busybox, cpio, xz, zstd
# (scripts/setup.sh kernels). Emulates the processor, which works everywhere: code runs 2-4 times
# slower, hashing and memset 25-100 times, so let guests assert counts and order, not durations.
# SONDE_VM_ACCEL=kvm uses the hardware instead (nested virtualisation often cannot run these guests).
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
cache=${SONDE_KERNEL_CACHE:-$top/.cache/kernels}
PATH=$PATH:/usr/lib/qemu:/usr/libexec:/usr/sbin

readonly BOOT_TRIES=3
readonly BOOT_SECONDS=90 # from power-on to the command; takes about 3

cpus=2 memory_mb=1536 limit_s=300 append='' verbose=0 stats=0 more_dir=''
work='' virtiofsd_pid='' qemu_pid=''

die() { echo "boot: $1" >&2; exit "${2:-125}"; }
usage() { sed -n '/^# usage:/,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; }

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[ -z "$qemu_pid" ] || kill "$qemu_pid" 2>/dev/null || true
	[ -z "$virtiofsd_pid" ] || kill "$virtiofsd_pid" 2>/dev/null || true
	[ -z "$work" ] || rm -rf "$work"
}

check_tools() {
	local tool
	for tool in "$qemu" virtiofsd busybox cpio xz zstd; do
		command -v $tool >/dev/null || die "needs $tool (scripts/setup.sh kernels)"
	done
	[ "$(id -u)" = 0 ] || die "needs root, to share the machine's files with the guest"
}

find_kernel() {
	case $1 in
	*/*) kernel=$1 ;;
	*)
		kernel=$cache/$1
		[ -e "$kernel/vmlinuz" ] || "$top/scripts/vm/fetch-kernels.sh" -d "$cache" "$1" >&2
		;;
	esac
	[ -e "$kernel/vmlinuz" ] || die "no kernel in $kernel"
	arch=amd64 qemu=qemu-system-x86_64 root=
	case $(cat "$kernel/release") in *-arm64)
		arch=arm64 qemu=qemu-system-aarch64 root=$cache/root-arm64
		"$top/scripts/vm/fetch-root.sh" -d "$cache" arm64 >&2
		;;
	esac
}

# The command as a bash script; the guest's bash is the host's.
write_command() {
	printf 'cd %q || exit 126\n' "$PWD"
	printf 'exec'
	printf ' %q' "$@"
	echo
}

make_initrd() {
	local initrd=$work/initrd module name
	mkdir -p "$initrd"/{bin,dev,proc,sys,modules}
	cp "${root:+$root/}$(command -v busybox)" "$initrd/bin/busybox"
	ln -s busybox "$initrd/bin/sh"
	cp "$top/scripts/vm/guest-init" "$initrd/init"
	chmod 755 "$initrd/init"
	write_command "$@" >"$initrd/command"
	echo "$root" >"$initrd/root"
	[ -z "$root" ] || printf '%s\n' "$PWD" "$top" ${more_dir:+"$more_dir"} | sort -u >"$initrd/share"
	for module in "$kernel"/modules/*.ko*; do
		[ -e "$module" ] || continue
		name=$(basename "$module")
		case $name in
		*.xz) xz -dc "$module" >"$initrd/modules/${name%.xz}" ;;
		*.zst) zstd -qdc "$module" >"$initrd/modules/${name%.zst}" ;;
		*) cp "$module" "$initrd/modules/" ;;
		esac
	done
	(cd "$initrd" && find . | cpio -o -H newc --quiet) >"$work/initrd.cpio"
}

start_virtiofsd() {
	rm -f "$work/fs.sock"
	virtiofsd --socket-path="$work/fs.sock" -o source=/ -o cache=always -o sandbox=chroot \
		>"$work/virtiofsd.log" 2>&1 &
	virtiofsd_pid=$!
	for _ in {1..100}; do
		[ ! -S "$work/fs.sock" ] || return 0
		sleep 0.05
	done
	cat "$work/virtiofsd.log" >&2
	die "virtiofsd does not start"
}

# Sets accel and cpu. Under emulation:
# - QEMU's thread=multi gives a stray "Oops: int3" in a few per cent of boots, so one thread;
# - QEMU 7.2's cmpxchg16b is wrong, 6.12 double-faults in 5-15 % of boots: hidden from kernels before
#   6.18. Those from 6.18 on work with it and lose BPF local storage, timers and arenas without it.
choose_cpu() {
	local major minor
	if [ "${SONDE_VM_ACCEL:-tcg}" != tcg ]; then
		accel=$SONDE_VM_ACCEL cpu=host
		return
	fi
	if [ $arch = arm64 ]; then
		accel=tcg,thread=single cpu=cortex-a72
		return
	fi
	IFS=. read -r major minor _ <"$kernel/release"
	accel=tcg,thread=single cpu=max
	if [ "$major" -lt 6 ] || { [ "$major" = 6 ] && [ "${minor%%[!0-9]*}" -lt 18 ]; }; then
		cpu=max,-cx16
	fi
}

# power_on: starts QEMU; the command's output goes to our stdout as it comes.
power_on() {
	: >"$work/status"
	: >"$work/console"
	local console=ttyS0 machine=(-machine q35 -serial "file:$work/console"
		-chardev "stdio,id=output,signal=off" -serial chardev:output -serial "file:$work/status")
	# There the board has one line only; the others are PCI cards, which come first in the count.
	[ $arch != arm64 ] || console=ttyAMA0 machine=(-machine "virt,gic-version=3" -serial "file:$work/console"
		-chardev "stdio,id=output,signal=off" -device "pci-serial,chardev=output"
		-chardev "file,id=status,path=$work/status" -device "pci-serial,chardev=status")
	"$qemu" -nodefaults -no-user-config -no-reboot -display none "${machine[@]}" \
		-accel "$accel" -cpu "$cpu" -smp "$cpus" -m "$memory_mb" \
		-object "memory-backend-memfd,id=mem,size=${memory_mb}M,share=on" -numa node,memdev=mem \
		-kernel "$kernel/vmlinuz" -initrd "$work/initrd.cpio" \
		-append "console=$console loglevel=4 panic=-1 mitigations=off random.trust_cpu=on tsc=reliable $append" \
		-chardev "socket,id=fs,path=$work/fs.sock" -device vhost-user-fs-pci,chardev=fs,tag=hostroot \
		</dev/null 2>"$work/qemu.log" &
	qemu_pid=$!
}

started() { grep -q '^start ' "$work/status"; }
exit_code() { sed -n 's/^exit \([0-9]*\).*/\1/p' "$work/status"; }

# wait_for_guest: 0 the guest ended, 1 it never reached the command, 124 time is up.
wait_for_guest() {
	local boot_end=$((SECONDS + BOOT_SECONDS)) end=$((SECONDS + limit_s)) result=0
	while kill -0 "$qemu_pid" 2>/dev/null; do
		if [ $SECONDS -ge $end ]; then
			result=124
		elif [ $SECONDS -ge $boot_end ] && ! started; then
			result=1
		fi
		# Not KILL: QEMU ends by itself on TERM, and bash then says nothing about it.
		[ $result = 0 ] || kill "$qemu_pid" 2>/dev/null || true
		sleep 0.1
	done
	wait "$qemu_pid" 2>/dev/null || true
	qemu_pid=
	started || [ $result = 124 ] || result=1
	return $result
}

report_death() {
	echo "boot: the guest did not finish; the end of its console:" >&2
	tail -n 60 "$work/console" "$work/qemu.log" >&2
}

while getopts c:m:t:a:b:vsh option; do
	case $option in
	c) cpus=$OPTARG ;;
	m) memory_mb=$OPTARG ;;
	t) limit_s=$OPTARG ;;
	a) append=$OPTARG ;;
	b) more_dir=$(realpath "$OPTARG") ;;
	v) verbose=1 ;;
	s) stats=1 ;;
	h) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || { usage >&2; exit 2; }
find_kernel "$1"
check_tools
shift
[ "$1" != -- ] || shift
[ $# -gt 0 ] || { usage >&2; exit 2; }

work=$(mktemp -d /tmp/boot.XXXXXX)
trap cleanup EXIT
trap 'exit 130' INT TERM
choose_cpu
make_initrd "$@"
begin=$(date +%s%N)
for try in $(seq $BOOT_TRIES); do
	start_virtiofsd
	power_on
	result=0
	wait_for_guest || result=$?
	kill "$virtiofsd_pid" 2>/dev/null || true
	wait "$virtiofsd_pid" 2>/dev/null || true
	virtiofsd_pid=
	[ $result = 1 ] || break
	echo "boot: attempt $try did not reach the command" >&2
	[ "$try" -lt $BOOT_TRIES ] || { report_death; exit 125; }
done

[ $verbose = 0 ] || cat "$work/console" "$work/qemu.log" >&2
if [ $stats = 1 ]; then
	printf 'boot: %s (%s): command after %s s, all in %s ms\n' "$(cat "$kernel/release")" "$accel" \
		"$(sed -n 's/^start //p' "$work/status")" $((($(date +%s%N) - begin) / 1000000)) >&2
fi
[ "$result" != 124 ] || die "time is up ($limit_s s)" 124
code=$(exit_code)
[ -n "$code" ] || { report_death; exit 125; }
exit "$code"
