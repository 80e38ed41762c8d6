//! When the reading of a picture is given up. Asked between the stages and inside decoders; what happens between two
//! askings has a bound of its own.

use std::time::{Duration, Instant};

use crate::error::ReadError;

/// A point in time; `None` where it lies beyond what the clock can tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// So long from now.
    pub(crate) fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    pub(crate) fn has_passed(self) -> bool {
        self.0.is_some_and(|at| Instant::now() >= at)
    }

    /// Gives up when it has passed.
    pub(crate) fn check(self) -> Result<(), ReadError> {
        if self.has_passed() { Err(ReadError::TookTooLong) } else { Ok(()) }
    }
}
