//! kahao: self-hosted bank card OCR as an HTTP service and a command line. The reading itself is
//! `kahao-reader`'s; this binary knows HTTP, keys and files.

mod admission;
mod auth;
mod commands;
mod config;
mod error;
mod fetch;
mod input;
mod limits;
mod middleware;
mod response;
mod routes;
mod secret;
mod server;
mod state;
mod store;
mod telemetry;
mod workers;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use commands::{health, keys, read, serve};

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
    /// Make and change the keys that open the service
    Keys(keys::KeysConfig),
    /// Ask whether a service is ready: exit status 0 when it is
    Health(health::HealthConfig),
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("kahao: {error:#}");
        ExitCode::from(2)
    })
}

fn run() -> anyhow::Result<ExitCode> {
    match parse()?.command {
        Command::Serve(config) => serve::run(&config),
        Command::Read(config) => read::run(&config),
        Command::Keys(config) => keys::run(config),
        Command::Health(config) => health::run(&config),
    }
}

/// The command line; a configuration file that it names gives its defaults, so it is parsed again.
fn parse() -> anyhow::Result<Cli> {
    let cli = Cli::parse();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
