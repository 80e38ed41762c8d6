//! `kahao bin`: what numbers tell without a picture.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use kahao_reader::card::BinTable;

use super::table::pad;
use crate::issuers::{self, IssuerTable};
use crate::number::{Number, NumberFacts};
use crate::secret::Secret;

/// Settings of `kahao bin`.
#[derive(Debug, clap::Args)]
pub(crate) struct BinConfig {
    /// Card numbers, or their first 6 digits or more; the others may be hidden: 622202*********1234. With - they are
    /// read from standard input, one a line. Everybody on this machine can see arguments in its list of
    /// processes: ask for whole numbers by -
    #[arg(required = true, value_name = "NUMBER")]
    numbers: Vec<Secret>,
    /// One JSON object a number
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    issuers: issuers::Config,
}

/// Columns of the table with their widths in columns of a terminal.
const COLUMNS: [(&str, usize); 7] =
    [("number", 21), ("scheme", 12), ("luhn", 6), ("type", 10), ("code", 10), ("name", 44), ("card", 0)];

/// Looks every number up; exit code 0 when all have an issuer, 1 when some have none, 2 when some are no numbers.
pub(crate) fn run(config: &BinConfig) -> anyhow::Result<ExitCode> {
    let table = IssuerTable::load(&config.issuers)?.current();
    let asked = config.numbers.iter().map(|typed| match typed.reveal() {
        "-" => Ok(None),
        number => number.parse().map(Some),
    });
    let asked: Vec<Result<Option<Number>, _>> = asked.collect();
    let faults = asked.iter().enumerate().filter_map(|(at, number)| {
        number.as_ref().err().map(|error| format!("argument {}: {error}", at + 1))
    });
    let faults: Vec<String> = faults.collect();
    ensure!(faults.is_empty(), "{}", faults.join("; "));

    let mut reporter = Reporter { out: io::stdout().lock(), json: config.json, table: &table, status: 0 };
    reporter.head()?;
    for number in asked.into_iter().flatten() {
        match number {
            Some(number) => reporter.report(&number)?,
            None => read_lines(io::stdin().lock(), &mut reporter)?,
        }
    }
    Ok(ExitCode::from(reporter.status))
}

/// Answers each line as it comes. A line that is no number is named and left out.
fn read_lines(lines: impl BufRead, reporter: &mut Reporter<'_, impl Write>) -> anyhow::Result<()> {
    for (at, line) in lines.split(b'\n').enumerate() {
        let line = line.context("cannot read standard input")?;
        let line = String::from_utf8_lossy(&line);
        if line.trim().is_empty() {
            continue;
        }
        match line.parse::<Number>() {
            Ok(number) => reporter.report(&number)?,
            Err(error) => {
                eprintln!("kahao: standard input, line {}: {error}", at + 1);
                reporter.status = 2;
            }
        }
    }
    Ok(())
}

/// Writes answers one after the other, and keeps the exit code.
struct Reporter<'t, W> {
    out: W,
    json: bool,
    table: &'t BinTable,
    status: u8,
}

impl<W: Write> Reporter<'_, W> {
    fn head(&mut self) -> anyhow::Result<()> {
        if self.json { Ok(()) } else { self.write_row(COLUMNS.map(|(name, _)| name)) }
    }

    fn report(&mut self, number: &Number) -> anyhow::Result<()> {
        let facts = NumberFacts::of(number, self.table);
        if !facts.is_known() {
            self.status = self.status.max(1);
        }
        if self.json {
            let line = serde_json::to_string(&facts).context("cannot be written as JSON")?;
            return writeln!(self.out, "{line}").context("cannot write to standard output");
        }
        let luhn = facts.luhn_valid.map_or("", |valid| if valid { "yes" } else { "no" });
        let NumberFacts { number, name, r#type, bank_code, card_name, scheme, .. } = &facts;
        self.write_row([number, scheme, luhn, r#type, bank_code, name, card_name])
    }

    fn write_row(&mut self, cells: [&str; COLUMNS.len()]) -> anyhow::Result<()> {
        let line: String = cells.iter().zip(COLUMNS).map(|(cell, (_, width))| pad(cell, width)).collect();
        writeln!(self.out, "{}", line.trim_end()).context("cannot write to standard output")
    }
}
