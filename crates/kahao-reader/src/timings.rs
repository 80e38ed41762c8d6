//! How long the stages of reading a picture take, for whoever watches a service.

use std::time::{Duration, Instant};

/// How long the stages of one picture took, in their order; zero for those that it did not reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// The file to an upright grey picture.
    pub decode: Duration,
    /// The looks for lines in the whole picture.
    pub locate: Duration,
    /// All that is done with the lines, closer looks included.
    pub recognize: Duration,
}

/// Adds to `took` how long `stage` takes: a picture may be looked at more than once.
pub(crate) fn timed<T>(took: &mut Duration, stage: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = stage();
    *took += begun.elapsed();
    done
}
