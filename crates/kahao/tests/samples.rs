//! The sample clients of the API that this service stands in for, as printed in its documentation, against the real
//! binary: a client changes host, keys and file, nothing else.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; allow-unwrap-in-tests knows #[test] functions only"
)]

#[path = "shared/log.rs"]
mod log;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::{TempDir, tempdir};

use log::Log;

const PATH: &str = "/api/bank_card_ocr/v1";
const THEIR_URL: &str = "https://ocr-api.shiliuai.com/api/bank_card_ocr/v1";

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The documentation lies beside the repository, not in it; `None` says so on standard error.
fn documentation() -> Option<String> {
    let file = repository().join("../shared/reference/bank-card-ocr-api.txt");
    let text = std::fs::read_to_string(&file).ok();
    if text.is_none() {
        eprintln!("samples: not run, they need the API documentation at {}", file.display());
    }
    text
}

/// Whether a command succeeds; where it does not, standard error tells what is missing.
fn is_there(needed: &str, program: &str, args: &[&str]) -> bool {
    let status = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = status.is_ok_and(|status| status.success());
    if !there {
        eprintln!("samples: not run, they need {needed}");
    }
    there
}

/// The two samples of a chapter, each from the line that it begins with: with AppCode, then signed.
fn samples(documentation: &str, chapter: &str, next: &str, first_line: &str) -> [String; 2] {
    let (_, rest) = documentation.split_once(&format!("\n{chapter}\n")).unwrap();
    let (chapter, _) = rest.split_once(&format!("\n{next}\n")).unwrap();
    let starts: Vec<usize> = chapter.match_indices(&format!("\n{first_line}\n")).map(|(at, _)| at).collect();
    let [_, second] = starts[..] else { panic!("two samples begin with {first_line}") };
    [chapter[..second].to_owned(), chapter[second..].to_owned()]
}

/// Replaces what stands there exactly once.
fn change(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "the sample says {from} once");
    text.replace(from, to)
}

/// Puts a value in place of the string literal that a name is assigned: `name = "…"`.
fn assign(text: &str, name: &str, value: &str) -> String {
    let head = format!("{name} = \"");
    let at = text.find(&head).unwrap_or_else(|| panic!("the sample assigns {name}")) + head.len();
    let end = at + text[at..].find('"').unwrap();
    assert_eq!(text.matches(&head).count(), 1, "the sample assigns {name} once");
    format!("{}{value}{}", &text[..at], &text[end..])
}

/// The first card in `testdata/cards`, and its number.
fn card() -> (String, String) {
    let folder = repository().join("testdata/cards");
    let labels = std::fs::read_to_string(folder.join("labels.csv")).unwrap();
    let mut fields = labels.lines().nth(1).unwrap().split(',');
    let file = folder.join(fields.next().unwrap());
    (file.to_str().unwrap().to_owned(), fields.next().unwrap().to_owned())
}

/// A service with a key, in a folder of its own; killed when dropped.
struct Service {
    child: Child,
    log: Log,
    url: String,
    appcode: String,
    app_key: String,
    app_secret: String,
    folder: TempDir,
}

impl Service {
    fn start() -> Self {
        let folder = tempdir().unwrap();
        let made = kahao(folder.path(), &["keys", "create", "--name", "samples", "--json"]).output().unwrap();
        let key: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
        let field = |name: &str| key[name].as_str().unwrap().to_owned();
        let serve = [&["serve", "--listen", "127.0.0.1:0"], &log::FLAGS[..]].concat();
        let mut serve = kahao(folder.path(), &serve);
        let mut child = serve.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::follow(child.stderr.take().unwrap());
        let url = format!("http://{}{PATH}", log.wait_for("listening")["address"].as_str().unwrap());
        let (appcode, app_key, app_secret) = (field("appcode"), field("app_key"), field("app_secret"));
        for secret in [&appcode, &app_key, &app_secret] {
            log.keep_out(secret);
        }
        Self { child, log, url, appcode, app_key, app_secret, folder }
    }

    /// Runs a sample in the service's folder; what it prints.
    fn run(&self, program: &str, name: &str, sample: &str) -> String {
        std::fs::write(self.folder.path().join(name), sample).unwrap();
        let mut command = Command::new(program);
        // A proxy of the machine must not come between the sample and 127.0.0.1.
        let Output { status, stdout, stderr } = command
            .arg(name)
            .current_dir(self.folder.path())
            .env("NO_PROXY", "*")
            .env("no_proxy", "*")
            .output()
            .unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{name}: {stdout}{stderr}");
        stdout.into_owned()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            self.log.check();
        }
    }
}

fn kahao(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kahao"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KAHAO_")) {
        command.env_remove(name);
    }
    command.args(args).current_dir(folder);
    command
}

#[test]
fn python_samples_read_a_card() {
    let Some(documentation) = documentation() else { return };
    if !is_there("python3 with requests", "python3", &["-c", "import requests"]) {
        return;
    }
    let [plain, signed] = samples(&documentation, "4.1 Python", "4.2 PHP", "import requests");
    let service = Service::start();
    let (file, number) = card();

    let plain = assign(&change(&plain, THEIR_URL, &service.url), "appcode", &service.appcode);
    let signed = assign(&change(&signed, THEIR_URL, &service.url), "app_key", &service.app_key);
    let signed = assign(&signed, "app_secret", &service.app_secret);
    // requests takes no numbers as headers: the sample as printed never leaves the client.
    let signed = change(&signed, "'x-ca-timestamp': t,", "'x-ca-timestamp': str(t),");
    for (name, sample) in [("plain.py", plain), ("signed.py", signed)] {
        let answer = service.run("python3", name, &assign(&sample, "file_path", &file));
        let told = [number.as_str(), "'code': 200", "'keypoints': [{'x': "];
        assert!(told.iter().all(|part| answer.contains(part)), "{name}: {answer}");
    }
}

#[test]
fn php_samples_read_a_card() {
    let Some(documentation) = documentation() else { return };
    if !is_there("php with curl", "php", &["-r", "exit(function_exists('curl_init') ? 0 : 1);"]) {
        return;
    }
    let [plain, signed] = samples(&documentation, "4.2 PHP", "4.3 Java", "function get_base64($path){");
    let service = Service::start();
    let (file, number) = card();

    let plain = assign(&plain, "$appcode", &service.appcode);
    let signed = assign(&signed, "$app_key", &service.app_key);
    let signed = assign(&signed, "$app_secret", &service.app_secret);
    for (name, sample) in [("plain.php", plain), ("signed.php", signed)] {
        // The literal as printed has blanks and backticks about the address, which no client library takes.
        let sample = assign(&assign(&sample, "$url", &service.url), "$img_path", &file);
        let answer = service.run("php", name, &format!("<?php\n{sample}"));
        let told = [number.as_str(), "HTTP/1.1 200", "\"code\":200", "\"keypoints\":[{\"x\":"];
        assert!(told.iter().all(|part| answer.contains(part)), "{name}: {answer}");
    }
}
