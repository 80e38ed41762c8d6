//! Which files a list of paths means.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::commands::pictures::STANDARD_INPUT;

/// Endings of pictures in a folder. A file that is named itself may have any.
const EXTENSIONS: &[&str] = &["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "gif", "tif", "tiff"];

/// The files among `paths`, and the pictures below the folders among them, each folder in the order of
/// names. Links to folders are not followed: they may lead round in a circle.
pub(crate) fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path == Path::new(STANDARD_INPUT) {
            files.push(path.clone());
            continue;
        }
        let shown = path.display();
        let meta = fs::metadata(path)
            .with_context(|| format!("{shown} cannot be read: name a picture or a folder"))?;
        if meta.is_dir() {
            search(path, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    ensure!(
        !files.is_empty(),
        "there is no picture in the folders named: {} are read",
        EXTENSIONS.join(", ")
    );
    Ok(files)
}

fn search(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries =
        entries.with_context(|| format!("the folder {} cannot be searched", folder.display()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            search(&path, files)?;
        } else if is_picture(&path) && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}
