//! What surrounds every request: its id, its log line, the envelope of its answer, and the net under a
//! panicking handler. A log line never holds a query string, a header, card data or a secret.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;
use tracing::field::Empty;

use crate::error::ApiError;
use crate::metrics::Answered;
use crate::request_id;
use crate::response::Answer;
use crate::stages::{Stages, server_timing};
use crate::state::Shared;
use crate::traces::{self, Context};

/// What is counted for a request whose caller hung up before its answer; as nginx counts it.
const HUNG_UP: u16 = 499;

/// Runs a request and dresses its answer.
pub(crate) async fn envelope(State(state): State<Shared>, mut request: Request, next: Next) -> Response {
    let request_id = request_id::of(request.headers());
    let visit = Visit::begin(state, &request, request_id.clone());
    request.extensions_mut().insert(visit.stages.clone());
    let span = tracing::info_span!("request", request_id, key = Empty);

    async move {
        let run = AssertUnwindSafe(next.run(request)).catch_unwind();
        let mut response = run.await.unwrap_or_else(|_| ApiError::Panicked.into_response());
        let answer = response.extensions_mut().remove::<Answer>();
        let reason = answer.as_ref().and_then(|answer| answer.reason);
        let mut response = match answer {
            Some(answer) => dress(answer, response, &request_id),
            None => response,
        };
        visit.end(&mut response, reason);
        response
    }
    .instrument(span)
    .await
}

/// A request from its head to its answer. One that is dropped before that was hung up on.
struct Visit {
    state: Shared,
    method: &'static str,
    /// The route, not the path: a caller can write anything into a path.
    route: String,
    request_id: String,
    /// Where traces are made.
    trace: Option<Context>,
    began: Instant,
    stages: Stages,
    answered: bool,
}

impl Visit {
    fn begin(state: Shared, request: &Request, request_id: String) -> Self {
        let route = request.extensions().get::<MatchedPath>().map_or("(none)", |path| path.as_str());
        state.metrics.in_flight.inc();
        Self {
            method: known_method(request.method()),
            route: route.to_owned(),
            request_id,
            trace: (state.traces.is_some() && route.starts_with("/api/"))
                .then(|| Context::of(request.headers())),
            state,
            began: Instant::now(),
            stages: Stages::default(),
            answered: false,
        }
    }

    fn end(mut self, response: &mut Response, reason: Option<&'static str>) {
        self.answered = true;
        let stages = self.stages.list();
        // Not for refusals before the work: how long credentials took to check is nobody's business.
        if !stages.is_empty()
            && let Ok(timing) = HeaderValue::from_str(&server_timing(&stages, self.began.elapsed()))
        {
            response.headers_mut().insert("server-timing", timing);
        }
        self.tell(response.status().as_u16(), reason);
    }

    /// Counts it, hands over its spans and writes its log line.
    fn tell(&self, status: u16, reason: Option<&'static str>) {
        let (method, path, took) = (self.method, self.route.as_str(), self.began.elapsed());
        let stages = self.stages.list();
        let answered = Answered { method, route: path, code: status, reason, took, stages: &stages };
        self.state.metrics.count(&answered);
        if let (Some(traces), Some(context)) = (&self.state.traces, &self.trace) {
            traces.tell(&traces::Request {
                context,
                method,
                route: path,
                code: status,
                reason,
                request_id: &self.request_id,
                began: self.began,
                took,
                stages: &stages,
            });
        }
        let elapsed_ms = took.as_millis() as u64;
        if path.starts_with("/api/") || path == "(none)" {
            tracing::info!(method, path, status, reason, elapsed_ms, "answered");
        } else {
            tracing::debug!(method, path, status, reason, elapsed_ms, "answered");
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.state.metrics.in_flight.dec();
        if !self.answered {
            self.tell(HUNG_UP, Some("hung_up"));
        }
    }
}

/// The envelope around an answer. Headers that the router set (`Allow`) stay.
fn dress(answer: Answer, mut bare: Response, request_id: &str) -> Response {
    let mut dressed = answer.into_http(request_id);
    if let Some(allow) = bare.headers_mut().remove(header::ALLOW) {
        dressed.headers_mut().insert(header::ALLOW, allow);
    }
    dressed
}

/// A method that the caller has made up is as good a place to hide a number as a path.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "(other)",
    }
}
