//! Runs the networks; this file and the one below it alone name the inference engines.
//! Whatever a caller must know of a model (sizes, alphabet, units) is read from the model file's own metadata.

#[cfg(feature = "onnxruntime")]
pub(crate) mod onnxruntime;

use std::sync::Arc;

use rten::{Model as Engine, RunOptions, ThreadPool};
use rten_tensor::NdTensorView;
use rten_tensor::prelude::*;

use crate::{LoadError, ReadError};

/// A network with one input and one output. Tests put fakes in its place.
pub(crate) trait Model: Send + Sync {
    /// `pixels` are grey, 0 to 255, row-major, in rows of `width`; neither side is longer than the metadata tells. The output is
    /// row-major.
    fn run(&self, pixels: &[f32], width: usize) -> Result<Vec<f32>, ReadError>;
}

/// Facts that the export wrote into a model file.
pub(crate) struct Metadata {
    name: &'static str,
    fields: Vec<(String, String)>,
}

impl Metadata {
    /// A field's text.
    pub(crate) fn text(&self, key: &str) -> Result<&str, LoadError> {
        let found = self.fields.iter().find(|(field, _)| field == key);
        found.map(|(_, value)| value.as_str()).ok_or_else(|| self.fault(format!("its metadata has no {key}")))
    }

    /// A field as a number.
    pub(crate) fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T, LoadError> {
        self.text(key)?
            .parse()
            .map_err(|_| self.fault(format!("its metadata's {key} is not a number in range")))
    }

    /// What a test's fake tells of itself.
    #[cfg(test)]
    pub(crate) fn of(name: &'static str, fields: &[(&str, &str)]) -> Self {
        Self {
            name,
            fields: fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        }
    }

    /// An error about this model.
    pub(crate) fn fault(&self, reason: String) -> LoadError {
        LoadError { name: self.name, reason }
    }
}

/// The largest size of a network's inputs, px.
#[derive(Clone, Copy)]
struct InputSize {
    height: usize,
    width: usize,
}

impl InputSize {
    fn of(metadata: &Metadata) -> Result<Self, LoadError> {
        Ok(Self { height: metadata.number("height")?, width: metadata.number("width")? })
    }

    /// Batch, channels, height and width of an input of so many pixels.
    fn shape(self, pixels: usize, width: usize) -> Result<[usize; 4], ReadError> {
        let height = pixels.checked_div(width).unwrap_or(0);
        let fits = (1..=self.width).contains(&width) && (1..=self.height).contains(&height);
        (fits && width * height == pixels).then_some([1, 1, height, width]).ok_or(ReadError::Model)
    }
}

/// Loads a model that lies in the binary into rten.
pub(crate) fn load(name: &'static str, file: &'static [u8]) -> Result<(Box<dyn Model>, Metadata), LoadError> {
    let engine =
        Engine::load_static_slice(file).map_err(|error| LoadError { name, reason: error.to_string() })?;
    let fields = engine.metadata().fields().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let metadata = Metadata { name, fields };
    let size = InputSize::of(&metadata)?;
    Ok((Box::new(Rten { engine, size }), metadata))
}

/// A model whose output a test computes.
#[cfg(test)]
pub(crate) struct Fake<F>(pub(crate) F);

#[cfg(test)]
impl<F: Fn(&[f32]) -> Vec<f32> + Send + Sync> Model for Fake<F> {
    fn run(&self, pixels: &[f32], _: usize) -> Result<Vec<f32>, ReadError> {
        Ok((self.0)(pixels))
    }
}

struct Rten {
    engine: Engine,
    size: InputSize,
}

thread_local! {
    /// One inference thread for each thread that reads: pictures run side by side, operators do not.
    static OWN_THREAD: Arc<ThreadPool> = Arc::new(ThreadPool::with_num_threads(1));
}

