#!/bin/sh
# Installs the Debian packages that the tests need (packages.txt, beside this file), without starting their services.
#
# A temporary /usr/sbin/policy-rc.d denies service starts during the install; afterwards the file that was there, or
# its absence, is put back exactly, also on failure and interrupt. Were this script killed outright, its next run
# would put it back.
#
# --if-possible: where this is not Debian, not root or not online, says so and leaves the tests to skip by name.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
policy=${RINGBACK_POLICY:-/usr/sbin/policy-rc.d}
before=$policy.before-ringback
marker="# Temporary, by ringback's tests/install-packages.sh"
must=yes
[ "${1:-}" = --if-possible ] && must=no

give_up() {
	echo "tests: $1; packages not installed:$missing" >&2
	[ $must = no ] && exit 0
	exit 1
}

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

put_back() {
	if [ -e "$before" ] || [ -L "$before" ]; then
		mv -f "$before" "$policy"
	elif grep -qsF "$marker" "$policy"; then
		rm -f "$policy"
	fi
}

deny_starts() {
	if [ -e "$policy" ] || [ -L "$policy" ]; then mv "$policy" "$before"; fi
	printf '#!/bin/sh\n%s\nexit 101\n' "$marker" >"$policy"
	chmod 755 "$policy"
}

install_missing() {
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq &&
		apt-get install -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 $missing >&2 9>&-
}

missing=$(sed -e 's/#.*//' "$here/packages.txt" | while read -r package _; do
	[ -z "$package" ] || is_installed "$package" || printf ' %s' "$package"
done)
[ -n "$missing" ] || exit 0
[ -e /etc/debian_version ] || give_up "this is not Debian"
[ "$(id -u)" = 0 ] || give_up "only root can install (sudo make test-deps)"

# One at a time: a second run must not take the temporary file for the one to put back.
exec 9</etc/debian_version
flock 9

trap put_back EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
put_back
deny_starts
install_missing || give_up "apt-get failed"
