#!/bin/sh
# Builds the archives of the last commit in folders that have nothing in common
# but the commit, and compares the sums. RELEASED names a release of it that was
# built before, of VERSION; without it, one more is built.
set -eu
# What an outer make has found out about its own checkout.
unset GITREF EPOCH REVISION MAKEFLAGS MAKELEVEL

commit=$(git rev-parse HEAD)
VERSION=${VERSION:-1.2.3}
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# build <folder> <umask> <cache> <architectures>: what a stranger does.
build() {
	(
		umask "$2"
		git clone -q . "$1"
		cd "$1"
		git checkout -q "$commit"
		GOCACHE=$3 make -s release VERSION="$VERSION" ARCHES="$4" ${SERVICES:+"SERVICES=$SERVICES"} >/dev/null
	)
}

# same <sums>: these archives have the sums that they have in the first folder.
same() {
	(cd "$released" && sha256sum --quiet -c "$1") && return
	echo "the same commit gave two releases" >&2
	exit 1
}

# One with what this machine has compiled before, one from nothing, and what is
# left of it again: it is compiled by the same compiler, packed by another run.
known="$(${GO:-go} env GOCACHE)"
released=${RELEASED:-$work/one/build/release}
[ -n "${RELEASED:-}" ] || build "$work/one" 022 "$known" "amd64 arm64"
# Times are stamped in seconds; let one pass, so that a stamp of now would show.
sleep 1
build "$work/some/where/else" 077 "$work/cache" amd64
build "$work/another" 077 "$known" arm64
same "$work/some/where/else/build/release/SHA256SUMS"
same "$work/another/build/release/SHA256SUMS"
cat "$released/SHA256SUMS"
