//! kahao-synth draws labelled bank cards: for training (streams without files), for tests and for looking at.
//! Same seed, same bytes. Every number it prints is invented.

mod art;
mod content;
mod decoy;
mod design;
mod draw;
mod glyphs;
mod label;
mod print;
mod raster;
mod scene;

use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use image::{GrayImage, RgbImage};

use crate::glyphs::Fonts;
use crate::raster::Random;
use crate::scene::StripSize;

/// What the recognisers of numbers and names read.
const STRIP: StripSize = StripSize { width: 480, height: 48, shown: 480 };
/// What that of dates reads, of which most strips are a little narrower.
const DATE_STRIP: StripSize = StripSize { width: 288, height: 48, shown: 240 };

#[derive(Parser)]
#[command(version, about, propagate_version = true)]
struct Arguments {
    /// Folder in which the fonts for print are looked for
    #[arg(long, global = true, default_value = "/usr/share/fonts")]
    fonts: PathBuf,
    #[command(subcommand)]
    command: Command,
}

/// What is streamed.
#[derive(clap::Args)]
struct Stream {
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many; without it until the reader closes the pipe
    #[arg(long)]
    count: Option<u64>,
}

#[derive(Subcommand)]
enum Command {
    /// Stream grey line strips with their text to standard output (format: label.rs)
    Strips {
        #[command(flatten)]
        stream: Stream,
    },
    /// Stream grey scenes with their text lines' corners to standard output (format: label.rs)
    Scenes {
        #[command(flatten)]
        stream: Stream,
        /// Pixels of the longer side
        #[arg(long, default_value_t = 320)]
        side: usize,
    },
    /// Stream grey scenes of cards with their numbers in rows of four digits, with the rows' corners (format: label.rs)
    StackScenes {
        #[command(flatten)]
        stream: Stream,
        /// Pixels of the longer side
        #[arg(long, default_value_t = 320)]
        side: usize,
    },
    /// Stream grey strips of dates, some of pieces of names, with the dates in them to standard output (format: label.rs)
    DateStrips {
        #[command(flatten)]
        stream: Stream,
    },
    /// Stream grey strips of holders' names with their text to standard output (format: label.rs)
    HolderStrips {
        #[command(flatten)]
        stream: Stream,
    },
    /// Stream grey squares about a number as the reader looks for the holder's name, with its corners (format: label.rs)
    HolderLooks {
        #[command(flatten)]
        stream: Stream,
        /// Pixels of a side
        #[arg(long, default_value_t = 320)]
        side: usize,
    },
    /// Stream grey squares about a number as the reader looks for its card, with the card's corners (format: label.rs)
    CardLooks {
        #[command(flatten)]
        stream: Stream,
        /// Pixels of a side
        #[arg(long, default_value_t = 320)]
        side: usize,
    },
    /// Write a contact sheet of strips (left) and scenes (right) as a PNG
    Sheet {
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value = "sheet.png")]
        out: PathBuf,
    },
    /// Write pictures into a folder, with the labels.csv that `kahao eval` reads
    Draw {
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value_t = 10)]
        count: u64,
        /// Pixels of the longer side
        #[arg(long, default_value_t = 1000)]
        side: usize,
        /// Only pictures without a bank card, which have digits all the same
        #[arg(long, conflicts_with = "stacked")]
        decoys: bool,
        /// Only cards with their numbers in rows of four digits
        #[arg(long)]
        stacked: bool,
        #[arg(long)]
        out: PathBuf,
    },
}

/// Draws a strip of a size, and tells its text.
type DrawStrip = fn(&mut Random, &Fonts, StripSize) -> (Vec<u8>, String);

