#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# setup.sh - install what is missing to build and test sonde.
#
# usage: scripts/setup.sh [-n] [build] [test] [bench] [valgrind] [kernels]     (default: build)
#
#   build    compiler, bpftool and libraries
#   test     what the tests start or include: cmocka, PostgreSQL, SQLite, psycopg2, ...
#   bench    what sonde is compared with: strace, perf, tcpdump, pt-query-digest, pgBadger, bpftrace, memleak, heaptrack, ...
#   valgrind what make check-valgrind runs
#   kernels  what boots other kernels: QEMU, virtiofsd, busybox, ...
#   -n       only say what is missing
#
# Debian and Ubuntu: installs the missing packages with apt-get; with nothing missing it changes
# nothing and needs no network. Elsewhere it names the packages to install (Fedora, Arch).
# Exit codes: 0 all is there, 1 something is missing or failed, 2 usage, 3 root is needed.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin

# What is needed: set | how to see that it is there | Debian | Fedora | Arch
#   cmd:NAME a program   lib:NAME a library that pkg-config finds (the Makefile asks the same)   hdr:PATH a header
#   glob:PATTERN a file   has:FUNCTION a check below
readonly NEEDS="
build   | cmd:gcc              | gcc              | gcc              | gcc
build   | hdr:stdio.h          | libc6-dev        | glibc-devel      | glibc
build   | cmd:make             | make             | make             | make
build   | cmd:pkg-config       | pkg-config       | pkgconf          | pkgconf
build   | cmd:clang            | clang            | clang            | clang
build   | cmd:llvm-strip       | llvm             | llvm             | llvm
build   | has:bpftool          | bpftool          | bpftool          | bpf
build   | lib:libbpf           | libbpf-dev       | libbpf-devel     | libbpf
build   | lib:libelf           | libelf-dev       | elfutils-libelf-devel | libelf
build   | lib:libdw            | libdw-dev        | elfutils-devel   | elfutils
build   | hdr:demangle.h       | libiberty-dev    | binutils-devel   | binutils
build   | lib:zlib             | zlib1g-dev       | zlib-devel       | zlib
build   | lib:sqlite3          | libsqlite3-dev   | sqlite-devel     | sqlite
build   | lib:capstone         | libcapstone-dev | capstone-devel  | capstone
build   | lib:jansson          | libjansson-dev   | jansson-devel    | jansson
build   | lib:libseccomp       | libseccomp-dev   | libseccomp-devel | libseccomp
build   | lib:ncursesw         | libncurses-dev   | ncurses-devel    | ncurses
test    | hdr:cmocka.h         | libcmocka-dev    | libcmocka-devel  | cmocka
test    | has:postgresql       | postgresql       | postgresql-server | postgresql
test    | has:postgresql_contrib | postgresql-contrib | postgresql-contrib | postgresql
test    | cmd:sqlite3          | sqlite3          | sqlite           | sqlite
test    | glob:/usr/bin/python3 | python3         | python3          | python
test    | has:psycopg2         | python3-psycopg2 | python3-psycopg2 | python-psycopg2
test    | cmd:openssl          | openssl          | openssl          | openssl
test    | has:mariadbd         | mariadb-server   | mariadb-server   | mariadb
test    | hdr:mariadb/mysql.h  | libmariadb-dev   | mariadb-connector-c-devel | mariadb-libs
test    | cmd:redis-server     | redis-server     | redis            | redis
test    | cmd:memcached        | memcached        | memcached        | memcached
test    | has:libpq            | libpq-dev        | libpq-devel      | postgresql-libs
test    | cmd:gunicorn         | gunicorn         | python3-gunicorn | gunicorn
test    | has:django           | python3-django   | python3-django   | python-django
test    | has:pymysql          | python3-pymysql  | python3-PyMySQL  | python-pymysql
test    | has:redis_py         | python3-redis    | python3-redis    | python-redis
test    | has:pymemcache       | python3-pymemcache | python3-pymemcache | python-pymemcache
test    | has:pymongo          | python3-pymongo  | python3-pymongo  | python-pymongo
test    | has:urllib3          | python3-urllib3  | python3-urllib3  | python-urllib3
test    | cmd:nginx            | nginx-light      | nginx            | nginx
test    | cmd:curl             | curl             | curl             | curl
test    | cmd:tmux             | tmux             | tmux             | tmux
test    | cmd:strace           | strace           | strace           | strace
test    | cmd:fio              | fio              | fio              | fio
test    | cmd:javac            | default-jdk-headless | java-latest-openjdk-devel | jdk-openjdk
test    | glob:/usr/share/java/postgresql.jar | libpostgresql-jdbc-java | postgresql-jdbc | postgresql-jdbc
test    | glob:/usr/share/java/mariadb-java-client.jar | libmariadb-java | mariadb-java-client | mariadb-jdbc
test    | cmd:go               | golang-go        | golang           | go
test    | glob:/usr/share/gocode/src/github.com/lib/pq | golang-github-lib-pq-dev | golang-github-lib-pq-devel | go
test    | glob:/usr/share/gocode/src/github.com/go-sql-driver/mysql | golang-github-go-sql-driver-mysql-dev | golang-github-go-sql-driver-mysql-devel | go
test    | cmd:php              | php-cli          | php-cli          | php
test    | has:php_fpm          | php-fpm          | php-fpm          | php-fpm
test    | cmd:uwsgi            | uwsgi-core       | uwsgi            | uwsgi
test    | has:uwsgi_python     | uwsgi-plugin-python3 | uwsgi-plugin-python3 | uwsgi-plugin-python
test    | has:php_pdo_pgsql    | php-pgsql        | php-pgsql        | php-pgsql
test    | has:php_pdo_mysql    | php-mysql        | php-mysqlnd      | php
test    | cmd:node             | nodejs           | nodejs           | nodejs
test    | cmd:npm              | npm              | nodejs-npm       | npm
test    | cmd:sysbench         | sysbench         | sysbench         | sysbench
test    | cmd:ip               | iproute2         | iproute          | iproute2
test    | hdr:gnutls/gnutls.h  | libgnutls28-dev  | gnutls-devel     | gnutls
test    | hdr:openssl/ssl.h    | libssl-dev       | openssl-devel    | openssl
test    | has:jemalloc         | libjemalloc2     | jemalloc         | jemalloc
test    | has:tcmalloc         | libtcmalloc-minimal4 | gperftools-libs | gperftools
test    | has:mimalloc         | libmimalloc2.0   | mimalloc         | mimalloc
test    | cmd:g++              | g++              | gcc-c++          | gcc
test    | cmd:gdb              | gdb              | gdb              | gdb
test    | cmd:shellcheck       | shellcheck       | ShellCheck       | shellcheck
test    | cmd:clang-tidy       | clang-tidy       | clang-tools-extra | clang
test    | cmd:cppcheck         | cppcheck         | cppcheck         | cppcheck
bench   | has:postgresql       | postgresql       | postgresql-server | postgresql
bench   | has:postgresql_contrib | postgresql-contrib | postgresql-contrib | postgresql
bench   | has:mariadbd         | mariadb-server   | mariadb-server   | mariadb
bench   | cmd:redis-server     | redis-server     | redis            | redis
bench   | cmd:sysbench         | sysbench         | sysbench         | sysbench
bench   | cmd:strace           | strace           | strace           | strace
bench   | cmd:perf             | linux-perf       | perf             | perf
bench   | cmd:tcpdump          | tcpdump          | tcpdump          | tcpdump
bench   | cmd:pt-query-digest  | percona-toolkit  | percona-toolkit  | percona-toolkit
bench   | cmd:pgbadger         | pgbadger         | pgbadger         | pgbadger
bench   | has:json_xs          | libjson-xs-perl  | perl-JSON-XS     | perl-json-xs
bench   | cmd:bpftrace         | bpftrace         | bpftrace         | bpftrace
bench   | has:memleak          | bpfcc-tools      | bcc-tools        | bcc-tools
bench   | cmd:heaptrack        | heaptrack        | heaptrack        | heaptrack
bench   | cmd:valgrind         | valgrind         | valgrind         | valgrind
bench   | has:jemalloc         | libjemalloc2     | jemalloc         | jemalloc
bench   | cmd:google-pprof     | google-perftools | gperftools       | gperftools
valgrind | cmd:valgrind        | valgrind         | valgrind         | valgrind
kernels | cmd:qemu-system-x86_64 | qemu-system-x86 | qemu-system-x86-core | qemu-system-x86
kernels | cmd:qemu-system-aarch64 | qemu-system-arm | qemu-system-aarch64-core | qemu-system-aarch64
kernels | cmd:aarch64-linux-gnu-gcc | gcc-aarch64-linux-gnu | gcc-aarch64-linux-gnu | aarch64-linux-gnu-gcc
kernels | has:virtiofsd        | virtiofsd        | virtiofsd        | virtiofsd
kernels | has:static_busybox   | busybox-static   | busybox          | busybox
kernels | cmd:cpio             | cpio             | cpio             | cpio
kernels | cmd:xz               | xz-utils         | xz               | xz
kernels | cmd:zstd             | zstd             | zstd             | zstd
kernels | cmd:python3          | python3          | python3          | python
kernels | cmd:dpkg-deb         | dpkg             | dpkg             | dpkg
kernels | cmd:apt-get          | apt              | apt              | apt
kernels | glob:/usr/share/keyrings/debian-archive-keyring.* | debian-archive-keyring | debian-keyring | debian-archive-keyring
"

