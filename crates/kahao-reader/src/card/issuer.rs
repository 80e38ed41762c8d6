//! Who issued a card, and of what type it is, by the leading digits of its number and its length.
//!
//! The table inside the binary is `data/issuers.csv` and `data/bins.csv`; docs/ISSUERS.md says where it
//! comes from and what it lacks. Reading the files is `issuer/parse.rs`; schemes are `scheme.rs`.

mod parse;

use std::ops::Range;
use std::sync::{Arc, LazyLock};

pub use parse::TableFault;

/// Who issued a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Full legal name: 中国工商银行股份有限公司; "" when it is not known for certain, see
    /// [`best_name`](Self::best_name).
    pub name: String,
    /// As the bank is called or printed: 工商银行. Never empty. A merged bank keeps its printed name here,
    /// beside its successor's legal name.
    pub short_name: String,
    /// Letters that stand for the bank: ICBC. "" when it has none.
    pub code: String,
}

impl Issuer {
    /// The legal name, or the printed one where no legal name is known: village banks are printed without
    /// their legal form, which is never made up, and their name is better than none.
    pub fn best_name(&self) -> &str {
        if self.name.is_empty() { &self.short_name } else { &self.name }
    }
}

/// Kind of card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CardType {
    /// 借记卡: spends what the account holds.
    Debit,
    /// 贷记卡: a credit card.
    Credit,
    /// 准贷记卡: a deposit first, then a small overdraft.
    QuasiCredit,
    /// 预付费卡: spends what was paid in when it was bought.
    Prepaid,
}

impl CardType {
    /// The name as the wire contract writes it.
    pub fn name_cn(self) -> &'static str {
        match self {
            CardType::Debit => "借记卡",
            CardType::Credit => "贷记卡",
            CardType::QuasiCredit => "准贷记卡",
            CardType::Prepaid => "预付费卡",
        }
    }
}

/// What the table says of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinFacts<'t> {
    /// Who issued the card.
    pub issuer: &'t Issuer,
    /// Kind of card; `None` where nothing tells.
    pub card_type: Option<CardType>,
    /// No list gives `card_type` for this very prefix; it follows from the issuer's other prefixes.
    pub type_is_hint: bool,
    /// Product: 牡丹信用卡.
    pub card_name: Option<&'t str>,
    /// How many leading digits decided, 1 to 10. Few digits match many misread numbers too.
    pub prefix_len: usize,
    /// How many independent lists name this issuer for this prefix and length, at least 1.
    pub families: u8,
}

/// Issuers by card number prefix and length of the whole number. Never changes once it is made.
#[derive(Debug)]
pub struct BinTable {
    date: String,
    issuers: Vec<Issuer>,
    /// Product names, each once; a row holds an index. The first is "".
    products: Vec<String>,
    /// Ordered by number length, then `start`, then prefix length.
    rows: Vec<Row>,
    /// Where the rows of a number length lie, by that length.
    by_length: [Range<u32>; MAX_LENGTH + 1],
}

/// Prefixes are compared as the numbers their first ten digits make.
const MAX_PREFIX: usize = 10;
/// The lengths of a primary account number that JR/T 0008 and ISO/IEC 7812 allow in practice.
const MIN_LENGTH: usize = 13;
const MAX_LENGTH: usize = 19;

/// One prefix: the numbers from `start` to `end` of those whose first ten digits it begins.
#[derive(Clone, Copy, Debug)]
struct Row {
    start: u64,
    end: u64,
    issuer: u32,
    product: u32,
    /// The row of the longest shorter prefix of this one, for the same number length.
    parent: Option<u32>,
    prefix_len: u8,
    length: u8,
    families: u8,
    card_type: Option<CardType>,
    type_is_hint: bool,
}

