#!/bin/sh
# Installs the Debian packages named, those that are missing; NAME:ARCHITECTURE is one of another.
set -eu
missing=
for package in "$@"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "these packages are missing, and only root on Debian can install them here:$missing" >&2
  exit 1
fi
for package in $missing; do
  case $package in *:*) dpkg --add-architecture "${package#*:}" ;; esac
done
apt-get update -qq
# No service is to be started by an installation: the tests start their own.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
fi
# shellcheck disable=SC2086 # a list of names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
