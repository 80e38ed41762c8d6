//! Both engines read the drawn cards alike. Needs ONNX Runtime's library, which `KAHAO_ONNXRUNTIME` names:
//! `KAHAO_ONNXRUNTIME=libonnxruntime.so.1.32.0 cargo test -p kahao-reader --features onnxruntime --test onnxruntime`.
#![cfg(feature = "onnxruntime")]

use std::path::{Path, PathBuf};

use kahao_reader::CardReader;

fn library() -> Option<PathBuf> {
    let library = std::env::var_os("KAHAO_ONNXRUNTIME").map(PathBuf::from);
    if library.is_none() {
        eprintln!("not run: KAHAO_ONNXRUNTIME names no library of ONNX Runtime");
    }
    library
}

#[test]
fn both_engines_read_the_drawn_cards_alike() {
    let Some(library) = library() else { return };
    let (own, other) = (CardReader::new().unwrap(), CardReader::with_onnxruntime(&library, false).unwrap());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/cards");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pictures: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "jpg")).collect();
    assert!(pictures.len() >= 6);
    // On several threads, which need sessions of their own.
    std::thread::scope(|scope| {
        for path in &pictures {
            let (own, other) = (&own, &other);
            scope.spawn(move || {
                let picture = std::fs::read(path).unwrap();
                let (a, b) = (own.read(&picture).unwrap(), other.read(&picture).unwrap());
                assert_eq!(a.len(), b.len(), "{}", path.display());
                for (a, b) in a.iter().zip(&b) {
                    let date =
                        |card: &kahao_reader::CardReading| card.valid_date.as_ref().map(|date| date.value);
                    assert!(a.number.value == b.number.value && date(a) == date(b), "{}", path.display());
                    assert!((a.number.prob - b.number.prob).abs() < 1e-3, "{}", path.display());
                    let corners = a.number.quad.0.into_iter().zip(b.number.quad.0);
                    assert!(corners.into_iter().all(|(a, b)| a.distance(b) < 0.1), "{}", path.display());
                }
            });
        }
    });
}

#[test]
fn what_is_no_library_is_refused() {
    let missing = CardReader::with_onnxruntime(Path::new("there/is/none.so"), false).err().unwrap();
    assert!(missing.to_string().starts_with("ONNX Runtime is unusable: "), "{missing}");
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    let Some(library) = library() else { return };
    // The library for processors alone knows no CUDA.
    assert!(CardReader::with_onnxruntime(&library, true).is_err());
}
