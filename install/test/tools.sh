#!/bin/sh
# Sees to the tools that the tests of the archives need, by the package manager
# of Debian where it is at hand.
set -eu

missing=
while read -r command package; do
	command -v "$command" >/dev/null || missing="$missing $package"
done <<END
debootstrap debootstrap
qemu-aarch64-static qemu-user-static
shellcheck shellcheck
systemd-analyze systemd
rpm2cpio rpm2cpio
cpio cpio
END
if [ -z "$missing" ]; then
	exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "These packages are needed:$missing. Install them, or run this as root on a Debian system." >&2
	exit 1
fi
echo "Installing$missing"
apt-get -q update
# The names are separate words.
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing
