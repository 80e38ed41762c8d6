use std::mem::size_of;

use proptest::prelude::*;

use super::*;

const HEAD: &str = "prefix,length,issuer,type,type_from,card_name,families\n";
const ISSUERS: &str = "id,name,short_name,code,class\nA,甲银行股份有限公司,甲银行,JIA,city\n\
                       B,,\"Yi, Bank\",,overseas\nC,,丙银行,,city\n";

fn bins(rows: &str) -> String {
    format!("# date: 2021-12-28\n{HEAD}{rows}")
}

fn table(rows: &str) -> BinTable {
    BinTable::parse(ISSUERS, &bins(rows)).expect("a sound table")
}

fn faults(issuers: &str, bins: &str) -> Vec<String> {
    let faults = BinTable::parse(issuers, bins).expect_err("a faulty table");
    faults.iter().map(TableFault::to_string).collect()
}

#[test]
fn longest_prefix_of_the_right_length_wins() {
    let table = table(
        "62,16,A,debit,,,1\n6222,16,B,credit,,\"Gold \"\"G\"\", card\",3\n62220,19,C,prepaid,parent,,1\n622288,16,C,,,,1\n",
    );
    let name =
        |digits: &str, length| table.lookup(digits, length).map(|facts| facts.issuer.short_name.as_str());

    assert_eq!(name("6210000000000000", Some(16)), Some("甲银行"));
    assert_eq!(name("6222000000000000", Some(16)), Some("Yi, Bank"));
    assert_eq!(name("6222880000000000", None), Some("丙银行"));
    assert_eq!(name("6222880000000000", Some(19)), None);
    assert_eq!(name("6222000000000000000", None), Some("丙银行"));
    assert_eq!(name("62228", Some(16)), Some("Yi, Bank"), "too few digits for 622288");
    assert_eq!(name("6", Some(16)), None);

    let facts = table.lookup("6222", Some(16)).unwrap();
    assert_eq!((facts.prefix_len, facts.families, facts.type_is_hint), (4, 3, false));
    assert_eq!(facts.card_name, Some("Gold \"G\", card"));
    assert_eq!(facts.issuer.name, "");
    assert!(table.lookup("62220", Some(19)).unwrap().type_is_hint);
}

#[test]
fn without_a_length_the_likeliest_row_answers() {
    let table = table(
        "62,16,A,debit,,longest prefix,9\n6222,18,B,debit,,,1\n\
         6233,18,A,debit,,usual length,9\n6233,16,B,credit,,,1\n\
         6244,16,A,credit,,families,2\n6244,19,B,debit,,,3\n\
         6255,16,A,,,type,9\n6255,17,B,debit,,,1\n\
         6266,16,A,debit,,more digits,1\n6266,19,B,debit,,,1\n",
    );
    for prefix in ["6222", "6233", "6244", "6255", "6266", "62660"] {
        let facts = table.lookup(prefix, None).unwrap();
        assert_eq!(facts.issuer.short_name, "Yi, Bank", "{prefix}");
        assert!(table.knows(prefix, None), "{prefix}");
    }
    assert_eq!(table.lookup("6244", None).unwrap().card_type, Some(CardType::Debit));
    assert_eq!(table.lookup("6277", None).unwrap().prefix_len, 2);
    assert_eq!(table.lookup("7", None), None);
}

#[test]
fn an_issuer_without_a_legal_name_has_its_printed_one() {
    let table = table("62,16,A,debit,,,1\n63,16,B,debit,,,1\n");
    let name = |prefix| table.lookup(prefix, None).unwrap().issuer.best_name();
    assert_eq!((name("62"), name("63")), ("甲银行股份有限公司", "Yi, Bank"));
}

#[test]
fn every_prefix_that_is_unambiguous_answers_without_a_length() {
    let table = BinTable::embedded();
    let mut by_prefix = std::collections::BTreeMap::<String, Vec<usize>>::new();
    for (prefix, length) in table.keys() {
        by_prefix.entry(prefix).or_default().push(length);
    }
    let mut guessed = 0;
    for (prefix, lengths) in by_prefix {
        let said = |length| table.lookup(&prefix, length).map(|facts| (facts.issuer, facts.card_type));
        let rows: Vec<_> = lengths.iter().map(|length| said(Some(*length))).collect();
        if rows.iter().all(|row| *row == rows[0]) {
            assert_eq!(said(None), rows[0], "{prefix}");
        } else {
            assert!(rows.contains(&said(None)), "{prefix}");
            guessed += 1;
        }
    }
    assert_eq!(guessed, 36, "the number in docs/ISSUERS.md");
}

