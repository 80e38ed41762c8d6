//! What needs no key and holds no card data: the description of the API. Which headers guard them is decided here, once.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::openapi;
use crate::state::Shared;

/// Nothing but this service's own files is loaded, run, called or shown; no page may be put into a frame. Pictures are
/// also shown from memory (`blob:`).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// What is sent with every page.
const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(self), microphone=(), geolocation=()"),
    // A new version of the service has new pages.
    ("cache-control", "no-cache"),
];

/// The pages' part of the URL table.
pub(super) fn router() -> Router<Shared> {
    Router::new().route("/openapi.json", get(async || page("application/json", openapi::TEXT.as_bytes())))
}

fn page(content_type: &'static str, bytes: &'static [u8]) -> Response {
    let mut response = ([(header::CONTENT_TYPE, content_type)], bytes).into_response();
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
