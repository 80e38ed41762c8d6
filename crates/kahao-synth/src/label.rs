//! What is told about a drawn picture: its text lines, and the binary records that carry them to the training scripts.

use std::io::{self, Write};

use kahao_reader::geometry::Quad;

/// What a text line is. The number is the code in the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The card number.
    Number = 0,
    /// Its expiry date.
    Date = 1,
    /// A date that is not an expiry: never asked for.
    OtherDate = 2,
}

/// A text line of a picture: tight quad in its pixels, first corner the text's own top-left, clockwise.
pub(crate) struct SceneLine {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) quad: Quad,
}

/// A strip: u16 height, u16 width, u16 text bytes, grey pixels, text. Little-endian.
pub(crate) fn write_strip(out: &mut impl Write, pixels: &[u8], width: usize, height: usize, text: &str) -> io::Result<()> {
    for value in [height, width, text.len()] {
        out.write_all(&(value as u16).to_le_bytes())?;
    }
    out.write_all(pixels)?;
    out.write_all(text.as_bytes())
}

/// A scene: u16 height, u16 width, u16 lines, grey pixels, then for each line u16 kind and 4 x (f32 x, f32 y). Little-endian.
pub(crate) fn write_scene(out: &mut impl Write, pixels: &[u8], width: usize, height: usize, lines: &[SceneLine]) -> io::Result<()> {
    for value in [height, width, lines.len()] {
        out.write_all(&(value as u16).to_le_bytes())?;
    }
    out.write_all(pixels)?;
    for line in lines {
        out.write_all(&(line.kind as u16).to_le_bytes())?;
        for corner in line.quad.0 {
            out.write_all(&corner.x.to_le_bytes())?;
            out.write_all(&corner.y.to_le_bytes())?;
        }
    }
    Ok(())
}
