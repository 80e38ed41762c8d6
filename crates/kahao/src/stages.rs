//! Where the time of one request goes. Noted by whoever does the work, told as metrics, as `Server-Timing` and as spans
//! of a trace.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kahao_reader::Timings;

/// A part of a request that is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// The download of an `image_url`.
    Fetch,
    /// The wait for a worker.
    Queue,
    Decode,
    Locate,
    Recognize,
}

impl Stage {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Queue => "queue",
            Self::Decode => "decode",
            Self::Locate => "locate",
            Self::Recognize => "recognize",
        }
    }
}

/// A stage that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timed {
    pub(crate) stage: Stage,
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

    /// Notes how a picture was read. A stage that it did not reach is none.
    pub(crate) fn note_reading(&self, mut began: Instant, timings: &Timings) {
        let stages = [
            (Stage::Decode, timings.decode),
            (Stage::Locate, timings.locate),
            (Stage::Recognize, timings.recognize),
        ];
        self.push(stages.into_iter().filter(|(_, took)| !took.is_zero()).map(|(stage, took)| {
            let timed = Timed { stage, began, took };
            began += took;
            timed
        }));
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
    fn stages_that_were_not_reached_are_not_told() {
        let stages = Stages::default();
        let began = Instant::now();
        let ms = Duration::from_millis;
        stages.push([Timed { stage: Stage::Queue, began, took: ms(2) }]);
        stages.note_reading(began + ms(2), &Timings { decode: ms(3), locate: ms(4), ..Timings::default() });
        let list = stages.list();
        assert_eq!(
            server_timing(&list, ms(12)),
            "queue;dur=2.0, decode;dur=3.0, locate;dur=4.0, total;dur=12.0"
        );
        assert_eq!(list[2].began, began + ms(5), "one after another");
    }
}
