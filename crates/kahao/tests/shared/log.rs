//! What a service logs at its most talkative, and what must never be in it. Every test that runs one ends with this look.

use std::io::{BufRead, BufReader};
use std::process::ChildStderr;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// What makes a service tell all it can.
pub(crate) const FLAGS: [&str; 4] = ["--log-format", "json", "--log-level", "trace"];

/// The log of one service, from its first line.
pub(crate) struct Log {
    lines: mpsc::Receiver<Value>,
    text: Arc<Mutex<String>>,
    secrets: Mutex<Vec<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Log {
    pub(crate) fn follow(log: ChildStderr) -> Self {
        let (sender, lines) = mpsc::channel();
        let text = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                written.lock().unwrap().push_str(&format!("{line}\n"));
                // Nobody may be listening; the pipe must be emptied all the same.
                let _ = sender.send(serde_json::from_str(&line).unwrap_or_default());
            }
        });
        // Numbers and names of the tests' own pictures and requests.
        let drawn = include_str!("../../../../testdata/cards/labels.csv").lines().skip(1);
        let drawn = drawn.flat_map(|line| [1, 4].map(|column| line.split(',').nth(column).unwrap_or("")));
        let drawn = drawn.filter(|text| text.len() > "?".len());
        let secrets: Vec<String> = drawn.chain(["4111111111111111"]).map(str::to_owned).collect();
        assert!(secrets.len() > 8 && secrets.iter().all(|text| text.len() >= 8));
        Self { lines, text, secrets: Mutex::new(secrets), reader: Some(reader) }
    }

    /// From now on this must not have been logged either.
    pub(crate) fn keep_out(&self, secret: &str) {
        assert!(!secret.is_empty());
        self.secrets.lock().unwrap().push(secret.to_owned());
    }

    /// The next line with this message.
    pub(crate) fn wait_for(&self, message: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(20)).unwrap();
            if line["message"] == message {
                return line;
            }
        }
    }

    /// To be called when the service has ended.
    pub(crate) fn check(&mut self) {
        self.reader.take().unwrap().join().unwrap();
        let log = self.text.lock().unwrap();
        assert!(log.contains(r#""message":"listening""#), "this is no log of a service: {log}");
        let joined: String = log.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        for secret in self.secrets.lock().unwrap().iter() {
            assert!(!log.contains(secret) && !joined.contains(secret), "{secret} is in\n{log}");
        }
    }
}
