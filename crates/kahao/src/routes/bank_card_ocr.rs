//! `POST /api/bank_card_ocr/v1`: a picture in, its bank cards out.

use std::time::Instant;

use axum::Extension;
use axum::extract::{Request, State};
use kahao_reader::CardReading;

use crate::accounts::Call;
use crate::admission::{Admitted, Needs, admit};
use crate::error::ApiError;
use crate::input::{Input, Source, read_input};
use crate::response::Answer;
use crate::stages::{Stage, Stages};
use crate::state::{self, Shared};
use crate::store::Outcome;

/// Reads the cards of a picture and counts the call. A call that brought no answer about the picture
/// is not counted.
pub(crate) async fn read_bank_card(
    State(state): State<Shared>,
    Extension(stages): Extension<Stages>,
    request: Request,
) -> Result<Answer, ApiError> {
    let admitted = admit(&state, request, Needs::Worker).await?;
    let mut call = Call::begin(&state.accounts, &admitted.key);
    let answer = answer(&state, admitted, &mut call, &stages).await;
    call.end(answer.as_ref().map_or_else(ApiError::outcome, |_| Outcome::Read));
    answer
}

async fn answer(
    state: &state::State,
    admitted: Admitted,
    call: &mut Call,
    stages: &Stages,
) -> Result<Answer, ApiError> {
    let Admitted { key: _, head, body, room: _room } = admitted;
    let Input { source, detail } = read_input(&head, body).await?;
    if !call.charge().await? {
        return Err(ApiError::QuotaUsedUp);
    }
    Ok(Answer::cards(&read(state, source, detail, stages).await?, detail))
}

/// Downloads the picture if need be, then reads it: no worker is held while the network is waited for.
async fn read(
    state: &state::State,
    source: Source,
    detail: bool,
    stages: &Stages,
) -> Result<Vec<CardReading>, ApiError> {
    let picture = match source {
        Source::Picture(picture) => picture,
        Source::Url(url) => {
            let began = Instant::now();
            let fetched = state.fetcher.fetch(&url).await;
            stages.note(Stage::Fetch, began);
            fetched?.into()
        }
    };
    Ok(state.workers.read(picture, detail, stages).await?)
}