say() { echo "setup: $*"; }
die() { echo "setup: $1" >&2; exit "${2:-1}"; }
usage() { sed -n '/^# usage:/,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; }

any_file() { compgen -G "$1" >/dev/null; }

# On Ubuntu bpftool may be a wrapper that fails where the running kernel has no tools package.
has_bpftool() { bpftool version >/dev/null 2>&1; }
has_postgresql() { any_file '/usr/lib/postgresql/*/bin/initdb' || command -v initdb >/dev/null; }
has_postgresql_contrib() { any_file '/usr/lib/postgresql/*/lib/pg_stat_statements.so' ||
	any_file '/usr/lib*/pgsql/pg_stat_statements.so' || any_file '/usr/lib/postgresql/pg_stat_statements.so'; }
has_jemalloc() { any_file '/usr/lib/*/libjemalloc.so.2' || any_file '/usr/lib*/libjemalloc.so.2'; }
has_tcmalloc() { any_file '/usr/lib/*/libtcmalloc_minimal.so.4' || any_file '/usr/lib*/libtcmalloc_minimal.so.4'; }
has_mimalloc() { any_file '/usr/lib/*/libmimalloc.so.[23]' || any_file '/usr/lib*/libmimalloc.so.[23]'; }
has_memleak() { command -v memleak-bpfcc >/dev/null || any_file /usr/share/bcc/tools/memleak; }
has_psycopg2() { /usr/bin/python3 -c 'import psycopg2' 2>/dev/null; }
has_libpq() { any_file /usr/include/postgresql/libpq-fe.h || any_file /usr/include/libpq-fe.h; }
has_django() { /usr/bin/python3 -c 'import django' 2>/dev/null; }
has_mariadbd() { command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null; }
has_json_xs() { perl -MJSON::XS -e 1 2>/dev/null; }
has_urllib3() { /usr/bin/python3 -c 'import urllib3' 2>/dev/null; }
has_pymysql() { /usr/bin/python3 -c 'import pymysql' 2>/dev/null; }
has_pymongo() { /usr/bin/python3 -c 'import pymongo' 2>/dev/null; }
has_redis_py() { /usr/bin/python3 -c 'import redis' 2>/dev/null; }
has_pymemcache() { /usr/bin/python3 -c 'import pymemcache' 2>/dev/null; }
has_php_fpm() { command -v php-fpm >/dev/null || any_file '/usr/sbin/php-fpm*'; }
has_uwsgi_python() { any_file '/usr/lib*/uwsgi/plugins/python3*_plugin.so' || any_file '/usr/lib*/uwsgi/python*_plugin.so'; }
has_php_pdo_pgsql() { has_php_module pdo_pgsql; }
has_php_pdo_mysql() { has_php_module pdo_mysql; }
has_php_module() { [[ $'\n'$(php -m 2>/dev/null)$'\n' == *$'\n'"$1"$'\n'* ]]; }
has_virtiofsd() { command -v virtiofsd >/dev/null || any_file '/usr/lib*/qemu/virtiofsd' ||
	any_file /usr/libexec/virtiofsd || any_file /usr/lib/virtiofsd; }
has_static_busybox() { command -v busybox >/dev/null && ! ldd "$(command -v busybox)" >/dev/null 2>&1; }

is_there() {
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null ;;
	lib:*) pkg-config --exists "${1#lib:}" 2>/dev/null ;;
	hdr:*) any_file "/usr/include/${1#hdr:}" || any_file "/usr/include/*/${1#hdr:}" ||
		any_file "/usr/local/include/${1#hdr:}" ;;
	glob:*) any_file "${1#glob:}" ;;
	has:*) "has_${1#has:}" ;;
	esac
}

