#!/usr/bin/env bash
# The image's steps without a container engine: puts a kahao binary and the libraries it names into an empty root, as the
# Dockerfile does with distroless, and runs it there as the image does: root read-only, user 65532 without capabilities, only
# loopback. Needs root and util-linux.
#
# deploy/rootfs.sh BINARY
set -euo pipefail
binary=$(realpath "$1")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root="$work/root"
install -D "$binary" "$root/usr/bin/kahao"
# As an image holds it: a debug build is stripped.
strip "$root/usr/bin/kahao" 2>/dev/null || true
ldd "$binary" | grep -oE '/[^ ]+' | while read -r library; do install -D "$library" "$root$library"; done
install -d -m 0700 -o 65532 -g 65532 "$root/var/lib/kahao"
install -d "$root/dev" "$root/proc"
printf 'the root has %d MB in %d files\n' "$(du -sm "$root" | cut -f1)" "$(find "$root" -type f | wc -l)"

# A mount namespace for the read-only root, a network namespace with loopback alone.
unshare --mount --net --pid --mount-proc --fork bash -euo pipefail -s "$root" "$work" <<'INSIDE'
root=$1 work=$2
ip link set lo up
mount --bind "$root" "$root"
mount --bind "$root/var/lib/kahao" "$root/var/lib/kahao"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
run() {
    env -i PATH="$PATH" KAHAO_LISTEN=0.0.0.0:8080 KAHAO_DATABASE=sqlite:///var/lib/kahao/kahao.db KAHAO_LOG_FORMAT=json \
        setpriv --no-new-privs chroot --userspec=65532:65532 "$root" /usr/bin/kahao "$@"
}
run --version
if run serve 2>"$work/refused"; then
    echo "a service that strangers can reach started without a key"
    exit 1
fi
run keys create --name first --json >"$work/key"
run serve >"$work/out" 2>"$work/log" &
for _ in $(seq 100); do
    run health >/dev/null 2>&1 && break
    sleep 0.1
done
run health || { cat "$work/log"; exit 1; }
# Not even its own binary can be written to.
if run keys create --name second --database sqlite:///usr/bin/second.db 2>/dev/null; then
    echo "the root is writable"
    exit 1
fi
appcode=$(grep -oE '"appcode":"[^"]+' "$work/key" | cut -d'"' -f4)
printf '{"number":"622202"}' >"$work/body"
curl -sS --noproxy '*' -H "Authorization: APPCODE $appcode" -H 'Content-Type: application/json' --data @"$work/body" \
    http://127.0.0.1:8080/api/bank_card_bin/v1 | grep -o '"success":true'
pkill -TERM -x kahao
wait %1
echo "started, answered and ended in order"
INSIDE
