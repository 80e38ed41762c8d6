//! `kahao read`: the cards in files and folders, on as many cores as asked, in the order of the files.

mod files;
mod report;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;
use kahao_reader::{CardReader, CardReading, ReadError};

use crate::input::MAX_PICTURE_BYTES;
use crate::issuers::{self, IssuerTable};
use crate::{telemetry, workers};
use report::{Format, Reporter};

/// Settings of `kahao read`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadConfig {
    /// Pictures, and folders that are searched for pictures
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    format: FormatFlags,
    /// Add the fields beyond those of the hosted API
    #[arg(long)]
    detail: bool,
    /// Pictures read at the same time; 0 is one for each core
    #[arg(long, value_name = "N", default_value_t = 0)]
    jobs: usize,
    #[command(flatten)]
    issuers: issuers::Config,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct FormatFlags {
    /// One JSON object a picture: the service's answer plus `file` and `elapsed_ms`
    #[arg(long)]
    json: bool,
    /// Comma-separated values, one line a card
    #[arg(long)]
    csv: bool,
    /// A table for people, one line a card; the default
    #[arg(long)]
    table: bool,
}

impl FormatFlags {
    fn format(&self) -> Format {
        match self {
            Self { json: true, .. } => Format::Json,
            Self { csv: true, .. } => Format::Csv,
            _ => Format::Table,
        }
    }
}

/// What became of one file.
struct Outcome {
    result: Result<Vec<CardReading>, FileError>,
    elapsed: Duration,
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("cannot be opened: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the reader panicked")]
    Panicked,
}

/// Reads every picture; exit code 0 when each gave a card, 1 when some did not.
pub(crate) fn run(config: &ReadConfig) -> anyhow::Result<ExitCode> {
    let files = files::find(&config.paths)?;
    telemetry::on_panic(|place| eprintln!("kahao: the reader panicked at {place}"));
    let table = IssuerTable::load(&config.issuers)?.current();
    let reader = CardReader::new()?.with_table(table);
    let jobs = match config.jobs {
        0 => std::thread::available_parallelism()?.get(),
        jobs => jobs,
    };
    let read = move |picture: &[u8]| reader.read(picture);
    let out = io::BufWriter::new(io::stdout().lock());
    let all_read = read_all(&files, jobs, &read, out, config).context("cannot write to standard output")?;
    Ok(ExitCode::from(u8::from(!all_read)))
}

/// Reads on `jobs` threads and reports in the order of `files`; whether all were read.
fn read_all(
    files: &[PathBuf],
    jobs: usize,
    read: &workers::Read,
    out: impl Write,
    config: &ReadConfig,
) -> io::Result<bool> {
    let next = AtomicUsize::new(0);
    let (sender, outcomes) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(files.len()) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                while let Some((index, file)) = take(files, next) {
                    let started = Instant::now();
                    let result = read_file(file, read);
                    if sender.send((index, Outcome { result, elapsed: started.elapsed() })).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut reporter = Reporter::new(out, config.format.format(), config.detail)?;
        // Outcomes that came before their turn.
        let mut early = BTreeMap::new();
        let mut all_read = true;
        let mut due = 0;
        for (index, outcome) in outcomes {
            early.insert(index, outcome);
            while let Some(outcome) = early.remove(&due) {
                all_read &= outcome.result.is_ok();
                reporter.report(&files[due], &outcome)?;
                due += 1;
            }
        }
        reporter.finish()?;
        Ok(all_read)
    })
}

fn take<'f>(files: &'f [PathBuf], next: &AtomicUsize) -> Option<(usize, &'f PathBuf)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    files.get(index).map(|file| (index, file))
}

fn read_file(file: &Path, read: &workers::Read) -> Result<Vec<CardReading>, FileError> {
    let mut bytes = Vec::new();
    // One byte more than the limit is enough for the reader to refuse it.
    File::open(file)?.take(MAX_PICTURE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    let reading = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&bytes)));
    Ok(reading.map_err(|_| FileError::Panicked)??)
}

#[cfg(test)]
mod tests;
