//! How the outcomes of files are written: JSON lines, CSV or a table to `out`; reasons to standard error.

use std::io::{self, Write};
use std::path::Path;

use kahao_reader::CardReading;
use serde::Serialize;

use crate::commands::pictures::{FileError, Outcome};
use crate::commands::table::pad;
use crate::error::ApiError;
use crate::response::{Answer, Envelope};
use crate::secret::random_hex;

/// How outcomes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Csv,
    Table,
}

/// Columns of CSV and table. `gap` is the width of a column in the table, in columns of a terminal.
const COLUMNS: &[(&str, usize)] =
    &[("file", 32), ("number", 20), ("prob", 6), ("valid_date", 10), ("type", 10), ("name", 0)];

/// Writes outcomes one after the other.
pub(crate) struct Reporter<W> {
    out: W,
    format: Format,
    detail: bool,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    elapsed_ms: u64,
    #[serde(flatten)]
    envelope: Envelope<'a>,
}

impl<W: Write> Reporter<W> {
    /// Writes the heading, where the format has one and `out` has not.
    pub(crate) fn new(out: W, format: Format, detail: bool, is_begun: bool) -> io::Result<Self> {
        let mut reporter = Self { out, format, detail };
        let heading: Vec<_> = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
        match format {
            Format::Csv | Format::Table if !is_begun => reporter.write_row(&heading)?,
            _ => {}
        }
        Ok(reporter)
    }

    /// Writes what became of a file.
    pub(crate) fn report(&mut self, file: &Path, outcome: &Outcome) -> io::Result<()> {
        let file = file.to_string_lossy();
        if let Err(error) = &outcome.result {
            eprintln!("kahao: {file}: {error}");
        }
        match (self.format, &outcome.result) {
            (Format::Json, result) => {
                let answer = answer(result, self.detail);
                let request_id = random_hex::<16>();
                let line = Line {
                    file: &file,
                    elapsed_ms: outcome.elapsed.as_millis() as u64,
                    envelope: answer.envelope(&request_id),
                };
                serde_json::to_writer(&mut self.out, &line)?;
                writeln!(self.out)?;
            }
            (_, Ok(cards)) => {
                for card in cards {
                    self.write_row(&row(&file, card))?;
                }
            }
            (_, Err(_)) => {}
        }
        // Whoever watches a long run sees each line as it comes.
        self.out.flush()
    }

    /// Nothing is left unwritten.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn write_row(&mut self, cells: &[String]) -> io::Result<()> {
        let line = match self.format {
            Format::Csv => cells.iter().map(|cell| quote(cell)).collect::<Vec<_>>().join(","),
            _ => cells.iter().zip(COLUMNS).map(|(cell, (_, width))| pad(cell, *width)).collect(),
        };
        writeln!(self.out, "{}", line.trim_end())
    }
}

/// What the service would have answered.
fn answer(result: &Result<Vec<CardReading>, FileError>, detail: bool) -> Answer {
    match result {
        Ok(cards) => Answer::cards(cards, detail),
        Err(FileError::Read(error)) => Answer::from(&ApiError::from(error.clone())),
        Err(FileError::Panicked) => Answer::from(&ApiError::Panicked),
        Err(FileError::Io(_)) => Answer::refusal(
            axum::http::StatusCode::BAD_REQUEST,
            "the file cannot be opened".into(),
            "文件无法打开".into(),
            None,
        ),
    }
}

fn row(file: &str, card: &CardReading) -> Vec<String> {
    vec![
        file.to_owned(),
        card.number.value.digits().to_owned(),
        format!("{:.3}", card.number.prob),
        card.valid_date.as_ref().map(|date| date.value.to_string()).unwrap_or_default(),
        card.card_type.map(|kind| kind.name_cn().to_owned()).unwrap_or_default(),
        card.issuer.as_ref().map(|issuer| issuer.best_name().to_owned()).unwrap_or_default(),
    ]
}

/// A CSV cell by RFC 4180.
fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_cells() {
        for (cell, quoted) in [
            ("plain", "plain"),
            ("中国工商银行", "中国工商银行"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
        ] {
            assert_eq!(quote(cell), quoted);
        }
    }
}
