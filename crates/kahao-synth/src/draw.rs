//! Pictures in files, with the labels that `kahao eval` reads: a test set.

use std::path::Path;

use anyhow::Context as _;
use image::RgbImage;
use kahao_reader::geometry::Quad;

use crate::label::{Kind, SceneLine};
use crate::raster::Random;
use crate::scene::{Scene, as_upright_as};

/// Columns of labels.csv.
const HEADER: &str = "file,kind,number,valid_date,holder,print,orientation,cards,quad,card\n";

/// A line is legible when its characters are at least so high, px: about the smallest number among real pictures at the
/// 1,000 px that test sets have, and what a person reads with ease.
const LEAST_HEIGHT_PX: f32 = 12.0;
/// And when print changes the card's grey by this much (root mean square over two characters' places, of 255 levels):
/// below it they were not told on enlarged contact sheets.
const LEAST_CONTRAST: f32 = 7.0;

/// Draws a picture with each of `randoms` into a folder, and writes what they show beside them. `draw_bare` draws the
/// same pictures before anything that is to be read was put on the cards.
pub(crate) fn write_pictures(
    folder: &Path,
    randoms: impl Iterator<Item = Random>,
    draw: impl Fn(&mut Random) -> Scene,
    draw_bare: impl Fn(&mut Random) -> Scene,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let mut labels = String::from(HEADER);
    for (index, mut random) in randoms.enumerate() {
        let mut again = random.clone();
        let mut scene = draw(&mut random);
        if !scene.lines.is_empty() {
            let bare = draw_bare(&mut again);
            let legible: Vec<bool> = scene.lines.iter().map(|line| is_legible(line, &scene, &bare)).collect();
            let mut legible = legible.into_iter();
            // A line that nobody can tell counts as one that is not seen whole.
            scene.lines.retain(|_| legible.next().unwrap_or(false));
        }
        let file = format!("{index:04}.jpg");
        let rgb = scene.to_rgb(&mut random);
        let picture = RgbImage::from_raw(scene.width as u32, scene.height as u32, rgb)
            .context("a scene has its own size")?;
        picture.save(folder.join(&file)).with_context(|| format!("writing {file}"))?;
        labels.push_str(&label(&file, &scene));
    }
    std::fs::write(folder.join("labels.csv"), labels).context("writing labels.csv")
}

/// From one row of a number to the next, in heights of its digits: the middle of what is drawn.
const USUAL_PITCH: f32 = 1.6;

/// In one line or in rows.
fn is_number(kind: Kind) -> bool {
    matches!(kind, Kind::Number | Kind::Stack)
}

/// Whether each two neighbouring characters of a line are high enough and stand out from the card.
fn is_legible(line: &SceneLine, scene: &Scene, bare: &Scene) -> bool {
    const SAMPLES: usize = 12;
    if line.kind == Kind::Stack {
        let texts: Vec<&str> = line.text.split(' ').collect();
        let quads = kahao_reader::rows_of(&line.quad, texts.len(), USUAL_PITCH);
        return texts.iter().zip(quads).all(|(text, quad)| {
            let row = SceneLine { kind: Kind::Number, text: (*text).to_owned(), quad, card: line.card };
            is_legible(&row, scene, bare)
        });
    }
    if line.quad.height() < LEAST_HEIGHT_PX {
        return false;
    }
    let pairs = line.text.chars().count() / 2;
    (0..pairs).all(|pair| {
        let square = |index: usize| {
            let (column, row) = (index % SAMPLES, index / SAMPLES);
            let along = (pair as f32 + (column as f32 + 0.5) / SAMPLES as f32) / pairs as f32;
            let p = line.quad.at(along, (row as f32 + 0.5) / SAMPLES as f32);
            (scene.grey_at(p) - bare.grey_at(p)).powi(2)
        };
        let mean = (0..SAMPLES * SAMPLES).map(square).sum::<f32>() / (SAMPLES * SAMPLES) as f32;
        mean.sqrt() >= LEAST_CONTRAST
    })
}

