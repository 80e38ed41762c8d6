//! The sample clients of the API that this service stands in for, as printed in its documentation, against the real
//! binary: a client changes host, keys and file, nothing else.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; allow-unwrap-in-tests knows #[test] functions only"
)]

#[path = "shared/service.rs"]
mod service;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::tempdir;

use service::Service;

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

fn url(service: &Service) -> String {
    format!("http://127.0.0.1:{}{PATH}", service.port)
}

/// Runs a sample in a folder of its own; what it prints.
fn run(program: &str, name: &str, sample: &str) -> String {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join(name), sample).unwrap();
    let mut command = Command::new(program);
    // A proxy of the machine must not come between the sample and 127.0.0.1.
    let Output { status, stdout, stderr } = command
        .arg(name)
        .current_dir(folder.path())
        .env("NO_PROXY", "*")
        .env("no_proxy", "*")
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{name}: {stdout}{stderr}");
    stdout.into_owned()
}

#[test]
fn python_samples_read_a_card() {
    let Some(documentation) = documentation() else { return };
    if !is_there("python3 with requests", "python3", &["-c", "import requests"]) {
        return;
    }
    let [plain, signed] = samples(&documentation, "4.1 Python", "4.2 PHP", "import requests");
    let service = Service::start(&[]);
    let (file, number) = card();

    let plain = assign(&change(&plain, THEIR_URL, &url(&service)), "appcode", &service.greeted("AppCode"));
    let signed = assign(&change(&signed, THEIR_URL, &url(&service)), "app_key", &service.greeted("AppKey"));
    let signed = assign(&signed, "app_secret", &service.greeted("AppSecret"));
    // requests takes no numbers as headers: the sample as printed never leaves the client.
    let signed = change(&signed, "'x-ca-timestamp': t,", "'x-ca-timestamp': str(t),");
    for (name, sample) in [("plain.py", plain), ("signed.py", signed)] {
        let answer = run("python3", name, &assign(&sample, "file_path", &file));
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
    let service = Service::start(&[]);
    let (file, number) = card();

    let plain = assign(&plain, "$appcode", &service.greeted("AppCode"));
    let signed = assign(&signed, "$app_key", &service.greeted("AppKey"));
    let signed = assign(&signed, "$app_secret", &service.greeted("AppSecret"));
    for (name, sample) in [("plain.php", plain), ("signed.php", signed)] {
        // The literal as printed has blanks and backticks about the address, which no client library takes.
        let sample = assign(&assign(&sample, "$url", &url(&service)), "$img_path", &file);
        let answer = run("php", name, &format!("<?php\n{sample}"));
        let told = [number.as_str(), "HTTP/1.1 200", "\"code\":200", "\"keypoints\":[{\"x\":"];
        assert!(told.iter().all(|part| answer.contains(part)), "{name}: {answer}");
    }
}
