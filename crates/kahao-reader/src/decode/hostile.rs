//! Pictures made to be expensive, one for each trick that a format allows, at the sides and lengths that are accepted. `cargo test
//! -p kahao-reader worst_pictures -- --ignored --nocapture` prints what each costs; docs/RELIABILITY.md keeps the figures.

use std::io::Write;
use std::time::Instant;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::tests::{crc32, decoded};
use super::*;

const SIDE: u16 = 8192;
const MAX_BYTES: usize = 20 * 1024 * 1024;

struct Hostile {
    what: &'static str,
    file: Vec<u8>,
    expected: Result<(), ReadError>,
}

fn damaged(format: &'static str) -> Result<(), ReadError> {
    Err(ReadError::Damaged { format })
}

/// So many zeros, deflated: about a thousandth.
fn zeros(length: usize) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    let block = vec![0; 1 << 20];
    let mut left = length;
    while left > 0 {
        let take = left.min(block.len());
        packed.write_all(&block[..take]).unwrap();
        left -= take;
    }
    packed.finish().unwrap()
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    [&(data.len() as u32).to_be_bytes(), &body[..], &crc32(&body).to_be_bytes()].concat()
}

/// A PNG file of 8192 x 8192 black pixels, with more chunks before them.
fn png(depth: u8, colour: u8, channels: usize, interlaced: bool, more: &[u8], side: u16) -> Vec<u8> {
    let side = u32::from(side);
    let header =
        [&side.to_be_bytes()[..], &side.to_be_bytes(), &[depth, colour, 0, 0, interlaced.into()]].concat();
    let row = side as usize * channels * usize::from(depth) / 8;
    // Adam7 has 15 rows of filter bytes for each 8 of the picture.
    let filters = if interlaced { side as usize * 15 / 8 } else { side as usize };
    let data = zeros(row * side as usize + filters);
    [b"\x89PNG\r\n\x1a\n", &chunk(b"IHDR", &header)[..], more, &chunk(b"IDAT", &data), &chunk(b"IEND", b"")]
        .concat()
}

/// A progressive JPEG file of black pixels in three colours: every coefficient of every block is visited again in each of
/// `scans` refinements, for some 80 bytes a scan.
fn jpeg(scans: usize, side: u16) -> Vec<u8> {
    let segment = |marker: u8, data: &[u8]| {
        [&[0xff, marker][..], &(data.len() as u16 + 2).to_be_bytes(), data].concat()
    };
    let [high, low] = side.to_be_bytes();
    let blocks = (usize::from(side) / 8).pow(2);
    let mut file = vec![0xff, 0xd8];
    file.extend(segment(0xdb, &[&[0][..], &[1; 64]].concat()));
    file.extend(segment(0xc2, &[8, high, low, high, low, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]));
    // One code of one bit each: no difference, and a run of 2^14 to 2^15 - 1 blocks that end here.
    let code = |class: u8, symbol: u8| [&[class, 1][..], &[0; 15], &[symbol]].concat();
    file.extend(segment(0xc4, &code(0x00, 0)));
    file.extend(segment(0xc4, &code(0x10, 0xe0)));
    file.extend(segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 0, 0x00]));
    file.extend(vec![0; (3 * blocks).div_ceil(8)]);
    for scan in 0..scans {
        // The first leaves one bit to the others, which all refine it.
        let approximation = if scan == 0 { 0x01 } else { 0x10 };
        file.extend(segment(0xda, &[1, 1, 0x00, 1, 63, approximation]));
        // 0 and fourteen zeros: a run of 16384 blocks.
        file.extend(vec![0; (blocks.div_ceil(16384) * 15).div_ceil(8) + 1]);
    }
    file.extend([0xff, 0xd9]);
    file
}

/// A GIF file whose only frame is `side` x `side`, of one colour in long strings.
fn gif(side: u16, before: &[u8]) -> Vec<u8> {
    let mut file = b"GIF89a".to_vec();
    for _ in 0..2 {
        file.extend(side.to_le_bytes());
    }
    file.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
    file.extend(before);
    file.extend([0x2c, 0, 0, 0, 0]);
    for _ in 0..2 {
        file.extend(side.to_le_bytes());
    }
    file.extend([0, 2]);
    let mut strings = weezl::encode::Encoder::new(weezl::BitOrder::Lsb, 2);
    for block in strings.encode(&vec![0; usize::from(side).pow(2)]).unwrap().chunks(255) {
        file.push(block.len() as u8);
        file.extend(block);
    }
    file.extend([0, 0x3b]);
    file
}

