//! A running `kahao` of a test's own, and its command line.

#![allow(dead_code, reason = "each test file uses a part")]

#[path = "log.rs"]
pub(crate) mod log;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use log::Log;

pub(crate) fn kahao(args: &[&str], folder: &Path) -> Output {
    command(args, folder).output().unwrap()
}

pub(crate) fn command(args: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kahao"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KAHAO_")) {
        command.env_remove(name);
    }
    command.args(args).current_dir(folder);
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A service in its own folder; killed when dropped, and its log is looked through for secrets.
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) port: u16,
    /// Of the listener for monitoring.
    pub(crate) metrics_port: Option<u16>,
    pub(crate) greeting: Vec<String>,
    pub(crate) log: Log,
    _folder: TempDir,
}

impl Service {
    pub(crate) fn start(args: &[&str]) -> Self {
        let folder = tempdir().unwrap();
        let args = [&["serve", "--listen", "127.0.0.1:0"], &log::FLAGS[..], args].concat();
        let mut child =
            command(&args, folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::follow(child.stderr.take().unwrap());
        let port =
            |line: Value| line["address"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        let is_apart = args.contains(&"--metrics-listen");
        let metrics_port = is_apart.then(|| port(log.wait_for("listening for monitoring")));
        let port = port(log.wait_for("listening"));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = Vec::new();
        // It ends with the address of the console.
        while !greeting.iter().any(|line: &String| line.trim().ends_with(&format!(":{port}/"))) {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            greeting.push(line);
        }
        let service = Self { child, port, metrics_port, greeting, log, _folder: folder };
        for secret in ["AppCode", "AppKey", "AppSecret"] {
            service.log.keep_out(&service.greeted(secret));
        }
        service
    }

    /// A word of the greeting: the line that begins with `name` ends with it.
    pub(crate) fn greeted(&self, name: &str) -> String {
        let line = self.greeting.iter().find(|line| line.trim().starts_with(name)).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Writes a request and reads the answer to its end.
    pub(crate) fn ask(&self, head: &str, body: &[u8]) -> String {
        self.try_ask(head, body).unwrap()
    }

    pub(crate) fn try_ask(&self, head: &str, body: &[u8]) -> std::io::Result<String> {
        for line in head.lines() {
            if let Some((name, value)) = line.split_once(':')
                && ["authorization", "x-ca-signature"].contains(&name.to_ascii_lowercase().as_str())
            {
                self.log.keep_out(value.trim());
            }
        }
        let mut stream = self.connect();
        let length = body.len();
        write!(stream, "{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")?;
        stream.write_all(body)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// The next line of the log with this message.
    pub(crate) fn logged(&self, message: &str) -> Value {
        self.log.wait_for(message)
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
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
