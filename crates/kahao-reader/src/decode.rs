//! File bytes -> upright grey picture. Decides what is refused before memory is spent on it; the models
//! see grey only, so nothing else is kept.

use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use crate::deadline::Deadline;
use crate::error::ReadError;
use crate::geometry::Turn;
use crate::photo::Photo;

/// What a picture may measure and cost. The sizes are those of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest file, in bytes.
    pub max_bytes: usize,
    /// Shortest side, in pixels.
    pub min_side_px: u32,
    /// Longest side, in pixels.
    pub max_side_px: u32,
    /// Longest time for one picture, decoding included.
    pub max_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // An ordinary picture takes a tenth of a second: whoever needs ten was made to be expensive.
        let max_time = Duration::from_secs(10);
        Self { max_bytes: 20 * 1024 * 1024, min_side_px: 15, max_side_px: 8192, max_time }
    }
}

/// Most memory for a decoded picture, and for the tables a decoder fills from the file: four channels of
/// 16 bits at 8192 x 8192 px. Only 32-bit float pictures and lying files ask for more.
const MAX_DECODED_BYTES: u64 = 8 * 8192 * 8192;

/// Decodes a JPEG, PNG, WebP, BMP, GIF (first frame) or TIFF (first page) file. The format is told by the
/// content. Transparent parts show white.
pub(crate) fn decode(bytes: &[u8], limits: &Limits, deadline: Deadline) -> Result<Photo, ReadError> {
    if bytes.is_empty() {
        return Err(ReadError::Empty);
    }
    if bytes.len() > limits.max_bytes {
        return Err(ReadError::TooManyBytes { bytes: bytes.len(), max_bytes: limits.max_bytes });
    }
    let (format, name) = sniff(bytes).ok_or(ReadError::UnsupportedFormat)?;
    // The decoders are other people's code and the bytes may be hostile: a panic there is a bad file.
    let photo = catch_unwind(AssertUnwindSafe(|| decode_as(bytes, format, name, limits, deadline)))
        .unwrap_or(Err(ReadError::Damaged { format: name }));
    // First, because a decoder that was stopped takes the file for a damaged one, or makes do with half of it.
    deadline.check()?;
    photo
}

/// From so many bytes on, a file tells whether it is a picture: the length of WebP's signature, the longest.
pub const SIGNATURE_BYTES: usize = 12;

/// Whether a file that begins so is in one of the formats that are read.
pub fn is_picture(first_bytes: &[u8]) -> bool {
    sniff(first_bytes).is_some()
}

/// The format by its first bytes, and its name as people write it.
fn sniff(bytes: &[u8]) -> Option<(ImageFormat, &'static str)> {
    let format = image::guess_format(bytes).ok()?;
    let name = match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Tiff => "TIFF",
        _ => return None,
    };
    Some((format, name))
}

fn decode_as(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    limits: &Limits,
    deadline: Deadline,
) -> Result<Photo, ReadError> {
    let file = Timed { file: Cursor::new(bytes), deadline, calls: 0 };
    let (grey, width, height, turn) = match format {
        ImageFormat::Jpeg => jpeg(file, limits)?,
        _ => any(file, format, name, limits)?,
    };
    let (width, height) = (width as usize, height as usize);
    let pixels = turned(grey, width, height, turn);
    let (width, height) = if turn.swaps_sides() { (height, width) } else { (width, height) };
    Photo::from_grey(pixels, width, height).ok_or(ReadError::Damaged { format: name })
}

/// Grey pixels as stored, width, height, and the turn that makes them upright.
type Stored = (Vec<u8>, u32, u32, Turn);

/// A picture by `image`'s decoders.
fn any(
    file: Timed<'_>,
    format: ImageFormat,
    name: &'static str,
    limits: &Limits,
) -> Result<Stored, ReadError> {
    let refuse = |error: ImageError| match error {
        // Rare kinds of the format.
        ImageError::Unsupported(_) => ReadError::UnsupportedFormat,
        _ => ReadError::Damaged { format: name },
    };
    let mut reader = ImageReader::with_format(file, format);
    // No limit of sides here: `image` would refuse without telling the size.
    let mut memory = image::Limits::no_limits();
    memory.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(memory);
    let mut decoder = reader.into_decoder().map_err(refuse)?;

    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(ReadError::Damaged { format: name });
    }
    check_sides(width, height, limits)?;
    if decoder.total_bytes() > MAX_DECODED_BYTES {
        return Err(ReadError::UnsupportedFormat);
    }
    // A broken EXIF block does not make the picture unreadable.
    let turn = decoder.orientation().ok().and_then(|o| Turn::from_exif(o.to_exif())).unwrap_or_default();
    let grey = to_grey(DynamicImage::from_decoder(decoder).map_err(refuse)?);
    Ok((grey, width, height, turn))
}

