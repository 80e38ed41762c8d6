//! Time of a look-up in the BIN table, and of reading it: `cargo bench -p kahao-reader --bench issuer`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use kahao_reader::card::BinTable;

const ISSUERS: &str = include_str!("../src/data/issuers.csv");
const BINS: &str = include_str!("../src/data/bins.csv");

fn bench_issuer(criterion: &mut Criterion) {
    criterion.bench_function("issuer/parse", |bencher| {
        bencher.iter(|| BinTable::parse(black_box(ISSUERS), black_box(BINS)));
    });

    let table = BinTable::embedded();
    // One whole number for each row: its prefix and then sevens. No card has these numbers but by accident.
    let numbers: Vec<String> = BINS
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()))
        .filter_map(|line| {
            let (prefix, rest) = line.split_once(',')?;
            let length = rest.split(',').next()?.parse().ok()?;
            Some(format!("{prefix:7<length$}"))
        })
        .collect();
    let mut next = numbers.iter().cycle();
    let mut number = || next.next().map_or("", String::as_str);

    criterion.bench_function("issuer/lookup", |bencher| {
        bencher.iter(|| table.lookup(black_box(number()), None));
    });
    criterion.bench_function("issuer/knows", |bencher| {
        bencher.iter(|| table.knows(black_box(number()), None));
    });
    criterion.bench_function("issuer/lookup any length", |bencher| {
        bencher.iter(|| table.lookup(black_box(&number()[..8]), None));
    });
}

criterion_group!(benches, bench_issuer);
criterion_main!(benches);
