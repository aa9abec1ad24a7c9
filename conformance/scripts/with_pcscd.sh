#!/bin/sh
# Runs a command beside a real pcscd with a virtual reader, in a network and a /run of its own: both would otherwise
# listen where the whole machine, or the network, can reach them.
#
# usage: with_pcscd.sh TOMBOLO STATE COMMAND...
#   TOMBOLO  the program that lays the key on the reader
#   STATE    the key's state file
set -eu
if [ "${WITH_PCSCD:-}" != inside ]; then
    # Whoever is not root becomes so inside, where the kernel lets them.
    user=
    [ "$(id -u)" = 0 ] || user=--map-root-user
    WITH_PCSCD=inside exec unshare $user --net --mount --pid --fork --kill-child sh "$0" "$@"
fi
tombolo=$1 state=$2
shift 2
mount -t tmpfs tmpfs /run
mkdir /run/pcscd
ip link set lo up
pcscd --foreground >"$state.pcscd" 2>&1 &
# vpcd opens its port when pcscd has started its driver.
tries=0
until "$tombolo" softkey serve --state "$state" --reader --json >"$state.card" 2>"$state.error"; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ]; then
        cat "$state.error" "$state.pcscd" >&2
        exit 1
    fi
    sleep 0.1
done &
until grep -q listening "$state.card" 2>/dev/null; do sleep 0.1; done
"$@"