/// A JPEG picture by the decoder that `image` uses too, asked for its luma alone: nearly half the time of 12 megapixels goes
/// to colours (bench/results/2026-11-26.md), and four bytes a pixel of memory.
fn jpeg(file: Timed<'_>, limits: &Limits) -> Result<Stored, ReadError> {
    let refuse = |error: DecodeErrors| match error {
        // Rare kinds, such as an arithmetic-coded one.
        DecodeErrors::Unsupported(_) => ReadError::UnsupportedFormat,
        _ => ReadError::Damaged { format: "JPEG" },
    };
    // As lenient as browsers are; sides are checked below, where the refusal can tell them.
    let options =
        DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    // In several scans, progressive ones among them, this decoder gives a wrong luma of some pictures and panics at others
    // (zune-jpeg 0.5.15).
    let one_scan = has_one_scan(file.file.get_ref()).unwrap_or(false);
    let mut decoder = JpegDecoder::new_with_options(file, options);
    decoder.decode_headers().map_err(refuse)?;
    let damaged = ReadError::Damaged { format: "JPEG" };
    let (width, height) = decoder.dimensions().ok_or_else(|| damaged.clone())?;
    let (Ok(width), Ok(height)) = (u32::try_from(width), u32::try_from(height)) else { return Err(damaged) };
    check_sides(width, height, limits)?;
    let turn = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let turn = turn.and_then(|turn| Turn::from_exif(turn.to_exif())).unwrap_or_default();
    let space = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => ColorSpace::Luma,
        Some(ColorSpace::YCbCr) if one_scan => ColorSpace::Luma,
        _ => ColorSpace::RGB,
    };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let samples = decoder.decode().map_err(refuse)?;
    let grey = if space == ColorSpace::Luma { samples } else { by_pixel(&samples, |&rgb| luma(rgb)) };
    Ok((grey, width, height, turn))
}

/// Whether the first scan of a JPEG file has all components, of a sequential frame: ITU-T T.81, B.1.1.4, B.2.2 and B.2.3.
/// `None` when it ends before, or has anything but segments there, which decoders skip each in its own way.
fn has_one_scan(bytes: &[u8]) -> Option<bool> {
    let (mut at, mut in_frame) = (2, None);
    loop {
        let (0xff, marker, segment) = (*bytes.get(at)?, *bytes.get(at + 1)?, bytes.get(at + 2..)?) else {
            return None;
        };
        match marker {
            // Baseline and extended sequential: length, precision, two sides, components.
            0xc0 | 0xc1 => in_frame = Some(*segment.get(7)?),
            // Length, components.
            0xda => return Some(in_frame == Some(*segment.get(2)?)),
            _ => {}
        }
        // A marker may be padded with any number of 0xff.
        at += match marker {
            0xff => 1,
            _ => 2 + usize::from(u16::from_be_bytes(*segment.first_chunk()?)),
        };
    }
}

/// A file that cannot be read from after the deadline, so that a decoder gives up.
struct Timed<'a> {
    file: Cursor<&'a [u8]>,
    deadline: Deadline,
    calls: u32,
}

impl Timed<'_> {
    fn check(&mut self) -> io::Result<()> {
        // Some decoders read byte by byte, and asking for the time takes longer than a byte.
        self.calls = self.calls.wrapping_add(1);
        match self.calls.is_multiple_of(16) && self.deadline.has_passed() {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(()),
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.file.read(buffer)
    }
}

impl BufRead for Timed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        self.file.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.file.consume(count);
    }
}

impl Seek for Timed<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

fn check_sides(width: u32, height: u32, limits: &Limits) -> Result<(), ReadError> {
    let &Limits { min_side_px, max_side_px, .. } = limits;
    if width.max(height) > max_side_px {
        return Err(ReadError::TooLarge { width, height, max_side_px });
    }
    if width.min(height) < min_side_px {
        return Err(ReadError::TooSmall { width, height, min_side_px });
    }
    Ok(())
}

