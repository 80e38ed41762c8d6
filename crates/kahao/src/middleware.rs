//! What surrounds every request: its id, its log line, the envelope of its answer, and the net under a
//! panicking handler. A log line never holds a query string, a header, card data or a secret.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;
use tracing::field::Empty;

use crate::error::ApiError;
use crate::response::Answer;
use crate::secret::random_hex;

/// Runs a request and dresses its answer.
pub(crate) async fn envelope(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = random_hex::<16>();
    let method = known_method(request.method());
    // The route, not the path: a caller can write anything into a path.
    let path = request.extensions().get::<MatchedPath>().map_or("(none)", |path| path.as_str()).to_owned();
    let span = tracing::info_span!("request", request_id, key = Empty);

    async move {
        let run = AssertUnwindSafe(next.run(request)).catch_unwind();
        let response = run.await.unwrap_or_else(|_| ApiError::Panicked.into_response());
        let response = dress(response, &request_id);
        let (status, elapsed_ms) = (response.status().as_u16(), started.elapsed().as_millis() as u64);
        if path.starts_with("/health/") {
            tracing::debug!(method, path, status, elapsed_ms, "answered");
        } else {
            tracing::info!(method, path, status, elapsed_ms, "answered");
        }
        response
    }
    .instrument(span)
    .await
}

/// The envelope around an answer. Headers that the router set (`Allow`) stay.
fn dress(mut response: Response, request_id: &str) -> Response {
    let Some(answer) = response.extensions_mut().remove::<Answer>() else { return response };
    let mut dressed = answer.into_http(request_id);
    if let Some(allow) = response.headers_mut().remove(header::ALLOW) {
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
