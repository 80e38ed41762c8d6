//! The description of the service at `/openapi.json` (OpenAPI 3.1), made from the types that are read and written and
//! from real answers, so that it cannot say anything else than the code does. Which operations there are and what
//! may come back from each is decided here; texts of refusals are `error.rs`'s.

mod refusals;
mod sample;

use std::sync::LazyLock;

use axum::http::StatusCode;
use kahao_reader::card::BinTable;
use schemars::generate::{Contract, SchemaSettings};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::input::{JsonBody, NumberBody};
use crate::metrics::CONTENT_TYPE;
use crate::number::NumberFacts;
use crate::response::{Answer, Cards, Envelope, Ready};

/// The description as it is sent, made once.
pub(crate) static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = serde_json::to_string_pretty(&document()).expect("a value has no odd keys");
    text.push('\n');
    text
});

/// Stands for the id that every answer has of its own.
const REQUEST_ID: &str = "2f9c670ee3e8e5d7cd5974e735272e3d";

const ABOUT: &str = "\
Bank card OCR on your own machine: a picture of a bank card in; card number, issuer, card type and expiry date out.

Every answer below `/api/` and `/health/` is JSON in one envelope, and its HTTP status is repeated in `code`. An unknown \
path is answered with 404, a wrong method with 405. Pictures are JPEG, PNG, WebP, BMP, GIF (first frame) or TIFF (first \
page), each side 15 to 8192 px, at most 20 x 1024 x 1024 bytes; a body may have 30 x 1024 x 1024.

Requests are opened by an AppCode or by a signature: the md5 of `key&timestamp&secret`, or, stronger, an HMAC-SHA256 \
that covers method, path, time stamp, nonce and body.";

/// The whole description.
fn document() -> Value {
    let mut answers = generator(Contract::Serialize);
    let mut bodies = generator(Contract::Deserialize);
    let paths = json!({
        "/api/bank_card_ocr/v1": { "post": read_bank_card(&mut answers, &mut bodies) },
        "/api/bank_card_ocr/v1/credit": { "post": read_credit() },
        "/api/bank_card_bin/v1": { "post": look_up_bank_card_bin(&mut answers, &mut bodies) },
        "/health/live": { "get": check_live() },
        "/health/ready": { "get": check_ready(&mut answers) },
        "/metrics": { "get": show_metrics_locally() },
    });
    answers.subschema_for::<Envelope<'_>>();
    let mut schemas = answers.take_definitions(true);
    schemas.extend(bodies.take_definitions(true));
    schemas.insert("Refusal".into(), refusal_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "kahao",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "cards", "description": "What pictures and numbers tell." },
            { "name": "key", "description": "What the caller's key may still do." },
            { "name": "health", "description": "For load balancers, container runtimes and monitoring. Needs no key." },
        ],
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": security_schemes(), "headers": headers() },
    })
}

fn read_bank_card(answers: &mut SchemaGenerator, bodies: &mut SchemaGenerator) -> Value {
    let file = json!({ "schema": { "type": "string", "format": "binary" } });
    let form = json!({
        "type": "object",
        "properties": {
            "image": { "type": "string", "format": "binary", "description": "The picture file." },
            "image_base64": { "type": "string", "description": "Instead of `image`: the file in base64." },
            "image_url": { "type": "string", "description": "Instead of `image`: an http or https address." },
            "detail": { "type": "string", "description": "`true` adds the fields beyond those of the hosted API." },
        },
    });
    let mut content = json!({
        "application/json": {
            "schema": bodies.subschema_for::<JsonBody<'_>>(),
            "examples": {
                "file": { "value": { "image_base64": sample::PICTURE_BASE64 } },
                "file with every field": { "value": { "image_base64": sample::PICTURE_BASE64, "detail": true } },
                "address": { "value": { "image_url": "https://example.com/card.jpg" } },
            },
        },
        "multipart/form-data": { "schema": form },
    });
    for file_type in ["image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif", "image/tiff"] {
        content[file_type] = file.clone();
    }
    content["application/octet-stream"] = file;
    let reading = sample::reading();
    let read = [
        ("OK", Answer::cards(std::slice::from_ref(&reading), false)),
        ("OK, with detail", Answer::cards(&[reading], true)),
    ];
    json!({
        "operationId": "read_bank_card",
        "tags": ["cards"],
        "summary": "Read the cards of a picture",
        "description": "Takes one call off the key's quota when there is an answer about the picture: cards, no card, or \
            a number that is not legible. With a body that is the file itself, `?detail=true` stands for `detail`.",
        "security": security(),
        "parameters": [{
            "name": "detail",
            "in": "query",
            "description": "`true` or `1` adds the fields beyond those of the hosted API; for bodies that are the file itself.",
            "schema": { "type": "string" },
        }],
        "requestBody": { "required": true, "content": content },
        "responses": responses(answer_with(&answers.subschema_for::<Cards>()), &read, &refusals::of_a_picture()),
    })
}

