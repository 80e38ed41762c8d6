//! `kahao eval`: how well labelled pictures are read, in figures. Prints no card number, neither a read nor a labelled
//! one: its output may be kept and shown.

mod figures;
mod labels;
mod report;
mod share;
mod tally;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail, ensure};

use super::pictures;
use figures::Figures;
use labels::{Label, Only, Truth};
use share::Share;
use tally::Tally;

/// Settings of `kahao eval`.
#[derive(Debug, clap::Args)]
pub(crate) struct EvalConfig {
    /// A CSV file with a line a picture. Columns: file, number (empty where there is nothing to read; a ? in it where
    /// nobody can tell); and where known valid_date (MM/YY, empty or a ?), holder (likewise), kind, print, orientation, cards (how
    /// many), bank_printed, quad (corners of the number in px: x y x y x y x y), card (likewise of the card with that number)
    #[arg(value_name = "LABELS.csv")]
    labels: PathBuf,
    /// Where the pictures are; otherwise in the folder `cards` beside the labels if there is one, or else beside them
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Only the pictures with one of these values in a column of the labels: kind=photo,scan
    #[arg(long, value_name = "COLUMN=VALUE,…")]
    only: Vec<Only>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Exit status 1 when a smaller share of the legible numbers is read whole
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    min_right: Option<f64>,
    /// Exit status 1 when a smaller share of the pictures without a number is left unread
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    min_unread: Option<f64>,
    /// Exit status 1 when a smaller share of the holders' names is right
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    min_holder: Option<f64>,
    #[command(flatten)]
    reading: pictures::Config,
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share is a number from 0 to 1".into()),
    }
}

/// Reads and counts; exit code 0, or 1 when fewer are right than asked for.
pub(crate) fn run(config: &EvalConfig) -> anyhow::Result<ExitCode> {
    let labels = labels::read(&config.labels, config.pictures.as_deref(), &config.only)?;
    let details = labels.iter().any(|label| label.holder != Truth::Unknown || label.card.is_some());
    let (read, jobs) = (config.reading.reader(details)?, config.reading.jobs()?);
    let figures = measure(&labels, jobs, &*read)?;
    write(&figures, config.json).context("cannot write to standard output")?;
    let holder = figures.holder.as_ref().map_or(Share::new(0, 0), |holder| holder.right);
    let checks = [
        (config.min_right, figures.numbers.all.read_right, "legible numbers"),
        (config.min_unread, figures.left_unread, "pictures without a number"),
        (config.min_holder, holder, "holders' names"),
    ];
    let mut reached = true;
    for (least, share, of_what) in checks {
        let Some(least) = least else { continue };
        reached &= is_reached(least, share, of_what)?;
    }
    Ok(ExitCode::from(u8::from(!reached)))
}

/// Whether a share is at least `least`; standard error tells when not. Nothing counted proves nothing.
fn is_reached(least: f64, share: Share, of_what: &str) -> anyhow::Result<bool> {
    let Some(value) = share.share else {
        bail!("the labels have no {of_what}: ask for no share of them");
    };
    if value < least {
        eprintln!(
            "kahao: of the {of_what} {share} are as labelled, less than the {:.1} % asked for",
            100.0 * least
        );
    }
    Ok(value >= least)
}

fn measure(labels: &[Label], jobs: usize, read: &pictures::Read) -> anyhow::Result<Figures> {
    ensure!(!labels.is_empty(), "no label is left to measure: name other values with --only");
    let files: Vec<PathBuf> = labels.iter().map(|label| label.path.clone()).collect();
    let mut tally = Tally::default();
    let never = AtomicBool::new(false);
    pictures::read_all(&files, jobs, &|_, picture| read(picture), &never, |index, outcome| {
        tally.count(&labels[index], &outcome);
        Ok(())
    })?;
    Ok(tally.figures(jobs))
}

fn write(figures: &Figures, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, figures)?;
        writeln!(out)
    } else {
        report::write(figures, &mut out)
    }
}

#[cfg(test)]
mod tests;
