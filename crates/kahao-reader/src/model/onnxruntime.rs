//! The networks run by ONNX Runtime, whose library is loaded at run time: a second implementation of [`Model`].

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::session::Session;
use ort::value::TensorRef;

use super::{InputSize, Metadata, Model};
use crate::{LoadError, ReadError};

/// ONNX Runtime, loaded; there is one in a process.
pub(crate) struct Runtime {
    environment: Environment,
}

impl Runtime {
    /// Loads the library; with `cuda` the networks run on the first CUDA device or not at all.
    pub(crate) fn open(library: &Path, cuda: bool) -> Result<Self, LoadError> {
        let fault = |reason: String| LoadError { name: "ONNX Runtime", reason };
        let mut builder = ort::init_from(library).map_err(|error| fault(error.to_string()))?;
        if cuda {
            builder = builder.with_execution_providers([ort::ep::CUDA::default().build().error_on_failure()]);
        }
        Ok(Self { environment: builder.build().map_err(|error| fault(error.to_string()))? })
    }

    /// As [`super::load`].
    pub(crate) fn load(
        &self,
        name: &'static str,
        file: &'static [u8],
    ) -> Result<(Box<dyn Model>, Metadata), LoadError> {
        let session = session(&self.environment, file)
            .map_err(|error| LoadError { name, reason: error.to_string() })?;
        let fields = fields(&session).map_err(|error| LoadError { name, reason: error.to_string() })?;
        let metadata = Metadata { name, fields };
        let size = InputSize::of(&metadata)?;
        let environment = self.environment.clone();
        Ok((Box::new(Sessions { environment, file, size, idle: Mutex::new(vec![session]) }), metadata))
    }
}

fn session(environment: &Environment, file: &[u8]) -> ort::Result<Session> {
    // One thread, the caller's: pictures run side by side, operators do not.
    Session::builder(environment)?.with_intra_threads(1)?.commit_from_memory(file)
}

fn fields(session: &Session) -> ort::Result<Vec<(String, String)>> {
    let metadata = session.metadata()?;
    let keys = metadata.custom_keys()?;
    Ok(keys.into_iter().filter_map(|key| metadata.custom(&key).map(|value| (key, value))).collect())
}

/// A network's sessions: each runs one input at a time, so there are as many as threads have read at once.
struct Sessions {
    environment: Environment,
    file: &'static [u8],
    size: InputSize,
    idle: Mutex<Vec<Session>>,
}

impl Model for Sessions {
    fn run(&self, pixels: &[f32]) -> Result<Vec<f32>, ReadError> {
        let shape = self.size.shape(pixels.len())?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut session = match idle {
            Some(session) => session,
            None => session(&self.environment, self.file).map_err(|_| ReadError::Model)?,
        };
        let output = self.run_in(&mut session, shape, pixels).map_err(|_| ReadError::Model);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        output
    }
}

impl Sessions {
    fn run_in(&self, session: &mut Session, shape: [usize; 4], pixels: &[f32]) -> ort::Result<Vec<f32>> {
        let input = TensorRef::from_array_view((shape, pixels))?;
        let outputs = session.run(ort::inputs![input])?;
        let (_, values) = outputs[0].try_extract_tensor::<f32>()?;
        Ok(values.to_vec())
    }
}
