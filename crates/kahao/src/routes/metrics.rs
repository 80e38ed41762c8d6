//! `/metrics`, for Prometheus and who reads its format.

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::admission::is_direct_and_local;
use crate::error::ApiError;
use crate::metrics::{CONTENT_TYPE, Stores};
use crate::state::Shared;

/// On the listener of its own: whoever reaches it may see it.
pub(crate) async fn show_metrics(State(state): State<Shared>) -> Response {
    let stores = Stores {
        database_up: state.accounts.database_is_up(),
        redis_up: state.replicas.as_ref().is_some_and(|replicas| replicas.is_up()),
    };
    let page = state.metrics.write(state.workers.load(), stores, state.is_draining());
    ([(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")], page).into_response()
}

/// On the listener of the API, when there is no other: for callers on this machine. For all others there is no such page.
pub(crate) async fn show_metrics_locally(
    state: State<Shared>,
    request: Request,
) -> Result<Response, ApiError> {
    if state.metrics_apart || !is_direct_and_local(&request) {
        return Err(ApiError::NoSuchPath);
    }
    Ok(show_metrics(state).await)
}
