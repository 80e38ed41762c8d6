//! Traces for an OpenTelemetry collector, off by default: a span for each request and one for each of its stages, sent as
//! OTLP over HTTP in its JSON form (OpenTelemetry protocol 1.x), which needs nothing that is not here already. Never holds a
//! request up: what the collector does not take in time is dropped and counted.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use axum::http::HeaderMap;
use prometheus_client::metrics::counter::Counter;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use url::Url;

use crate::secret::random_hex;
use crate::stages::Timed;
use crate::tls;

/// Settings of traces.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Traces")]
pub(crate) struct Config {
    /// Address of an OpenTelemetry collector's HTTP receiver, such as http://127.0.0.1:4318, to send traces to. Absent: none are
    /// made
    #[arg(long, env = "KAHAO_OTLP_ENDPOINT", value_name = "URL")]
    pub(crate) otlp_endpoint: Option<Url>,
}

/// Requests whose spans wait to be sent; more are dropped.
const WAITING: usize = 2048;
/// Requests in one message.
const AT_ONCE: usize = 256;
/// How long spans wait for company.
const EVERY: Duration = Duration::from_secs(2);
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_SERVER`, `STATUS_CODE_ERROR` of OTLP's trace.proto.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const ERROR: u8 = 2;

/// A way to the collector.
#[derive(Debug)]
pub(crate) struct Traces {
    sender: mpsc::Sender<Message>,
    dropped: Counter,
}

#[derive(Debug)]
enum Message {
    Spans(Vec<Value>),
    /// To be answered when all that came before is sent.
    Flush(oneshot::Sender<()>),
}

/// Where a request belongs in the trace of its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    trace_id: String,
    /// The caller's span; empty in a trace that begins here.
    parent_id: String,
    sampled: bool,
}

/// What is told of a request that has ended. Routes, codes and reasons are words of this program; the id is fit for a log.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) context: &'a Context,
    pub(crate) method: &'static str,
    pub(crate) route: &'a str,
    pub(crate) code: u16,
    pub(crate) reason: Option<&'static str>,
    pub(crate) request_id: &'a str,
    pub(crate) began: Instant,
    pub(crate) took: Duration,
    pub(crate) stages: &'a [Timed],
}

impl Traces {
    /// Starts sending to the collector that the settings name; `None` where they name none.
    pub(crate) fn start(config: &Config, dropped: Counter) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = &config.otlp_endpoint else { return Ok(None) };
        ensure!(
            matches!(endpoint.scheme(), "http" | "https"),
            "--otlp-endpoint must be an http or https address: the collector's HTTP receiver, not the one for gRPC"
        );
        let mut url = endpoint.clone();
        url.set_path(&format!("{}/v1/traces", endpoint.path().trim_end_matches('/')));
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client_config()?)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(SEND_TIMEOUT)
            .build()?;
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(send_all(client, url, receiver, dropped.clone()));
        Ok(Some(Self { sender, dropped }))
    }

    /// Hands over the spans of a request, or drops them when too many wait.
    pub(crate) fn tell(&self, request: &Request<'_>) {
        if request.context.sampled && self.sender.try_send(Message::Spans(spans(request))).is_err() {
            self.dropped.inc();
        }
    }

    /// Waits until what was handed over is sent, but not for long.
    pub(crate) async fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        let flushed = async {
            if self.sender.send(Message::Flush(done)).await.is_ok() {
                let _ = is_done.await;
            }
        };
        let _ = timeout(SEND_TIMEOUT, flushed).await;
    }
}

impl Context {
    /// The caller's, by its `traceparent` header (W3C Trace Context 3.2), or a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given =
            headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(parse_traceparent);
        given.unwrap_or_else(|| Self {
            trace_id: random_hex::<16>(),
            parent_id: String::new(),
            sampled: true,
        })
    }
}

/// `00-<trace id>-<span id>-<flags>`; later versions may go on after a dash. An id of digits alone might be a card number
/// with zeros; chance does not make one.
fn parse_traceparent(text: &str) -> Option<Context> {
    let mut parts = text.trim().splitn(5, '-');
    let mut hex = |length: usize| {
        let part = parts.next()?;
        let fit = part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        fit.then_some(part)
    };
    let (version, trace_id, parent_id, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    let is_last = parts.next().is_none();
    if version == "ff" || (version == "00" && !is_last) || parent_id.bytes().all(|b| b == b'0') {
        return None;
    }
    if trace_id.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    Some(Context { trace_id: trace_id.to_owned(), parent_id: parent_id.to_owned(), sampled })
}

/// The span of a request, then those of its stages.
fn spans(request: &Request<'_>) -> Vec<Value> {
    let now = SystemTime::now();
    let span_id = random_hex::<8>();
    // As strings: JSON numbers do not hold 64 bits.
    let nanos = |at: Instant| {
        let at = now.checked_sub(at.elapsed()).unwrap_or(UNIX_EPOCH);
        at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
    };
    let span = |name: &str, span_id: String, parent: &str, kind: u8, began: Instant, took: Duration| {
        json!({
            "traceId": request.context.trace_id, "spanId": span_id, "parentSpanId": parent,
            "name": name, "kind": kind,
            "startTimeUnixNano": nanos(began), "endTimeUnixNano": nanos(began + took),
        })
    };
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let mut attributes = vec![
        text("http.request.method", request.method),
        text("http.route", request.route),
        json!({"key": "http.response.status_code", "value": {"intValue": request.code.to_string()}}),
        text("kahao.request_id", request.request_id),
    ];
    attributes.extend(request.reason.map(|reason| text("error.type", reason)));
    let name = format!("{} {}", request.method, request.route);
    let parent = &request.context.parent_id;
    let mut whole = span(&name, span_id.clone(), parent, SERVER, request.began, request.took);
    whole["attributes"] = attributes.into();
    if request.code >= 500 {
        whole["status"] = json!({"code": ERROR});
    }
    let stages = request.stages.iter();
    let stages = stages.map(|s| span(s.stage.name(), random_hex::<8>(), &span_id, INTERNAL, s.began, s.took));
    std::iter::once(whole).chain(stages).collect()
}

/// Sends what comes, some at a time, until nobody can hand over any more.
async fn send_all(client: Client, url: Url, mut receiver: mpsc::Receiver<Message>, dropped: Counter) {
    let mut reachable = true;
    let mut messages = Vec::new();
    while receiver.recv_many(&mut messages, AT_ONCE).await > 0 {
        let is_flush =
            |messages: &[Message]| messages.iter().any(|message| matches!(message, Message::Flush(_)));
        if messages.len() < AT_ONCE && !is_flush(&messages) {
            let company = async {
                while messages.len() < AT_ONCE && !is_flush(&messages) {
                    let room = AT_ONCE - messages.len();
                    if receiver.recv_many(&mut messages, room).await == 0 {
                        break;
                    }
                }
            };
            let _ = timeout(EVERY, company).await;
        }
        let (mut spans, mut flushes, mut requests) = (Vec::new(), Vec::new(), 0);
        for message in messages.drain(..) {
            match message {
                Message::Spans(more) => {
                    requests += 1;
                    spans.extend(more);
                }
                Message::Flush(done) => flushes.push(done),
            }
        }
        let sent = send(&client, &url, spans).await;
        match &sent {
            Ok(()) if !reachable => tracing::info!("the trace collector takes spans again"),
            Err(reason) if reachable => {
                tracing::warn!(reason, "the trace collector takes no spans: they are dropped")
            }
            _ => {}
        }
        reachable = sent.is_ok();
        if !reachable {
            dropped.inc_by(requests);
        }
        for done in flushes {
            let _ = done.send(());
        }
    }
}

async fn send(client: &Client, url: &Url, spans: Vec<Value>) -> Result<(), String> {
    if spans.is_empty() {
        return Ok(());
    }
    let resource = json!({"attributes": [
        {"key": "service.name", "value": {"stringValue": "kahao"}},
        {"key": "service.version", "value": {"stringValue": env!("CARGO_PKG_VERSION")}},
    ]});
    let message = json!({"resourceSpans": [
        {"resource": resource, "scopeSpans": [{"scope": {"name": "kahao"}, "spans": spans}]},
    ]});
    let request = client.post(url.clone()).header(CONTENT_TYPE, "application/json").body(message.to_string());
    // The address may hold a password.
    let response = request.send().await.map_err(|error| error.without_url().to_string())?;
    if response.status().is_success() { Ok(()) } else { Err(format!("it answered {}", response.status())) }
}

#[cfg(test)]
mod tests;
