//! `kahao read`: the cards in files and folders, in the order of the files.

mod files;
mod report;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::pictures;
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
    let files = files::find(&config.paths)?;
    let (read, jobs) = (config.pictures.reader()?, config.pictures.jobs()?);
    let out = io::BufWriter::new(io::stdout().lock());
    let all_read = read_all(&files, jobs, &*read, out, config).context("cannot write to standard output")?;
    Ok(ExitCode::from(u8::from(!all_read)))
}

/// Reads on `jobs` threads and writes what became of the files; whether all were read.
fn read_all(
    files: &[PathBuf],
    jobs: usize,
    read: &pictures::Read,
    out: impl Write,
    config: &ReadConfig,
) -> io::Result<bool> {
    let mut reporter = Reporter::new(out, config.format.format(), config.detail)?;
    let mut all_read = true;
    pictures::read_all(files, jobs, read, |index, outcome| {
        all_read &= outcome.result.is_ok();
        reporter.report(&files[index], &outcome)
    })?;
    reporter.finish()?;
    Ok(all_read)
}

#[cfg(test)]
mod tests;
