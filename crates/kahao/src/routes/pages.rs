//! The pages for people: the files of `console/`, inside this binary, and the description of the API. They need no key and
//! hold no card data. Which headers guard them is decided here, once.

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

/// A file of `console/`: its URL, its type and its bytes.
macro_rules! file {
    ($url:literal, $content_type:literal, $name:literal) => {
        ($url, $content_type, include_bytes!(concat!("../../../../console/", $name)).as_slice())
    };
}

/// Every file that is served. What is not here is not to be had.
const FILES: &[(&str, &str, &[u8])] = &[
    file!("/", "text/html; charset=utf-8", "index.html"),
    file!("/docs", "text/html; charset=utf-8", "docs.html"),
    file!("/console/style.css", "text/css; charset=utf-8", "style.css"),
    file!("/console/console.js", "text/javascript; charset=utf-8", "console.js"),
    file!("/console/docs.js", "text/javascript; charset=utf-8", "docs.js"),
    file!("/console/mask.js", "text/javascript; charset=utf-8", "mask.js"),
    file!("/console/overlay.js", "text/javascript; charset=utf-8", "overlay.js"),
    file!("/console/texts.js", "text/javascript; charset=utf-8", "texts.js"),
    file!("/console/icon.svg", "image/svg+xml", "icon.svg"),
    file!("/console/samples/straight.jpg", "image/jpeg", "samples/straight.jpg"),
    file!("/console/samples/tilted.jpg", "image/jpeg", "samples/tilted.jpg"),
    file!("/console/samples/turned.jpg", "image/jpeg", "samples/turned.jpg"),
    file!("/console/samples/several.jpg", "image/jpeg", "samples/several.jpg"),
];

/// The pages' part of the URL table.
pub(super) fn router() -> Router<Shared> {
    let description = get(async || page("application/json", openapi::TEXT.as_bytes()));
    FILES
        .iter()
        .fold(Router::new().route("/openapi.json", description), |router, (url, content_type, bytes)| {
            router.route(url, get(async || page(content_type, bytes)))
        })
}

fn page(content_type: &'static str, bytes: &'static [u8]) -> Response {
    let mut response = ([(header::CONTENT_TYPE, content_type)], bytes).into_response();
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
