//! A part of a whole, with what it says about the pictures that were not measured.

use std::fmt;

use serde::Serialize;

/// `part` of `of`, and the interval that holds the true share in 95 of 100 samples.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Share {
    pub(super) part: usize,
    pub(super) of: usize,
    /// `None` for a part of nothing, as the interval.
    pub(super) share: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

impl Share {
    pub(super) fn new(part: usize, of: usize) -> Self {
        let interval = (of > 0).then(|| wilson(part as f64, of as f64));
        Self {
            part,
            of,
            share: (of > 0).then(|| part as f64 / of as f64),
            low: interval.map(|(low, _)| low),
            high: interval.map(|(_, high)| high),
        }
    }
}

/// Wilson's score interval, "Probable Inference" (1927): unlike the normal one it stays between 0 and 1, and says
/// something where all or none are right.
fn wilson(part: f64, of: f64) -> (f64, f64) {
    /// The normal distribution's 97.5 % point.
    const Z: f64 = 1.959_964;
    let (share, spread) = (part / of, Z * Z / of);
    let centre = (share + spread / 2.0) / (1.0 + spread);
    let half = Z / (1.0 + spread) * (share * (1.0 - share) / of + spread / (4.0 * of)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// `44 of 47, 93.6 % (82.8 to 97.8)`
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.part, self.of)?;
        if let (Some(share), Some(low), Some(high)) = (self.share, self.low, self.high) {
            write!(f, ", {:.1} % ({:.1} to {:.1})", 100.0 * share, 100.0 * low, 100.0 * high)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bounds of 81 of 263 and 0 of 20 are those of Newcombe, "Two-sided confidence intervals for the single
    /// proportion" (1998), table I, method 3.
    #[test]
    fn intervals() {
        for (part, of, shown) in [
            (0, 0, "0 of 0"),
            (81, 263, "81 of 263, 30.8 % (25.5 to 36.6)"),
            (0, 20, "0 of 20, 0.0 % (0.0 to 16.1)"),
            (20, 20, "20 of 20, 100.0 % (83.9 to 100.0)"),
            (1, 2, "1 of 2, 50.0 % (9.5 to 90.5)"),
        ] {
            assert_eq!(Share::new(part, of).to_string(), shown);
        }
        let share = Share::new(0, 0);
        assert_eq!((share.share, share.low, share.high), (None, None, None));
    }
}
