//! The settings of the service: the sum of each part's own. Every setting is a flag, an environment
//! variable and a key of the configuration file under one name; a flag wins over the environment, which
//! wins over the file.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::{Arg, Command};

use crate::store::{Seal, Store};
use crate::{
    admission, auth, engine, fetch, input, issuers, metrics, replicas, server, telemetry, tls, traces,
    workers,
};

/// Where the keys are, for every command that needs them.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct StoreConfig {
    /// Where the keys are kept: sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME
    #[arg(long, env = "KAHAO_DATABASE", hide_env_values = true, value_name = "URL", global = true)]
    #[arg(default_value = "sqlite://kahao.db")]
    pub(crate) database: String,
    /// File with the master key that app secrets are sealed with, 32 bytes in base64 or hexadecimal; the one it replaces may
    /// follow it. Absent: the variable KAHAO_MASTER_KEY, in the same form
    #[arg(long, env = "KAHAO_MASTER_KEY_FILE", value_name = "FILE", global = true)]
    pub(crate) master_key_file: Option<PathBuf>,
}

impl StoreConfig {
    /// Opens the store that is meant.
    pub(crate) async fn open(&self) -> anyhow::Result<Store> {
        let seal = Seal::load(self.master_key_file.as_deref())?;
        Ok(Store::open(&self.database, seal).await?)
    }
}

/// Settings of `kahao serve`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServeConfig {
    /// Address and port to listen on
    #[arg(long, env = "KAHAO_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) store: StoreConfig,
    #[command(flatten)]
    pub(crate) issuers: issuers::Config,
    #[command(flatten)]
    pub(crate) engine: engine::Config,
    /// A TOML file with the settings on this page, by their names without dashes in front
    #[arg(long, env = "KAHAO_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How long to go on listening after SIGTERM, answering 503, so that load balancers see it, in seconds
    #[arg(long, env = "KAHAO_DRAIN_S", value_name = "SECONDS", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=600))]
    pub(crate) drain_s: u64,
    #[command(flatten)]
    pub(crate) tls: tls::Config,
    #[command(flatten)]
    pub(crate) server: server::Config,
    #[command(flatten)]
    pub(crate) input: input::Config,
    #[command(flatten)]
    pub(crate) auth: auth::Config,
    #[command(flatten)]
    pub(crate) replicas: replicas::Config,
    #[command(flatten)]
    pub(crate) admission: admission::Config,
    #[command(flatten)]
    pub(crate) workers: workers::Config,
    #[command(flatten)]
    pub(crate) fetch: fetch::Config,
    #[command(flatten)]
    pub(crate) metrics: metrics::Config,
    #[command(flatten)]
    pub(crate) traces: traces::Config,
    #[command(flatten)]
    pub(crate) telemetry: telemetry::Config,
}

/// Makes the keys of a TOML text the defaults of the `serve` command, so that clap checks them as it
/// checks flags. All faults of the file are reported at once.
pub(crate) fn apply_file(mut command: Command, text: &str) -> anyhow::Result<Command> {
    let table: toml::Table = text.parse().context("it is not valid TOML")?;
    let mut faults = Vec::new();
    for (name, value) in table {
        let known = command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(&name) && arg.get_env().is_some() && name != "config")
            .map(Arg::get_id)
            .cloned();
        match (known, write_value(&value)) {
            (Some(id), Some(values)) => command = command.mut_arg(id, |arg| arg.default_values(values)),
            (Some(_), None) => {
                faults.push(format!("{name} must be a text, a number, true, false or a list of them"));
            }
            (None, _) => faults.push(format!("there is no setting {name}")),
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(command)
}

/// Reads the configuration file.
pub(crate) fn read_file(command: Command, path: &std::path::Path) -> anyhow::Result<Command> {
    let shown = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => bail!("cannot read the configuration file {shown}: {error}"),
    };
    apply_file(command, &text).with_context(|| format!("the configuration file {shown} is not usable"))
}

/// A TOML value as it would stand on the command line.
fn write_value(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(flag) => Some(vec![flag.to_string()]),
        toml::Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(write_value).collect();
            Some(items?.concat())
        }
        _ => None,
    }
}

#[cfg(test)]
mod page;

#[cfg(test)]
pub(crate) mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;

    fn parse(file: &str, flags: &[&str]) -> anyhow::Result<ServeConfig> {
        let command = ServeConfig::augment_args(Command::new("serve").no_binary_name(true));
        let matches = apply_file(command, file)?.try_get_matches_from(flags)?;
        Ok(ServeConfig::from_arg_matches(&matches)?)
    }

    /// The defaults, as tests start from them.
    pub(crate) fn defaults() -> ServeConfig {
        parse("", &[]).unwrap()
    }

    #[test]
    fn defaults_are_safe() {
        let config = defaults();
        assert!(config.listen.ip().is_loopback());
        assert_eq!(config.store.database, "sqlite://kahao.db");
        assert_eq!(config.auth.timestamp_window_s, 900);
        assert!(config.workers.queue.is_none() && config.admission.trusted_proxies.is_empty());
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file = r#"
            listen = "127.0.0.1:9000"
            workers = 3
            queue = 5
            no-image-url = true
            url-deny = ["a.example", "*.b.example"]
            url-allow-network = ["public", "10.1.0.0/16"]
            trusted-proxy = "10.0.0.0/8,192.168.0.0/16"
            log-format = "json"
            issuers = "tables"
        "#;
        let config = parse(file, &["--listen", "127.0.0.1:9001"]).unwrap();
        assert_eq!(config.listen.port(), 9001);
        assert_eq!(config.workers.workers, 3);
        assert!(config.fetch.no_image_url);
        assert_eq!(
            config.fetch.url_deny.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["a.example", "*.b.example"]
        );
        assert_eq!(config.fetch.url_allow_network.len(), 2);
        assert_eq!(config.admission.trusted_proxies.len(), 2);
        assert_eq!(config.workers.queue, Some(5));
        assert_eq!(config.issuers.issuers, Some(PathBuf::from("tables")));
    }

    #[test]
    fn faults_are_reported_together_and_values_are_checked() {
        let error = parse("listn = 'x'\nqueue = { a = 1 }\nconfig = 'other.toml'", &[]).unwrap_err();
        for part in ["no setting listn", "queue must be", "no setting config"] {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(parse("queue = -1", &[]).is_err());
        assert!(parse("listen = 'nowhere'", &[]).is_err());
        assert!(parse("queue", &[]).is_err());
        assert!(parse("url-deny-network = 'private'", &[]).is_err());
        assert!(parse("url-allow = 'https://example.com/'", &[]).is_err());
    }
}
