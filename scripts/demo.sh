#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# demo.sh - trace a small web shop on SQLite and print what is wrong with its queries.
#
# usage: scripts/demo.sh OUTDIR [OPTION of `sonde nplus1`]...
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
	echo "  sudo $out/sonde nplus1 -- $out/demo/shop" >&2
	exit 3
fi
echo "demo: a web shop serves 200 pages of its newest orders and some others; what is wrong, seen from the outside:"
echo
"$out/sonde" nplus1 "$@" -- "$out/demo/shop"
cat <<END

demo: the same run as tables:
  sudo $out/sonde db -- $out/demo/shop                   every statement: calls, time, rows
  sudo $out/sonde slow --slow 200ms -- $out/demo/shop    slow ones as they happen, then where the time goes
  sudo $out/sonde http -- $out/demo/shop                 every endpoint
END
