//! Strip -> log-probabilities of each symbol by column.

use crate::decode_text::{Alphabet, LogProbs};
use crate::model::{Metadata, Model};
use crate::rectify::Strip;
use crate::{LoadError, ReadError};

/// Reads straight strips of one text line.
pub(crate) struct Recognizer {
    model: Box<dyn Model>,
    /// Its classes.
    pub(crate) alphabet: Alphabet,
    /// Size of the strips it takes, px.
    pub(crate) width: usize,
    /// See `width`.
    pub(crate) height: usize,
    columns: usize,
}

impl Recognizer {
    pub(crate) fn new(model: Box<dyn Model>, metadata: &Metadata) -> Result<Self, LoadError> {
        let alphabet =
            Alphabet::new(metadata.text("alphabet")?, metadata.number("blank")?).ok_or_else(|| {
                metadata.fault("its alphabet repeats a symbol or its blank is out of range".to_owned())
            })?;
        let (width, height): (usize, usize) = (metadata.number("width")?, metadata.number("height")?);
        let stride: usize = metadata.number("stride")?;
        if stride == 0 || width == 0 || height == 0 {
            return Err(metadata.fault("its width, height or stride is 0".to_owned()));
        }
        Ok(Self { model, alphabet, width, height, columns: width / stride })
    }

    /// The strip must have the recogniser's `width` and `height`.
    pub(crate) fn recognize(&self, strip: &Strip) -> Result<LogProbs, ReadError> {
        let pixels: Vec<f32> = strip.pixels.iter().map(|&grey| f32::from(grey)).collect();
        let output = self.model.run(&pixels)?;
        LogProbs::new(self.columns, self.alphabet.classes(), output).ok_or(ReadError::Model)
    }
}