/// Draws a scene of a longer side of so many px.
type DrawScene = fn(&mut Random, &Fonts, usize) -> scene::Scene;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let fonts = Fonts::load(&arguments.fonts)?;
    let written = match arguments.command {
        Command::Strips { stream } => {
            stream.write(|out, random| draw_strip(out, random, &fonts, scene::strip, STRIP))
        }
        Command::DateStrips { stream } => {
            stream.write(|out, random| draw_strip(out, random, &fonts, scene::date_strip, DATE_STRIP))
        }
        Command::Scenes { stream, side } => {
            stream.write(|out, random| draw_scene(out, random, &fonts, scene::scene, side))
        }
        Command::StackScenes { stream, side } => {
            stream.write(|out, random| draw_scene(out, random, &fonts, scene::stacked_scene, side))
        }
        Command::HolderStrips { stream } => {
            stream.write(|out, random| draw_strip(out, random, &fonts, scene::holder_strip, STRIP))
        }
        Command::HolderLooks { stream, side } => stream.write(|out, random| {
            let (pixels, lines) = scene::holder_look(random, &fonts, side);
            label::write_scene(out, &pixels, side, side, &lines)
        }),
        Command::CardLooks { stream, side } => stream.write(|out, random| {
            scene::card_looks(random, &fonts, side)
                .into_iter()
                .try_for_each(|(pixels, card)| label::write_scene(out, &pixels, side, side, &[card]))
        }),
        Command::Sheet { seed, out } => return write_sheet(seed, &fonts, &out),
        Command::Draw { seed, count, side, decoys, stacked, out } => {
            let (draw, draw_bare): (DrawScene, DrawScene) = if decoys {
                (scene::decoy, scene::decoy)
            } else if stacked {
                (scene::stacked_scene, scene::bare_stacked_scene)
            } else {
                (scene::scene, scene::bare_scene)
            };
            return draw::write_pictures(
                &out,
                (0..count).map(|index| picture_random(seed, index)),
                |random| draw(random, &fonts, side),
                |random| draw_bare(random, &fonts, side),
            );
        }
    };
    match written {
        // The training script took what it wanted.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("writing to standard output"),
    }
}

/// Each picture has a generator of its own, so that picture 7 of a seed is the same whatever came before.
fn picture_random(seed: u64, index: u64) -> Random {
    Random::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(index))
}

