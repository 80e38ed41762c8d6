//! The subcommands, one file each. Each gives the exit code; an error is a sentence for the caller.

pub(crate) mod bin;
pub(crate) mod completions;
pub(crate) mod eval;
pub(crate) mod health;
pub(crate) mod keys;
mod pictures;
mod progress;
pub(crate) mod read;
pub(crate) mod serve;
mod table;
