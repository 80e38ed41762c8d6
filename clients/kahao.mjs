// node kahao.mjs PICTURE: reads a card, once with each kind of credentials. Node 18 or later, nothing to install.
// KAHAO_URL, KAHAO_APPCODE, KAHAO_APP_KEY and KAHAO_APP_SECRET come from the environment.

import { createHash, createHmac, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

const PATH = "/api/bank_card_ocr/v1";
const { KAHAO_URL, KAHAO_APPCODE, KAHAO_APP_KEY, KAHAO_APP_SECRET } = process.env;

function md5Signature(key, secret, timestamp) {
  return createHash("md5").update(`${key}&${timestamp}&${secret}`).digest("hex");
}

function hmacSignature(secret, method, path, timestamp, nonce, body) {
  const bodySha256 = createHash("sha256").update(body).digest("hex");
  return createHmac("sha256", secret).update([method, path, timestamp, nonce, bodySha256].join("\n")).digest("hex");
}

async function post(body, headers) {
  const response = await fetch(KAHAO_URL + PATH, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body,
    signal: AbortSignal.timeout(30_000),
  });
  return response.json(); // a refusal has the same form, with its reason in msg
}

const [first, ...rest] = process.argv.slice(2);
if (first === "--sign") { // KEY SECRET TIMESTAMP METHOD PATH NONCE BODY: for signature-vectors.json
  const [key, secret, timestamp, method, path, nonce, body] = rest;
  console.log(md5Signature(key, secret, timestamp));
  console.log(hmacSignature(secret, method, path, timestamp, nonce, body));
} else {
  const body = JSON.stringify({ image_base64: readFileSync(first).toString("base64") });
  const timestamp = String(Date.now());
  const nonce = randomUUID();
  const signed = { "x-ca-key": KAHAO_APP_KEY, "x-ca-timestamp": timestamp };
  const answers = [
    await post(body, { Authorization: `APPCODE ${KAHAO_APPCODE}` }),
    await post(body, { ...signed, "x-ca-signature": md5Signature(KAHAO_APP_KEY, KAHAO_APP_SECRET, timestamp) }),
    await post(body, {
      ...signed,
      "x-ca-signature-method": "HmacSHA256",
      "x-ca-nonce": nonce,
      "x-ca-signature": hmacSignature(KAHAO_APP_SECRET, "POST", PATH, timestamp, nonce, body),
    }),
  ];
  for (const answer of answers) console.log(JSON.stringify(answer));
}