/// One byte a pixel, in one pass over the decoder's own buffer.
fn to_grey(picture: DynamicImage) -> Vec<u8> {
    use DynamicImage::{
        ImageLuma8, ImageLuma16, ImageLumaA8, ImageLumaA16, ImageRgb8, ImageRgb16, ImageRgb32F, ImageRgba8,
        ImageRgba16, ImageRgba32F,
    };
    match picture {
        ImageLuma8(p) => p.into_raw(),
        ImageLumaA8(p) => by_pixel(p.as_raw(), |&[l, a]| over_white(l, a)),
        ImageRgb8(p) => by_pixel(p.as_raw(), |&rgb| luma(rgb)),
        ImageRgba8(p) => by_pixel(p.as_raw(), |&[r, g, b, a]| over_white(luma([r, g, b]), a)),
        ImageLuma16(p) => by_pixel(p.as_raw(), |&[l]| from_u16(l)),
        ImageLumaA16(p) => by_pixel(p.as_raw(), |&[l, a]| over_white(from_u16(l), from_u16(a))),
        ImageRgb16(p) => by_pixel(p.as_raw(), |&rgb| luma(rgb.map(from_u16))),
        ImageRgba16(p) => by_pixel(p.as_raw(), |rgba| {
            let [r, g, b, a] = rgba.map(from_u16);
            over_white(luma([r, g, b]), a)
        }),
        ImageRgb32F(p) => by_pixel(p.as_raw(), |&rgb| luma(rgb.map(from_f32))),
        ImageRgba32F(p) => by_pixel(p.as_raw(), |rgba| {
            let [r, g, b, a] = rgba.map(from_f32);
            over_white(luma([r, g, b]), a)
        }),
        // The enum is open; `image` converts kinds of picture that it adds.
        other => by_pixel(other.into_rgba8().as_raw(), |&[r, g, b, a]| over_white(luma([r, g, b]), a)),
    }
}

fn by_pixel<T, const CHANNELS: usize>(samples: &[T], grey: impl Fn(&[T; CHANNELS]) -> u8) -> Vec<u8> {
    samples.as_chunks().0.iter().map(grey).collect()
}

fn from_u16(sample: u16) -> u8 {
    ((u32::from(sample) + 128) / 257) as u8
}

/// 0 to 1, as float TIFF files have it; `as` keeps what lies beyond at the ends, and NaN at 0.
fn from_f32(sample: f32) -> u8 {
    (sample * 255.0).round() as u8
}

/// Rec. 601 luma, rounded as in Pillow's `convert("L")`, by which the training pictures become grey.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((19595 * u32::from(r) + 38470 * u32::from(g) + 7471 * u32::from(b) + 0x8000) >> 16) as u8
}

