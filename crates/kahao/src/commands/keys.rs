//! `kahao keys`: makes, shows and changes the keys that open the service. The only place where an
//! AppCode or an app secret is printed, once, when it is made.

mod dates;
mod usage;

use std::process::ExitCode;

use anyhow::ensure;
use clap::{Args, Subcommand};
use ipnet::IpNet;
use serde::Serialize;

use crate::config::StoreConfig;
use crate::store::{FreshKey, Key, KeyChange, Store, now_s};
use dates::{parse_expiry, show_expiry};
use usage::{UsageConfig, print_usage};

/// Settings of `kahao keys`.
#[derive(Debug, Args)]
pub(crate) struct KeysConfig {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    store: StoreConfig,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key and print its AppCode, AppKey and AppSecret, which are not shown again
    Create {
        /// Name of the key, for people
        #[arg(long)]
        name: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Show the keys, without their secrets
    List,
    /// Change the settings of a key
    Update {
        /// Name of the key
        #[arg(long)]
        name: String,
        #[command(flatten)]
        settings: Settings,
        /// Let a disabled key in again
        #[arg(long)]
        enable: bool,
    },
    /// Refuse a key from now on: a running service does so within a second
    Disable {
        /// Name of the key
        #[arg(long)]
        name: String,
    },
    /// Give a key a new AppCode and AppSecret
    Rotate {
        /// Name of the key
        #[arg(long)]
        name: String,
        /// How long the old ones work on, in hours; those before them stop at once
        #[arg(long, value_name = "HOURS", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=8760))]
        overlap_h: i64,
    },
    /// Show how often keys were used, by day and outcome
    Usage(UsageConfig),
}

/// A million million calls: far from the end of the store's numbers.
const MAX_QUOTA: i64 = 1_000_000_000_000;

/// What may be set about a key.
#[derive(Debug, Args)]
struct Settings {
    /// Calls left, -1 for unlimited
    #[arg(long, value_name = "CALLS", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i64).range(-1..=MAX_QUOTA))]
    quota: Option<i64>,
    /// Calls a day, UTC, -1 for unlimited
    #[arg(long, value_name = "CALLS", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i64).range(-1..=MAX_QUOTA))]
    daily_quota: Option<i64>,
    /// Last day of use, UTC, like 2027-01-31, or never
    #[arg(long, value_name = "DAY", value_parser = parse_expiry)]
    expires: Option<i64>,
    /// Requests a second, 0 for unlimited
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..=1_000_000))]
    rate: Option<i64>,
    /// Requests that may come at once under a rate
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..=1_000_000))]
    burst: Option<i64>,
    /// Networks the key may be used from, separated by commas, instead of those before
    #[arg(long, value_name = "CIDR", value_delimiter = ',', conflicts_with = "any_network")]
    network: Option<Vec<IpNet>>,
    /// Let the key be used from everywhere
    #[arg(long)]
    any_network: bool,
    /// Accept only requests signed with HmacSHA256
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    require_hmac: Option<bool>,
}

impl Settings {
    fn into_change(self) -> KeyChange {
        KeyChange {
            require_hmac: self.require_hmac,
            disabled: None,
            remaining_calls: self.quota,
            daily_quota: self.daily_quota,
            expires_at_s: self.expires,
            rate_per_second: self.rate,
            burst: self.burst,
            networks: if self.any_network { Some(Vec::new()) } else { self.network },
        }
    }
}

/// Runs one action on the store.
pub(crate) fn run(config: KeysConfig) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = config.store.open().await?;
        act(&store, config.action, config.json).await
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn act(store: &Store, action: Action, json: bool) -> anyhow::Result<()> {
    match action {
        Action::Create { name, settings } => {
            ensure!(
                (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control),
                "the name of a key must have 1 to 64 printable characters"
            );
            let fresh = store.create_key(&name, &settings.into_change()).await?;
            print_fresh(&fresh, json);
        }
        Action::List => store.list_keys().await?.iter().for_each(|key| print_key(key, json)),
        Action::Update { name, settings, enable } => {
            let change = KeyChange { disabled: enable.then_some(false), ..settings.into_change() };
            print_key(&store.update_key(&name, &change).await?, json);
        }
        Action::Disable { name } => {
            let change = KeyChange { disabled: Some(true), ..KeyChange::default() };
            print_key(&store.update_key(&name, &change).await?, json);
        }
        Action::Rotate { name, overlap_h } => {
            print_fresh(&store.rotate_key(&name, now_s() + overlap_h * 3600).await?, json);
        }
        Action::Usage(config) => print_usage(store, &config, json).await?,
    }
    Ok(())
}

#[derive(Serialize)]
struct FreshLine<'a> {
    name: &'a str,
    appcode: &'a str,
    app_key: &'a str,
    app_secret: &'a str,
    id: &'a str,
}

#[derive(Serialize)]
struct KeyLine<'a> {
    name: &'a str,
    id: &'a str,
    app_key: &'a str,
    disabled: bool,
    remaining_calls: i64,
    daily_quota: i64,
    expires: String,
    rate_per_second: i64,
    burst: i64,
    networks: Vec<String>,
    require_hmac: bool,
    created_at_s: i64,
}

fn print_fresh(fresh: &FreshKey, json: bool) {
    let line = FreshLine {
        name: &fresh.key.name,
        appcode: fresh.appcode.reveal(),
        app_key: &fresh.key.app_key,
        app_secret: fresh.key.app_secret.reveal(),
        id: &fresh.key.id,
    };
    if json {
        println!("{}", to_json(&line));
    } else {
        println!("name        {}", line.name);
        println!("appcode     {}", line.appcode);
        println!("app_key     {}", line.app_key);
        println!("app_secret  {}", line.app_secret);
    }
}

fn print_key(key: &Key, json: bool) {
    let line = KeyLine {
        name: &key.name,
        id: &key.id,
        app_key: &key.app_key,
        disabled: key.disabled,
        remaining_calls: key.remaining_calls,
        daily_quota: key.daily_quota,
        expires: show_expiry(key.expires_at_s),
        rate_per_second: key.rate_per_second,
        burst: key.burst,
        networks: key.networks.iter().map(ToString::to_string).collect(),
        require_hmac: key.require_hmac,
        created_at_s: key.created_at_s,
    };
    if json {
        println!("{}", to_json(&line));
        return;
    }
    let unlimited = |n: i64, limit: String| if n <= 0 { "unlimited".into() } else { limit };
    let calls = |calls| match calls {
        Key::UNLIMITED => "unlimited".to_owned(),
        calls => calls.to_string(),
    };
    println!(
        "{name}  {id}  app_key {app_key}  {state}  calls left {left}, a day {daily}  expires {expires}  rate {rate}  networks {networks}{hmac}",
        name = line.name,
        id = line.id,
        app_key = line.app_key,
        left = calls(line.remaining_calls),
        daily = calls(line.daily_quota),
        expires = line.expires,
        state = if line.disabled { "disabled" } else { "enabled" },
        rate = unlimited(line.rate_per_second, format!("{}/s burst {}", line.rate_per_second, line.burst)),
        networks = if line.networks.is_empty() { "any".into() } else { line.networks.join(",") },
        hmac = if line.require_hmac { "  HmacSHA256 only" } else { "" },
    );
}

fn to_json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("texts, numbers and lists of texts")
}
