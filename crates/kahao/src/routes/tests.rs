//! The real router, in-process: every row of the code table of docs/API.md, the ways to authenticate, and
//! what the log holds.

mod bin;
mod codes;
mod credentials;
mod load;
mod log;
mod metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, request};
use kahao_reader::{CardReading, ReadError, Timings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use super::router;
use crate::config::{ServeConfig, tests::defaults};
use crate::issuers::tests::embedded;
use crate::openapi::tests::assert_described;
use crate::response::tests::{holder, reading};
use crate::state::{Shared, State};
use crate::store::{FreshKey, KeyChange, Seal, Store};

const PATH: &str = "/api/bank_card_ocr/v1";
const CREDIT_PATH: &str = "/api/bank_card_ocr/v1/credit";
const BIN_PATH: &str = "/api/bank_card_bin/v1";

/// What the fake reader says of each stage.
const STAGE: Duration = Duration::from_millis(2);

/// The service with a fake reader, a store of its own and one key.
pub(crate) struct Service {
    state: Shared,
    store: Store,
    router: Router,
    fresh: FreshKey,
    _folder: TempDir,
}

/// An answer as a client sees it.
pub(super) struct Answered {
    status: u16,
    headers: HeaderMap,
    json: Value,
}

/// What the test's web server has: it must begin like a picture.
const FETCHED: &[u8] = b"GIF89a of a card";

/// Reads what the test wrote into the "picture".
fn fake_read(picture: &[u8]) -> Result<Vec<CardReading>, ReadError> {
    Err(match picture {
        b"card" | FETCHED => return Ok(vec![reading()]),
        b"two cards" => return Ok(vec![reading(), reading()]),
        b"no card" => ReadError::NoCard,
        b"blurred" => ReadError::NotLegible,
        b"cut" => ReadError::Damaged { format: "JPEG" },
        b"tiny" => ReadError::TooSmall { width: 14, height: 20, min_side_px: 15 },
        b"huge" => ReadError::TooLarge { width: 8193, height: 20, max_side_px: 8192 },
        b"costly" => ReadError::TookTooLong,
        b"model" => ReadError::Model,
        b"panic" => panic!("4111111111111111 in a panic"),
        _ => ReadError::UnsupportedFormat,
    })
}

pub(crate) async fn service() -> Service {
    service_with(defaults(), fake_read).await
}

async fn service_with(
    mut config: ServeConfig,
    read: impl Fn(&[u8]) -> Result<Vec<CardReading>, ReadError> + Send + Sync + 'static,
) -> Service {
    config.fetch.url_allow_network.push("127.0.0.0/8".parse().unwrap());
    let timed = move |picture: &[u8], detail: bool, timings: &mut Timings| {
        *timings = Timings { decode: STAGE, locate: STAGE, recognize: STAGE };
        let mut cards = read(picture)?;
        cards.iter_mut().filter(|_| detail).for_each(|card| card.holder = Some(holder("LI NA")));
        Ok(cards)
    };
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("keys.db").display());
    let store = Store::open(&url, Seal::default()).await.unwrap();
    let fresh = store.create_key("test", &KeyChange::default()).await.unwrap();
    let state = State::new(&config, store.clone(), embedded(), Arc::new(timed)).unwrap();
    Service { router: router(Arc::clone(&state)), state, store, fresh, _folder: folder }
}

impl Service {
    /// A request with the key's AppCode.
    fn request(&self) -> request::Builder {
        let appcode = format!("APPCODE {}", self.fresh.appcode.reveal());
        Request::post(PATH).header("authorization", appcode)
    }

    /// Posts these bytes as a picture.
    async fn post_picture(&self, picture: &'static str) -> Answered {
        self.send(self.request().header("content-type", "image/jpeg").body(picture.into()).unwrap()).await
    }

    async fn post_json(&self, body: impl Into<Body>) -> Answered {
        self.send(self.request().header("content-type", "application/json").body(body.into()).unwrap()).await
    }

    /// The router itself.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    async fn send(&self, mut request: Request<Body>) -> Answered {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 9], 1234))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let json = serde_json::from_slice(&body).expect("every answer is JSON");
        let answered = Answered { status: head.status.as_u16(), headers: head.headers, json };
        answered.assert_envelope();
        assert_described(&method, &path, answered.status, answered.json["msg"].as_str().unwrap());
        answered
    }

    async fn change(&self, change: KeyChange) {
        self.store.update_key("test", &change).await.unwrap();
        self.state.accounts.forget_keys();
    }
}

impl Answered {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and text; on a refusal.
    fn refusal(&self) -> (u16, &str) {
        assert_eq!(self.json["success"], false);
        assert_eq!(self.json["data"], json!({}));
        (self.status, self.json["msg"].as_str().unwrap())
    }

    /// What holds for every answer.
    fn assert_envelope(&self) {
        assert_eq!(self.json["code"], self.status);
        assert_eq!(self.json["msg"], self.json["message"]);
        assert!(self.json["data"].is_object());
        assert_eq!(self.header("content-type"), "application/json; charset=utf-8");
        assert_eq!(self.header("cache-control"), "no-store");
        let id = self.json["request_id"].as_str().unwrap();
        assert!(!id.is_empty());
        assert_eq!((self.header("x-request-id"), self.header("x-ca-request-id")), (id, id));
        let msg = self.json["msg"].as_str().unwrap();
        let msg_cn = self.json["msg_cn"].as_str().unwrap();
        assert!(msg.is_ascii() && !msg_cn.is_ascii(), "{msg} {msg_cn}");
        let success = self.json["success"] == true;
        assert_eq!(self.header("x-ca-error-message"), if success { "" } else { msg });
        assert_eq!(self.headers.contains_key("retry-after"), matches!(self.status, 429 | 503));
    }
}

pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}
