//! The ways to authenticate, and all that is refused with 401.

use super::*;
use crate::auth::signature::{Signed, hmac_signature, md5_signature};

const NO_CREDENTIALS: &str =
    "no credentials: send 'Authorization: APPCODE <code>' or x-ca-key, x-ca-timestamp and x-ca-signature";
const MALFORMED: &str = "malformed credentials: send 'Authorization: APPCODE <code>' or x-ca-key, x-ca-timestamp and x-ca-signature";
const UNKNOWN: &str = "unknown key or wrong secret";

const BODY: &str = r#"{"image_base64":"Y2FyZA=="}"#;

/// Sends `BODY` with these headers.
async fn post(service: &Service, headers: &[(&str, &str)]) -> Answered {
    let mut request = Request::post(PATH).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    service.send(request.body(BODY.into()).unwrap()).await
}

fn md5(service: &Service, timestamp: &str) -> String {
    hex::encode(md5_signature(&service.fresh.key.app_key, timestamp, &service.fresh.key.app_secret))
}

fn hmac(service: &Service, timestamp: &str, nonce: &str, body: &str) -> String {
    let signed = Signed { method: "POST", path: PATH, timestamp, nonce, body: body.as_bytes() };
    hex::encode(hmac_signature(&signed, &service.fresh.key.app_secret))
}

#[tokio::test]
async fn appcode() {
    let service = service().await;
    let code = service.fresh.appcode.reveal();
    for header in [format!("APPCODE {code}"), format!("appcode {code}"), format!("APPCODE   {code} ")] {
        assert_eq!(post(&service, &[("authorization", &header)]).await.status, 200, "{header}");
    }
    for (header, msg) in [
        (format!("Bearer {code}"), MALFORMED),
        (code.to_owned(), MALFORMED),
        (format!("APPCODE{code}"), MALFORMED),
        ("APPCODE ".to_owned(), MALFORMED),
        ("".to_owned(), MALFORMED),
        (format!("APPCODE {}", code.to_uppercase()), UNKNOWN),
        ("APPCODE 0123456789abcdef0123456789abcdef".to_owned(), UNKNOWN),
    ] {
        let answered = post(&service, &[("authorization", &header)]).await;
        assert_eq!(answered.refusal(), (401, msg), "{header}");
        assert_eq!(answered.header("www-authenticate"), "APPCODE");
    }
    assert_eq!(post(&service, &[]).await.refusal(), (401, NO_CREDENTIALS));
}

#[tokio::test]
async fn md5_signatures() {
    let service = service().await;
    let app_key = service.fresh.key.app_key.as_str();
    let (ms, seconds) = (now_ms().to_string(), (now_ms() / 1000).to_string());
    for timestamp in [&ms, &seconds] {
        for signature in [md5(&service, timestamp), md5(&service, timestamp).to_uppercase()] {
            let signed =
                [("x-ca-key", app_key), ("x-ca-timestamp", timestamp), ("x-ca-signature", &signature)];
            assert_eq!(post(&service, &signed).await.status, 200, "{timestamp}");
        }
    }
    let stray = [
        ("authorization", "Basic Zm9vOmJhcg=="),
        ("x-ca-key", app_key),
        ("x-ca-timestamp", &ms),
        ("x-ca-signature", &md5(&service, &ms)),
    ];
    assert_eq!(post(&service, &stray).await.status, 200, "a proxy's own header does no harm");

    let old = (now_ms() - 901_000).to_string();
    let early = (now_ms() + 960_000).to_string();
    let inside = (now_ms() - 890_000).to_string();
    let window = "x-ca-timestamp is outside the accepted window: check the clock";
    let digits = "x-ca-timestamp must have 13 digits (milliseconds) or 10 digits (seconds)";
    let good = md5(&service, &ms);
    for (key, timestamp, signature, status, msg) in [
        (app_key, &*inside, &*md5(&service, &inside), 200, "OK"),
        (app_key, &old, &md5(&service, &old), 401, window),
        (app_key, &early, &md5(&service, &early), 401, window),
        (app_key, "yesterday", &md5(&service, "yesterday"), 401, digits),
        (app_key, &ms, &md5(&service, &seconds), 401, UNKNOWN),
        (app_key, &ms, "", 401, UNKNOWN),
        (app_key, &ms, &good[1..], 401, UNKNOWN),
        ("nobody", &ms, &good, 401, UNKNOWN),
    ] {
        let headers = [("x-ca-key", key), ("x-ca-timestamp", timestamp), ("x-ca-signature", signature)];
        let answered = post(&service, &headers).await;
        assert_eq!(
            (answered.status, answered.json["msg"].as_str().unwrap()),
            (status, msg),
            "{key} {timestamp}"
        );
    }
    assert_eq!(post(&service, &[("x-ca-key", app_key)]).await.refusal(), (401, MALFORMED));
}

