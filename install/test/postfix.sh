#!/bin/sh
# Installs Postfix for the test of mails before a real server, by the
# package manager of Debian. Only the program is wanted: the test starts a server of its
# own, and the one that comes with the package is not configured.
set -eu

if command -v postfix >/dev/null || [ -x /usr/sbin/postfix ]; then
	exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "Postfix is needed to try mails before a real server. Install it, or run this as root on a Debian system." >&2
	exit 1
fi
echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
apt-get -q update
DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends postfix
