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
    /// The holder's name.
    Holder = 3,
    /// No text: the card itself.
    Card = 4,
    /// The card number in rows of four digits, all of them together.
    Stack = 5,
}

/// A text line of a picture: tight quad in its pixels, first corner the text's own top-left, clockwise.
pub(crate) struct SceneLine {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) quad: Quad,
    /// Which card of the picture it is on.
    pub(crate) card: usize,
}

/// A card of a picture.
pub(crate) struct SceneCard {
    pub(crate) is_embossed: bool,
    /// Its corners in the picture's pixels, where they may lie outside, from its own top-left, clockwise.
    pub(crate) quad: Quad,
    /// What is printed on it, seen whole or not.
    pub(crate) lines: Vec<Kind>,
}

/// A strip: u16 height, u16 width, u16 text bytes, grey pixels, text. Little-endian.
pub(crate) fn write_strip(
    out: &mut impl Write,
    pixels: &[u8],
    width: usize,
    height: usize,
    text: &str,
) -> io::Result<()> {
    for value in [height, width, text.len()] {
        out.write_all(&(value as u16).to_le_bytes())?;
    }
    out.write_all(pixels)?;
    out.write_all(text.as_bytes())
}

/// A scene: u16 height, u16 width, u16 lines, grey pixels, then for each line u16 kind and 4 x (f32 x, f32 y). Little-endian.
pub(crate) fn write_scene(
    out: &mut impl Write,
    pixels: &[u8],
    width: usize,
    height: usize,
    lines: &[SceneLine],
) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use kahao_reader::geometry::Point;

    use super::*;

    /// Takes values off the front of a record.
    struct Record<'a>(&'a [u8]);

    impl<'a> Record<'a> {
        fn bytes(&mut self, count: usize) -> &'a [u8] {
            let (front, rest) = self.0.split_at(count);
            self.0 = rest;
            front
        }

        fn u16(&mut self) -> usize {
            usize::from(u16::from_le_bytes(self.bytes(2).try_into().unwrap()))
        }

        fn f32(&mut self) -> f32 {
            f32::from_le_bytes(self.bytes(4).try_into().unwrap())
        }
    }

    #[test]
    fn a_strip_comes_back_from_its_record() {
        let mut written = Vec::new();
        write_strip(&mut written, &[1, 2, 3, 4, 5, 6], 3, 2, "12 3").unwrap();
        write_strip(&mut written, &[9], 1, 1, "").unwrap();
        let mut record = Record(&written);
        for (width, height, pixels, text) in [(3, 2, &[1, 2, 3, 4, 5, 6][..], "12 3"), (1, 1, &[9], "")] {
            assert_eq!((record.u16(), record.u16()), (height, width));
            let length = record.u16();
            assert_eq!(record.bytes(width * height), pixels);
            assert_eq!(record.bytes(length), text.as_bytes());
        }
        assert!(record.0.is_empty());
    }

    #[test]
    fn a_scene_comes_back_from_its_record() {
        let quads = [
            Quad([(1.5, 2.0), (300.25, -1.0), (299.0, 40.0), (0.0, 43.75)].map(|(x, y)| Point::new(x, y))),
            Quad::rect(10.0, 20.0, 30.0, 4.0),
        ];
        let kinds = [(Kind::Number, 0), (Kind::OtherDate, 2)];
        let line =
            |(quad, (kind, _)): (Quad, (Kind, _))| SceneLine { kind, text: "1 2".to_owned(), quad, card: 0 };
        let lines: Vec<SceneLine> = quads.into_iter().zip(kinds).map(line).collect();
        let mut written = Vec::new();
        write_scene(&mut written, &[7; 12], 4, 3, &lines).unwrap();
        let mut record = Record(&written);
        assert_eq!((record.u16(), record.u16(), record.u16()), (3, 4, 2));
        assert_eq!(record.bytes(12), [7; 12]);
        for (quad, (_, code)) in quads.into_iter().zip(kinds) {
            assert_eq!(record.u16(), code);
            let corners = [(); 4].map(|()| Point::new(record.f32(), record.f32()));
            assert_eq!(Quad(corners), quad);
        }
        assert!(record.0.is_empty());
    }
}
