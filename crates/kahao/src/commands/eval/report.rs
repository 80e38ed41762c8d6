//! The figures as a table for people.

use std::io::{self, Write};

use super::figures::{Bucket, Figures};
use crate::commands::table::pad;

pub(super) fn write(figures: &Figures, out: &mut impl Write) -> io::Result<()> {
    let Figures { numbers, issuer, .. } = figures;
    writeln!(out, "{} pictures, {} with a legible number", figures.pictures, numbers.all.read_right.of)?;
    writeln!(out, "In brackets the interval that holds the true share in 95 of 100 samples (Wilson), in %")?;
    writeln!(out)?;
    write_row(out, ["", "right", "wrong", "not read", "read whole"])?;
    for bucket in std::iter::once(&numbers.all).chain(&numbers.buckets) {
        write_bucket(out, bucket)?;
    }
    writeln!(out)?;
    let mut write_line = |what: &str, value: String| writeln!(out, "{}{value}", pad(what, WIDTHS[0] + 8));
    write_line("without a number, left unread", figures.left_unread.to_string())?;
    for (what, field) in [("expiry", Some(&figures.expiry)), ("holder", figures.holder.as_ref())] {
        let Some(field) = field else { continue };
        write_line(&format!("{what} right"), field.right.to_string())?;
        write_line(&format!("{what} wrong, missed"), format!("{}, {}", field.wrong, field.missed))?;
        write_line(&format!("{what} given where there is none"), field.invented.to_string())?;
    }
    if issuer.agree.of + issuer.unknown > 0 {
        write_line("issuer as printed", issuer.agree.to_string())?;
        write_line("issuer not known", issuer.unknown.to_string())?;
    }
    if let Some(off) = &figures.corners_off {
        let spread = format!("median {:.2}, 95 % within {:.2} line heights", off.median, off.p95);
        write_line("corners of the number off by", spread)?;
    }
    if figures.card_seen.of > 0 {
        write_line("cards seen", figures.card_seen.to_string())?;
    }
    if let Some(off) = &figures.card_off {
        let spread = format!("median {:.3}, 95 % within {:.3} card heights", off.median, off.p95);
        write_line("corners of the card off by", spread)?;
    }
    if let Some(ms) = &figures.elapsed_ms {
        let spread =
            format!("median {:.0}, 95 % within {:.0}, {} at a time", ms.median, ms.p95, figures.jobs);
        write_line("milliseconds a picture", spread)?;
    }
    write_line("prob 0.95 or more, right", figures.sure_right.to_string())?;
    if !figures.calibration.is_empty() {
        writeln!(out)?;
        write_row(out, ["prob", "mean", "", "", "right"])?;
    }
    for bin in &figures.calibration {
        let (prob, mean) = (format!("{:.2} to {:.2}", bin.from, bin.to), format!("{:.3}", bin.mean_prob));
        write_row(out, [&prob, &mean, "", "", &bin.right.to_string()])?;
    }
    if !figures.failures.is_empty() {
        writeln!(out)?;
    }
    for failure in &figures.failures {
        let about: Vec<&str> = [&failure.file, &failure.kind, &failure.print]
            .into_iter()
            .filter(|text| !text.is_empty())
            .map(String::as_str)
            .collect();
        writeln!(out, "{}: {}", about.join(" "), failure.what)?;
    }
    Ok(())
}

const WIDTHS: [usize; 5] = [28, 8, 8, 10, 0];

fn write_bucket(out: &mut impl Write, bucket: &Bucket) -> io::Result<()> {
    let numbers = bucket.numbers;
    let counts = [numbers.right, numbers.wrong, numbers.not_read].map(|count| count.to_string());
    let name = format!("{} {}", bucket.by, bucket.value);
    write_row(out, [name.trim_end(), &counts[0], &counts[1], &counts[2], &bucket.read_right.to_string()])
}

fn write_row(out: &mut impl Write, cells: [&str; 5]) -> io::Result<()> {
    let line: String = cells.iter().zip(WIDTHS).map(|(cell, width)| pad(cell, width)).collect();
    writeln!(out, "{}", line.trim_end())
}
