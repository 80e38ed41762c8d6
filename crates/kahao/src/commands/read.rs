//! `kahao read`: the cards in files and folders, in the order of the files.

mod annotated;
mod files;
mod output;
mod report;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use kahao_reader::Numbers;

use super::pictures;
use super::progress::Progress;
use output::Output;
use report::{Format, Reporter};

/// As a shell tells that Ctrl-C ended a command.
const INTERRUPTED: u8 = 130;

/// Settings of `kahao read`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadConfig {
    /// Pictures, and folders that are searched for pictures; - reads a picture from standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    format: FormatFlags,
    /// Add the fields beyond those of the hosted API
    #[arg(long)]
    detail: bool,
    /// Write to this file, which must not be there yet and which only you can read, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Go on with the --output of an earlier run: files that it names are not read again
    #[arg(long, requires = "output", conflicts_with = "table")]
    skip_existing: bool,
    /// Write each picture that was read into this folder too, with numbers covered and readings drawn over it
    #[arg(long, value_name = "DIR")]
    annotate: Option<PathBuf>,
    /// Leave numbers visible in the annotated pictures
    #[arg(long, requires = "annotate")]
    reveal: bool,
    #[command(flatten)]
    pictures: pictures::Config,
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

/// Reads every picture; exit code 0 when each gave a card, 1 when some did not.
pub(crate) fn run(config: &ReadConfig) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        !config.skip_existing || config.format.format() != Format::Table,
        "a table cannot be gone on with: add --csv or --json to --skip-existing"
    );
    let mut files = files::find(&config.paths)?;
    let output = output::open(config.output.as_deref(), config.skip_existing, config.format.format())?;
    files.retain(|file| !output.done.contains(&*file.to_string_lossy()));
    let (read, jobs) = (config.pictures.reader(config.detail)?, config.pictures.jobs()?);
    let stop = stop_on_ctrl_c()?;
    let end = read_all(&files, jobs, &*read, output, config, &stop).context("cannot write the results")?;
    if end.reported < files.len() {
        let hint = if config.output.is_some() { ": --skip-existing goes on with the rest" } else { "" };
        eprintln!("kahao: stopped after {} of {} pictures{hint}", end.reported, files.len());
        return Ok(ExitCode::from(INTERRUPTED));
    }
    Ok(ExitCode::from(u8::from(!end.all_read)))
}

/// How a run ended.
struct End {
    /// Files whose outcome was written.
    reported: usize,
    /// Each of them gave a card, and its annotated picture if one was asked for.
    all_read: bool,
}

/// Reads on `jobs` threads and writes what became of the files.
fn read_all(
    files: &[PathBuf],
    jobs: usize,
    read: &pictures::Read,
    output: Output<impl Write>,
    config: &ReadConfig,
    stop: &AtomicBool,
) -> io::Result<End> {
    let mut reporter = Reporter::new(output.writer, config.format.format(), config.detail, output.is_begun)?;
    let mut progress = Progress::new(files.len(), config.output.is_none() && io::stdout().is_terminal());
    let mut end = End { reported: 0, all_read: true };
    let all_annotated = AtomicBool::new(true);
    let read_and_annotate = |file: &Path, picture: &[u8]| {
        let cards = read(picture)?;
        if let Some(folder) = &config.annotate {
            let numbers = if config.reveal { Numbers::Shown } else { Numbers::Masked };
            if let Err(error) = annotated::write(folder, file, picture, &cards, numbers) {
                eprintln!("kahao: {}: {error}", file.display());
                all_annotated.store(false, Ordering::Relaxed);
            }
        }
        Ok(cards)
    };
    pictures::read_all(files, jobs, &read_and_annotate, stop, |index, outcome| {
        let is_read = outcome.result.is_ok();
        end.all_read &= is_read;
        end.reported += 1;
        if !is_read || config.output.is_none() {
            progress.clear();
        }
        reporter.report(&files[index], &outcome)?;
        progress.advance(is_read);
        Ok(())
    })?;
    progress.clear();
    reporter.finish()?;
    end.all_read &= all_annotated.into_inner();
    Ok(end)
}

/// Set at the first Ctrl-C, so that pictures underway are finished and written; the second ends at once.
fn stop_on_ctrl_c() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let set = Arc::clone(&stop);
    // It waits for as long as the program runs.
    std::thread::Builder::new().name("ctrl-c".into()).spawn(move || {
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                set.store(true, Ordering::Relaxed);
                eprintln!("\nkahao: finishing the pictures that are being read; Ctrl-C again ends at once");
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(i32::from(INTERRUPTED));
            }
        });
    })?;
    Ok(stop)
}

#[cfg(test)]
mod tests;
