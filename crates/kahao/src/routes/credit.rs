//! `POST /api/bank_card_ocr/v1/credit`: how many calls the caller has left.

use axum::extract::{Request, State};

use crate::admission::{Needs, admit};
use crate::error::ApiError;
use crate::response::Answer;
use crate::state::Shared;

/// The caller's remaining calls, -1 without a quota. The body is not looked at.
pub(crate) async fn read_credit(State(state): State<Shared>, request: Request) -> Result<Answer, ApiError> {
    let admitted = admit(&state, request, Needs::Nothing).await?;
    Ok(Answer::credit(state.accounts.credit(&admitted.key).await))
}
