//! Why a picture was not read: one variant for each refusal that a caller treats differently.
//! Knows nothing of HTTP; the texts are sentences that a caller can act on and never quote the picture.

/// The refusals of [`CardReader::read`](crate::CardReader::read).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// No bytes at all.
    #[error("the picture is empty: send the bytes of a JPEG, PNG, WebP, BMP, GIF or TIFF file")]
    Empty,
    /// The first bytes belong to none of the supported formats.
    #[error("not a picture that can be read: send a JPEG, PNG, WebP, BMP, GIF or TIFF file")]
    UnsupportedFormat,
    /// A supported format whose content is cut off, broken or contradicts itself.
    #[error("the {format} file is damaged or cut off: send the whole file again")]
    Damaged {
        /// Name of the format as people write it: `JPEG`, `PNG`, …
        format: &'static str,
    },
    /// The file is longer than [`Limits::max_bytes`](crate::Limits::max_bytes).
    #[error("the picture file has {bytes} bytes, at most {max_bytes} are read: send a smaller file")]
    TooManyBytes {
        /// Length of the file.
        bytes: usize,
        /// The limit it exceeds.
        max_bytes: usize,
    },
    /// A side is shorter than [`Limits::min_side_px`](crate::Limits::min_side_px).
    #[error("the picture is {width} x {height} px, each side must have at least {min_side_px} px")]
    TooSmall {
        /// Width in the file's header.
        width: u32,
        /// Height in the file's header.
        height: u32,
        /// The limit it falls short of.
        min_side_px: u32,
    },
    /// A side is longer than [`Limits::max_side_px`](crate::Limits::max_side_px).
    #[error("the picture is {width} x {height} px, each side may have at most {max_side_px} px")]
    TooLarge {
        /// Width in the file's header.
        width: u32,
        /// Height in the file's header.
        height: u32,
        /// The limit it exceeds.
        max_side_px: u32,
    },
    /// Reading took longer than [`Limits::max_time`](crate::Limits::max_time): a picture made to be expensive, or a machine
    /// with far too much to do.
    #[error("reading the picture took too long: try again later, or send a smaller picture")]
    TookTooLong,
    /// The picture is fine, but no bank card was found in it.
    #[error("no bank card found")]
    NoCard,
    /// A card's number line was found, but its digits cannot be told with confidence.
    #[error("card number not legible")]
    NotLegible,
    /// A model did not run. A fault of this program, never of the picture.
    #[error("the reading models failed")]
    Model,
}