# missing COLUMN SET...: the packages (1 Debian, 2 Fedora, 3 Arch) of what is not there, one a line.
missing() {
	local column=$1 set check debian fedora arch names
	shift
	while IFS='|' read -r set check debian fedora arch; do
		[[ -n $set && " $* " == *" $set "* ]] || continue
		is_there "$check" && continue
		names=("$debian" "$fedora" "$arch")
		echo "${names[$((column - 1))]}"
	done < <(printf '%s' "$NEEDS" | sed 's/[[:space:]]*|[[:space:]]*/|/g') | sort -u
}

has_candidate() { [[ $(apt-cache policy "$1" 2>/dev/null) == *"Candidate: "[^\(]* ]]; }

# Packages that are called differently in some releases; needs fresh package lists.
debian_names() {
	local package
	while read -r package; do
		case $package in
		bpftool) has_candidate bpftool && echo bpftool || printf '%s\n' linux-tools-common linux-tools-generic ;;
		libmimalloc2.0) has_candidate "$package" && echo "$package" || echo libmimalloc3 ;;
		virtiofsd) has_candidate virtiofsd && echo virtiofsd || echo qemu-system-common ;;
		*) echo "$package" ;;
		esac
	done | sort -u
}

run_quietly() {
	local log
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		die "failed: $*"
	fi
	rm -f "$log"
}

