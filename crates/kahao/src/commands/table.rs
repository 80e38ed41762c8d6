//! Tables on a terminal.

/// A cell, filled up to `width` columns. A Chinese character is two columns wide.
pub(super) fn pad(cell: &str, width: usize) -> String {
    let columns: usize = cell.chars().map(|c| if c < '\u{2e80}' { 1 } else { 2 }).sum();
    format!("{cell}{}", " ".repeat(width.saturating_sub(columns).max(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_end_where_the_next_begins() {
        assert_eq!(pad("ab", 5), "ab   ");
        assert_eq!(pad("借记卡", 10), "借记卡    ");
        assert_eq!(pad("too long", 3), "too long  ");
    }
}