impl Model for Rten {
    fn run(&self, pixels: &[f32], width: usize) -> Result<Vec<f32>, ReadError> {
        let input = NdTensorView::try_from_data(self.size.shape(pixels.len(), width)?, pixels)
            .map_err(|_| ReadError::Model)?;
        let options = RunOptions::default().with_thread_pool(Some(OWN_THREAD.with(Arc::clone)));
        let output = self.engine.run_one(input.into(), Some(options)).map_err(|_| ReadError::Model)?;
        let tensor = output.into_tensor::<f32>().ok_or(ReadError::Model)?;
        Ok(tensor.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PyTorch made of two drawn pictures when the model was exported; `training/export.py` tells the format.
    struct Parity {
        inputs: Vec<Vec<f32>>,
        outputs: Vec<Vec<f32>>,
    }

    fn parity(file: &[u8]) -> Parity {
        let word = |index: usize| u32::from_le_bytes(file[4 * index..][..4].try_into().unwrap()) as usize;
        let (count, pixels, values) = (word(0), word(1), word(2));
        assert_eq!(
            file.len(),
            12 + count * (pixels + 4 * values),
            "the file has the size that its head tells"
        );
        let (inputs, outputs) = file[12..].split_at(count * pixels);
        let float = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
        Parity {
            inputs: inputs
                .chunks_exact(pixels)
                .map(|input| input.iter().map(|&grey| f32::from(grey)).collect())
                .collect(),
            outputs: outputs
                .chunks_exact(4 * values)
                .map(|output| output.chunks_exact(4).map(float).collect())
                .collect(),
        }
    }

    /// Runs a model on the inputs and compares every value, after `scale`, with what PyTorch gave.
    fn check_parity(name: &'static str, model: &'static [u8], file: &[u8], scale: fn(f32) -> f32) {
        let (model, metadata) = load(name, model).unwrap();
        let Parity { inputs, outputs } = parity(file);
        assert_eq!((inputs.len(), outputs.len()), (2, 2));
        // Those for dates are narrower than the widest that it takes.
        let height: usize = metadata.number("height").unwrap();
        for (input, expected) in inputs.iter().zip(&outputs) {
            let output = model.run(input, input.len() / height).unwrap();
            assert_eq!(output.len(), expected.len(), "{name}");
            let differences = output.iter().zip(expected).map(|(a, b)| (scale(*a) - scale(*b)).abs());
            // Not `f32::max` alone: it passes over NaN.
            let worst =
                differences.fold(0.0, |worst: f32, d| if d.is_nan() { f32::INFINITY } else { worst.max(d) });
            assert!(worst <= 1e-3, "{name}: {worst} off what PyTorch gives");
        }
    }

    #[test]
    fn the_locators_run_as_they_were_trained() {
        let as_is = |logit| logit;
        let full = include_bytes!("../../../testdata/parity/locator.bin");
        check_parity("locator", crate::LOCATOR, full, as_is);
        let small = include_bytes!("../../../testdata/parity/locator-small.bin");
        check_parity("locator-small", crate::SMALL_LOCATOR, small, as_is);
        let holder = include_bytes!("../../../testdata/parity/locator-holder.bin");
        check_parity("locator-holder", crate::HOLDER_LOCATOR, holder, as_is);
        let card = include_bytes!("../../../testdata/parity/locator-card.bin");
        check_parity("locator-card", crate::CARD_LOCATOR, card, as_is);
        let stack = include_bytes!("../../../testdata/parity/locator-stack.bin");
        check_parity("locator-stack", crate::STACK_LOCATOR, stack, as_is);
    }

    #[test]
    fn the_recognizers_run_as_they_were_trained() {
        // As probabilities: the logarithm of a hopeless symbol is large and its rounding harmless.
        let date = include_bytes!("../../../testdata/parity/recognizer-date.bin");
        check_parity("recognizer-date", crate::DATE_RECOGNIZER, date, f32::exp);
        let full = include_bytes!("../../../testdata/parity/recognizer.bin");
        check_parity("recognizer", crate::RECOGNIZER, full, f32::exp);
        let small = include_bytes!("../../../testdata/parity/recognizer-small.bin");
        check_parity("recognizer-small", crate::SMALL_RECOGNIZER, small, f32::exp);
        let holder = include_bytes!("../../../testdata/parity/recognizer-holder.bin");
        check_parity("recognizer-holder", crate::HOLDER_RECOGNIZER, holder, f32::exp);
    }

    #[test]
    fn a_recognizer_takes_shorter_strips() {
        let (model, _) = load("recognizer", crate::RECOGNIZER).unwrap();
        let classes = model.run(&[0.0; 48 * 480], 480).unwrap().len() / 80;
        assert_eq!(model.run(&[0.0; 48 * 276], 276).unwrap().len(), 46 * classes);
    }

    #[test]
    fn an_input_of_the_wrong_size_is_refused() {
        let (model, _) = load("recognizer", crate::RECOGNIZER).unwrap();
        for (pixels, width) in [(0, 0), (0, 480), (480, 0), (7, 480), (48 * 480 + 1, 480), (48 * 486, 486)] {
            assert_eq!(model.run(&vec![0.0; pixels], width), Err(ReadError::Model), "{pixels} of {width}");
        }
    }
}
