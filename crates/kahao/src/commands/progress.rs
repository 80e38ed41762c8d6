//! How far a long run is, on a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Often enough to be seen moving, seldom enough to cost nothing.
const INTERVAL: Duration = Duration::from_millis(100);

/// One line on standard error that is written over again and again; nothing where no terminal is.
pub(crate) struct Progress {
    is_shown: bool,
    total: usize,
    done: usize,
    unread: usize,
    started: Instant,
    written: Option<Instant>,
}

impl Progress {
    /// `beside_output`: the results go to the same terminal, where their lines tell how far it is.
    pub(crate) fn new(total: usize, beside_output: bool) -> Self {
        let is_shown = total > 1 && !beside_output && io::stderr().is_terminal();
        Self { is_shown, total, done: 0, unread: 0, started: Instant::now(), written: None }
    }

    /// Makes room for a line of somebody else's.
    pub(crate) fn clear(&mut self) {
        if self.written.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }

    /// One more is done.
    pub(crate) fn advance(&mut self, is_read: bool) {
        self.done += 1;
        self.unread += usize::from(!is_read);
        let is_due = self.written.is_none_or(|written| written.elapsed() >= INTERVAL);
        if self.is_shown && is_due {
            let line = describe(self.done, self.total, self.unread, self.started.elapsed());
            eprint!("\r\x1b[K{line}");
            // A terminal that is gone is no reason to stop reading.
            let _ = io::stderr().flush();
            self.written = Some(Instant::now());
        }
    }
}

fn describe(done: usize, total: usize, unread: usize, elapsed: Duration) -> String {
    let left_s = elapsed.as_secs_f64() / done.max(1) as f64 * total.saturating_sub(done) as f64;
    let bar: String = (0..20).map(|cell| if cell * total < done * 20 { '#' } else { '.' }).collect();
    let left = match left_s.ceil() as u64 {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    };
    format!("[{bar}] {done} of {total}, {unread} not read, {left} left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said() {
        for (done, total, unread, elapsed_s, line) in [
            (1, 2, 0, 3, "[##########..........] 1 of 2, 0 not read, 3 s left"),
            (10, 100, 2, 60, "[##..................] 10 of 100, 2 not read, 9 min left"),
            (1, 10_000, 1, 1, "[#...................] 1 of 10000, 1 not read, 2 h 46 min left"),
            (5, 5, 0, 1, "[####################] 5 of 5, 0 not read, 0 s left"),
        ] {
            assert_eq!(describe(done, total, unread, Duration::from_secs(elapsed_s)), line);
        }
    }
}
