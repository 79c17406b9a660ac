#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# headers.sh - every header compiles alone: those of user/ with the C compiler, those of bpf/ for the
#              BPF target, those of include/sonde/ both ways.
# shellcheck source=tests/style/lib.bash
. "$(dirname "$0")/lib.bash"

CC=${CC:-gcc}
CLANG=${CLANG:-clang}
for tool in "$CC" "$CLANG"; do
	command -v "$tool" >/dev/null || skip "needs $tool"
done

arch=$(uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
user_flags=(-std=gnu11 -D_GNU_SOURCE -Iinclude -Iuser -I"${O:-build}" -Wall -Wextra -Wno-unused-parameter -Werror)
bpf_flags=(-target bpf -mcpu=v3 -O2 -std=gnu11 "-D__TARGET_ARCH_$arch" -Iinclude -Ibpf -I"${O:-build}" "-Ivmlinux/$arch"
	-idirafter "/usr/include/$("$CC" -print-multiarch 2>/dev/null)" -Wall -Wextra -Wno-unused-parameter
	-Wno-unused-function -Wno-missing-declarations -Wno-address-of-packed-member -Werror)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The kernel's types once, not for each header.
"$CLANG" "${bpf_flags[@]}" -xc-header "vmlinux/$arch/vmlinux.h" -o "$work/vmlinux.pch" || complain vmlinux.h "does not compile"

# shellcheck disable=SC2317 # called by name
as_user() { printf '#include "%s"\n' "$1" | "$CC" "${user_flags[@]}" -fsyntax-only -xc -; }
# shellcheck disable=SC2317 # called by name
as_bpf() { printf '#include "%s"\n' "$1" | "$CLANG" "${bpf_flags[@]}" -include-pch "$work/vmlinux.pch" -fsyntax-only -xc -; }

# check HOW FILE NAME: in the background, as many at once as there are processors; what it finds is kept in $work.
nr=0
check() {
	nr=$((nr + 1))
	while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
	(
		errors=$("$1" "$3" 2>&1) ||
			printf '%s\n' "$2|does not compile alone ($1):" "$(head -n 6 <<<"$errors" | sed 's/^/    /')" >"$work/$nr"
	) &
}
jobs=$(nproc)

while IFS= read -r file; do
	looked
	case $file in
	include/*)
		check as_user "$file" "${file#include/}"
		check as_bpf "$file" "${file#include/}"
		;;
	bpf/*) check as_bpf "$file" "${file#bpf/}" ;;
	user/*) check as_user "$file" "${file#user/}" ;;
	esac
done < <(files 'include/*.h' 'bpf/*.h' 'user/*.h')
wait
for found in "$work"/[0-9]*; do
	[ ! -f "$found" ] || complain "$(head -n 1 "$found" | cut -d'|' -f1)" "$(cut -d'|' -f2 "$found")"
done
finish
