//! `kahao keys usage`: how often each key called, a line a day and key.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Map, Value};

use super::dates::show_day;
use crate::store::{Outcome, Store, StoreError, today};

/// What to show of the usage.
#[derive(Debug, Args)]
pub(super) struct UsageConfig {
    /// Only this key
    #[arg(long)]
    name: Option<String>,
    /// So many days up to today, UTC
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    days: i64,
}

/// Prints the usage, oldest day first.
pub(super) async fn print_usage(store: &Store, config: &UsageConfig, json: bool) -> Result<(), StoreError> {
    let keys = store.list_keys().await?;
    let keys: BTreeMap<_, _> = keys
        .iter()
        .filter(|key| config.name.as_ref().is_none_or(|name| *name == key.name))
        .map(|key| (key.id.as_str(), key.name.as_str()))
        .collect();
    if let (Some(name), true) = (&config.name, keys.is_empty()) {
        return Err(StoreError::NoSuchKey(name.clone()));
    }
    let mut lines: BTreeMap<(i64, &str, &str), BTreeMap<Outcome, i64>> = BTreeMap::new();
    for usage in store.read_usage(today() - config.days + 1).await? {
        if let Some((id, name)) = keys.get_key_value(usage.key_id.as_str()) {
            lines.entry((usage.day, name, id)).or_default().insert(usage.outcome, usage.calls);
        }
    }
    for ((day, name, id), calls) in lines {
        println!("{}", if json { json_line(day, name, id, &calls) } else { text_line(day, name, &calls) });
    }
    Ok(())
}

/// Every outcome, so that a reader need not ask whether a field is there.
fn json_line(day: i64, name: &str, id: &str, calls: &BTreeMap<Outcome, i64>) -> String {
    let mut line = Map::new();
    line.insert("day".into(), show_day(day).into());
    line.insert("name".into(), name.into());
    line.insert("id".into(), id.into());
    for outcome in Outcome::ALL {
        line.insert(outcome.name().into(), calls.get(&outcome).copied().unwrap_or(0).into());
    }
    Value::Object(line).to_string()
}

/// The outcomes that there were.
fn text_line(day: i64, name: &str, calls: &BTreeMap<Outcome, i64>) -> String {
    let calls: Vec<String> =
        calls.iter().map(|(outcome, calls)| format!("{} {calls}", outcome.name())).collect();
    format!("{}  {name}  {}", show_day(day), calls.join("  "))
}