/// A little-endian TIFF file: tags with their type (3 SHORT, 4 LONG) and values, then data. A value beyond `u32` stands for
/// the place of the data.
fn tiff(tags: &[(u16, u16, Vec<u64>)], data: &[u8]) -> Vec<u8> {
    let directory = 8 + 2 + 12 * tags.len() + 4;
    let size = |kind: u16| if kind == 3 { 2 } else { 4 };
    let lists: usize =
        tags.iter().map(|(_, kind, values)| values.len() * size(*kind)).filter(|n| *n > 4).sum();
    let data_at = (directory + lists) as u32;
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    let mut list_bytes = Vec::new();
    file.extend((tags.len() as u16).to_le_bytes());
    for (tag, kind, values) in tags {
        let mut bytes = Vec::new();
        for &value in values {
            let value = u32::try_from(value).unwrap_or(data_at);
            bytes.extend(&value.to_le_bytes()[..size(*kind)]);
        }
        file.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        file.extend((values.len() as u32).to_le_bytes());
        if bytes.len() <= 4 {
            bytes.resize(4, 0);
            file.extend(bytes);
        } else {
            file.extend(((directory + list_bytes.len()) as u32).to_le_bytes());
            list_bytes.extend(bytes);
        }
    }
    file.extend([0; 4]);
    file.extend(list_bytes);
    file.extend(data);
    file
}

const AT_DATA: u64 = u64::MAX;

/// Grey, one strip or tile after another from the same place in the file.
fn tiff_of(compression: u64, parts: usize, part_bytes: u64, layout: [(u16, u64); 2], data: &[u8]) -> Vec<u8> {
    let side = u64::from(SIDE);
    let (offsets, counts) = if layout[0].0 == 322 { (324, 325) } else { (273, 279) };
    let mut tags = vec![
        (256, 4, vec![side]),
        (257, 4, vec![side]),
        (258, 3, vec![8]),
        (259, 3, vec![compression]),
        (262, 3, vec![1]),
        (277, 3, vec![1]),
        (offsets, 4, vec![AT_DATA; parts]),
        (counts, 4, vec![part_bytes; parts]),
    ];
    tags.extend(layout.into_iter().filter(|(tag, _)| *tag > 0).map(|(tag, value)| (tag, 4, vec![value])));
    tags.sort_by_key(|(tag, ..)| *tag);
    tiff(&tags, data)
}

/// A BMP file in run lengths: lines of one run each, over and over.
fn bmp(side: u16) -> Vec<u8> {
    let lines: Vec<u8> = (0..side)
        .flat_map(|_| {
            let runs = usize::from(side).div_ceil(255);
            std::iter::repeat_n([255, 1], runs).flatten().chain([0, 0])
        })
        .collect();
    let side = i32::from(side).to_le_bytes();
    let palette = [0; 1024];
    let offset = (54 + palette.len()) as u32;
    [
        b"BM\0\0\0\0\0\0\0\0",
        &offset.to_le_bytes()[..],
        &[40, 0, 0, 0],
        &side,
        &side,
        &[1, 0, 8, 0, 1, 0, 0, 0],
        &[0; 20],
        &palette,
        &lines,
    ]
    .concat()
}

fn filled(mut file: Vec<u8>, block: &[u8]) -> Vec<u8> {
    while file.len() + block.len() <= MAX_BYTES - 1024 {
        file.extend(block);
    }
    file
}