/// A line of labels.csv. The first number that is seen whole is the labelled one.
fn label(file: &str, scene: &Scene) -> String {
    let cards = scene.cards.len();
    let kind = if cards == 0 { "decoy" } else { "rendered" };
    let Some(number) = scene.lines.iter().find(|line| is_number(line.kind)) else {
        // Of a number that is cropped or covered nobody can tell what a reader should make of it.
        let has_number = scene.cards.iter().any(|card| card.lines.iter().any(|kind| is_number(*kind)));
        let unknown = if has_number { "?" } else { "" };
        return format!("{file},{kind},{unknown},{unknown},{unknown},,,{cards},,\n");
    };
    let digits = number.text.replace(' ', "");
    let (date, holder) = (expiry(scene, number.card), holder(scene, number.card));
    let print = if scene.cards[number.card].is_embossed { "embossed" } else { "flat" };
    let corners = |quad: &Quad| quad.0.map(|p| format!("{:.1} {:.1}", p.x, p.y)).join(" ");
    let card = as_upright_as(&scene.cards[number.card].quad, &number.quad);
    format!(
        "{file},{kind},{digits},{date},{holder},{print},{},{cards},{},{}\n",
        orientation(&number.quad),
        corners(&number.quad),
        corners(&card)
    )
}

/// The expiry of a card as `MM/YY`, "" when it has none, "?" when a date of it is not seen whole: the latest, for VALID
/// FROM comes before it.
fn expiry(scene: &Scene, card: usize) -> String {
    let printed = scene.cards[card].lines.iter().filter(|kind| **kind == Kind::Date).count();
    let seen: Vec<&str> = scene
        .lines
        .iter()
        .filter(|line| line.card == card && line.kind == Kind::Date)
        .map(|line| line.text.as_str())
        .collect();
    if seen.len() < printed {
        return "?".to_owned();
    }
    let latest = seen.into_iter().flat_map(|text| text.split(' ')).filter_map(parse_date).max();
    latest.map(|(year, month)| format!("{month:02}/{:02}", year % 100)).unwrap_or_default()
}

/// The name on a card, "" when it has none, "?" when it is not seen whole.
fn holder(scene: &Scene, card: usize) -> &str {
    let seen = scene.lines.iter().find(|line| line.card == card && line.kind == Kind::Holder);
    let unseen = if scene.cards[card].lines.contains(&Kind::Holder) { "?" } else { "" };
    seen.map_or(unseen, |line| &line.text)
}

/// Year and month of a date as `content.rs` writes them: MM/YY, MM/YYYY, YYYY/MM.
fn parse_date(text: &str) -> Option<(u32, u32)> {
    let (left, right) = text.split_once('/')?;
    let (month, year) = if left.len() == 4 { (right, left) } else { (left, right) };
    let (month, year) = (month.parse().ok()?, year.parse::<u32>().ok()?);
    Some((if year < 100 { 2000 + year } else { year }, month))
}

/// Degrees that the text is turned clockwise when that is about a whole quarter, otherwise `tilted`.
fn orientation(quad: &Quad) -> &'static str {
    const TURNS: [&str; 4] = ["0", "90", "180", "270"];
    let [start, end, ..] = quad.0;
    let quarters = (end.y - start.y).atan2(end.x - start.x) / std::f32::consts::FRAC_PI_2;
    let nearest = quarters.round();
    // 10 degrees: what the reader takes at the first look.
    if (quarters - nearest).abs() > 10.0 / 90.0 {
        return "tilted";
    }
    TURNS[(nearest as i32).rem_euclid(4) as usize]
}

#[cfg(test)]
mod tests {
    use kahao_reader::geometry::Point;

    use super::*;
    use crate::label::SceneCard;

    #[test]
    fn dates_as_they_are_printed() {
        for (text, date) in [
            ("03/07", Some((2007, 3))),
            ("11/2031", Some((2031, 11))),
            ("2024/12", Some((2024, 12))),
            ("0200", None),
        ] {
            assert_eq!(parse_date(text), date, "{text}");
        }
    }

    #[test]
    fn turns() {
        let line = |degrees: f32| {
            let at = |x: f32, y: f32| {
                let (sin, cos) = degrees.to_radians().sin_cos();
                Point::new(x * cos - y * sin, x * sin + y * cos)
            };
            Quad([at(0.0, 0.0), at(90.0, 0.0), at(90.0, 9.0), at(0.0, 9.0)])
        };
        for (degrees, turn) in [
            (0.0, "0"),
            (-9.0, "0"),
            (351.0, "0"),
            (12.0, "tilted"),
            (81.0, "90"),
            (175.0, "180"),
            (185.0, "180"),
            (-95.0, "270"),
        ] {
            assert_eq!(orientation(&line(degrees)), turn, "{degrees}");
        }
    }

