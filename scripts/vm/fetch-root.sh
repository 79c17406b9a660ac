#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# fetch-root.sh - make a directory with the files of a small Debian system of another architecture: what a guest runs, and what
#                 cross-building needs.
#
# usage: scripts/vm/fetch-root.sh [-u] [-d DIR] ARCH     (ARCH: Debian's name, arm64)
#
#   -d DIR  the cache (default: $SONDE_KERNEL_CACHE, else .cache/kernels of the checkout)
#   -u      make it again
#
# DIR/root-ARCH: packages of Debian 12, unpacked and not configured (no code of theirs runs here): libraries and headers to
# build sonde with, and PostgreSQL, Python and a shell to test it with. scripts/vm/apt.bash says where they come from.
set -euo pipefail

# Libraries and headers that sonde is built with; then what the tests run.
readonly PACKAGES=(libc6-dev linux-libc-dev libgcc-12-dev libbpf-dev libelf-dev libdw-dev libiberty-dev zlib1g-dev
	libsqlite3-dev libcapstone-dev libjansson-dev libseccomp-dev libncurses-dev libcmocka-dev
	bash dash busybox-static coreutils grep sed findutils procps util-linux base-passwd base-files mawk hostname openssl
	postgresql-15 python3-minimal python3 python3-psycopg2)

top=$(cd "$(dirname "$0")/../.." && pwd)
cache=${SONDE_KERNEL_CACHE:-$top/.cache/kernels}
update=0

# shellcheck source=scripts/vm/apt.bash
. "$top/scripts/vm/apt.bash"

die() { echo "fetch-root: $*" >&2; exit 1; }
usage() { sed -n '/^# usage:/,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; }

# What the packages' own scripts would have made.
configure() {
	local tree=$1
	cp "$tree/usr/share/base-passwd/passwd.master" "$tree/etc/passwd"
	cp "$tree/usr/share/base-passwd/group.master" "$tree/etc/group"
	echo 'postgres:x:105:105:PostgreSQL:/var/lib/postgresql:/bin/bash' >>"$tree/etc/passwd"
	echo 'postgres:x:105:' >>"$tree/etc/group"
	ln -sf mawk "$tree/usr/bin/awk"
	[ -e "$tree/bin/sh" ] || ln -s dash "$tree/bin/sh"
	mkdir -p "$tree"/{proc,sys,dev,run,tmp,root}
	chmod 1777 "$tree/tmp"
}

while getopts ud:h option; do
	case $option in
	u) update=1 ;;
	d) cache=$OPTARG ;;
	h) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || { usage >&2; exit 2; }
arch=$1
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
root=$cache/root-$arch
if [ $update = 0 ] && [ "$(cat "$root/.packages" 2>/dev/null)" = "${PACKAGES[*]}" ]; then
	echo "root-$arch: cached"
	exit 0
fi

find_mirrors
apt=$cache/.apt/root-$arch
setup_apt "$apt" "$arch" "$main_mirror bookworm,$security_mirror bookworm-security"
apt-get "${apt_options[@]}" update
apt-get "${apt_options[@]}" install -y --download-only --no-install-recommends "${PACKAGES[@]}"
tmp=$(mktemp -d "$cache/.tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
# With /bin, /sbin and /lib as links into /usr, as Debian 12 has them.
mkdir -p "$tmp"/usr/{bin,sbin,lib}
ln -s usr/bin usr/sbin usr/lib "$tmp/"
for deb in "$apt"/cache/archives/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$tmp" --keep-directory-symlink; done
configure "$tmp"
rm -f "$apt"/cache/archives/*.deb
echo "${PACKAGES[*]}" >"$tmp/.packages"
rm -rf "$root"
mv "$tmp" "$root"
trap - EXIT
echo "root-$arch: $(du -sm "$root" | cut -f1) MB"
