//! Reads the BIN table from its two CSV files: all faults of both files, with their lines, or a whole table.
//!
//! CSV as spreadsheets write it, without line breaks inside a field; lines that begin with # are remarks, and
//! bins.csv has one that reads `# date: YYYY-MM-DD`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::{BinTable, CardType, Issuer, MAX_LENGTH, MAX_PREFIX, MIN_LENGTH, Row};

const ISSUERS: &str = "issuers.csv";
const BINS: &str = "bins.csv";
const ISSUERS_HEADER: [&str; 5] = ["id", "name", "short_name", "code", "class"];
const BINS_HEADER: [&str; 7] = ["prefix", "length", "issuer", "type", "type_from", "card_name", "families"];

/// One fault of a table file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {reason}", if *.line == 0 { String::new() } else { format!(", line {line}") })]
pub struct TableFault {
    /// `issuers.csv` or `bins.csv`.
    pub file: &'static str,
    /// Line of the file, from 1; 0 for something that the whole file lacks.
    pub line: usize,
    /// What is wrong, as a sentence without its point.
    pub reason: String,
}

pub(super) fn parse(issuers_csv: &str, bins_csv: &str) -> Result<BinTable, Vec<TableFault>> {
    // Spreadsheets put a byte order mark before UTF-8.
    let [issuers_csv, bins_csv] =
        [issuers_csv, bins_csv].map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut faults = Vec::new();
    let (issuers, ids) = read_issuers(issuers_csv, &mut faults);
    let mut table = BinTable {
        date: String::new(),
        issuers,
        products: vec![],
        rows: vec![],
        by_length: Default::default(),
    };
    read_bins(bins_csv, &ids, &mut table, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    index(&mut table);
    Ok(table)
}

type Ids<'t> = HashMap<Cow<'t, str>, u32>;

fn read_issuers<'t>(text: &'t str, faults: &mut Vec<TableFault>) -> (Vec<Issuer>, Ids<'t>) {
    let mut issuers = Vec::new();
    let mut ids = Ids::new();
    read_records(ISSUERS, text, &ISSUERS_HEADER, faults, |[id, name, short_name, code, _class]| {
        let mut reasons = Vec::new();
        if id.is_empty() {
            reasons.push("an issuer needs an id".to_owned());
        }
        if short_name.is_empty() {
            reasons.push("an issuer needs a short_name".to_owned());
        }
        if ids.insert(id.clone(), issuers.len() as u32).is_some() {
            reasons.push(format!("the id {id} is used twice"));
        }
        let [name, short_name, code] = [name, short_name, code].map(Cow::into_owned);
        issuers.push(Issuer { name, short_name, code });
        reasons
    });
    (issuers, ids)
}

fn read_bins(text: &str, ids: &Ids<'_>, table: &mut BinTable, faults: &mut Vec<TableFault>) {
    match text.lines().find_map(|line| line.strip_prefix("# date: ")) {
        Some(date) if is_date(date) => table.date = date.to_owned(),
        _ => faults.push(fault(BINS, 0, "a line `# date: YYYY-MM-DD` is needed")),
    }
    let mut products = HashMap::new();
    let mut seen = HashSet::new();
    table.products.push(String::new());
    products.insert(Cow::Borrowed(""), 0);

    read_records(BINS, text, &BINS_HEADER, faults, |fields| {
        let mut reasons = Vec::new();
        let [prefix, length, issuer, card_type, type_from, product, families] = fields;
        let prefix_len = prefix.len();
        let prefix_is_sound =
            (1..=MAX_PREFIX).contains(&prefix_len) && prefix.bytes().all(|byte| byte.is_ascii_digit());
        if !prefix_is_sound {
            reasons.push(format!("the prefix must have 1 to {MAX_PREFIX} digits"));
        }
        let length = length.parse().ok().filter(|length| (MIN_LENGTH..=MAX_LENGTH).contains(length));
        if length.is_none() {
            reasons.push(format!("the length must be a number from {MIN_LENGTH} to {MAX_LENGTH}"));
        }
        let issuer_index = ids.get(&issuer);
        // Without any issuer the other file is at fault, and says so once.
        if issuer_index.is_none() && !ids.is_empty() {
            reasons.push(format!("no issuer has the id {issuer:?}"));
        }
        let card_type = read_type(&card_type).unwrap_or_else(|| {
            reasons.push(format!("{card_type:?} is no type: write {}, or nothing", TYPE_WORDS.join(", ")));
            None
        });
        let type_is_hint = match type_from.as_ref() {
            "" => false,
            "parent" | "issuer" => true,
            _ => {
                reasons.push(format!("{type_from:?} is no type_from: write parent, issuer, or nothing"));
                false
            }
        };
        if type_is_hint && card_type.is_none() {
            reasons.push("type_from without a type".to_owned());
        }
        let families = families.parse().ok().filter(|families| *families > 0);
        if families.is_none() {
            reasons.push("families must be a number from 1 to 255".to_owned());
        }
        if let (true, Some(length), Some(&issuer), Some(families)) =
            (prefix_is_sound, length, issuer_index, families)
        {
            let width = 10_u64.pow((MAX_PREFIX - prefix_len) as u32);
            let start = prefix.bytes().fold(0, |value, byte| value * 10 + u64::from(byte - b'0')) * width;
            if !seen.insert((start, prefix_len, length)) {
                reasons.push(format!("the prefix {prefix} with length {length} is there twice"));
            }
            let product = *products.entry(product).or_insert_with_key(|product| {
                table.products.push(product.clone().into_owned());
                table.products.len() as u32 - 1
            });
            table.rows.push(Row {
                start,
                end: start + width,
                issuer,
                product,
                parent: None,
                prefix_len: prefix_len as u8,
                length: length as u8,
                families,
                card_type,
                type_is_hint,
            });
        }
        reasons
    });
    if table.rows.is_empty() && faults.is_empty() {
        faults.push(fault(BINS, 0, "no rows"));
    }
}

