#!/bin/sh
# with_service.sh KAHAO COMMAND...: runs a command beside a service of its own, with a key that has no quota and no rate.
# The command finds KAHAO_URL, KAHAO_APPCODE, KAHAO_APP_KEY and KAHAO_APP_SECRET in its environment. Where the system lets
# it, only loopback exists for both, so that nothing made up can reach anybody.
set -eu
kahao=$1
shift
if [ -z "${KAHAO_URL:-}" ] && command -v ip >/dev/null && unshare -n true 2>/dev/null; then
    KAHAO_URL=isolated exec unshare -n sh -c 'ip link set lo up && exec "$@"' - "$0" "$kahao" "$@"
fi
folder=$(mktemp -d)
: >"$folder/log"
"$kahao" serve --listen 127.0.0.1:0 --database "sqlite://$folder/kahao.db" --log-format json \
    >"$folder/greeting" 2>"$folder/log" &
service=$!
trap 'kill $service 2>/dev/null || true; wait $service || true; rm -rf "$folder"' EXIT
tries=0
until grep -q '"message":"listening"' "$folder/log"; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ] || ! kill -0 $service 2>/dev/null; then
        cat "$folder/log" >&2
        exit 1
    fi
    sleep 0.1
done
told() { sed -n "s/^ *$1  *//p" "$folder/greeting"; }
KAHAO_URL=http://$(sed -n 's/.*"address":"\([^"]*\)".*/\1/p' "$folder/log")
KAHAO_APPCODE=$(told AppCode)
KAHAO_APP_KEY=$(told AppKey)
KAHAO_APP_SECRET=$(told AppSecret)
export KAHAO_URL KAHAO_APPCODE KAHAO_APP_KEY KAHAO_APP_SECRET NO_PROXY='*' no_proxy='*'
"$@"