#[tokio::test]
async fn hmac_signatures() {
    let service = service().await;
    let app_key = service.fresh.key.app_key.clone();
    let ms = now_ms().to_string();
    let post = async |timestamp: &str, nonce: &str, method: &str, signature: &str| {
        let headers = [
            ("x-ca-key", app_key.as_str()),
            ("x-ca-timestamp", timestamp),
            ("x-ca-nonce", nonce),
            ("x-ca-signature-method", method),
            ("x-ca-signature", signature),
        ];
        let answered = post(&service, &headers).await;
        (answered.status, answered.json["msg"].as_str().unwrap().to_owned())
    };
    let refused = |msg: &str| (401, msg.to_owned());
    let sign = |nonce| hmac(&service, &ms, nonce, BODY);

    assert_eq!(post(&ms, "nonce-0001", "HmacSHA256", &sign("nonce-0001")).await.0, 200);
    assert_eq!(
        post(&ms, "nonce-0001", "HmacSHA256", &sign("nonce-0001")).await,
        refused("x-ca-nonce was used before")
    );
    assert_eq!(post(&ms, "nonce-0002", "hmacsha256", &sign("nonce-0002").to_uppercase()).await.0, 200);

    // A bad signature does not spend the nonce.
    let other_body = hmac(&service, &ms, "nonce-0003", "{}");
    assert_eq!(post(&ms, "nonce-0003", "HmacSHA256", &other_body).await, refused(UNKNOWN));
    assert_eq!(post(&ms, "nonce-0003", "HmacSHA256", &sign("nonce-0003")).await.0, 200);
    assert_eq!(post(&ms, "nonce-0004", "HmacSHA256", &md5(&service, &ms)).await, refused(UNKNOWN));

    let method = "x-ca-signature-method must be HmacSHA256 or absent";
    assert_eq!(post(&ms, "nonce-0005", "HmacSHA1", &sign("nonce-0005")).await, refused(method));
    let malformed = "x-ca-nonce must have 8 to 128 printable ASCII characters without blanks";
    let long = "n".repeat(129);
    for nonce in ["", "short", "with blank", &long] {
        let signature = hmac(&service, &ms, nonce, BODY);
        assert_eq!(post(&ms, nonce, "HmacSHA256", &signature).await, refused(malformed), "{nonce}");
    }
}

#[tokio::test]
async fn a_key_can_require_hmac() {
    let service = service().await;
    service.change(KeyChange { require_hmac: Some(true), ..Default::default() }).await;
    let msg = "this key accepts requests signed with HmacSHA256 only";
    assert_eq!(service.post_picture("card").await.refusal(), (401, msg));
    let (ms, key) = (now_ms().to_string(), service.fresh.key.app_key.as_str());
    let md5 = md5(&service, &ms);
    let mut headers = vec![("x-ca-key", key), ("x-ca-timestamp", &*ms), ("x-ca-signature", &*md5)];
    assert_eq!(post(&service, &headers).await.refusal(), (401, msg));
    let hmac = hmac(&service, &ms, "nonce-0001", BODY);
    headers[2].1 = &hmac;
    headers.extend([("x-ca-nonce", "nonce-0001"), ("x-ca-signature-method", "HmacSHA256")]);
    assert_eq!(post(&service, &headers).await.status, 200);
}

#[tokio::test]
async fn a_disabled_key_is_not_shown_to_strangers() {
    let service = service().await;
    service.change(KeyChange { disabled: Some(true), ..Default::default() }).await;
    let (ms, key) = (now_ms().to_string(), service.fresh.key.app_key.as_str());
    let wrong = [("x-ca-key", key), ("x-ca-timestamp", &*ms), ("x-ca-signature", "00")];
    assert_eq!(post(&service, &wrong).await.refusal(), (401, UNKNOWN));
    let signature = md5(&service, &ms);
    let right = [("x-ca-key", key), ("x-ca-timestamp", &*ms), ("x-ca-signature", &*signature)];
    assert_eq!(post(&service, &right).await.refusal(), (403, "the key is disabled"));
}

#[tokio::test]
async fn rotation_ends_the_old_secrets() {
    let service = service().await;
    service.store.rotate_key("test", 0).await.unwrap();
    service.state.accounts.forget_keys();
    assert_eq!(service.post_picture("card").await.refusal(), (401, UNKNOWN));
}

#[tokio::test]
async fn a_rotation_with_overlap_accepts_both_pairs() {
    let mut service = service().await;
    let until_s = i64::try_from(now_ms() / 1000).unwrap() + 60;
    let fresh = service.store.rotate_key("test", until_s).await.unwrap();
    service.state.accounts.forget_keys();
    for _ in 0..2 {
        let (ms, app_key) = (now_ms().to_string(), service.fresh.key.app_key.clone());
        let signature = md5(&service, &ms);
        let signed = [("x-ca-key", &*app_key), ("x-ca-timestamp", &*ms), ("x-ca-signature", &*signature)];
        assert_eq!(post(&service, &signed).await.status, 200);
        assert_eq!(service.post_picture("card").await.status, 200);
        // The new pair in the second round.
        service.fresh.appcode = fresh.appcode.clone();
        service.fresh.key = fresh.key.clone();
    }
}

#[tokio::test]
async fn strangers_are_refused_before_the_body_is_read() {
    let service = service().await;
    // A body that never comes: reading it would hang.
    let endless = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request = Request::post(PATH).header("content-type", "application/json").body(endless).unwrap();
    assert_eq!(service.send(request).await.refusal(), (401, NO_CREDENTIALS));
}