#[test]
fn what_is_no_number_has_no_issuer() {
    let table = BinTable::embedded();
    for digits in ["", "6222 02", "62220x", "六二二二", "-622202", "62220200000000000000000"] {
        for length in [None, Some(0), Some(16), Some(19), Some(20), Some(usize::MAX)] {
            assert_eq!(table.lookup(digits, length), None, "{digits:?} {length:?}");
        }
    }
    assert_eq!(table.lookup("622202000000000000000", Some(19)), None, "more digits than the number has");
}

#[test]
fn every_embedded_row_answers_itself() {
    let table = BinTable::embedded();
    let mut seen = 0;
    for line in include_str!("../../data/bins.csv")
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
    {
        let fields: Vec<&str> = line.split(',').collect();
        let (prefix, length) = (fields[0], fields[1].parse().unwrap());
        let facts = table.lookup(prefix, Some(length)).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(facts.prefix_len, prefix.len(), "{line}");
        assert!(!facts.issuer.short_name.is_empty(), "{line}");
        let word = facts.card_type.map_or("", |card_type| match card_type {
            CardType::Debit => "debit",
            CardType::Credit => "credit",
            CardType::QuasiCredit => "quasi-credit",
            CardType::Prepaid => "prepaid",
        });
        assert_eq!((word, facts.type_is_hint), (fields[3], !fields[4].is_empty()), "{line}");
        assert!(table.knows(prefix, Some(length)), "{line}");
        seen += 1;
    }
    assert_eq!(seen, table.rows());
    assert!(seen > 5_000, "only {seen} rows");
}

#[test]
fn well_known_prefixes() {
    let cases = [
        ("622202", 19, "中国工商银行股份有限公司", "工商银行", "ICBC", CardType::Debit),
        ("622848", 19, "中国农业银行股份有限公司", "农业银行", "ABC", CardType::Debit),
        ("621700", 19, "中国建设银行股份有限公司", "建设银行", "CCB", CardType::Debit),
        ("621661", 19, "中国银行股份有限公司", "中国银行", "BOC", CardType::Debit),
        ("621098", 19, "中国邮政储蓄银行股份有限公司", "邮储银行", "PSBC", CardType::Debit),
        ("622575", 16, "招商银行股份有限公司", "招商银行", "CMB", CardType::Credit),
        ("622521", 16, "上海浦东发展银行股份有限公司", "浦发银行", "SPDB", CardType::Debit),
        ("622305", 16, "南京银行股份有限公司", "南京银行", "NJCB", CardType::Debit),
        ("622305", 18, "中国工商银行股份有限公司", "工商银行", "ICBC", CardType::Debit),
    ];
    for (prefix, length, name, short_name, code, card_type) in cases {
        let facts = BinTable::embedded().lookup(prefix, Some(length)).unwrap_or_else(|| panic!("{prefix}"));
        let issuer = facts.issuer;
        assert_eq!((&*issuer.name, &*issuer.short_name, &*issuer.code), (name, short_name, code), "{prefix}");
        assert_eq!(facts.card_type, Some(card_type), "{prefix}");
    }
}

#[test]
fn tokens_and_stripe_layouts_are_left_out() {
    let table = BinTable::embedded();
    assert!(table.keys().all(|(prefix, _)| !prefix.starts_with('0') && !prefix.starts_with("66")));
    assert!(table.issuers.iter().all(|issuer| !issuer.short_name.contains("标记")));
}

#[test]
fn the_embedded_table_is_small() {
    let table = BinTable::embedded();
    let text = |text: &String| text.capacity() + size_of::<String>();
    let bytes = table.rows.capacity() * size_of::<Row>()
        + table.products.iter().map(text).sum::<usize>()
        + table
            .issuers
            .iter()
            .flat_map(|issuer| [&issuer.name, &issuer.short_name, &issuer.code])
            .map(text)
            .sum::<usize>();
    println!("{bytes} bytes, {} issuers, {} products", table.issuers.len(), table.products.len());
    assert!(bytes < 1_000_000, "{bytes}");
    assert_eq!(table.date().len(), 10);
}

