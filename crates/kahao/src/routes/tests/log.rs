//! What the log holds at its most talkative: neither a card number nor a secret.

use std::io::Write;
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, fmt};

use super::*;
use crate::telemetry::{levels, log_panic, on_panic};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_card_data_and_no_secret_reaches_the_log() {
    let captured = Captured::default();
    let writer = captured.clone();
    let layer = fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(levels(LevelFilter::TRACE)));
    // For the whole process: the workers log from threads of their own.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let hook = std::panic::take_hook();
    on_panic(log_panic);

    let service = service().await;
    for picture in ["card", "no card", "cut", "panic"] {
        service.post_picture(picture).await;
    }
    let key = &service.fresh.key;
    let query = format!("{PATH}?token={}&number=4111111111111111", service.fresh.appcode.reveal());
    let request = service.request().uri(query).header("content-type", "image/png");
    service.send(request.body("card".into()).unwrap()).await;
    let url = format!(r#"{{"image_url":"http://4111111111111111.invalid/?{}"}}"#, key.app_secret.reveal());
    service.post_json(url).await;
    for body in [
        r#"{"number":"4111111111111111"}"#,
        r#"{"number":"4111 1111 1111 1111"}"#,
        r#"{"number":"4111111111111111x"}"#,
        r#"{"number":"41111111111111111111"}"#,
        r#"{"number":4111111111111111}"#,
        r#"{"number":"4111111111111111"#,
        r#"{"4111111111111111":1}"#,
    ] {
        let request = service.request().uri(BIN_PATH).header("content-type", "application/json");
        let answered = service.send(request.body(body.into()).unwrap()).await;
        // A refusal is shown to people and kept in the caller's own log.
        if answered.status != 200 {
            assert!(!answered.json.to_string().contains("411111"), "{}", answered.json);
        }
    }
    let strange = Request::builder().method("M4111111111111111").uri("/4111111111111111");
    service.send(strange.body(Body::empty()).unwrap()).await;
    let wrong = Request::post(PATH).header("x-ca-key", &key.app_key).header("x-ca-timestamp", now_ms());
    let wrong = wrong.header("x-ca-signature", "d0d0d0d0d0d0d0d0").body(Body::empty()).unwrap();
    service.send(wrong).await;
    std::panic::set_hook(hook);

    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    for expected in [
        "answered",
        "method=\"POST\"",
        "path=\"/api/bank_card_ocr/v1\"",
        "path=\"/api/bank_card_bin/v1\"",
        "status=200",
        "status=401",
        &key.id,
        "panicked",
    ] {
        assert!(log.contains(expected), "{expected} is missing in\n{log}");
    }
    for secret in [
        "4111111111111111",
        "411111",
        "09/27",
        service.fresh.appcode.reveal(),
        key.app_secret.reveal(),
        "d0d0d0d0d0d0d0d0",
        "token",
    ] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
}
