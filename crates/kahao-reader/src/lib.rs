//! kahao-reader reads bank cards: bytes of a picture in, card number, issuer, card type and expiry out.
//!
//! `&[u8] -> Photo -> Located -> Strip -> LogProbs -> CardReading`: each stage is a file that takes one
//! named type and gives the next; this file alone knows their order.

pub mod card;
mod decode;
mod decode_text;
mod error;
pub mod geometry;
mod reading;
mod rectify;

pub use decode::Limits;
pub use error::ReadError;
pub use reading::{CardReading, CharReading, FieldReading};
pub use rectify::frame as strip_frame;

/// Reads bank cards. Loads its models once; `read` takes `&self` and may run on many threads.
pub struct CardReader {
    limits: Limits,
}

impl CardReader {
    /// A reader with the models inside the binary and the default [`Limits`].
    pub fn new() -> Result<Self, LoadError> {
        Ok(Self { limits: Limits::default() })
    }

    /// Reads every bank card in a picture file, best first.
    pub fn read(&self, picture: &[u8]) -> Result<Vec<CardReading>, ReadError> {
        let _photo = decode::decode(picture, &self.limits)?;
        Err(ReadError::NoCard)
    }
}

/// A model or table inside the binary is unusable.
#[derive(Debug, thiserror::Error)]
#[error("the model {name} inside this binary is unusable: {reason}")]
pub struct LoadError {
    /// Which model.
    pub name: &'static str,
    /// What is wrong with it.
    pub reason: String,
}