fn over_white(luma: u8, alpha: u8) -> u8 {
    let (luma, alpha) = (u32::from(luma), u32::from(alpha));
    ((luma * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// The pixels of a stored picture of `width` x `height` px in the order of the upright one: mirrored at
/// the diagonal where the sides change, then turned in place.
fn turned(grey: Vec<u8>, width: usize, height: usize, turn: Turn) -> Vec<u8> {
    let (mut grey, width) =
        if turn.swaps_sides() { (transposed(&grey, width, height), height) } else { (grey, width) };
    match turn {
        Turn::None | Turn::Transpose => {}
        Turn::FlipHorizontal | Turn::Rotate90 => grey.chunks_exact_mut(width).for_each(<[u8]>::reverse),
        Turn::Rotate180 | Turn::Transverse => grey.reverse(),
        Turn::FlipVertical | Turn::Rotate270 => {
            grey.reverse();
            grey.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
    }
    grey
}

fn transposed(grey: &[u8], width: usize, height: usize) -> Vec<u8> {
    // Blocks, so that the rows read and the rows written stay in the first-level cache together.
    const BLOCK: usize = 64;
    let mut out = vec![0; grey.len()];
    for top in (0..height).step_by(BLOCK) {
        for left in (0..width).step_by(BLOCK) {
            for x in left..(left + BLOCK).min(width) {
                for y in top..(top + BLOCK).min(height) {
                    out[x * height + y] = grey[y * width + x];
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;
    use crate::geometry::{Homography, Point};

    const FORMATS: [(ImageFormat, &str); 6] = [
        (ImageFormat::Jpeg, "JPEG"),
        (ImageFormat::Png, "PNG"),
        (ImageFormat::WebP, "WebP"),
        (ImageFormat::Bmp, "BMP"),
        (ImageFormat::Gif, "GIF"),
        (ImageFormat::Tiff, "TIFF"),
    ];

    fn encode(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        picture.into().write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    /// 48 x 32 px in soft colours, with a dark block of 16 x 8 px at its top-left corner.
    fn marked() -> RgbImage {
        RgbImage::from_fn(48, 32, |x, y| match (x, y) {
            (0..16, 0..8) => Rgb([10, 10, 10]),
            _ => Rgb([200 + x as u8, 220, 240 - y as u8]),
        })
    }

    /// As `decode`, but a panic of a decoder is a panic.
    fn decode_unguarded(bytes: &[u8]) -> Option<Result<Photo, ReadError>> {
        let (format, name) = sniff(bytes)?;
        Some(decode_as(bytes, format, name, &Limits::default(), soon()))
    }

    fn soon() -> Deadline {
        Deadline::after(Limits::default().max_time)
    }

    pub(super) fn decoded(bytes: &[u8]) -> Result<Photo, ReadError> {
        decode(bytes, &Limits::default(), soon())
    }

    fn refusal(bytes: &[u8]) -> ReadError {
        decoded(bytes).err().expect("must be refused")
    }

    #[test]
    fn reads_every_format_by_its_content() {
        for (format, name) in FORMATS {
            let photo = decoded(&encode(marked(), format)).unwrap();
            assert_eq!((photo.width(), photo.height()), (48, 32), "{name}");
            assert_eq!(photo.to_original(), &Homography::identity());
            for (at, pixel) in photo.pixels().iter().enumerate() {
                let (x, y) = (at % 48, at / 48);
                // JPEG rings near the block's edges, and GIF has 256 colours.
                if !(12..20).contains(&x) && !(4..12).contains(&y) {
                    let expected = i16::from(luma(marked().get_pixel(x as u32, y as u32).0));
                    assert!((i16::from(*pixel) - expected).abs() < 16, "{name} {x} {y}: {pixel} {expected}");
                }
            }
        }
    }

    /// Of 75 x 53 px, so that no side fills its blocks: each way to thin colours out, in one scan and in several; one with
    /// restart markers; and colours that are stored as RGB and CMYK.
    const JPEGS: [(&str, &[u8]); 14] = [
        ("411-baseline", include_bytes!("../../../testdata/jpeg/411-baseline.jpg")),
        ("411-progressive", include_bytes!("../../../testdata/jpeg/411-progressive.jpg")),
        ("420-baseline", include_bytes!("../../../testdata/jpeg/420-baseline.jpg")),
        ("420-progressive", include_bytes!("../../../testdata/jpeg/420-progressive.jpg")),
        ("422-baseline", include_bytes!("../../../testdata/jpeg/422-baseline.jpg")),
        ("422-progressive", include_bytes!("../../../testdata/jpeg/422-progressive.jpg")),
        ("440-baseline", include_bytes!("../../../testdata/jpeg/440-baseline.jpg")),
        ("440-progressive", include_bytes!("../../../testdata/jpeg/440-progressive.jpg")),
        ("444-baseline", include_bytes!("../../../testdata/jpeg/444-baseline.jpg")),
        ("444-progressive", include_bytes!("../../../testdata/jpeg/444-progressive.jpg")),
        ("grey-baseline", include_bytes!("../../../testdata/jpeg/grey-baseline.jpg")),
        ("grey-progressive", include_bytes!("../../../testdata/jpeg/grey-progressive.jpg")),
        ("rgb", include_bytes!("../../../testdata/jpeg/rgb.jpg")),
        ("cmyk", include_bytes!("../../../testdata/jpeg/cmyk.jpg")),
    ];

    #[test]
    fn luma_alone_is_that_of_the_coloured_picture() {
        for (name, file) in JPEGS {
            let photo = decoded(file).unwrap();
            let coloured = to_grey(image::load_from_memory(file).unwrap());
            assert_eq!((photo.width(), photo.height(), coloured.len()), (75, 53, 75 * 53), "{name}");
            let off: Vec<u8> = photo.pixels().iter().zip(&coloured).map(|(a, b)| a.abs_diff(*b)).collect();
            let mean = off.iter().map(|&d| f32::from(d)).sum::<f32>() / off.len() as f32;
            // Where a colour leaves the range of RGB it is cut off there, and the luma is not.
            assert!(mean < 1.0 && off.iter().all(|&d| d <= 25), "{name}: {mean}, {:?}", off.iter().max());
        }
    }

    #[test]
    fn tells_jpeg_files_of_one_scan() {
        for (name, file) in JPEGS {
            assert_eq!(has_one_scan(file), Some(!name.ends_with("progressive")), "{name}");
            for length in 0..100 {
                assert_eq!(has_one_scan(&file[..length]), None, "{name} cut at {length}");
            }
        }
        let segment = |marker: u8, rest: &[u8]| [&[0xff, marker, 0, rest.len() as u8 + 2], rest].concat();
        let frame = segment(0xc0, &[8, 0, 16, 0, 16, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
        let one = [b"\xff\xd8\xff", &frame[..], &segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0])].concat();
        let several = [b"\xff\xd8", &frame[..], &segment(0xda, &[1, 1, 0, 0, 63, 0])].concat();
        let stray = [b"\xff\xd8\0", &one[2..]].concat();
        let told = [&one, &several, &stray].map(|file| has_one_scan(file));
        assert_eq!(told, [Some(true), Some(false), None]);
    }

    #[test]
    fn makes_every_kind_of_pixel_grey() {
        let (w, h) = (16, 16);
        let rgba8 = DynamicImage::from(RgbaImage::from_pixel(w, h, Rgba([200, 100, 50, 255])));
        let clear8 = DynamicImage::from(RgbaImage::from_pixel(w, h, Rgba([200, 100, 50, 0])));
        let half8 = DynamicImage::from(RgbaImage::from_pixel(w, h, Rgba([0, 0, 0, 128])));
        // (299 * 200 + 587 * 100 + 114 * 50) / 1000 = 124.2
        for (picture, grey) in [
            (DynamicImage::from(rgba8.to_rgb8()), 124),
            (DynamicImage::from(rgba8.to_rgb16()), 124),
            (DynamicImage::from(rgba8.to_rgba16()), 124),
            (DynamicImage::from(rgba8.to_rgb32f()), 124),
            (DynamicImage::from(rgba8.to_rgba32f()), 124),
            (rgba8, 124),
            (DynamicImage::from(clear8.to_rgba16()), 255),
            (DynamicImage::from(clear8.to_rgba32f()), 255),
            (clear8, 255),
            (DynamicImage::from(half8.to_luma_alpha8()), 127),
            (DynamicImage::from(half8.to_luma_alpha16()), 127),
            (half8, 127),
            (DynamicImage::from(GrayImage::from_pixel(w, h, Luma([77]))), 77),
            (DynamicImage::from(GrayImage::from_pixel(w, h, Luma([77]))).to_luma16().into(), 77),
        ] {
            let kind = picture.color();
            assert_eq!(to_grey(picture), vec![grey; 256], "{kind:?}");
        }
        assert_eq!([f32::NAN, -1.0, 0.5, 2.0].map(from_f32), [0, 0, 128, 255]);
        assert_eq!([0, 128, 129, 65535].map(from_u16), [0, 0, 1, 255]);
    }

    #[test]
    fn pixels_go_where_the_turn_says() {
        let (width, height) = (70, 67);
        let grey: Vec<u8> = (0..width * height).map(|i| (i * 31 % 251) as u8).collect();
        for turn in Turn::ALL {
            let upright = turned(grey.clone(), width, height, turn);
            let upright_width = if turn.swaps_sides() { height } else { width };
            let map = turn.to_upright(width as u32, height as u32);
            for (at, pixel) in grey.iter().enumerate() {
                let to = map.apply(Point::new((at % width) as f32 + 0.5, (at / width) as f32 + 0.5));
                assert_eq!(upright[to.y as usize * upright_width + to.x as usize], *pixel, "{turn:?} {at}");
            }
        }
    }

    /// A JPEG file with an EXIF segment that holds nothing but the orientation.
    fn jpeg_with_exif(picture: RgbImage, orientation: u8) -> Vec<u8> {
        let jpeg = encode(picture, ImageFormat::Jpeg);
        // TIFF header, one entry: tag 0x0112, type SHORT, count 1, value; no next directory.
        let entry = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0];
        let exif = [&b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01"[..], &entry, &[0; 4]].concat();
        let length = (exif.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
    }

    #[test]
    fn turns_upright_by_exif() {
        for (turn, value) in Turn::ALL.into_iter().zip(1..) {
            let photo = decoded(&jpeg_with_exif(marked(), value)).unwrap();
            let size = if turn.swaps_sides() { (32, 48) } else { (48, 32) };
            assert_eq!((photo.width(), photo.height()), size, "{turn:?}");
            let map = turn.to_upright(48, 32);
            for (x, y, dark) in
                [(4.5, 4.5, true), (43.5, 4.5, false), (4.5, 27.5, false), (43.5, 27.5, false)]
            {
                let to = map.apply(Point::new(x, y));
                let pixel = photo.pixels()[to.y as usize * photo.width() + to.x as usize];
                assert_eq!(pixel < 100, dark, "{turn:?} {x} {y}: {pixel}");
            }
        }
        for nonsense in [0, 9, 255] {
            let photo = decoded(&jpeg_with_exif(marked(), nonsense)).unwrap();
            assert_eq!((photo.width(), photo.height()), (48, 32));
        }
    }

    #[test]
    fn cut_files_do_not_panic() {
        for (format, name) in FORMATS {
            let whole = encode(marked(), format);
            let lengths: Vec<usize> =
                (0..whole.len().min(1000)).chain((1000..whole.len()).step_by(97)).collect();
            let mut seen = 0;
            let mut refused = 0;
            for &length in &lengths {
                match decode_unguarded(&whole[..length]) {
                    None | Some(Err(ReadError::Damaged { .. })) => refused += 1,
                    // Some decoders make do with most of the rows.
                    Some(Ok(photo)) => assert_eq!(photo.pixels().len(), 48 * 32, "{name} cut at {length}"),
                    Some(Err(other)) => panic!("{name} cut at {length}: {other}"),
                }
                seen += 1;
            }
            let expected = whole.len().min(1000) + whole.len().saturating_sub(1000).div_ceil(97);
            assert_eq!(seen, expected, "{name}");
            assert!(seen >= 150 && refused >= 30, "{name}: {refused} of {seen} refused");
        }
    }

    #[test]
    fn broken_bytes_do_not_panic() {
        let mut seen = 0;
        for (format, _) in FORMATS {
            let whole = encode(marked(), format);
            for at in 0..whole.len().min(400) {
                for value in [0, 1, 0x7f, 0xff] {
                    let mut broken = whole.clone();
                    broken[at] = value;
                    let _ = decode_unguarded(&broken);
                    seen += 1;
                }
            }
        }
        assert!(seen > 6 * 4 * 150, "{seen}");
    }

    /// CRC-32 of PNG chunks.
    pub(super) fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, b| {
            (0..8).fold(crc ^ u32::from(*b), |c, _| (c >> 1) ^ (0xedb8_8320 * (c & 1)))
        })
    }

    /// A small file whose header claims 60000 x 60000 px (WebP: 16383 x 16383, as it has 14 bits).
    fn enormous(format: ImageFormat) -> Vec<u8> {
        let mut file = encode(marked(), format);
        let small = file.clone();
        let find = |what: &[u8]| small.windows(what.len()).position(|w| w == what).unwrap();
        let size = 60000_u32;
        match format {
            ImageFormat::Png => {
                file[16..20].copy_from_slice(&size.to_be_bytes());
                file[20..24].copy_from_slice(&size.to_be_bytes());
                let crc = crc32(&file[12..29]).to_be_bytes();
                file[29..33].copy_from_slice(&crc);
            }
            ImageFormat::Bmp => {
                file[18..22].copy_from_slice(&size.to_le_bytes());
                file[22..26].copy_from_slice(&size.to_le_bytes());
            }
            ImageFormat::Gif => {
                file[6..8].copy_from_slice(&(size as u16).to_le_bytes());
                file[8..10].copy_from_slice(&(size as u16).to_le_bytes());
            }
            ImageFormat::Jpeg => {
                let frame = find(&[0xff, 0xc0]) + 5;
                file[frame..frame + 2].copy_from_slice(&(size as u16).to_be_bytes());
                file[frame + 2..frame + 4].copy_from_slice(&(size as u16).to_be_bytes());
            }
            ImageFormat::WebP => {
                let header = find(b"VP8L") + 9;
                let sides = u32::from_le_bytes(file[header..header + 4].try_into().unwrap());
                // 14 bits each, one less than the side.
                let largest = sides >> 28 << 28 | 16382 << 14 | 16382;
                file[header..header + 4].copy_from_slice(&largest.to_le_bytes());
            }
            _ => {
                // Width, height and the rows of the only strip: type LONG, count 1, value.
                for tag in [256_u16, 257, 278] {
                    let value = find(&[&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0]].concat()) + 8;
                    file[value..value + 4].copy_from_slice(&size.to_le_bytes());
                }
            }
        }
        file
    }

    #[test]
    fn refuses_enormous_headers() {
        for (format, name) in FORMATS {
            let side = if format == ImageFormat::WebP { 16383 } else { 60000 };
            let expected = ReadError::TooLarge { width: side, height: side, max_side_px: 8192 };
            assert_eq!(refusal(&enormous(format)), expected, "{name}");
        }
        let mut widest = enormous(ImageFormat::Png);
        widest[16..20].copy_from_slice(&0x7fff_ffff_u32.to_be_bytes());
        let crc = crc32(&widest[12..29]).to_be_bytes();
        widest[29..33].copy_from_slice(&crc);
        assert_eq!(refusal(&widest), ReadError::Damaged { format: "PNG" });
    }

    #[test]
    fn refuses_sides_outside_the_limits() {
        let refused = |width, height| decoded(&encode(GrayImage::new(width, height), ImageFormat::Png)).err();
        assert_eq!(refused(15, 15), None);
        assert_eq!(refused(14, 100), Some(ReadError::TooSmall { width: 14, height: 100, min_side_px: 15 }));
        assert_eq!(refused(100, 14), Some(ReadError::TooSmall { width: 100, height: 14, min_side_px: 15 }));
        assert_eq!(refused(8192, 15), None);
        assert_eq!(
            refused(8193, 15),
            Some(ReadError::TooLarge { width: 8193, height: 15, max_side_px: 8192 })
        );
    }

    #[test]
    fn refuses_what_is_no_picture() {
        let max_bytes = Limits::default().max_bytes;
        assert_eq!(refusal(b""), ReadError::Empty);
        assert_eq!(
            refusal(&vec![0; max_bytes + 1]),
            ReadError::TooManyBytes { bytes: max_bytes + 1, max_bytes }
        );
        let mut padded = encode(marked(), ImageFormat::Png);
        padded.resize(max_bytes, 0);
        assert!(decoded(&padded).is_ok(), "a file of exactly max_bytes");

        let noise: Vec<u8> = (0..5000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for (bytes, expected) in [
            (&noise[..], ReadError::UnsupportedFormat),
            (b"{\"image_base64\":\"\"}", ReadError::UnsupportedFormat),
            (b"%PDF-1.7\n%", ReadError::UnsupportedFormat),
            (b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", ReadError::UnsupportedFormat),
            (b"\xff", ReadError::UnsupportedFormat),
            (b"\xff\xd8\xff\xe0 not a JPEG at all", ReadError::Damaged { format: "JPEG" }),
            (b"\x89PNG\r\n\x1a\n", ReadError::Damaged { format: "PNG" }),
            (b"BM", ReadError::Damaged { format: "BMP" }),
            (b"GIF89a", ReadError::Damaged { format: "GIF" }),
            (b"RIFF\x10\0\0\0WEBPVP8 ", ReadError::Damaged { format: "WebP" }),
            (b"II*\0\x08\0\0\0", ReadError::Damaged { format: "TIFF" }),
        ] {
            assert_eq!(refusal(bytes), expected, "{:?}", &bytes[..bytes.len().min(12)]);
        }
        let png = encode(marked(), ImageFormat::Png);
        let mislabelled = [b"\xff\xd8\xff\xe0".as_slice(), &png[4..]].concat();
        assert_eq!(refusal(&mislabelled), ReadError::Damaged { format: "JPEG" });
    }

    #[test]
    fn gives_up_at_the_deadline() {
        for (format, name) in FORMATS {
            let file =
                encode(RgbImage::from_fn(900, 700, |x, y| Rgb([x as u8, y as u8, (x * y) as u8])), format);
            let late = decode(&file, &Limits::default(), Deadline::after(Duration::ZERO));
            assert_eq!(late.err(), Some(ReadError::TookTooLong), "{name}");
        }
        let deadline = Deadline::after(Duration::ZERO);
        let mut timed = Timed { file: Cursor::new(&[0; 32]), deadline, calls: 0 };
        let reads: Vec<bool> = (0..16).map(|_| timed.read(&mut [0]).is_ok()).collect();
        assert_eq!(reads.iter().filter(|ok| !**ok).count(), 1, "a decoder stops amid the file");
    }
}
