#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# demo.sh - trace a small web shop on SQLite and print its queries.
#
# usage: scripts/demo.sh OUTDIR [OPTION of `sonde db`]...
#
# OUTDIR holds what `make` built. Exit codes: those of sonde; 2 usage or not built, 3 root is needed.
set -euo pipefail

usage() { sed -n '/^# usage:/,/^$/s/^# \{0,1\}//p' "$0" | sed -n 1p; }

if [ $# -lt 1 ]; then
	usage >&2
	exit 2
fi
out=$1
shift
for program in "$out/sonde" "$out/demo/shop"; do
	if [ ! -x "$program" ]; then
		echo "demo: $program is not there: run make demo" >&2
		exit 2
	fi
done
if [ "$(id -u)" != 0 ]; then
	echo "demo: tracing needs root; run:" >&2
	echo "  sudo $out/sonde db -- $out/demo/shop" >&2
	exit 3
fi
echo "demo: a web shop serves 200 pages of its newest orders and some others; its queries, traced from the outside:"
echo
exec "$out/sonde" db "$@" -- "$out/demo/shop"
