//! docs/CONFIG.md: made from the settings themselves, so that it cannot say anything else.

use std::fmt::Write;

use clap::{Args, Command};

use super::{ServeConfig, apply_file};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CONFIG.md");

const HEAD: &str = "# Settings

Made by a test from the program's own settings: `KAHAO_WRITE_DOCS=1 cargo test -p kahao config::page` writes it anew.

Every setting of `kahao serve` is a flag, an environment variable and a key of the file that `--config` names. A flag wins over the environment, the
environment over the file, the file over the default. Lists are separated by commas, in the file they may be arrays. All faults of the
file are told at once, and stop the start.

```toml
";

const EXAMPLE: &str = r#"listen = "0.0.0.0:8443"
tls-cert = "/etc/kahao/cert.pem"
tls-key = "/etc/kahao/key.pem"
metrics-listen = "10.0.0.5:9090"
trusted-proxy = ["10.0.0.0/8"]
log-format = "json"
"#;

fn page() -> String {
    let mut page = format!("{HEAD}{EXAMPLE}```\n");
    let command = ServeConfig::augment_args(Command::new("serve"));
    let mut heading = None;
    for arg in command.get_arguments() {
        let (Some(name), Some(variable)) = (arg.get_long(), arg.get_env()) else { continue };
        let this = arg.get_help_heading().unwrap_or("General");
        if heading != Some(this) {
            heading = Some(this);
            let _ = write!(
                page,
                "\n## {this}\n\n| flag, key | variable | default | meaning |\n|---|---|---|---|\n"
            );
        }
        let value = match arg.get_value_names() {
            Some([value, ..]) if arg.get_action().takes_values() => format!(" {value}"),
            _ => String::new(),
        };
        let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = match defaults.join(",") {
            default if default.is_empty() || value.is_empty() => String::new(),
            default => format!("`{default}`"),
        };
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        assert!(!help.is_empty(), "--{name} has no help text");
        let choices: Vec<_> =
            arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        let choices = match choices.len() {
            n if n > 0 && !value.is_empty() => format!(": {}", choices.join(", ")),
            _ => String::new(),
        };
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let variable = variable.to_string_lossy();
        let _ = writeln!(page, "| `--{name}{value}` | `{variable}` | {default} | {help}{choices} |");
    }
    page
}

#[test]
fn the_kept_page_is_that_of_the_settings() {
    let page = page();
    if std::env::var_os("KAHAO_WRITE_DOCS").is_some() {
        std::fs::write(FILE, &page).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(kept == page, "docs/CONFIG.md is stale: run KAHAO_WRITE_DOCS=1 cargo test -p kahao config::page");
}

#[test]
fn flags_variables_and_keys_have_one_name() {
    for arg in ServeConfig::augment_args(Command::new("serve")).get_arguments() {
        let name = arg.get_long().unwrap_or_else(|| panic!("{} is no flag", arg.get_id()));
        let variable = arg.get_env().unwrap_or_else(|| panic!("--{name} has no variable")).to_string_lossy();
        assert_eq!(variable, format!("KAHAO_{}", name.replace('-', "_").to_uppercase()));
    }
}

#[test]
fn the_example_is_accepted() {
    let command = ServeConfig::augment_args(Command::new("serve").no_binary_name(true));
    apply_file(command, EXAMPLE).unwrap().try_get_matches_from([""; 0]).unwrap();
}
