//! A running `kahao` of a test's own, and its command line.

#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

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

/// A service in its own folder; killed when dropped.
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) port: u16,
    /// Of the listener for monitoring.
    pub(crate) metrics_port: Option<u16>,
    pub(crate) greeting: Vec<String>,
    /// Lines of the log after the first few.
    log: mpsc::Receiver<Value>,
    _folder: TempDir,
}

impl Service {
    pub(crate) fn start(args: &[&str]) -> Self {
        let folder = tempdir().unwrap();
        let args = [&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"], args].concat();
        let mut child =
            command(&args, folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut metrics_port = None;
        let port = loop {
            let line: Value = serde_json::from_str(&log.next().unwrap().unwrap()).unwrap();
            let port = line["address"].as_str().and_then(|address| address.rsplit(':').next()?.parse().ok());
            match line["message"].as_str() {
                Some("listening for monitoring") => metrics_port = port,
                Some("listening") => break port.unwrap(),
                _ => {}
            }
        };
        let (sender, later) = mpsc::channel();
        std::thread::spawn(move || {
            for line in log.map_while(Result::ok) {
                // Nobody may be listening; the pipe must be emptied all the same.
                let _ = sender.send(serde_json::from_str(&line).unwrap_or_default());
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = Vec::new();
        while !greeting.iter().any(|line: &String| line.contains("curl")) {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            greeting.push(line);
        }
        Self { child, port, metrics_port, greeting, log: later, _folder: folder }
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
        loop {
            let line = self.log.recv_timeout(Duration::from_secs(20)).unwrap();
            if line["message"] == message {
                return line;
            }
        }
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
    }
}
