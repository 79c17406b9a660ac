#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# fetch-kernels.sh - keep a cache of Debian distribution kernels for tests and headers.
#
# usage: scripts/vm/fetch-kernels.sh [-u] [-l] [-d DIR] [LABEL...]
#
#   LABEL   5.10 6.1 6.12 6.18 sid 6.1-arm64 6.12-arm64   (default: 6.12 sid)
#   -d DIR  the cache (default: $SONDE_KERNEL_CACHE, else .cache/kernels of the checkout)
#   -u      look for a newer package even if the cached one is fresh (younger than a week)
#   -l      list the labels and what is cached, fetch nothing
#
# A label names the newest "cloud" kernel of one Debian release. The packages come through an
# apt of its own, with its own state and sources, that trusts the Debian archive keys only: the
# machine's apt configuration, lists and packages are neither used nor changed, and no root is
# needed. The mirrors are those of this machine if it runs Debian; elsewhere, and to
# override them, set SONDE_DEBIAN_MIRROR and SONDE_DEBIAN_SECURITY_MIRROR.
#
# Each label becomes a directory:
#   vmlinuz  config  release (what uname -r says)  package (NAME=VERSION...)  modules/*.ko*
set -euo pipefail

readonly LABELS=(5.10 6.1 6.12 6.18 sid 6.1-arm64 6.12-arm64)
readonly FRESH_DAYS=7
# What a guest needs to mount the host's root (scripts/vm/boot.sh); all else is built in.
readonly MODULES=(virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci fuse virtiofs overlay)

top=$(cd "$(dirname "$0")/../.." && pwd)
cache=${SONDE_KERNEL_CACHE:-$top/.cache/kernels}
update=0

# shellcheck source=scripts/vm/apt.bash
. "$top/scripts/vm/apt.bash"

die() { echo "fetch-kernels: $*" >&2; exit 1; }
usage() { sed -n '/^# usage:/,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; }

# Prints the apt source lines (URI SUITE) of a label, its architecture and the package pattern.
describe() {
	local main=$1 security=$2 label=$3
	case $label in
	5.10) echo "amd64;linux-image-5[.]10[.]0-[0-9]+-cloud-amd64;$security bullseye-security" ;;
	6.1) echo "amd64;linux-image-6[.]1[.]0-[0-9]+-cloud-amd64;$security bookworm-security,$main bookworm" ;;
	6.12) echo "amd64;linux-image-6[.]12[.][0-9]+[+]deb13-cloud-amd64;$main trixie" ;;
	6.18) echo "amd64;linux-image-6[.]18[.][0-9]+[+]deb13-cloud-amd64;$main trixie-backports" ;;
	# From 6.19 on linux-image-* is empty: the image and the modules are packages of their own.
	sid) echo "amd64;linux-(binary|modules)-[0-9.]+[+]deb[0-9]+-cloud-amd64;$main sid" ;;
	6.1-arm64) echo "arm64;linux-image-6[.]1[.]0-[0-9]+-cloud-arm64;$security bookworm-security,$main bookworm" ;;
	6.12-arm64) echo "arm64;linux-image-6[.]12[.][0-9]+[+]deb13-cloud-arm64;$main trixie" ;;
	*) return 1 ;;
	esac
}

# newest_packages PATTERN: NAME=VERSION of the newest match; of image and modules where they are two.
newest_packages() {
	local all kind
	all=$(apt-cache "${apt_options[@]}" dumpavail |
		awk -v pattern="^($1)\$" '/^Package: /{p = $2} /^Version: /{if (p ~ pattern) print p "=" $2}' | sort -V)
	for kind in image binary modules; do
		grep "^linux-$kind-" <<<"$all" | tail -n 1 || true
	done
}

# unpack DEBS_DIR OUT: keeps of the packages what the head of this file lists.
unpack() {
	local from=$1 out=$2 deb modules release name file
	for deb in "$from"/*.deb; do dpkg-deb -x "$deb" "$from/tree"; done
	modules=$(find "$from/tree" -type d -path '*lib/modules/[0-9]*' -print -quit)
	[ -n "$modules" ] || die "no modules in the packages"
	release=$(basename "$modules")
	mkdir -p "$out/modules"
	echo "$release" >"$out/release"
	file=$(find "$from/tree" -type f -name 'vmlinuz*' -print -quit)
	[ -n "$file" ] || die "no kernel image in the packages"
	cp "$file" "$out/vmlinuz"
	file=$(find "$from/tree" -type f \( -name "config-$release" -o -path '*/modules/*/config' \) -print -quit)
	[ -z "$file" ] || cp "$file" "$out/config"
	for name in "${MODULES[@]}"; do
		file=$(find "$modules" -name "$name.ko*" -print -quit)
		[ -z "$file" ] || cp "$file" "$out/modules/" # absent: built into this kernel
	done
}

is_fresh() { [ -n "$(find "$1/package" -mtime "-$FRESH_DAYS" 2>/dev/null)" ]; }

fetch() {
	local label=$1 description arch pattern sources dir=$cache/$1 packages tmp
	description=$(describe "$main_mirror" "$security_mirror" "$label") || die "no label '$label' (-l lists them)"
	if [ $update = 0 ] && is_fresh "$dir"; then
		echo "$label: $(tr '\n' ' ' <"$dir/package")(cached)"
		return
	fi
	IFS=';' read -r arch pattern sources <<<"$description"
	setup_apt "$cache/.apt/$label" "$arch" "$sources"
	packages=
	if apt-get "${apt_options[@]}" update; then packages=$(newest_packages "$pattern"); fi
	if [ -z "$packages" ]; then
		[ -e "$dir/package" ] || die "$label: no package found in: $sources"
		echo "$label: $(tr '\n' ' ' <"$dir/package")(cached; the archive could not be asked for a newer one)"
		return
	fi
	if [ "$(cat "$dir/package" 2>/dev/null)" = "$packages" ]; then
		touch "$dir/package"
		echo "$label: ${packages//$'\n'/ } (cached, still the newest)"
		return
	fi
	tmp=$(mktemp -d "$cache/.tmp.XXXXXX")
	# shellcheck disable=SC2064 # expanded now: the next label has another directory
	trap "rm -rf '$tmp'" EXIT
	mkdir "$tmp/debs" "$tmp/out"
	# shellcheck disable=SC2086 # one word per package
	(cd "$tmp/debs" && apt-get "${apt_options[@]}" download $packages)
	unpack "$tmp/debs" "$tmp/out"
	echo "$packages" >"$tmp/out/package"
	rm -rf "$dir"
	mv "$tmp/out" "$dir"
	rm -rf "$tmp"
	trap - EXIT
	echo "$label: ${packages//$'\n'/ }"
}

list=0
while getopts uld:h option; do
	case $option in
	u) update=1 ;;
	l) list=1 ;;
	d) cache=$OPTARG ;;
	h) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
if [ $list = 1 ]; then
	for label in "${LABELS[@]}"; do
		printf '%-12s %s\n' "$label" "$(tr '\n' ' ' 2>/dev/null <"$cache/$label/package" || echo -)"
	done
	exit 0
fi

find_mirrors

[ $# -gt 0 ] || set -- 6.12 sid
for label; do fetch "$label"; done
