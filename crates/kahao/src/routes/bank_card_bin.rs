//! `POST /api/bank_card_bin/v1`: what a number tells without a picture.

use axum::extract::{Request, State};

use crate::admission::{Admitted, Needs, admit};
use crate::error::ApiError;
use crate::input::read_number;
use crate::number::NumberFacts;
use crate::response::Answer;
use crate::state::Shared;

/// Looks a number up. No picture is read, so it costs no call.
pub(crate) async fn look_up_bank_card_bin(
    State(state): State<Shared>,
    request: Request,
) -> Result<Answer, ApiError> {
    let Admitted { key: _, head, body, room: _room } = admit(&state, request, Needs::Nothing).await?;
    let number = read_number(&head, &body)?;
    Ok(Answer::number_facts(NumberFacts::of(&number, &state.issuers.current())))
}
