//! The networks run by ONNX Runtime, whose library is loaded at run time: a second implementation of [`Model`].

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::ep::{CUDA, ExecutionProviderDispatch};
use ort::session::Session;
use ort::value::TensorRef;

use super::{InputSize, Metadata, Model};
use crate::{LoadError, ReadError};

/// The library and its environment, of which a process has one for good: the library can be neither exchanged nor,
/// once its environment is gone, started again.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

fn environment(library: &Path) -> Result<Environment, String> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    match &*loaded {
        Some((path, environment)) if path == library => Ok(environment.clone()),
        Some((path, _)) => Err(format!("this process has already loaded {}", path.display())),
        None => {
            let builder = ort::init_from(library).map_err(|error| error.to_string())?;
            let environment = builder.with_telemetry(false).build().map_err(|error| error.to_string())?;
            *loaded = Some((library.to_owned(), environment.clone()));
            Ok(environment)
        }
    }
}

/// ONNX Runtime, loaded, and where it runs networks.
#[derive(Clone)]
pub(crate) struct Runtime {
    environment: Environment,
    providers: Vec<ExecutionProviderDispatch>,
}

impl Runtime {
    /// Loads the library; with `cuda` the networks run on the first CUDA device or not at all.
    pub(crate) fn open(library: &Path, cuda: bool) -> Result<Self, LoadError> {
        let environment =
            environment(library).map_err(|reason| LoadError { name: "ONNX Runtime", reason })?;
        let providers = if cuda { vec![CUDA::default().build().error_on_failure()] } else { Vec::new() };
        Ok(Self { environment, providers })
    }

    /// As [`super::load`].
    pub(crate) fn load(
        &self,
        name: &'static str,
        file: &'static [u8],
    ) -> Result<(Box<dyn Model>, Metadata), LoadError> {
        let fault = |error: ort::Error| LoadError { name, reason: error.to_string() };
        let session = self.session(file).map_err(fault)?;
        let fields = fields(&session).map_err(fault)?;
        let metadata = Metadata { name, fields };
        let size = InputSize::of(&metadata)?;
        let runtime = self.clone();
        Ok((Box::new(Sessions { runtime, file, size, idle: Mutex::new(vec![session]) }), metadata))
    }

    fn session(&self, file: &[u8]) -> ort::Result<Session> {
        // One thread, the caller's: pictures run side by side, operators do not.
        let builder = Session::builder(&self.environment)?.with_intra_threads(1)?;
        builder.with_execution_providers(&self.providers)?.commit_from_memory(file)
    }
}

fn fields(session: &Session) -> ort::Result<Vec<(String, String)>> {
    let metadata = session.metadata()?;
    let keys = metadata.custom_keys()?;
    Ok(keys.into_iter().filter_map(|key| metadata.custom(&key).map(|value| (key, value))).collect())
}

/// A network's sessions: each runs one input at a time, so there are as many as threads have read at once.
struct Sessions {
    runtime: Runtime,
    file: &'static [u8],
    size: InputSize,
    idle: Mutex<Vec<Session>>,
}

impl Model for Sessions {
    fn run(&self, pixels: &[f32], width: usize) -> Result<Vec<f32>, ReadError> {
        let shape = self.size.shape(pixels.len(), width)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut session = match idle {
            Some(session) => session,
            None => self.runtime.session(self.file).map_err(|_| ReadError::Model)?,
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
