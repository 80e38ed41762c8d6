//! What is written about the service while it runs: log lines on standard error. Other crates are heard
//! from `warn` up only, whatever the level: at `trace` they would write headers and bodies.

use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Settings of the log.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Log")]
pub(crate) struct Config {
    /// How log lines are written
    #[arg(long, env = "KAHAO_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) log_format: Format,
    /// How much is logged: off, error, warn, info, debug or trace
    #[arg(long, env = "KAHAO_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: LevelFilter,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One object a line
    Json,
}

/// Starts the log of this process.
pub(crate) fn start(config: &Config) {
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = match config.log_format {
        Format::Text => layer.with_ansi(false).boxed(),
        Format::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(levels(config.log_level))).init();
    on_panic(log_panic);
}

/// Who is heard at a level.
pub(crate) fn levels(level: LevelFilter) -> Targets {
    Targets::new().with_target("kahao", level).with_default(LevelFilter::WARN.min(level))
}

/// Tells `report` where a panic happened and nothing of what it says: the text of a failed slice quotes
/// the string it failed on, which may be a card number.
pub(crate) fn on_panic(report: fn(&str)) {
    std::panic::set_hook(Box::new(move |panic| {
        report(&panic.location().map(ToString::to_string).unwrap_or_default());
    }));
}

/// For a service, whose panics belong in its log.
pub(crate) fn log_panic(place: &str) {
    PANICS.fetch_add(1, Ordering::Relaxed);
    tracing::error!(place, "panicked");
}

/// Of the process, as its hook is.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// How often [`log_panic`] was told of one.
pub(crate) fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}
