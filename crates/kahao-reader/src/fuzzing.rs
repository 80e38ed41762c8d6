//! What `fuzz/` calls; hidden, and no part of the interface. The committed corpus is replayed by an ordinary test.

use std::time::Duration;

use crate::Limits;
use crate::deadline::Deadline;
use crate::decode::decode;

/// Any bytes give a picture within the limits or a refusal. The sides are small so that a fuzzer sees many files.
pub fn picture(bytes: &[u8]) {
    let limits = Limits { max_side_px: 512, max_time: Duration::from_secs(60), ..Limits::default() };
    if let Ok(photo) = decode(bytes, &limits, Deadline::after(limits.max_time)) {
        let (width, height) = (photo.width(), photo.height());
        assert!(width.min(height) >= 15 && width.max(height) <= 512, "{width} x {height} px");
        assert_eq!(photo.pixels().len(), width * height);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_fuzzer_found_worth_keeping_does_no_harm() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/picture");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            picture(&std::fs::read(entry.unwrap().path()).unwrap());
            seen += 1;
        }
        assert!(seen >= 100, "{seen} files in {folder}");
    }
}