fn read_credit() -> Value {
    let credit = json!({
        "allOf": [
            { "$ref": "#/components/schemas/Envelope" },
            { "type": "object", "required": ["credit"], "properties": { "credit": { "type": "integer" } } },
        ],
    });
    json!({
        "operationId": "read_credit",
        "tags": ["key"],
        "summary": "Ask how many calls are left",
        "description": "Costs no call. The body is not looked at.",
        "security": security(),
        "responses": responses(credit, &[("OK", Answer::credit(998))], &refusals::of_the_credit()),
    })
}

fn look_up_bank_card_bin(answers: &mut SchemaGenerator, bodies: &mut SchemaGenerator) -> Value {
    let number = "622202*********1234";
    let facts = number.parse().map(|number| NumberFacts::of(&number, BinTable::embedded()));
    let told = Answer::number_facts(facts.expect("a number with hidden digits"));
    json!({
        "operationId": "look_up_bank_card_bin",
        "tags": ["cards"],
        "summary": "Ask about a number",
        "description": "What a number tells without a picture: issuer, type and scheme. Costs no call. A number without a \
            known issuer is an answer too.",
        "security": security(),
        "requestBody": {
            "required": true,
            "content": {
                "application/json": {
                    "schema": bodies.subschema_for::<NumberBody<'_>>(),
                    "example": { "number": number },
                },
            },
        },
        "responses": responses(
            answer_with(&answers.subschema_for::<NumberFacts>()),
            &[("OK", told)],
            &refusals::of_a_number(),
        ),
    })
}

fn check_live() -> Value {
    let answered = json!({ "$ref": "#/components/schemas/Envelope" });
    json!({
        "operationId": "check_live",
        "tags": ["health"],
        "summary": "Whether the process answers",
        "security": [],
        "responses": responses(answered, &[("OK", Answer::ok())], &[]),
    })
}

fn check_ready(answers: &mut SchemaGenerator) -> Value {
    json!({
        "operationId": "check_ready",
        "tags": ["health"],
        "summary": "Whether new work is welcome",
        "security": [],
        "responses": responses(
            answer_with(&answers.subschema_for::<Ready>()),
            &[("OK", Answer::ready(BinTable::embedded(), true))],
            &[ApiError::Draining],
        ),
    })
}

fn show_metrics_locally() -> Value {
    let mut responses = responses(Value::Null, &[], &[ApiError::NoSuchPath]);
    responses["200"] = json!({
        "description": "The page",
        "content": { (CONTENT_TYPE): { "schema": { "type": "string" } } },
    });
    json!({
        "operationId": "show_metrics_locally",
        "tags": ["health"],
        "summary": "Figures for Prometheus",
        "description": "For callers on the service's own machine, and only when `--metrics-listen` gives it no listener of its own.",
        "security": [],
        "responses": responses,
    })
}

fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        settings.contract = contract;
    });
    settings.into_generator()
}

/// The envelope with this `data`.
fn answer_with(data: &Schema) -> Value {
    json!({
        "allOf": [
            { "$ref": "#/components/schemas/Envelope" },
            { "type": "object", "properties": { "data": data, "success": { "const": true } } },
        ],
    })
}

fn refusal_schema() -> Value {
    json!({
        "description": "The envelope without success: the reason is in `msg` and `msg_cn`.",
        "allOf": [
            { "$ref": "#/components/schemas/Envelope" },
            {
                "type": "object",
                "properties": { "success": { "const": false }, "data": { "type": "object", "maxProperties": 0 } },
            },
        ],
    })
}

