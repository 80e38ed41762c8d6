//! The id of a request: the caller's own where it is fit for a log, so that one id leads through all the services of
//! a call; else a new one.

use axum::http::HeaderMap;
use kahao_reader::card::Pan;

use crate::secret::random_hex;

/// Longest id that is taken over: a UUID has 36 characters, and some gateways write two ids in one.
const MAX_LENGTH: usize = 80;

/// The id that the caller gives, or a new one of 32 hexadecimal digits.
pub(crate) fn of(headers: &HeaderMap) -> String {
    let given = ["x-request-id", "x-ca-request-id"].iter().find_map(|name| headers.get(*name));
    match given.and_then(|value| value.to_str().ok()) {
        Some(id) if is_fit(id) => id.to_owned(),
        _ => random_hex::<16>(),
    }
}

/// Letters, digits and `-_.:`, no line break or blank that would make a log say something else, and no card number.
fn is_fit(id: &str) -> bool {
    (1..=MAX_LENGTH).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
        && !may_hold_card_number(id)
}

/// Whether 13 to 19 digits in a row, signs between them aside, pass the check of card numbers. One UUID in some hundreds
/// does so by chance and is replaced.
fn may_hold_card_number(id: &str) -> bool {
    let text: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    text.split(|c: char| !c.is_ascii_digit()).any(|run| {
        (Pan::MIN_DIGITS..=Pan::MAX_DIGITS.min(run.len())).any(|length| {
            (0..=run.len() - length)
                .any(|at| run[at..at + length].parse().is_ok_and(|pan: Pan| pan.luhn_valid()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fit_ids_are_taken_over() {
        for (id, fit) in [
            ("a", true),
            ("7f9c2ba4-e88f-4a7d-b0a5-1c2d3e4f5a6b", true),
            ("0af7651916cd43dd8448eb211c80319c", true),
            ("edge.1:req_42-b", true),
            ("1234567890123", true),
            ("", false),
            ("two words", false),
            ("a\tb", false),
            ("{\"a\":1}", false),
            ("4111111111111111", false),
            ("pan-4111-1111-1111-1111", false),
            ("x4111111111111111x", false),
            ("9994111111111111111999", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", id.parse().unwrap());
            assert_eq!(of(&headers) == id, fit, "{id}");
        }
        let longest = "a".repeat(MAX_LENGTH);
        assert!(is_fit(&longest) && !is_fit(&format!("{longest}a")));
    }

    #[test]
    fn either_header_is_read_and_without_one_each_request_has_its_own() {
        let mut headers = HeaderMap::new();
        let (first, second) = (of(&headers), of(&headers));
        assert!(first.len() == 32 && first != second);
        headers.insert("x-ca-request-id", "from-a-gateway".parse().unwrap());
        assert_eq!(of(&headers), "from-a-gateway");
        headers.insert("x-request-id", "first".parse().unwrap());
        assert_eq!(of(&headers), "first");
        headers.insert("x-request-id", "gr\u{fc}n".parse().unwrap());
        assert_eq!(of(&headers).len(), 32);
    }
}
