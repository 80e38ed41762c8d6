//! Pictures with what was read drawn over them, beside each other in one folder.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use kahao_reader::{CardReading, Numbers, ReadError};

/// Why an annotated picture was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnnotateError {
    #[error("its annotated picture would overwrite it: name another folder with --annotate")]
    WouldOverwrite,
    #[error("its annotated picture cannot be written: {0}")]
    Io(#[from] io::Error),
    #[error("it cannot be annotated: {0}")]
    Draw(#[from] ReadError),
}

/// Draws the cards of a file over its picture and writes that below `folder`.
pub(super) fn write(
    folder: &Path,
    file: &Path,
    picture: &[u8],
    cards: &[CardReading],
    numbers: Numbers,
) -> Result<(), AnnotateError> {
    let target = place(folder, file);
    if fs::canonicalize(&target).is_ok_and(|target| fs::canonicalize(file).is_ok_and(|file| file == target)) {
        return Err(AnnotateError::WouldOverwrite);
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(fs::write(&target, kahao_reader::annotate(picture, cards, numbers)?)?)
}

/// Below the folder as it was named, so that two files of one name do not meet; `.jpg` is added to what is none.
fn place(folder: &Path, file: &Path) -> PathBuf {
    let mut target = folder.to_owned();
    target.extend(file.components().filter(|part| matches!(part, Component::Normal(_))));
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if !["jpg", "jpeg"].iter().any(|jpeg| extension.eq_ignore_ascii_case(jpeg)) {
        target.as_mut_os_string().push(".jpg");
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        for (file, target) in [
            ("card.jpg", "out/card.jpg"),
            ("a/b/card.PNG", "out/a/b/card.PNG.jpg"),
            ("../card.JPEG", "out/card.JPEG"),
            ("/scans/./card", "out/scans/card.jpg"),
            ("-", "out/-.jpg"),
        ] {
            assert_eq!(place(Path::new("out"), Path::new(file)), Path::new(target));
        }
    }
}
