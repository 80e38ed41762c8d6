//! Where the time of one request goes. Noted by whoever does the work, told as metrics, as `Server-Timing` and as spans
//! of a trace.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A part of a request that is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// The download of an `image_url`.
    Fetch,
    /// The wait for a worker.
    Queue,
    Read,
}

impl Stage {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Queue => "queue",
            Self::Read => "read",
        }
    }
}

/// A stage that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timed {
    pub(crate) stage: Stage,
    #[allow(dead_code, reason = "for the spans of traces")]
    pub(crate) began: Instant,
    pub(crate) took: Duration,
}

/// The stages of one request so far, shared by all who work on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stages(Arc<Mutex<Vec<Timed>>>);

impl Stages {
    /// Notes a stage that ends now.
    pub(crate) fn note(&self, stage: Stage, began: Instant) {
        self.push([Timed { stage, began, took: began.elapsed() }]);
    }

    fn push(&self, stages: impl IntoIterator<Item = Timed>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(stages);
    }

    /// In the order in which they ended.
    pub(crate) fn list(&self) -> Vec<Timed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The value of a `Server-Timing` header (W3C Server Timing), in milliseconds.
pub(crate) fn server_timing(stages: &[Timed], total: Duration) -> String {
    let mut text = String::new();
    for Timed { stage, took, .. } in stages {
        let _ = write!(text, "{};dur={:.1}, ", stage.name(), took.as_secs_f64() * 1e3);
    }
    let _ = write!(text, "total;dur={:.1}", total.as_secs_f64() * 1e3);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_timing_has_every_stage_and_the_total() {
        let (began, ms) = (Instant::now(), Duration::from_millis);
        let stages = [(Stage::Queue, 2), (Stage::Read, 30)];
        let stages = stages.map(|(stage, took)| Timed { stage, began, took: ms(took) });
        assert_eq!(server_timing(&stages, ms(33)), "queue;dur=2.0, read;dur=30.0, total;dur=33.0");
    }
}
