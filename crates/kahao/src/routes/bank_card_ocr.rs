//! `POST /api/bank_card_ocr/v1`: a picture in, its bank cards out.

use std::time::Instant;

use axum::Extension;
use axum::extract::{Request, State};
use kahao_reader::{CardReading, ReadError};

use crate::admission::{Admitted, Needs, admit};
use crate::error::ApiError;
use crate::input::{Input, Source, read_input};
use crate::response::Answer;
use crate::stages::{Stage, Stages};
use crate::state::{self, Shared};
use crate::workers::WorkError;

/// Reads the cards of a picture and counts the call. A call that brought no answer about the picture
/// is not counted.
pub(crate) async fn read_bank_card(
    State(state): State<Shared>,
    Extension(stages): Extension<Stages>,
    request: Request,
) -> Result<Answer, ApiError> {
    let Admitted { key, head, body, room: _room } = admit(&state, request, Needs::Worker).await?;
    let Input { source, detail } = read_input(&head, body).await?;
    if !state.store.take_call(&key).await? {
        return Err(ApiError::QuotaUsedUp);
    }
    let reading = read(&state, source, &stages).await;
    match &reading {
        Ok(_) | Err(ApiError::Work(WorkError::Read(ReadError::NoCard | ReadError::NotLegible))) => {}
        Err(_) => state.store.give_back_call(&key).await?,
    }
    Ok(Answer::cards(&reading?, detail))
}

/// Downloads the picture if need be, then reads it: no worker is held while the network is waited for.
async fn read(state: &state::State, source: Source, stages: &Stages) -> Result<Vec<CardReading>, ApiError> {
    let picture = match source {
        Source::Picture(picture) => picture,
        Source::Url(url) => {
            let began = Instant::now();
            let fetched = state.fetcher.fetch(&url).await;
            stages.note(Stage::Fetch, began);
            fetched?.into()
        }
    };
    Ok(state.workers.read(picture, stages).await?)
}