# The tests start servers of their own, as an unprivileged user: no cluster of the machine's.
forbid_postgresql_cluster() {
	local config=/etc/postgresql-common/createcluster.conf
	[ -e $config ] && return
	mkdir -p "$(dirname $config)"
	echo 'create_main_cluster = false' >$config
	say "wrote $config: installing PostgreSQL starts no server"
}

# The same for all other servers: Debian's way to say that a package must not start its service.
readonly POLICY=/usr/sbin/policy-rc.d
forbid_services() {
	[ ! -e $POLICY ] || return 0
	printf '#!/bin/sh\nexit 101\n' >$POLICY
	chmod 755 $POLICY
	trap 'rm -f $POLICY' EXIT
}

# Ubuntu: use the newest real bpftool where the wrapper knows none for the running kernel.
link_ubuntu_bpftool() {
	local newest
	hash -r
	has_bpftool && return
	newest=$(compgen -G '/usr/lib/linux-tools*/*/bpftool' | sort -V | tail -n 1) || true
	[ -n "$newest" ] || return 0
	# Before /usr/sbin in root's PATH, where the wrapper is.
	ln -sf "$newest" /usr/local/sbin/bpftool
	hash -r
	say "linked /usr/local/sbin/bpftool to $newest"
}

install_debian() {
	local packages still
	if [ "$(id -u)" != 0 ]; then
		# shellcheck disable=SC2046 # one word per package
		say "missing; install with:" \
			"sudo apt-get install -y --no-install-recommends" $(missing 1 "$@" | debian_names) >&2
		die "not root (or run: sudo $0 $*)" 3
	fi
	say "updating the package lists"
	run_quietly apt-get -qq update
	packages=$(missing 1 "$@" | debian_names | tr '\n' ' ')
	say "installing $packages"
	case " $packages " in *" postgresql "*) forbid_postgresql_cluster ;; esac
	forbid_services
	# shellcheck disable=SC2086 # one word per package
	run_quietly env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 \
		apt-get -qq install -y --no-install-recommends -o Dpkg::Options::=--force-confdef \
		-o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 $packages
	link_ubuntu_bpftool
	still=$(missing 1 "$@" | tr '\n' ' ')
	[ -z "$still" ] || die "installed, but still not usable: $still"
}

# Drivers that are packages of npm: in a directory of their own, named by the list's hash (tests/e2e/test_drivers.py looks there).
node_drivers=$(dirname "$0")/../tests/e2e/drivers

node_directory() {
	local hash
	hash=$(sha256sum "$node_drivers/package-lock.json")
	echo "${XDG_CACHE_HOME:-$HOME/.cache}/sonde/node-${hash:0:16}"
}

# What cannot be fetched is no failure: the tests that need it are skipped.
install_node_drivers() {
	local to tmp
	to=$(node_directory)
	[ ! -d "$to" ] || return 0
	command -v npm >/dev/null || return 0
	say "fetching the drivers in $node_drivers/package-lock.json"
	mkdir -p "$(dirname "$to")"
	tmp=$(mktemp -d "$to.XXXXXX")
	cp "$node_drivers"/package.json "$node_drivers"/package-lock.json "$tmp"
	if (cd "$tmp" && npm ci --ignore-scripts --no-audit --no-fund </dev/null >log 2>&1); then
		mv "$tmp" "$to"
	else
		say "npm ci failed, see $tmp/log; tests of these drivers will be skipped" >&2
	fi
}

only_say=0
while getopts nh option; do
	case $option in
	n) only_say=1 ;;
	h) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- build
for name; do
	case $name in build | test | bench | valgrind | kernels) ;; *) usage >&2; die "no set '$name'" 2 ;; esac
done

finish() {
	case " $* " in *" test "*) install_node_drivers ;; esac
}

needed=$(missing 1 "$@" | tr '\n' ' ')
if [ -z "$needed" ]; then
	[ $only_say = 1 ] || finish "$@"
	exit 0
fi
if [ $only_say = 1 ]; then
	say "missing: $needed"
	exit 1
fi
if command -v apt-get >/dev/null && [ -e /etc/debian_version ]; then
	install_debian "$@"
	finish "$@"
else
	say "missing here; install the packages and run this again:" >&2
	say "  Fedora: dnf install $(missing 2 "$@" | tr '\n' ' ')" >&2
	say "  Arch:   pacman -S --needed $(missing 3 "$@" | tr '\n' ' ')" >&2
	exit 1
fi
