"""kahao.py PICTURE: reads a card, once with each kind of credentials. Python 3.8 or later, nothing to install.

KAHAO_URL, KAHAO_APPCODE, KAHAO_APP_KEY and KAHAO_APP_SECRET come from the environment.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request

PATH = "/api/bank_card_ocr/v1"


def md5_signature(key, secret, timestamp):
    return hashlib.md5(f"{key}&{timestamp}&{secret}".encode()).hexdigest()


def hmac_signature(secret, method, path, timestamp, nonce, body):
    lines = [method, path, timestamp, nonce, hashlib.sha256(body).hexdigest()]
    return hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()


def post(body, headers):
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(os.environ["KAHAO_URL"] + PATH, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)
    except urllib.error.HTTPError as refusal:  # the reason is in the same JSON
        return json.load(refusal)


def main():
    if sys.argv[1] == "--sign":  # KEY SECRET TIMESTAMP METHOD PATH NONCE BODY: for signature-vectors.json
        key, secret, timestamp, method, path, nonce, body = sys.argv[2:]
        print(md5_signature(key, secret, timestamp))
        print(hmac_signature(secret, method, path, timestamp, nonce, body.encode()))
        return

    with open(sys.argv[1], "rb") as file:
        picture = base64.b64encode(file.read()).decode()
    body = json.dumps({"image_base64": picture}).encode()
    key, secret = os.environ["KAHAO_APP_KEY"], os.environ["KAHAO_APP_SECRET"]
    timestamp = str(int(time.time() * 1000))
    nonce = secrets.token_hex(16)
    signed = {"x-ca-key": key, "x-ca-timestamp": timestamp}

    answers = [
        post(body, {"Authorization": "APPCODE " + os.environ["KAHAO_APPCODE"]}),
        post(body, {**signed, "x-ca-signature": md5_signature(key, secret, timestamp)}),
        post(
            body,
            {
                **signed,
                "x-ca-signature-method": "HmacSHA256",
                "x-ca-nonce": nonce,
                "x-ca-signature": hmac_signature(secret, "POST", PATH, timestamp, nonce, body),
            },
        ),
    ]
    for answer in answers:
        print(json.dumps(answer, ensure_ascii=False))


main()
