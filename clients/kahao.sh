#!/bin/sh
# kahao.sh PICTURE: reads a card with curl, once with each kind of credentials. Needs curl, base64 and openssl.
# KAHAO_URL, KAHAO_APPCODE, KAHAO_APP_KEY and KAHAO_APP_SECRET come from the environment.
set -eu
path=/api/bank_card_ocr/v1

# md5_signature KEY SECRET TIMESTAMP
md5_signature() {
    printf '%s&%s&%s' "$1" "$3" "$2" | openssl dgst -md5 -r | cut -d' ' -f1
}

# hmac_signature SECRET METHOD PATH TIMESTAMP NONCE BODY_FILE
hmac_signature() {
    body_sha256=$(openssl dgst -sha256 -r <"$6" | cut -d' ' -f1)
    # Other users of the machine can see a secret in the arguments while openssl runs.
    printf '%s\n%s\n%s\n%s\n%s' "$2" "$3" "$4" "$5" "$body_sha256" | openssl dgst -sha256 -hmac "$1" -r | cut -d' ' -f1
}

if [ "$1" = --sign ]; then # KEY SECRET TIMESTAMP METHOD PATH NONCE BODY: for signature-vectors.json
    body=$(mktemp)
    trap 'rm -f "$body"' EXIT
    printf %s "$8" >"$body"
    md5_signature "$2" "$3" "$4"
    hmac_signature "$3" "$5" "$6" "$4" "$7" "$body"
    exit
fi

body=$(mktemp)
trap 'rm -f "$body"' EXIT
printf '{"image_base64":"%s"}' "$(base64 <"$1" | tr -d '\n')" >"$body"
post() {
    curl -sS -H 'Content-Type: application/json' --data-binary @"$body" "$@" "$KAHAO_URL$path"
    echo
}

post -H "Authorization: APPCODE $KAHAO_APPCODE"

timestamp=$(date +%s)
post -H "x-ca-key: $KAHAO_APP_KEY" -H "x-ca-timestamp: $timestamp" \
    -H "x-ca-signature: $(md5_signature "$KAHAO_APP_KEY" "$KAHAO_APP_SECRET" "$timestamp")"

nonce=$(openssl rand -hex 16)
post -H "x-ca-key: $KAHAO_APP_KEY" -H "x-ca-timestamp: $timestamp" \
    -H "x-ca-signature-method: HmacSHA256" -H "x-ca-nonce: $nonce" \
    -H "x-ca-signature: $(hmac_signature "$KAHAO_APP_SECRET" POST "$path" "$timestamp" "$nonce" "$body")"
