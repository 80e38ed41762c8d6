//! `/health/live` and `/health/ready`, for load balancers and container runtimes.

use axum::extract::State;

use crate::error::ApiError;
use crate::response::Answer;
use crate::state::Shared;

/// The process answers.
pub(crate) async fn check_live() -> Answer {
    Answer::ok()
}

/// New work is welcome: the models are loaded (nothing listens before) and the service is not about to end. Not asked of
/// the database: while it is away known keys are answered, and a balancer that takes every replica out helps nobody. Tells
/// whether it is up, and which issuer table is in use, so that one sees a reload.
pub(crate) async fn check_ready(State(state): State<Shared>) -> Result<Answer, ApiError> {
    if state.is_draining() {
        return Err(ApiError::Draining);
    }
    Ok(Answer::ready(&state.issuers.current(), state.accounts.database_is_up()))
}