/// Puts the rows in order and finds each one's parent: the open prefixes form a stack as one walks them.
fn index(table: &mut BinTable) {
    table.rows.sort_unstable_by_key(|row| (row.length, row.start, row.prefix_len));
    let mut open: Vec<(u32, u8, u64)> = Vec::new();
    for (at, row) in table.rows.iter_mut().enumerate() {
        while open.last().is_some_and(|&(_, length, end)| length != row.length || end <= row.start) {
            open.pop();
        }
        row.parent = open.last().map(|&(parent, ..)| parent);
        open.push((at as u32, row.length, row.end));

        let span = &mut table.by_length[usize::from(row.length)];
        if span.start == span.end {
            span.start = at as u32;
        }
        span.end = at as u32 + 1;
    }
}

const TYPE_WORDS: [&str; 4] = ["debit", "credit", "quasi-credit", "prepaid"];

/// `None` for a word that is no type, `Some(None)` for no word.
fn read_type(word: &str) -> Option<Option<CardType>> {
    Some(match word {
        "" => None,
        "debit" => Some(CardType::Debit),
        "credit" => Some(CardType::Credit),
        "quasi-credit" => Some(CardType::QuasiCredit),
        "prepaid" => Some(CardType::Prepaid),
        _ => return None,
    })
}

fn is_date(text: &str) -> bool {
    let is_like = |(byte, like): (u8, u8)| if like == b'-' { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.bytes().zip(*b"0000-00-00").all(is_like)
}

/// Hands each record after the header to `take`, which answers with what is wrong with it.
fn read_records<'t, const N: usize>(
    file: &'static str,
    text: &'t str,
    header: &[&str; N],
    faults: &mut Vec<TableFault>,
    mut take: impl FnMut([Cow<'t, str>; N]) -> Vec<String>,
) {
    let mut records = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));

    let head = records.next();
    if head.and_then(|(_, line)| split(line)).is_none_or(|fields| fields != *header) {
        faults.push(fault(
            file,
            head.map_or(0, |(line, _)| line),
            format!("the header must be {}", header.join(",")),
        ));
        return;
    }
    for (number, line) in records {
        let reasons = match split(line).map(<[Cow<'t, str>; N]>::try_from) {
            None => vec!["a quotation mark is out of place".to_owned()],
            Some(Err(fields)) => vec![format!("{} fields where {N} are needed", fields.len())],
            Some(Ok(fields)) => take(fields),
        };
        faults.extend(reasons.into_iter().map(|reason| fault(file, number, reason)));
    }
}

/// The fields of one CSV line; `None` when its quotation marks do not pair.
fn split(line: &str) -> Option<Vec<Cow<'_, str>>> {
    if !line.contains('"') {
        let mut fields = Vec::with_capacity(BINS_HEADER.len());
        fields.extend(line.split(',').map(Cow::Borrowed));
        return Some(fields);
    }
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let mut field = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let (piece, after) = rest.split_once('"')?;
                field.push_str(piece);
                match after.strip_prefix('"') {
                    Some(more) => {
                        field.push('"');
                        rest = more;
                    }
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            field.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        fields.push(Cow::Owned(field));
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None if rest.is_empty() => return Some(fields),
            None => return None,
        }
    }
}

fn fault(file: &'static str, line: usize, reason: impl Into<String>) -> TableFault {
    TableFault { file, line, reason: reason.into() }
}
