//! The real binary, as a user runs it.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; allow-unwrap-in-tests knows #[test] functions only"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

fn kahao(args: &[&str], folder: &Path) -> Output {
    command(args, folder).output().unwrap()
}

fn command(args: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kahao"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KAHAO_")) {
        command.env_remove(name);
    }
    command.args(args).current_dir(folder);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The lines of a command that succeeds, as JSON.
fn json_lines(args: &[&str], folder: &Path) -> Vec<Value> {
    let output = kahao(args, folder);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a command that fails says on standard error; it is one sentence and nothing is on standard output.
fn complaint(args: &[&str], folder: &Path, status: i32) -> String {
    let output = kahao(args, folder);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{args:?}: {stderr}");
    assert_eq!(text(&output.stdout), "");
    stderr
}

/// A service in its own folder; killed when dropped.
struct Service {
    child: Child,
    port: u16,
    greeting: Vec<String>,
    _folder: TempDir,
}

impl Service {
    fn start(args: &[&str]) -> Self {
        let folder = tempdir().unwrap();
        let args = [&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"], args].concat();
        let mut child =
            command(&args, folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = loop {
            let line: Value = serde_json::from_str(&log.next().unwrap().unwrap()).unwrap();
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
            }
        };
        std::thread::spawn(move || log.for_each(drop));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = Vec::new();
        while !greeting.iter().any(|line: &String| line.contains("curl")) {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            greeting.push(line);
        }
        Self { child, port, greeting, _folder: folder }
    }

    /// A word of the greeting: the line that begins with `name` ends with it.
    fn greeted(&self, name: &str) -> String {
        let line = self.greeting.iter().find(|line| line.trim().starts_with(name)).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        stream
    }

    /// Writes a request and reads the answer to its end.
    fn ask(&self, head: &str, body: &[u8]) -> String {
        let mut stream = self.connect();
        let length = body.len();
        write!(stream, "{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n").unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_from_making_to_rotation() {
    let folder = tempdir().unwrap();
    let run = |args: &[&str]| json_lines(&[&["keys"], args, &["--json"]].concat(), folder.path());
    let made = run(&["create", "--name", "till", "--quota", "5", "--rate", "2", "--burst", "4"]);
    for field in ["name", "appcode", "app_key", "app_secret"] {
        assert!(made[0][field].as_str().is_some_and(|value| !value.is_empty()), "{field}");
    }
    run(&["create", "--name", "office", "--network", "10.0.0.0/8,192.168.0.0/16", "--require-hmac"]);

    let listed = run(&["list"]);
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["name"], "office");
    assert_eq!(listed[0]["networks"], serde_json::json!(["10.0.0.0/8", "192.168.0.0/16"]));
    assert_eq!(listed[0]["require_hmac"], true);
    assert_eq!((&listed[1]["remaining_calls"], &listed[1]["burst"]), (&5.into(), &4.into()));
    let plain = text(&kahao(&["keys", "list"], folder.path()).stdout);
    for secret in ["appcode", "app_secret"] {
        assert!(!plain.contains(made[0][secret].as_str().unwrap()) && listed[1].get(secret).is_none());
    }

    assert_eq!(run(&["update", "--name", "till", "--quota", "-1"])[0]["remaining_calls"], -1);
    assert_eq!(
        run(&["update", "--name", "office", "--any-network", "--require-hmac", "false"])[0]["require_hmac"],
        false
    );
    assert_eq!(run(&["disable", "--name", "till"])[0]["disabled"], true);
    assert_eq!(run(&["update", "--name", "till", "--enable"])[0]["disabled"], false);
    let rotated = run(&["rotate", "--name", "till"]);
    assert_eq!(rotated[0]["app_key"], made[0]["app_key"]);
    assert_ne!(rotated[0]["appcode"], made[0]["appcode"]);

    for (args, part) in [
        (&["create", "--name", "till"][..], "a key named till exists already"),
        (&["create", "--name", ""], "1 to 64 printable characters"),
        (&["update", "--name", "nobody", "--quota", "1"], "no key named nobody"),
        (&["update", "--name", "till", "--quota", "-2"], "invalid value '-2'"),
        (&["create", "--name", "x", "--network", "everywhere"], "invalid value 'everywhere'"),
        (&["list", "--database", "postgres://u:secret@h/d"], "the database postgres is not supported"),
    ] {
        let said = complaint(&[&["keys"], args].concat(), folder.path(), 2);
        assert!(said.contains(part) && !said.contains("secret@"), "{args:?}: {said}");
    }
}

#[test]
fn no_command_prints_help() {
    let output = kahao(&[], tempdir().unwrap().path());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("Usage: kahao"));
}

#[test]
fn a_public_address_needs_a_key_first() {
    let folder = tempdir().unwrap();
    let said = complaint(&["serve", "--listen", "0.0.0.0:0"], folder.path(), 2);
    assert!(said.contains("kahao keys create --name NAME --database sqlite://kahao.db"), "{said}");
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn a_configuration_file_is_checked() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("kahao.toml"), "listen = \"0.0.0.0:0\"\ncolour = 1\nworker = 2\n")
        .unwrap();
    let said = complaint(&["serve", "--config", "kahao.toml"], folder.path(), 2);
    assert!(said.contains("no setting colour; there is no setting worker"), "{said}");
    std::fs::write(folder.path().join("kahao.toml"), "listen = \"0.0.0.0:0\"\n").unwrap();
    let said = complaint(&["serve", "--config", "kahao.toml"], folder.path(), 2);
    assert!(said.contains("0.0.0.0:0 can be reached from outside"), "the file counts: {said}");
    let said = complaint(&["serve", "--config", "none.toml"], folder.path(), 2);
    assert!(said.contains("cannot read the configuration file none.toml"), "{said}");
}

#[test]
fn the_first_start_greets_with_a_key_that_works() {
    let service = Service::start(&[]);
    let appcode = service.greeted("AppCode");
    let curl = service.greeting.iter().find(|line| line.contains("curl")).unwrap();
    assert!(curl.contains(&appcode) && curl.contains(&format!("http://127.0.0.1:{}/api", service.port)));

    let head = format!(
        "POST /api/bank_card_ocr/v1 HTTP/1.1\r\nAuthorization: APPCODE {appcode}\r\nContent-Type: application/json"
    );
    let answer = service.ask(&head, br#"{"image_base64":"bm90IGEgcGljdHVyZQ=="}"#);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("x-ca-error-message: not a picture"), "{answer}");

    let url = format!("http://127.0.0.1:{}", service.port);
    let folder = tempdir().unwrap();
    assert!(kahao(&["health", &url], folder.path()).status.success());
    let listen = format!("0.0.0.0:{}", service.port);
    let by_environment = command(&["health"], folder.path()).env("KAHAO_LISTEN", listen).status().unwrap();
    assert!(by_environment.success());
}

#[test]
fn a_refused_upload_still_sees_the_reason() {
    let service = Service::start(&[]);
    // More than the socket buffers hold, so that the client is still writing when the refusal is made.
    let body = vec![b'a'; 25_000_000];
    let head = "POST /api/bank_card_ocr/v1 HTTP/1.1\r\nAuthorization: APPCODE nobody\r\nContent-Type: application/json";
    let answer = service.ask(head, &body);
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("unknown key or wrong secret"), "{answer}");
    let answer = service.ask("POST /api/bank_card_ocr/v2 HTTP/1.1", &body);
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[test]
fn a_client_that_waits_for_100_is_refused_without_sending() {
    let service = Service::start(&[]);
    let mut stream = service.connect();
    write!(
        stream,
        "POST /api/bank_card_ocr/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 25000000\r\nExpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    let mut start = [0; 13];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(text(&start), "HTTP/1.1 401 ");
}

#[test]
fn on_sigterm_the_service_drains_then_ends() {
    let mut service = Service::start(&["--drain-s", "2"]);
    let head = "GET /health/ready HTTP/1.1";
    assert!(service.ask(head, b"").starts_with("HTTP/1.1 200 "));
    service.signal("-TERM");
    let refused = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        service.ask(head, b"").starts_with("HTTP/1.1 503 ")
    });
    assert!(refused, "it goes on answering while it drains");
    assert!(service.child.wait().unwrap().success());
}

#[test]
fn health_of_a_service_that_is_not_there() {
    let folder = tempdir().unwrap();
    let said = complaint(&["health", "http://127.0.0.1:9"], folder.path(), 1);
    assert!(said.starts_with("kahao: not ready: "), "{said}");
    complaint(&["health", "nonsense"], folder.path(), 2);
    complaint(&["health", "https://127.0.0.1:9"], folder.path(), 2);
}

#[test]
fn read_refuses_unusable_arguments() {
    let folder = tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    for (args, part) in [
        (&["read"][..], "required"),
        (&["read", "none.jpg"], "none.jpg cannot be read"),
        (&["read", "empty"], "there is no picture in the folders named"),
        (&["read", "--json", "--csv", "empty"], "cannot be used with"),
    ] {
        let said = complaint(args, folder.path(), 2);
        assert!(said.contains(part), "{args:?}: {said}");
    }
}

#[test]
fn read_says_which_files_were_not_read() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("notes.jpg"), "not a picture").unwrap();
    std::fs::write(folder.path().join("cut.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let output = kahao(&["read", "--json", "."], folder.path());
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("kahao: ./notes.jpg: not a picture that can be read"), "{stderr}");
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["file"], &lines[1]["file"]), (&"./cut.png".into(), &"./notes.jpg".into()));
    for line in lines {
        assert_eq!((&line["code"], &line["success"]), (&400.into(), &false.into()));
        assert!(line["elapsed_ms"].is_u64() && line["data"] == serde_json::json!({}));
    }
}