/// One entry for each status: first of what was asked for, then of what may be refused, with the answers as examples.
fn responses(answered: Value, examples: &[(&str, Answer)], refusals: &[ApiError]) -> Value {
    let mut responses = Map::new();
    let told: Map<String, Value> =
        examples.iter().map(|(name, answer)| ((*name).to_owned(), example(answer))).collect();
    responses.insert("200".into(), response(StatusCode::OK, answered, told));
    let wrong_method = [ApiError::WrongMethod];
    for refusal in refusals.iter().chain(&wrong_method) {
        let status = refusal.status();
        let answer = Answer::from(refusal);
        let entry = responses.entry(status.as_str()).or_insert_with(|| {
            response(status, json!({ "$ref": "#/components/schemas/Refusal" }), Map::new())
        });
        let content = &mut entry["content"]["application/json"];
        content["examples"][answer.msg()] = example(&answer);
        if status == StatusCode::OK {
            entry["headers"]["X-Ca-Error-Message"] =
                json!({ "$ref": "#/components/headers/X-Ca-Error-Message" });
        }
    }
    // A picture may be answered both ways with 200.
    if let Some(entry) = responses.get_mut("200")
        && refusals.iter().any(|refusal| refusal.status() == StatusCode::OK)
    {
        let schema = &mut entry["content"]["application/json"]["schema"];
        *schema = json!({ "anyOf": [schema.take(), { "$ref": "#/components/schemas/Refusal" }] });
    }
    responses.sort_keys();
    responses.into()
}

fn response(status: StatusCode, schema: Value, examples: Map<String, Value>) -> Value {
    let mut names = vec!["X-Request-Id", "X-Ca-Request-Id"];
    if status != StatusCode::OK {
        names.push("X-Ca-Error-Message");
    }
    match status {
        StatusCode::UNAUTHORIZED => names.push("WWW-Authenticate"),
        StatusCode::METHOD_NOT_ALLOWED => names.push("Allow"),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => names.push("Retry-After"),
        _ => {}
    }
    let headers: Map<String, Value> = names
        .into_iter()
        .map(|name| (name.to_owned(), json!({ "$ref": format!("#/components/headers/{name}") })))
        .collect();
    json!({
        "description": status.canonical_reason().unwrap_or_default(),
        "headers": headers,
        "content": { "application/json": { "schema": schema, "examples": examples } },
    })
}

fn example(answer: &Answer) -> Value {
    let value = serde_json::to_value(answer.envelope(REQUEST_ID)).expect("an answer is JSON");
    json!({ "value": value })
}

/// Any one of these lists opens a request; all of a list is needed.
fn security() -> Value {
    json!([
        { "appcode": [] },
        { "caKey": [], "caTimestamp": [], "caSignature": [] },
        { "caKey": [], "caTimestamp": [], "caSignature": [], "caSignatureMethod": [], "caNonce": [] },
    ])
}

fn security_schemes() -> Value {
    let header = |name: &str, description: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": description });
    json!({
        "appcode": header("Authorization", "`APPCODE <code>`."),
        "caKey": header("x-ca-key", "The AppKey."),
        "caTimestamp": header(
            "x-ca-timestamp",
            "Now: 13 digits (milliseconds) or 10 (seconds) since 1970, within 15 minutes of the server's clock.",
        ),
        "caSignature": header(
            "x-ca-signature",
            "In hex. The md5 of `key&timestamp&secret`; with `x-ca-signature-method: HmacSHA256` the HMAC-SHA256, keyed with \
             the secret, of these five joined by line feeds: method, path without the query, time stamp, nonce, and the \
             SHA-256 of the body in lower-case hex.",
        ),
        "caSignatureMethod": header("x-ca-signature-method", "`HmacSHA256`."),
        "caNonce": header("x-ca-nonce", "8 to 128 printable ASCII characters without blanks, never used before."),
    })
}

fn headers() -> Value {
    let header = |description: &str, schema: Value| json!({ "description": description, "required": true, "schema": schema });
    let text = || json!({ "type": "string" });
    json!({
        "X-Request-Id": header("The `request_id` of the answer.", text()),
        "X-Ca-Request-Id": header("The same, as clients of the hosted API look for it.", text()),
        "X-Ca-Error-Message": { "description": "The same as `msg`, where there is no success.", "schema": text() },
        "WWW-Authenticate": header("`APPCODE`.", text()),
        "Allow": header("The methods of this path.", text()),
        "Retry-After": header("Seconds after which to try again.", json!({ "type": "integer", "minimum": 1 })),
    })
}

#[cfg(test)]
pub(crate) mod tests;
