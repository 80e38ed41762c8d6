//! kahao: self-hosted bank card OCR as an HTTP service and a command line. The reading itself is
//! `kahao-reader`'s; this crate knows HTTP, keys and files. It is a library so that `fuzz/` reaches what
//! takes hostile bytes; nothing else may depend on it.

mod accounts;
mod admission;
mod auth;
mod commands;
mod config;
mod engine;
mod error;
mod fetch;
#[doc(hidden)]
pub mod fuzzing;
mod input;
mod issuers;
mod limits;
mod metrics;
mod middleware;
mod number;
mod openapi;
mod replicas;
mod request_id;
mod response;
mod routes;
mod secret;
mod server;
mod stages;
mod state;
mod store;
mod telemetry;
mod tls;
mod traces;
mod workers;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use kahao_reader::card::BinTable;

use commands::{bin, completions, eval, health, keys, read, serve};

/// Reads bank cards: number, issuer, type and expiry date from a picture, on your own machine.
#[derive(Debug, Parser)]
#[command(name = "kahao", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer the bank card OCR API over HTTP
    Serve(Box<config::ServeConfig>),
    /// Read pictures in files and folders
    Read(read::ReadConfig),
    /// Tell issuer, type and scheme of card numbers or of their first digits
    Bin(bin::BinConfig),
    /// Make and change the keys that open the service
    Keys(keys::KeysConfig),
    /// Measure the reading on pictures whose numbers are known
    Eval(eval::EvalConfig),
    /// Ask whether a service is ready: exit status 0 when it is
    Health(health::HealthConfig),
    /// Print the script that completes this command line in a shell
    Completions(completions::CompletionsConfig),
    /// Print the man page
    Man(completions::ManConfig),
}

/// The command line; errors go to standard error in one sentence.
pub fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("kahao: {}", sentence(&error));
        ExitCode::from(2)
    })
}

/// An error with its causes; what the text of one already says of the next is said once.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| {
        if said.is_empty() {
            cause
        } else if said.contains(&cause) {
            said
        } else {
            format!("{said}: {cause}")
        }
    })
}

fn run() -> anyhow::Result<ExitCode> {
    match parse()?.command {
        Command::Serve(config) => serve::run(&config),
        Command::Read(config) => read::run(&config),
        Command::Bin(config) => bin::run(&config),
        Command::Keys(config) => keys::run(config),
        Command::Eval(config) => eval::run(&config),
        Command::Health(config) => health::run(&config),
        Command::Completions(config) => Ok(completions::run(&config, Cli::command())),
        Command::Man(config) => completions::run_man(&config, Cli::command()),
    }
}

/// The command line; a configuration file that it names gives its defaults, so it is parsed again.
fn parse() -> anyhow::Result<Cli> {
    let cli = Cli::try_parse().unwrap_or_else(|error| match error.kind() {
        ErrorKind::DisplayVersion => print_version(),
        _ => error.exit(),
    });
    let Command::Serve(serve) = &cli.command else { return Ok(cli) };
    let Some(file) = &serve.config else { return Ok(cli) };
    let mut fault = None;
    let command = Cli::command().mut_subcommand("serve", |command| {
        config::read_file(command.clone(), file).unwrap_or_else(|error| {
            fault = Some(error);
            command
        })
    });
    match fault {
        Some(error) => Err(error),
        None => Ok(Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())),
    }
}

/// The version with that of the issuer table inside. Not given to clap, which would need it for every command.
fn print_version() -> ! {
    let table = BinTable::embedded();
    println!("kahao {} (issuers {}, {} rows)", env!("CARGO_PKG_VERSION"), table.date(), table.rows());
    std::process::exit(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_error_says_each_cause_once() {
        // sqlx's errors repeat their source, anyhow's contexts do not.
        let cause = || anyhow::anyhow!("no such file");
        let repeats = cause().context("cannot connect: no such file").context("the database failed");
        assert_eq!(sentence(&repeats), "the database failed: cannot connect: no such file");
        assert_eq!(sentence(&cause().context("cannot start")), "cannot start: no such file");
    }
}