    /// A picture of cards with the lines they have, of which those with a text are seen whole.
    fn scene(cards: &[&[(Kind, &str)]]) -> Scene {
        let mut scene =
            Scene { width: 0, height: 0, pixels: Vec::new(), lines: Vec::new(), cards: Vec::new() };
        for (card, lines) in cards.iter().enumerate() {
            let kinds = lines.iter().map(|(kind, _)| *kind).collect();
            let quad = Quad::rect(0.0, 0.0, 20.0, 12.0);
            scene.cards.push(SceneCard { is_embossed: card == 0, quad, lines: kinds });
            scene.lines.extend(lines.iter().filter(|(_, text)| !text.is_empty()).map(|(kind, text)| {
                SceneLine {
                    kind: *kind,
                    text: (*text).to_owned(),
                    quad: Quad::rect(1.0, 2.0, 9.0, 3.0),
                    card,
                }
            }));
        }
        scene
    }

    #[test]
    fn what_pictures_show() {
        use Kind::{Date, Holder, Number, OtherDate};
        const CORNERS: &str = "1.0 2.0 10.0 2.0 10.0 5.0 1.0 5.0,0.0 0.0 20.0 0.0 20.0 12.0 0.0 12.0";
        for (cards, expected) in [
            (&[][..], "decoy,,,,,,0,,"),
            (&[&[(OtherDate, "01/06")][..]][..], "rendered,,,,,,1,,"),
            (&[&[(Number, "")]], "rendered,?,?,?,,,1,,"),
            (&[&[(Number, "41 11")]], "rendered,4111,,,embossed,0,1,C"),
            (
                &[&[(Number, "41 11"), (Date, "2024/12"), (OtherDate, "01/30")]],
                "rendered,4111,12/24,,embossed,0,1,C",
            ),
            (&[&[(Number, "41 11"), (Date, "09/09 08/12")]], "rendered,4111,08/12,,embossed,0,1,C"),
            (
                &[&[(Number, "41 11"), (Date, "08/12"), (Date, "10/2011")]],
                "rendered,4111,08/12,,embossed,0,1,C",
            ),
            (&[&[(Number, "41 11"), (Date, ""), (Date, "09/09")]], "rendered,4111,?,,embossed,0,1,C"),
            (&[&[(Number, "41 11"), (Holder, "LI NA")]], "rendered,4111,,LI NA,embossed,0,1,C"),
            (&[&[(Number, "41 11"), (Holder, "")]], "rendered,4111,,?,embossed,0,1,C"),
            (
                &[&[(Number, ""), (Date, "01/40")], &[(Number, "62 22"), (Date, "02/30")]],
                "rendered,6222,02/30,,flat,0,2,C",
            ),
        ] {
            let expected = format!("a.jpg,{}\n", expected.replace('C', CORNERS));
            assert_eq!(label("a.jpg", &scene(cards)), expected);
        }
    }

    #[test]
    fn what_can_be_told() {
        // A line of 200 px on a grey card, its right half printed with a contrast of its own.
        let picture = |right: f32| {
            let grey = |i: usize| {
                if (i / 240) % 4 < 2 { 0.4 } else { 0.4 + if i % 240 < 120 { 0.3 } else { right } }
            };
            let pixels = (0..240 * 60).map(|i| [grey(i); 3]).collect();
            Scene { width: 240, height: 60, pixels, lines: Vec::new(), cards: Vec::new() }
        };
        let bare = Scene { pixels: vec![[0.4; 3]; 240 * 60], ..picture(0.0) };
        let line = |height: f32| SceneLine {
            kind: Kind::Number,
            text: "4111 1111 1111 1111".to_owned(),
            quad: Quad::rect(20.0, 20.0, 200.0, height),
            card: 0,
        };
        for (right, height, expected) in [
            (0.3, 20.0, true),
            (0.3, 11.0, false),
            (0.05, 20.0, true),
            (0.01, 20.0, false),
            (0.0, 20.0, false),
        ] {
            assert_eq!(is_legible(&line(height), &picture(right), &bare), expected, "{right} {height}");
        }
    }

    #[test]
    fn every_picture_has_its_file_and_its_line() {
        let folder = std::env::temp_dir().join(format!("kahao-synth-{}", std::process::id()));
        let draw = |random: &mut Random| {
            let pixels = vec![[random.range(0.0, 1.0); 3]; 30 * 20];
            Scene { width: 30, height: 20, pixels, ..scene(&[]) }
        };
        write_pictures(&folder, (0..3).map(Random::new), draw, draw).unwrap();
        let labels = std::fs::read_to_string(folder.join("labels.csv")).unwrap();
        let lines: Vec<&str> = labels.lines().collect();
        assert_eq!(format!("{}\n", lines[0]), HEADER);
        for (index, line) in lines[1..].iter().enumerate() {
            assert_eq!(*line, format!("{index:04}.jpg,decoy,,,,,,0,,"));
            assert_eq!(image::image_dimensions(folder.join(&line[..8])).unwrap(), (30, 20));
        }
        assert_eq!(lines.len(), 4);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