impl Stream {
    /// Writes one picture after the other to standard output, each drawn with a generator of its own.
    fn write(
        &self,
        mut write: impl FnMut(&mut BufWriter<std::io::StdoutLock<'_>>, &mut Random) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 18, std::io::stdout().lock());
        for index in 0..self.count.unwrap_or(u64::MAX) {
            write(&mut out, &mut picture_random(self.seed, index))?;
        }
        out.flush()
    }
}

fn draw_strip(
    out: &mut impl Write,
    random: &mut Random,
    fonts: &Fonts,
    draw: DrawStrip,
    size: StripSize,
) -> std::io::Result<()> {
    let (pixels, text) = draw(random, fonts, size);
    label::write_strip(out, &pixels, size.shown, size.height, &text)
}

fn draw_scene(
    out: &mut impl Write,
    random: &mut Random,
    fonts: &Fonts,
    draw: DrawScene,
    side: usize,
) -> std::io::Result<()> {
    let scene = draw(random, fonts, side);
    label::write_scene(out, &scene.expose_grey(random), scene.width, scene.height, &scene.lines)
}

fn write_sheet(seed: u64, fonts: &Fonts, out: &Path) -> anyhow::Result<()> {
    const ROWS: usize = 24;
    let (width, height) = (STRIP.shown as u32, STRIP.height as u32);
    let gap = 6;
    let mut sheet = GrayImage::new(2 * width + gap, ROWS as u32 * (height + gap));
    for index in 0..2 * ROWS {
        let (pixels, _) = scene::strip(&mut picture_random(seed, index as u64), fonts, STRIP);
        let strip = GrayImage::from_raw(width, height, pixels).context("a strip has its own size")?;
        let (x, y) = (index as u32 % 2 * (width + gap), index as u32 / 2 * (height + gap));
        image::imageops::replace(&mut sheet, &strip, x.into(), y.into());
    }
    sheet.save(out).with_context(|| format!("writing {}", out.display()))?;
    let scenes_out = out.with_extension("scenes.png");
    let mut scenes = RgbImage::new(6 * 330, 5 * 330);
    for index in 0..30 {
        let mut random = picture_random(seed, 1_000 + index);
        let scene = scene::scene(&mut random, fonts, 320);
        let rgb = scene.to_rgb(&mut random);
        let picture = RgbImage::from_raw(scene.width as u32, scene.height as u32, rgb)
            .context("a scene has its own size")?;
        image::imageops::replace(&mut scenes, &picture, (index % 6) as i64 * 330, (index / 6) as i64 * 330);
    }
    scenes.save(&scenes_out).with_context(|| format!("writing {}", scenes_out.display()))?;
    println!("{} and {}", out.display(), scenes_out.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fonts come with a machine, not with the repository; `None` says so on standard error.
    fn fonts() -> Option<Fonts> {
        let fonts = Fonts::load(Path::new("/usr/share/fonts"));
        fonts.inspect_err(|error| eprintln!("kahao-synth: not run, the test needs fonts: {error:#}")).ok()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let Some(fonts) = fonts() else { return };
        let drawn = |seed: u64| {
            let mut out = Vec::new();
            for index in 0..4 {
                draw_strip(&mut out, &mut picture_random(seed, index), &fonts, scene::strip, STRIP).unwrap();
                draw_scene(&mut out, &mut picture_random(seed, index), &fonts, scene::scene, 160).unwrap();
            }
            out
        };
        assert!(drawn(5) == drawn(5), "seed 5 gave other bytes the second time");
        assert!(drawn(5) != drawn(6), "seeds 5 and 6 gave the same bytes");
    }

    #[test]
    fn every_line_lies_in_its_picture() {
        let Some(fonts) = fonts() else { return };
        let mut lines = 0;
        for index in 0..150 {
            let scene = scene::scene(&mut picture_random(7, index), &fonts, 160);
            assert_eq!(scene.width.max(scene.height), 160);
            for line in &scene.lines {
                lines += 1;
                for corner in line.quad.0 {
                    // A corner of the quad is ground, not ink: scenes let it stand out by 2 px.
                    let inside = (-2.0..=scene.width as f32 + 2.0).contains(&corner.x)
                        && (-2.0..=scene.height as f32 + 2.0).contains(&corner.y);
                    assert!(inside, "picture {index}: {:?} at {:?}", line.kind, line.quad);
                }
                assert!(line.quad.width() > line.quad.height(), "picture {index}: {:?}", line.quad);
            }
        }
        assert!(lines >= 100, "only {lines} lines in 150 pictures");
    }

    #[test]
    fn numbers_in_rows_have_16_or_19_digits() {
        let Some(fonts) = fonts() else { return };
        let mut stacks = 0;
        for index in 0..60 {
            let scene = scene::stacked_scene(&mut picture_random(7, index), &fonts, 160);
            assert!(scene.lines.iter().all(|line| line.kind != label::Kind::Number), "picture {index}");
            for stack in scene.lines.iter().filter(|line| line.kind == label::Kind::Stack) {
                stacks += 1;
                let rows: Vec<usize> = stack.text.split(' ').map(str::len).collect();
                assert!([&[4; 4][..], &[4, 4, 4, 4, 3]].contains(&&rows[..]), "picture {index}: {rows:?}");
                assert!(2.0 * stack.quad.height() > stack.quad.width(), "picture {index}: {:?}", stack.quad);
            }
        }
        assert!(stacks >= 40, "only {stacks} in 60 pictures");
    }

    #[test]
    fn strips_say_what_the_recogniser_can_spell() {
        let Some(fonts) = fonts() else { return };
        let mut read = 0;
        for index in 0..200 {
            let (pixels, text) = scene::strip(&mut picture_random(9, index), &fonts, STRIP);
            assert_eq!(pixels.len(), STRIP.shown * STRIP.height);
            assert!(text.chars().all(|symbol| " 0123456789/".contains(symbol)), "strip {index}: {text}");
            read += usize::from(!text.is_empty());
        }
        assert!(read >= 190, "only {read} of 200 strips have a text");
    }

    #[test]
    fn date_strips_say_dates_alone() {
        let Some(fonts) = fonts() else { return };
        let mut dated = 0;
        for index in 0..200 {
            let (pixels, text) = scene::date_strip(&mut picture_random(9, index), &fonts, DATE_STRIP);
            assert_eq!(pixels.len(), DATE_STRIP.shown * DATE_STRIP.height);
            assert!(text.split_whitespace().all(|date| date.contains('/')), "strip {index}: {text}");
            dated += usize::from(!text.is_empty());
        }
        assert!((180..200).contains(&dated), "{dated} of 200 strips show a date");
    }
}
