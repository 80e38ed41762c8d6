//! Reading many picture files, on as many cores as asked, in the order of the files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use kahao_reader::{CardReading, ReadError};

use crate::engine;
use crate::input::MAX_PICTURE_BYTES;
use crate::issuers::{self, IssuerTable};
use crate::telemetry;

/// How a picture is read: the models, a fake in tests.
pub(crate) type Read = dyn Fn(&[u8]) -> Result<Vec<CardReading>, ReadError> + Send + Sync;

/// How files are read, for every command that reads some.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Config {
    /// Pictures read at the same time; 0 is one for each core
    #[arg(long, value_name = "N", default_value_t = 0)]
    jobs: usize,
    #[command(flatten)]
    issuers: issuers::Config,
    #[command(flatten)]
    engine: engine::Config,
}

impl Config {
    /// The models with the table that the settings name, which read holders and find cards too with `details`. From here on a panic is told in one line.
    pub(crate) fn reader(&self, details: bool) -> anyhow::Result<Box<Read>> {
        telemetry::on_panic(|place| eprintln!("kahao: the reader panicked at {place}"));
        let table = IssuerTable::load(&self.issuers)?.current();
        let reader = self.engine.reader()?.with_table(table).with_details(details);
        Ok(Box::new(move |picture: &[u8]| reader.read(picture)))
    }

    /// Threads to read on.
    pub(crate) fn jobs(&self) -> io::Result<usize> {
        match self.jobs {
            0 => Ok(std::thread::available_parallelism()?.get()),
            jobs => Ok(jobs),
        }
    }
}

/// What became of one file.
pub(crate) struct Outcome {
    pub(crate) result: Result<Vec<CardReading>, FileError>,
    pub(crate) elapsed: Duration,
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot be opened: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the reader panicked")]
    Panicked,
}

/// Reads on `jobs` threads and hands the outcomes to `report` in the order of `files`, each with its index; ends
/// early when `report` fails. Once `stop` is set no file is begun; those that were are finished and handed over.
pub(crate) fn read_all(
    files: &[PathBuf],
    jobs: usize,
    read: &(impl Fn(&Path, &[u8]) -> Result<Vec<CardReading>, ReadError> + Sync),
    stop: &AtomicBool,
    mut report: impl FnMut(usize, Outcome) -> io::Result<()>,
) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let (sender, outcomes) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(files.len()) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                while let Some((index, file)) = take(files, next, stop) {
                    let started = Instant::now();
                    let result = read_file(file, read);
                    if sender.send((index, Outcome { result, elapsed: started.elapsed() })).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        // Outcomes that came before their turn.
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (index, outcome) in outcomes {
            early.insert(index, outcome);
            while let Some(outcome) = early.remove(&due) {
                report(due, outcome)?;
                due += 1;
            }
        }
        Ok(())
    })
}

fn take<'f>(files: &'f [PathBuf], next: &AtomicUsize, stop: &AtomicBool) -> Option<(usize, &'f PathBuf)> {
    if stop.load(Ordering::Relaxed) {
        return None;
    }
    let index = next.fetch_add(1, Ordering::Relaxed);
    files.get(index).map(|file| (index, file))
}

/// The path that stands for standard input.
pub(crate) const STANDARD_INPUT: &str = "-";

/// The bytes of a file; one more than the limit is enough for the reader to refuse it.
fn read_bytes(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = MAX_PICTURE_BYTES as u64 + 1;
    match file == Path::new(STANDARD_INPUT) {
        true => io::stdin().lock().take(limit).read_to_end(&mut bytes)?,
        false => File::open(file)?.take(limit).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

fn read_file(
    file: &Path,
    read: &impl Fn(&Path, &[u8]) -> Result<Vec<CardReading>, ReadError>,
) -> Result<Vec<CardReading>, FileError> {
    let bytes = read_bytes(file)?;
    let reading = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(file, &bytes)));
    Ok(reading.map_err(|_| FileError::Panicked)??)
}