impl BinTable {
    /// The table inside this binary, read on the first call.
    pub fn embedded() -> &'static Arc<BinTable> {
        static TABLE: LazyLock<Arc<BinTable>> = LazyLock::new(|| {
            let table =
                BinTable::parse(include_str!("../data/issuers.csv"), include_str!("../data/bins.csv"));
            Arc::new(table.expect("a test reads the same bytes"))
        });
        &TABLE
    }

    /// Reads a table from the text of `issuers.csv` and `bins.csv`, or says everything that is wrong with them.
    pub fn parse(issuers_csv: &str, bins_csv: &str) -> Result<BinTable, Vec<TableFault>> {
        parse::parse(issuers_csv, bins_csv)
    }

    /// What the longest matching prefix says.
    ///
    /// `digits` is a whole number or its beginning, digits only; `length` is how many the whole number has.
    /// Without `length`, 13 digits or more are taken for a whole number, and fewer for the beginning of a
    /// number of any length: then the likeliest row of the longest prefix answers. For the 36 prefixes whose
    /// lengths differ in issuer or type that is a guess; give the length where it is known.
    pub fn lookup(&self, digits: &str, length: Option<usize>) -> Option<BinFacts<'_>> {
        self.row(digits, length).map(|row| self.facts(row))
    }

    /// Whether [`lookup`](Self::lookup) finds a prefix, for less: a prior for competing readings of a number.
    pub fn knows(&self, digits: &str, length: Option<usize>) -> bool {
        self.row(digits, length).is_some()
    }

    /// Number of rows: pairs of prefix and number length.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The day of the newest list that the table as a whole rests on, `YYYY-MM-DD`.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// The prefix and number length of every row.
    pub fn keys(&self) -> impl Iterator<Item = (String, usize)> {
        self.rows.iter().map(|row| {
            let ten_digits = format!("{:010}", row.start);
            (ten_digits[..usize::from(row.prefix_len)].to_owned(), usize::from(row.length))
        })
    }

    fn row(&self, digits: &str, length: Option<usize>) -> Option<&Row> {
        if let Some(length) = length.or((digits.len() >= MIN_LENGTH).then_some(digits.len())) {
            return self.find(digits, length);
        }
        let found = (MIN_LENGTH..=MAX_LENGTH).filter_map(|length| self.find(digits, length));
        // Among rows of one prefix: one that knows the type, then the lengths that cards have today (most of the
        // others are old 18-digit numbers of 工商银行), then the one with most lists behind it.
        found.max_by_key(|row| {
            let is_usual = matches!(row.length, 16 | 19);
            (row.prefix_len, row.card_type.is_some(), is_usual, row.families, row.length)
        })
    }

    /// The row of the longest prefix for numbers of `length` digits.
    fn find(&self, digits: &str, length: usize) -> Option<&Row> {
        if digits.len() > length {
            return None;
        }
        let span = self.by_length.get(length)?;
        let rows = self.rows.get(span.start as usize..span.end as usize)?;
        let known = digits.len().min(MAX_PREFIX);
        let mut key = 0;
        for byte in digits.bytes().take(MAX_PREFIX) {
            key = key * 10 + u64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        }
        key *= 10_u64.pow((MAX_PREFIX - known) as u32);

        // The prefixes of one number are nested, so all that hold `key` are the last row that starts at or
        // before it, or among that row's parents.
        let mut row = rows.get(rows.partition_point(|row| row.start <= key).checked_sub(1)?)?;
        while key >= row.end || usize::from(row.prefix_len) > known {
            row = self.rows.get(row.parent? as usize)?;
        }
        Some(row)
    }

    fn facts(&self, row: &Row) -> BinFacts<'_> {
        let product = self.products[row.product as usize].as_str();
        BinFacts {
            issuer: &self.issuers[row.issuer as usize],
            card_type: row.card_type,
            type_is_hint: row.type_is_hint,
            card_name: (!product.is_empty()).then_some(product),
            prefix_len: usize::from(row.prefix_len),
            families: row.families,
        }
    }
}

#[cfg(test)]
mod tests;
