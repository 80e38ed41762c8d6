//! What `fuzz/` calls: each place where hostile bytes are taken apart, as a function of bytes that panics when something that
//! must hold does not. Hidden; an ordinary test replays the committed corpora.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use futures_util::FutureExt;

use crate::auth::{self, signature};
use crate::fetch;
use crate::input::{self, Input, Source};
use crate::number::{Number, NumberFacts};
use crate::secret::Secret;
use kahao_reader::card::{BinTable, Pan};

/// A request's body: the first line is its type, the rest the body.
pub fn body(bytes: &[u8]) {
    let (content_type, body) = first_line(bytes);
    let request = Request::post("/?detail=true").body(()).expect("a plain request");
    let (mut head, ()) = request.into_parts();
    if let Ok(value) = HeaderValue::from_bytes(content_type) {
        head.headers.insert("content-type", value);
    }
    let input = input::read_input(&head, Bytes::copy_from_slice(body)).now_or_never();
    match input.expect("a body in memory is read without waiting") {
        Ok(Input { source: Source::Picture(picture), .. }) => {
            assert!(
                !picture.is_empty() && picture.len() <= body.len(),
                "a picture is no longer than its body"
            );
        }
        Ok(Input { source: Source::Url(url), .. }) => assert!(!url.trim().is_empty()),
        Err(refusal) => assert!(refusal.to_string().is_ascii()),
    }
    let _ = input::read_number(&head, body);
}

/// Header lines `name: value`, and what is read of them before a key is looked up.
pub fn credentials(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let _ = auth::read_appcode(&headers);
    if let Ok(nonce) = auth::read_nonce(&headers) {
        assert!((8..=128).contains(&nonce.len()) && nonce.is_ascii());
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Ok(timestamp_ms) = signature::parse_timestamp_ms(text("x-ca-timestamp")) {
        for now_ms in [0, timestamp_ms, i64::from(u32::MAX) * 1000] {
            let _ = signature::check_window(timestamp_ms, now_ms, 900_000);
        }
    }
    let secret: Secret = "s3cret".to_owned().into();
    let given = text("x-ca-signature");
    let expected = signature::md5_signature(text("x-ca-key"), text("x-ca-timestamp"), &secret);
    let is_expected = given.eq_ignore_ascii_case(&hex::encode(expected));
    assert_eq!(signature::matches(given, &expected), is_expected);
}

/// An `image_url`, and what a redirect makes of it: the first line redirects to the rest.
pub fn url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (first, target) = text.split_once('\n').unwrap_or((text, text));
    let Ok(first) = fetch::accept(first, None) else { return };
    let second = fetch::accept(target, Some(&first));
    for url in [Some(&first), second.as_ref().ok()].into_iter().flatten() {
        assert!(matches!(url.scheme(), "http" | "https") && url.username().is_empty());
        assert!(matches!(url.port_or_known_default(), Some(80 | 443 | 1024..)));
        // The client that connects takes the same text apart with a parser of its own: it must see the same host.
        let uri: Uri = match url.as_str().parse() {
            Ok(uri) => uri,
            Err(_) => continue,
        };
        assert_eq!(uri.host(), url.host_str());
        assert_eq!(uri.port_u16(), url.port());
    }
    if first.scheme() == "https" {
        assert!(second.map_or(true, |second| second.scheme() == "https"));
    }
}

/// A number to look up, or a card number, as somebody typed it.
pub fn text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(number) = text.parse::<Number>() {
        let facts = NumberFacts::of(&number, BinTable::embedded());
        assert!(serde_json::to_string(&facts).is_ok());
    }
    if let Ok(pan) = text.parse::<Pan>() {
        assert!((13..=19).contains(&pan.digits().len()) && !format!("{pan:?}").contains(pan.digits()));
    }
}

fn first_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_fuzzer_found_worth_keeping_does_no_harm() {
        replay("body", body);
        replay("credentials", credentials);
        replay("text", text);
        replay("url", url);
    }

    fn replay(name: &str, target: fn(&[u8])) {
        let folder = format!("{}/../../fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut seen = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            target(&std::fs::read(entry.unwrap().path()).unwrap());
            seen += 1;
        }
        assert!(seen >= 80, "{seen} files in {folder}");
    }
}
