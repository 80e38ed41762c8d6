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
    /// Of the strips it takes at most, px.
    pub(crate) width: usize,
    /// Of the strips it takes, px.
    pub(crate) height: usize,
    stride: usize,
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
        Ok(Self { model, alphabet, width, height, stride })
    }

    /// The strip must have the recogniser's `height` and at most its `width`.
    pub(crate) fn recognize(&self, strip: &Strip) -> Result<LogProbs, ReadError> {
        let pixels: Vec<f32> = strip.pixels.iter().map(|&grey| f32::from(grey)).collect();
        let output = self.model.run(&pixels, strip.width)?;
        LogProbs::new(strip.width / self.stride, self.alphabet.classes(), output).ok_or(ReadError::Model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fake;

    const FIELDS: [(&str, &str); 5] =
        [("alphabet", "01/"), ("blank", "0"), ("width", "8"), ("height", "2"), ("stride", "4")];

    /// A recogniser of strips of 8 x 2 px, with two columns of four classes.
    fn recognizer(
        network: impl Fn(&[f32]) -> Vec<f32> + Send + Sync + 'static,
        fields: &[(&str, &str)],
    ) -> Result<Recognizer, LoadError> {
        Recognizer::new(Box::new(Fake(network)), &Metadata::of("fake", fields))
    }

    #[test]
    fn the_network_sees_the_strip_as_it_is_and_its_columns_come_back() {
        let answer = vec![-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0];
        let given = answer.clone();
        let network = move |pixels: &[f32]| {
            assert_eq!(pixels, (0..16).map(|grey| (grey * 17) as f32).collect::<Vec<_>>());
            given.clone()
        };
        let strip = Strip { pixels: (0..16).map(|grey| grey * 17).collect(), width: 8 };
        let log_probs = recognizer(network, &FIELDS).unwrap().recognize(&strip).unwrap();
        assert_eq!(Some(log_probs), LogProbs::new(2, 4, answer));
    }

    #[test]
    fn an_output_of_the_wrong_size_is_the_models_fault() {
        for values in [0, 7, 9] {
            let recognizer = recognizer(move |_| vec![-1.0; values], &FIELDS).unwrap();
            let reading = recognizer.recognize(&Strip { pixels: vec![0; 16], width: 8 });
            assert_eq!(reading.err(), Some(ReadError::Model), "{values}");
        }
    }

    #[test]
    fn metadata_that_does_not_fit_is_refused() {
        for (key, value) in [
            ("alphabet", "00/"),
            ("blank", "4"),
            ("blank", "-1"),
            ("width", "0"),
            ("height", "0"),
            ("stride", "0"),
            ("stride", "wide"),
        ] {
            let mut fields = FIELDS;
            fields.iter_mut().filter(|(name, _)| *name == key).for_each(|field| field.1 = value);
            assert!(recognizer(|_| Vec::new(), &fields).is_err(), "{key} = {value}");
            let without: Vec<_> = FIELDS.into_iter().filter(|(name, _)| *name != key).collect();
            assert!(recognizer(|_| Vec::new(), &without).is_err(), "no {key}");
        }
    }
}
