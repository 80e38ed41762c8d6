//! Time of a whole reading of a 1-megapixel JPEG, and of its stages: `cargo bench -p kahao-reader --bench read`.

use std::hint::black_box;
use std::io::Cursor;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use kahao_reader::{CardReader, Timings};

const CARD: &[u8] = include_bytes!("../../../testdata/cards/embossed-16.jpg");

/// The drawn card at a telephone's proportions, as such a telephone would send it.
fn megapixel() -> image::ImageResult<Vec<u8>> {
    let card = image::load_from_memory(CARD)?.resize_exact(1155, 866, FilterType::Triangle).into_rgb8();
    let mut file = Cursor::new(Vec::new());
    card.write_with_encoder(JpegEncoder::new_with_quality(&mut file, 90))?;
    Ok(file.into_inner())
}

fn bench_read(criterion: &mut Criterion) {
    let reader = CardReader::new().expect("the models in the binary load");
    let picture = megapixel().expect("a drawn card is a picture");
    // A refusal would be quicker than a reading and prove nothing.
    assert!(reader.read(&picture).is_ok(), "the card is read");
    let mut group = criterion.benchmark_group("read");
    group.sample_size(30);
    group.bench_function("1 megapixel JPEG", |bencher| bencher.iter(|| reader.read(black_box(&picture))));
    type Stage = fn(&Timings) -> Duration;
    let decode: Stage = |timings| timings.decode;
    let locate: Stage = |timings| timings.locate;
    let recognize: Stage = |timings| timings.recognize;
    for (name, stage) in [("decode", decode), ("locate", locate), ("recognize", recognize)] {
        group.bench_function(format!("1 megapixel JPEG: {name}"), |bencher| {
            bencher.iter_custom(|readings| {
                let mut timings = Timings::default();
                for _ in 0..readings {
                    let _ = black_box(reader.read_timed(black_box(&picture), &mut timings));
                }
                stage(&timings)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench_read);
criterion_main!(benches);
