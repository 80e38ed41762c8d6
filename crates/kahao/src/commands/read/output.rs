//! Where results go, and which files are in there already.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};

use super::report::Format;

/// An opened output.
pub(super) struct Output<W> {
    pub(super) writer: W,
    /// Names of files whose results an earlier run wrote.
    pub(super) done: HashSet<String>,
    /// Something is in it already, so it has its heading.
    pub(super) is_begun: bool,
}

/// Standard output, or a file; with `go_on` one that an earlier run has begun.
pub(super) fn open(
    file: Option<&Path>,
    go_on: bool,
    format: Format,
) -> anyhow::Result<Output<Box<dyn Write>>> {
    let Some(path) = file else {
        return Ok(Output {
            writer: Box::new(io::BufWriter::new(io::stdout())),
            done: HashSet::new(),
            is_begun: false,
        });
    };
    let shown = path.display();
    let mut options = OpenOptions::new();
    // Card numbers are nobody else's business on this machine.
    options.write(true).mode(0o600);
    match go_on {
        true => options.read(true).create(true),
        false => options.create_new(true),
    };
    let mut file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{shown} is there already: add --skip-existing to go on with it, or remove it")
        }
        opened => opened.with_context(|| format!("cannot write to {shown}"))?,
    };
    let (done, is_begun) = match go_on {
        true => find_done(&mut file, format).with_context(|| format!("cannot go on with {shown}"))?,
        false => (HashSet::new(), false),
    };
    Ok(Output { writer: Box::new(io::BufWriter::new(file)), done, is_begun })
}

/// Which files a begun output names. A last line without its end is cut off: the run was killed in it.
fn find_done(file: &mut File, format: Format) -> anyhow::Result<(HashSet<String>, bool)> {
    let mut text = String::new();
    file.read_to_string(&mut text).context("it is not UTF-8")?;
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    file.set_len(whole as u64)?;
    io::Seek::seek(file, io::SeekFrom::End(0))?;
    let text = &text[..whole];
    let done: Option<HashSet<String>> = match format {
        Format::Json => text.lines().map(named_in_json).collect(),
        _ => csv::Reader::from_reader(text.as_bytes())
            .records()
            .map(|record| record.ok().and_then(|record| record.get(0).map(str::to_owned)))
            .collect(),
    };
    Ok((done.context("it was not written in this format")?, whole > 0))
}

fn named_in_json(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line["file"].as_str().map(str::to_owned)
}
