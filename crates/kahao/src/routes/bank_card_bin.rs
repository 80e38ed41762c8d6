//! `POST /api/bank_card_bin/v1`: what a number tells without a picture.

use axum::extract::{Request, State};

use crate::accounts::Call;
use crate::admission::{Admitted, Needs, admit};
use crate::error::ApiError;
use crate::input::read_number;
use crate::number::NumberFacts;
use crate::response::Answer;
use crate::state::Shared;
use crate::store::Outcome;

/// Looks a number up. No picture is read, so it costs no call.
pub(crate) async fn look_up_bank_card_bin(
    State(state): State<Shared>,
    request: Request,
) -> Result<Answer, ApiError> {
    let Admitted { key, head, body, room: _room } = admit(&state, request, Needs::Nothing).await?;
    let call = Call::begin(&state.accounts, &key);
    let answer = read_number(&head, &body).map_err(ApiError::from);
    call.end(answer.as_ref().map_or_else(ApiError::outcome, |_| Outcome::LookedUp));
    Ok(Answer::number_facts(NumberFacts::of(&answer?, &state.issuers.current())))
}
