//! The two signatures and the time stamp they carry: pure functions over texts. Which keys exist, and
//! which nonces were seen, is decided elsewhere.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::auth::AuthError;
use crate::secret::Secret;

/// Milliseconds since 1970 of an `x-ca-timestamp`: 13 digits are milliseconds, 10 digits seconds
/// (a client in the API's own documentation sends seconds).
pub(crate) fn parse_timestamp_ms(text: &str) -> Result<i64, AuthError> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AuthError::TimestampMalformed);
    }
    let value = || text.parse::<i64>().map_err(|_| AuthError::TimestampMalformed);
    match text.len() {
        13 => value(),
        10 => Ok(value()? * 1000),
        _ => Err(AuthError::TimestampMalformed),
    }
}

/// Refuses a time more than `window_ms` before or after `now_ms`.
pub(crate) fn check_window(timestamp_ms: i64, now_ms: i64, window_ms: i64) -> Result<(), AuthError> {
    match (now_ms - timestamp_ms).abs() <= window_ms {
        true => Ok(()),
        false => Err(AuthError::TimestampOutsideWindow),
    }
}

/// md5 of `key&timestamp&secret`: the scheme of the hosted API. It covers neither the body nor the path.
pub(crate) fn md5_signature(app_key: &str, timestamp: &str, secret: &Secret) -> [u8; 16] {
    let mut md5 = Md5::new();
    for part in [app_key, "&", timestamp, "&", secret.reveal()] {
        md5.update(part);
    }
    md5.finalize().into()
}

/// What an HMAC signature covers.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) body: &'a [u8],
}

/// HMAC-SHA256, keyed with the secret, of `METHOD\nPATH\nTIMESTAMP\nNONCE\nhex(sha256(body))`.
pub(crate) fn hmac_signature(signed: &Signed<'_>, secret: &Secret) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).expect("HMAC takes a key of any length");
    let body_sha256 = hex::encode(Sha256::digest(signed.body));
    let lines = [signed.method, signed.path, signed.timestamp, signed.nonce, &body_sha256];
    mac.update(lines.join("\n").as_bytes());
    mac.finalize().into_bytes().into()
}

/// Whether `given`, in upper- or lower-case hex, is `expected`; takes the same time wherever they differ.
pub(crate) fn matches(given: &str, expected: &[u8]) -> bool {
    hex::decode(given).is_ok_and(|given| given.ct_eq(expected).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        "s3cret".to_owned().into()
    }

    #[test]
    fn timestamps() {
        for (text, expected) in [
            ("1700000000123", Some(1_700_000_000_123)),
            ("1700000000", Some(1_700_000_000_000)),
            ("0000000000", Some(0)),
            ("9999999999999", Some(9_999_999_999_999)),
            ("", None),
            ("170000000", None),
            ("17000000001", None),
            ("17000000001234", None),
            ("-170000000", None),
            ("+170000000", None),
            ("1.70000000", None),
            ("１７００００００００", None),
            (" 1700000000", None),
        ] {
            assert_eq!(parse_timestamp_ms(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn window_edges_are_inside() {
        let (now, window) = (1_700_000_000_000, 900_000);
        for (timestamp, inside) in [
            (now, true),
            (now - window, true),
            (now + window, true),
            (now - window - 1, false),
            (now + window + 1, false),
            (0, false),
            (9_999_999_999_999, false),
        ] {
            assert_eq!(check_window(timestamp, now, window).is_ok(), inside, "{timestamp}");
        }
    }

    // Expected values from `printf '%s' 'demo&1700000000123&s3cret' | md5sum`.
    #[test]
    fn md5_vectors() {
        for (timestamp, expected) in [
            ("1700000000123", "202ff8ed9d655d2963b3fec05d5493ae"),
            ("1700000000", "9771524abc949652823ab1fbca0b0c12"),
        ] {
            let signature = md5_signature("demo", timestamp, &secret());
            assert!(matches(expected, &signature));
            assert!(matches(&expected.to_uppercase(), &signature));
            assert!(!matches(&expected[1..], &signature));
            assert!(!matches("", &signature));
            assert!(!matches(&"0".repeat(32), &signature));
        }
    }

    // Expected values from `openssl dgst -sha256 -hmac s3cret`.
    #[test]
    fn hmac_vectors() {
        for (body, expected) in [
            ("", "47c4385f80fc2f7d57ac831d4f9496d3b71faad1e6dfcc819c665beba985ab0f"),
            (
                "{\"image_base64\":\"aGk=\"}",
                "1051c52e6776ee4f0aa1a3bc671dbe48cc086ed69d5ef84a2043975d6087be29",
            ),
        ] {
            let signed = Signed {
                method: "POST",
                path: "/api/bank_card_ocr/v1",
                timestamp: "1700000000123",
                nonce: "n-0001",
                body: body.as_bytes(),
            };
            assert_eq!(hex::encode(hmac_signature(&signed, &secret())), expected);
        }
    }

    /// The clients are held against the same file.
    #[test]
    fn vectors_of_the_clients() {
        let vectors = include_str!("../../../../clients/signature-vectors.json");
        let vectors: Vec<std::collections::BTreeMap<String, String>> = serde_json::from_str(vectors).unwrap();
        assert_eq!(vectors.len(), 4);
        for vector in vectors {
            let secret = vector["app_secret"].clone().into();
            let signed = Signed {
                method: &vector["method"],
                path: &vector["path"],
                timestamp: &vector["timestamp"],
                nonce: &vector["nonce"],
                body: vector["body"].as_bytes(),
            };
            let md5 = md5_signature(&vector["app_key"], &vector["timestamp"], &secret);
            assert_eq!(hex::encode(md5), vector["md5"], "{}", vector["about"]);
            assert_eq!(hex::encode(hmac_signature(&signed, &secret)), vector["hmac"], "{}", vector["about"]);
        }
    }
}
