//! `kahao completions` and `kahao man`: what a packager installs beside the binary, made from the command line itself.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Command;
use clap_complete::Shell;

/// Settings of `kahao completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsConfig {
    /// The shell to complete in
    shell: Shell,
}

/// Settings of `kahao man`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManConfig {
    /// Write kahao.1 and one page a command into this folder, instead of kahao.1 to standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the script that a shell sources.
pub(crate) fn run(config: &CompletionsConfig, mut command: Command) -> ExitCode {
    clap_complete::generate(config.shell, &mut command, "kahao", &mut io::stdout());
    ExitCode::SUCCESS
}

/// Writes the man pages.
pub(crate) fn run_man(config: &ManConfig, command: Command) -> anyhow::Result<ExitCode> {
    match &config.out {
        None => clap_mangen::Man::new(command).render(&mut io::stdout())?,
        Some(folder) => clap_mangen::generate_to(command, folder).with_context(|| {
            format!("cannot write man pages into {}: name a folder that exists", folder.display())
        })?,
    }
    Ok(ExitCode::SUCCESS)
}