#[test]
fn all_faults_are_reported_with_their_lines() {
    let issuers = "# remark\nid,name,short_name,code,class\nA,,甲,,city\nA,,乙,,city\nB,,,,city\n,,丁,,city\nC,,丙\nD,\"x,y,z,w\n";
    let rows = "62,16,A,debit,,,1\n62,16,A,debit,,,1\n6x,16,A,,,,1\n62222222222,16,A,,,,1\n62,12,A,,,,1\n62,99999999999999999999,A,,,,1\n\
                63,16,Z,,,,1\n64,16,A,cash,,,1\n65,16,A,debit,rumour,,1\n66,16,A,,parent,,1\n67,16,A,,,,0\n68,16\n";
    assert_eq!(
        faults(issuers, &bins(rows)),
        [
            "issuers.csv, line 4: the id A is used twice",
            "issuers.csv, line 5: an issuer needs a short_name",
            "issuers.csv, line 6: an issuer needs an id",
            "issuers.csv, line 7: 3 fields where 5 are needed",
            "issuers.csv, line 8: a quotation mark is out of place",
            "bins.csv, line 4: the prefix 62 with length 16 is there twice",
            "bins.csv, line 5: the prefix must have 1 to 10 digits",
            "bins.csv, line 6: the prefix must have 1 to 10 digits",
            "bins.csv, line 7: the length must be a number from 13 to 19",
            "bins.csv, line 8: the length must be a number from 13 to 19",
            "bins.csv, line 9: no issuer has the id \"Z\"",
            "bins.csv, line 10: \"cash\" is no type: write debit, credit, quasi-credit, prepaid, or nothing",
            "bins.csv, line 11: \"rumour\" is no type_from: write parent, issuer, or nothing",
            "bins.csv, line 12: type_from without a type",
            "bins.csv, line 13: families must be a number from 1 to 255",
            "bins.csv, line 14: 2 fields where 7 are needed",
        ]
    );
}

#[test]
fn missing_parts_are_faults() {
    let sound = "62,16,A,debit,,,1\n";
    assert_eq!(
        faults(ISSUERS, &format!("{HEAD}{sound}")),
        ["bins.csv: a line `# date: YYYY-MM-DD` is needed"]
    );
    assert_eq!(faults(ISSUERS, &bins("")), ["bins.csv: no rows"]);
    assert_eq!(faults("", &bins(sound)), ["issuers.csv: the header must be id,name,short_name,code,class"]);
    let swapped = "# date: 2021-12-28\nlength,prefix,issuer,type,type_from,card_name,families\n";
    assert_eq!(
        faults(ISSUERS, swapped),
        ["bins.csv, line 2: the header must be prefix,length,issuer,type,type_from,card_name,families"]
    );
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_fine() {
    let crlf = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let table = BinTable::parse(&crlf(ISSUERS), &crlf(&bins("62,16,A,debit,,,1\n"))).expect("a sound table");
    assert_eq!((table.rows(), table.date()), (1, "2021-12-28"));
}

proptest! {
    #[test]
    fn lookup_equals_a_scan_of_all_prefixes(
        rows in prop::collection::btree_set(("[0-2]{1,10}", 15_usize..=18), 1..60),
        digits in "[0-2]{0,19}",
        length in 14_usize..=19,
    ) {
        let rows: Vec<(String, usize)> = rows.into_iter().collect();
        let text: String = rows.iter().map(|(prefix, length)| format!("{prefix},{length},A,,,{prefix}/{length},1\n")).collect();
        let table = table(&text);
        let scan = rows.iter()
            .filter(|(prefix, whole)| *whole == length && digits.len() <= length && digits.starts_with(prefix.as_str()))
            .max_by_key(|(prefix, _)| prefix.len());
        let found = table.lookup(&digits, Some(length));
        prop_assert_eq!(found.and_then(|facts| facts.card_name.map(str::to_owned)), scan.map(|(p, l)| format!("{p}/{l}")));
        prop_assert_eq!(found.map(|facts| facts.prefix_len), scan.map(|(prefix, _)| prefix.len()));
        prop_assert_eq!(table.knows(&digits, Some(length)), scan.is_some());
    }

    #[test]
    fn lookup_survives_any_text(digits in ".{0,24}", length in prop::option::of(any::<usize>())) {
        BinTable::embedded().lookup(&digits, length);
    }
}
