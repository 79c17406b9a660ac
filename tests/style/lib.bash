# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# lib.bash - what the style tests share: the tree they look at, how they complain, how they end.
#
# A style test sources this file, calls complain for each violation and ends with finish. STYLE_TREE
# makes it look at another tree; planted.sh uses that to see that every test can fail.
set -uo pipefail

tree=${STYLE_TREE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
cd "$tree" || exit 1
violations=0
looked_at=0

# files PATTERN...: the project's own files that match a git pathspec, new ones too; not what is ignored.
files() {
	if git rev-parse --show-prefix 2>/dev/null | grep -qx ''; then
		git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
			[ ! -f "$file" ] || echo "$file"
		done
	else # a release archive
		find . -type f -not -path './build/*' -not -path './.cache/*' | sed 's#^\./##' | sort |
			while IFS= read -r file; do
				for pattern; do
					# shellcheck disable=SC2053 # patterns are globs
					[[ $file != $pattern ]] || { echo "$file"; break; }
				done
			done
	fi
}

# complain FILE[:LINE] WHAT
complain() {
	violations=$((violations + 1))
	echo "$1: $2"
}

looked() { looked_at=$((looked_at + 1)); }

skip() {
	echo "$1"
	exit 77
}

finish() {
	if [ $looked_at = 0 ]; then
		echo "looked at nothing"
		exit 1
	fi
	echo "$looked_at looked at, $violations violations"
	[ $violations = 0 ]
	exit
}
