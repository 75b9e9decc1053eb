#!/bin/sh
# Builds the archives of the last commit in two folders that have nothing in
# common but the commit, and compares the sums.
set -eu
# What an outer make has found out about its own checkout.
unset GITREF EPOCH REVISION MAKEFLAGS MAKELEVEL

commit=$(git rev-parse HEAD)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# build <folder> <umask> <cache>: what a stranger does.
build() {
	(
		umask "$2"
		git clone -q . "$1"
		cd "$1"
		git checkout -q "$commit"
		GOCACHE=$3 make -s release VERSION=1.2.3 SERVICES="${SERVICES:-slack discord pagerduty}" >/dev/null
	)
}

# One with what this machine has compiled before, one from nothing.
build "$work/one" 022 "$(${GO:-go} env GOCACHE)"
# Times are stamped in seconds; let one pass, so that a stamp of now would show.
sleep 1
build "$work/some/where/else" 077 "$work/cache"
if ! cmp "$work/one/build/release/SHA256SUMS" "$work/some/where/else/build/release/SHA256SUMS"; then
	diff "$work/one/build/release/SHA256SUMS" "$work/some/where/else/build/release/SHA256SUMS" || true
	echo "the same commit gave two releases" >&2
	exit 1
fi
cat "$work/one/build/release/SHA256SUMS"
