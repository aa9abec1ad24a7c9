#!/bin/sh
# A Debian with Samba AD 4.24 or newer in a folder:  make-chroot.sh DIRECTORY
#
# Debian 12's own Samba (4.17) knows no key trust; trixie-backports has 4.24, and trixie what it needs. Everything comes
# from the archive that apt's sources on this machine name; TOMBOLO_DEBIAN_ARCHIVE names another. Needs root and mmdebstrap.
set -eu
root=$1

# samba-ad-provision, -dsdb-modules and -vfs-modules are mere recommendations of samba-ad-dc, but nothing works without.
packages=samba-ad-dc,samba,samba-ad-provision,samba-dsdb-modules,samba-vfs-modules,winbind,python3-samba,smbclient,\
ldb-tools,tdb-tools,acl,attr,krb5-user,krb5-pkinit,ldap-utils,libsasl2-modules-gssapi-mit,openssl,python3-cryptography

archive=${TOMBOLO_DEBIAN_ARCHIVE:-}
if [ -z "$archive" ]; then
  # --no-release-info: works before the first "apt-get update" too.
  archive=$(apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' |
    awk -v suite="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" '
      $3 == "main" && ($2 == suite || $2 ~ /^(stable|oldstable|testing)$/) && !found { print $1; found = 1 }')
fi
# Cloud images name a file that lists archives, one a line.
case $archive in
  mirror+file:*) archive=$(sed -n 's/^\(https\{0,1\}:[^[:space:]]*\).*/\1/p' "${archive#mirror+file:}" | head -n 1) ;;
esac
if [ -z "$archive" ]; then
  echo "make-chroot: apt's sources on this machine name no Debian archive" >&2
  echo 'next: set TOMBOLO_DEBIAN_ARCHIVE to its URI' >&2
  exit 1
fi

proxy=$(apt-config shell p Acquire::http::Proxy | sed "s/^p='\(.*\)'$/\1/")
set --
[ -z "$proxy" ] || set -- --aptopt="Acquire::http::Proxy \"$proxy\""

# Made beside its place, so that one that was interrupted is never taken for a whole one.
rm -rf --one-file-system "$root.part"
# Check-Valid-Until: an archive copy that lags behind the clock counts as expired otherwise.
mmdebstrap --quiet --mode=root --variant=apt --include="$packages" \
  --aptopt='Acquire::Check-Valid-Until "false"' "$@" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --essential-hook='printf "Package: *\nPin: release n=trixie-backports\nPin-Priority: 990\n" > "$1/etc/apt/preferences.d/backports"' \
  --customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*' \
  trixie "$root.part" "deb $archive trixie main" "deb $archive trixie-backports main"
# Each domain controller has its own files on top of these (conformance/src/samba).
mkdir -p "$root.part/lab"
touch "$root.part/etc/hosts" "$root.part/etc/resolv.conf"
rm -rf --one-file-system "$root"
mv "$root.part" "$root"
chroot "$root" samba --version
