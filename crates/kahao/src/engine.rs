//! What runs the networks: rten, inside this binary, or ONNX Runtime, from a library that is loaded at start (feature
//! `onnxruntime`).

use kahao_reader::{CardReader, LoadError};

/// What runs the networks, for every command that reads pictures.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Config {
    /// Library of ONNX Runtime (libonnxruntime.so) that runs the networks instead of the engine inside this binary
    #[cfg(feature = "onnxruntime")]
    #[arg(long, env = "KAHAO_ONNXRUNTIME", value_name = "FILE")]
    pub(crate) onnxruntime: Option<std::path::PathBuf>,
    /// Run them on the first CUDA device, or not at all; needs --onnxruntime
    #[cfg(feature = "onnxruntime")]
    #[arg(long, env = "KAHAO_CUDA", requires = "onnxruntime")]
    pub(crate) cuda: bool,
}

impl Config {
    /// The models, loaded.
    pub(crate) fn reader(&self) -> Result<CardReader, LoadError> {
        #[cfg(feature = "onnxruntime")]
        if let Some(library) = &self.onnxruntime {
            return CardReader::with_onnxruntime(library, self.cuda);
        }
        CardReader::new()
    }
}