/// Every trick, at `side` where that is what makes it expensive, and with `packed` bytes in what unpacks.
fn pictures(side: u16, packed: usize) -> Vec<Hostile> {
    let small_chunks = filled(Vec::new(), &chunk(b"tEXt", b"a\0"));
    let packed_text = chunk(b"zTXt", &[b"a\0\0", &zeros(packed)[..]].concat());
    let packed_profile = chunk(b"iCCP", &[b"a\0\0", &zeros(packed)[..]].concat());
    let comments = filled(Vec::new(), b"\x21\xfe\x01a\0");
    // Deflate that gives nothing, for ever: stored blocks of no length.
    let nothing = filled(vec![0x78, 0x01], &[0, 0, 0, 0xff, 0xff]);
    let strip = zeros(usize::from(SIDE) * usize::from(SIDE));
    let strip_bytes = strip.len() as u64;
    let webp = {
        let mut file = Cursor::new(Vec::new());
        let picture = image::RgbaImage::new(side.into(), side.into());
        picture.write_to(&mut file, ImageFormat::WebP).unwrap();
        file.into_inner()
    };
    vec![
        Hostile { what: "JPEG, progressive, 10 scans", file: jpeg(10, side), expected: Ok(()) },
        Hostile { what: "JPEG, progressive, 90 scans", file: jpeg(90, side), expected: Ok(()) },
        Hostile { what: "JPEG, progressive, 5000 scans", file: jpeg(5000, side), expected: damaged("JPEG") },
        Hostile {
            what: "PNG, four channels of 16 bits",
            file: png(16, 6, 4, false, b"", side),
            expected: Ok(()),
        },
        Hostile { what: "PNG, the same, interlaced", file: png(16, 6, 4, true, b"", side), expected: Ok(()) },
        Hostile {
            what: "PNG, a million chunks of text",
            file: png(8, 0, 1, false, &small_chunks, 16),
            expected: Ok(()),
        },
        Hostile { what: "PNG, a packed text", file: png(8, 0, 1, false, &packed_text, 16), expected: Ok(()) },
        Hostile {
            what: "PNG, a packed profile",
            file: png(8, 0, 1, false, &packed_profile, 16),
            expected: Ok(()),
        },
        Hostile { what: "GIF, one frame of long strings", file: gif(side, b""), expected: Ok(()) },
        Hostile { what: "GIF, four million comments", file: gif(16, &comments), expected: Ok(()) },
        Hostile { what: "BMP, run lengths", file: bmp(side), expected: Ok(()) },
        Hostile { what: "WebP, lossless, transparent", file: webp, expected: Ok(()) },
        Hostile {
            what: "TIFF, one strip of zeros",
            file: tiff_of(8, 1, strip_bytes, [(278, SIDE.into()), (0, 0)], &strip),
            expected: Ok(()),
        },
        Hostile {
            what: "TIFF, 8192 strips of 20 MB each, the same bytes",
            file: tiff_of(
                8,
                SIDE.into(),
                nothing.len() as u64,
                [(278, 1), (0, 0)],
                &nothing[..MAX_BYTES - 70_000],
            ),
            expected: damaged("TIFF"),
        },
        Hostile {
            what: "TIFF, two million tiles",
            file: tiff_of(8, 2_097_152, 64, [(322, 16), (323, 2)], &zeros(32)),
            expected: Err(ReadError::TookTooLong),
        },
        Hostile {
            what: "TIFF, a list of four thousand million values",
            file: {
                let mut file = tiff_of(1, 2, 64, [(278, 4096), (0, 0)], &[0; 64]);
                let count = file.windows(4).position(|w| w == [0x11, 1, 4, 0]).unwrap() + 4;
                file[count..count + 4].copy_from_slice(&u32::MAX.to_le_bytes());
                file
            },
            expected: damaged("TIFF"),
        },
    ]
}

#[test]
fn tricks_are_read_refused_or_given_up() {
    let time = Duration::from_secs(3);
    for Hostile { what, file, expected } in pictures(512, 50_000_000) {
        let started = Instant::now();
        let outcome = decode(&file, &Limits::default(), Deadline::after(time)).map(drop);
        assert_eq!(outcome, expected, "{what}");
        assert!(started.elapsed() < time + Duration::from_secs(2), "{what}: {:?}", started.elapsed());
    }
}

/// In MB: what this process holds at its fullest since `clear_refs` was last written to.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
#[ignore = "a measurement: takes a minute and 2 GB"]
fn worst_pictures() {
    println!("| picture | file | time | memory | outcome |\n|---|---|---|---|---|");
    for Hostile { what, file, .. } in pictures(SIDE, 2_000_000_000) {
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let (before, started) = (peak_mb(), Instant::now());
        let outcome = decoded(&file).map_or_else(|refusal| refusal.to_string(), |_| "read".into());
        let (seconds, memory) = (started.elapsed().as_secs_f32(), peak_mb() - before);
        println!(
            "| {what} | {:.2} MB | {seconds:.2} s | {memory} MB | {outcome} |",
            file.len() as f32 / 1048576.0
        );
    }
}
