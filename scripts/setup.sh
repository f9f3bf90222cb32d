#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what Picket needs to be built and run, and with --tests what its tests need, or with --lab what
# its lab needs (tests/lab), from Debian's own packages. Does nothing when all of it is there.
set -euo pipefail

packages=(build-essential cmake ninja-build pkg-config libpcap-dev libczmq-dev libzstd-dev libxxhash-dev
          libsmartcols-dev libmd-dev libsodium-dev libcmocka-dev libmsgpack-dev libjansson-dev
          libgnutls28-dev libkrb5-dev nettle-dev liblmdb-dev libmicrohttpd-dev libexpat1-dev libseccomp-dev
          libcurl4-gnutls-dev libsqlite3-dev libmaxminddb-dev)
tests=(clang clang-14 lld clang-format clang-tidy libclang-rt-14-dev llvm-14
       python3 zstd tcpreplay iproute2 mandoc spin slapd
       python3-gssapi krb5-kdc krb5-admin-server krb5-user openssl freeradius freeradius-utils
       rsyslog rsyslog-gnutls bsdutils)
lab=(python3 iproute2 zstd samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules python3-samba
     winbind smbclient ldb-tools ldap-utils libsasl2-modules-gssapi-mit krb5-user krb5-pkinit bind9-dnsutils openssl ethtool tcpdump
     samba-common-bin python3-impacket)
case ${1:-} in
--tests) packages+=("${tests[@]}" "${lab[@]}") ;;
--lab) packages+=("${lab[@]}") ;;
esac

missing=()
for p in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing+=("$p")
done
[ ${#missing[@]} = 0 ] && exit 0

root=()
[ "$(id -u)" = 0 ] || root=(sudo)
echo "installing: ${missing[*]}"
# Tests start these daemons themselves, in namespaces of their own: installing them shall start nothing here, now or at
# the next boot.
units=()
for p in "${missing[@]}"; do
    case $p in
    samba) units+=(smbd nmbd) ;;
    samba-ad-dc | winbind | slapd | krb5-kdc | krb5-admin-server | freeradius | rsyslog) units+=("$p") ;;
    esac
done
for unit in "${units[@]}"; do
    "${root[@]}" mkdir -p /etc/systemd/system
    [ -e "/etc/systemd/system/$unit.service" ] || "${root[@]}" ln -s /dev/null "/etc/systemd/system/$unit.service"
done
if [ ${#units[@]} != 0 ] && [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" install -m 755 /dev/stdin /usr/sbin/policy-rc.d
    trap '"${root[@]}" rm -f /usr/sbin/policy-rc.d' EXIT
fi
"${root[@]}" apt-get update -q
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
