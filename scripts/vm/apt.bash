# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# apt.bash - an apt of its own, with its own state and sources, that trusts the Debian archive keys only. Sourced; needs die().
#
# The machine's apt configuration, lists and packages are neither used nor changed, and no root is needed. The mirrors are
# those of this machine if it runs Debian; elsewhere, and to override them, set SONDE_DEBIAN_MIRROR and
# SONDE_DEBIAN_SECURITY_MIRROR.

readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# machine_mirrors: the machine's own Debian mirrors, one URI a line (both formats of apt sources).
machine_mirrors() {
	grep -qs '^ID=debian' /etc/os-release || return 0
	sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true
	sed -n 's/^deb[[:space:]]\+\(\[[^]]*\][[:space:]]*\)\?\([^[:space:]]*\).*/\2/p' /etc/apt/sources.list 2>/dev/null || true
}

# Sets main_mirror and security_mirror.
find_mirrors() {
	local tool mirrors
	for tool in apt-get apt-cache dpkg-deb awk; do
		command -v $tool >/dev/null || die "needs $tool"
	done
	[ -r $KEYRING ] || die "needs $KEYRING (package debian-archive-keyring)"
	mirrors=$(machine_mirrors)
	main_mirror=${SONDE_DEBIAN_MIRROR:-$(grep -v -m 1 security <<<"$mirrors" || true)}
	security_mirror=${SONDE_DEBIAN_SECURITY_MIRROR:-$(grep -m 1 security <<<"$mirrors" || true)}
	if [ -z "$main_mirror" ] || [ -z "$security_mirror" ]; then
		die "no Debian mirror known: set SONDE_DEBIAN_MIRROR and SONDE_DEBIAN_SECURITY_MIRROR to the archives' addresses"
	fi
}

# Makes the private apt of a label and sets apt_options for it.
setup_apt() {
	local dir=$1 arch=$2 sources=$3 source
	mkdir -p "$dir"/etc/{sources.list.d,apt.conf.d,preferences.d} "$dir"/state/lists/partial \
		"$dir"/cache/archives/partial
	: >"$dir/status"
	: >"$dir/etc/sources.list"
	while IFS= read -r source; do
		echo "deb [arch=$arch signed-by=$KEYRING] $source main" >>"$dir/etc/sources.list"
	done <<<"${sources//,/$'\n'}"
	# shellcheck disable=SC2034 # for who sources this file
	apt_options=(-qq -o "Dir::Etc=$dir/etc" -o "Dir::State=$dir/state" -o "Dir::State::status=$dir/status"
		-o "Dir::Cache=$dir/cache" -o "APT::Architecture=$arch" -o "APT::Architectures=$arch"
		-o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none
		-o APT::Get::AllowUnauthenticated=false -o Acquire::AllowInsecureRepositories=false)
}
