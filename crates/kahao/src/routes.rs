//! The URL table. What surrounds the handlers is in `middleware`, who gets to them in `admission`.

mod bank_card_bin;
mod bank_card_ocr;
mod credit;
mod health;
mod metrics;
mod pages;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::{get, post};

use crate::error::ApiError;
use crate::input::discard;
use crate::middleware::envelope;
use crate::state::Shared;

/// Every URL of the service.
pub(crate) fn router(state: Shared) -> Router {
    Router::new()
        .route("/api/bank_card_ocr/v1", post(bank_card_ocr::read_bank_card))
        .route("/api/bank_card_ocr/v1/credit", post(credit::read_credit))
        .route("/api/bank_card_bin/v1", post(bank_card_bin::look_up_bank_card_bin))
        .route("/health/live", get(health::check_live))
        .route("/health/ready", get(health::check_ready))
        .route("/metrics", get(metrics::show_metrics_locally))
        .merge(pages::router())
        .fallback(async |request| refuse(request, ApiError::NoSuchPath))
        .method_not_allowed_fallback(async |request| refuse(request, ApiError::WrongMethod))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&state), envelope))
        .with_state(state)
}

/// What monitoring asks for, for a listener of its own.
pub(crate) fn monitoring(state: Shared) -> Router {
    Router::new()
        .route("/health/live", get(health::check_live))
        .route("/health/ready", get(health::check_ready))
        .route("/metrics", get(metrics::show_metrics))
        .fallback(async |request| refuse(request, ApiError::NoSuchPath))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&state), envelope))
        .with_state(state)
}

/// Refuses a request that no handler takes, and its body.
fn refuse(request: Request, refusal: ApiError) -> ApiError {
    let (head, body) = request.into_parts();
    discard(&head.headers, body);
    refusal
}

#[cfg(test)]
pub(crate) mod tests;
