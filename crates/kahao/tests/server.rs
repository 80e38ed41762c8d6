//! The real binary's connections: TLS, clients that are slow or silent, request ids, metrics, and the end.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic; allow-unwrap-in-tests knows #[test] functions only"
)]

#[path = "shared/service.rs"]
mod service;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::tempdir;

use service::{Service, kahao, text};

/// A certificate for localhost, written to a folder.
struct Certificate {
    der: CertificateDer<'static>,
    cert: PathBuf,
    key: PathBuf,
}

fn certificate(folder: &Path) -> Certificate {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    Certificate { der: made.cert.der().clone(), cert, key }
}

/// An answer over TLS to a client that trusts this certificate alone.
fn ask_tls(
    service: &Service,
    trusted: &CertificateDer<'static>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, service.connect());
    write!(stream, "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn tls_and_a_new_certificate_on_sighup() {
    let folder = tempdir().unwrap();
    let first = certificate(folder.path());
    let files = ["--tls-cert", first.cert.to_str().unwrap(), "--tls-key", first.key.to_str().unwrap()];
    let service = Service::start(&[&files[..], &["--metrics-listen", "127.0.0.1:0"]].concat());
    assert!(service.greeting.iter().any(|line| line.contains("https://127.0.0.1:")));
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        assert!(ask_tls(&service, &first.der, versions).unwrap().starts_with("HTTP/1.1 200 "));
    }
    let plain = service.try_ask("GET /health/live HTTP/1.1", b"");
    assert!(!plain.is_ok_and(|answer| answer.contains("200")), "the port speaks TLS and nothing else");
    let url = format!("http://127.0.0.1:{}", service.metrics_port.unwrap());
    assert!(kahao(&["health", &url], folder.path()).status.success());

    std::fs::write(&first.cert, "rubbish").unwrap();
    service.signal("-HUP");
    let line = service.logged("TLS certificate not usable: the one before it stays in use");
    assert!(line["error"].as_str().unwrap().contains("cert.pem has no certificate"), "{line}");
    assert!(ask_tls(&service, &first.der, rustls::ALL_VERSIONS).is_ok());

    let second = certificate(folder.path());
    service.signal("-HUP");
    service.logged("TLS certificate read anew");
    assert!(ask_tls(&service, &second.der, rustls::ALL_VERSIONS).unwrap().starts_with("HTTP/1.1 200 "));
    assert!(ask_tls(&service, &first.der, rustls::ALL_VERSIONS).is_err());
}

#[test]
fn a_certificate_that_cannot_be_used_stops_the_start() {
    let folder = tempdir().unwrap();
    let made = certificate(folder.path());
    for (args, part) in [
        (&["--tls-cert", made.cert.to_str().unwrap()][..], "--tls-cert and --tls-key belong together"),
        (&["--tls-cert", "none.pem", "--tls-key", made.key.to_str().unwrap()], "none.pem cannot be read"),
    ] {
        let output = kahao(&[&["serve", "--listen", "127.0.0.1:0"], args].concat(), folder.path());
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(part), "{output:?}");
    }
}

/// Reads until the service closes; how long that took.
fn read_to_the_end(stream: &mut TcpStream) -> (String, Duration) {
    let began = Instant::now();
    let mut bytes = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut bytes);
    (text(&bytes), began.elapsed())
}

#[test]
fn silent_and_slow_clients_are_let_go() {
    let service =
        Service::start(&["--idle-timeout-s", "1", "--body-timeout-s", "1", "--write-timeout-s", "1"]);
    let mut silent = service.connect();
    let mut half_a_head = service.connect();
    write!(half_a_head, "GET /health/live HTTP/1.1\r\nHost:").unwrap();
    let mut idle = service.connect();
    write!(idle, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut half_a_body = service.connect();
    let appcode = service.greeted("AppCode");
    write!(
        half_a_body,
        "POST /api/bank_card_ocr/v1 HTTP/1.1\r\nHost: x\r\nAuthorization: APPCODE {appcode}\r\n\
         Content-Type: image/jpeg\r\nContent-Length: 1000\r\n\r\nhalf"
    )
    .unwrap();
    for stream in [&mut silent, &mut half_a_head, &mut idle] {
        let (_, took) = read_to_the_end(stream);
        assert!(took < Duration::from_secs(15), "{took:?}");
    }
    let (answer, _) = read_to_the_end(&mut half_a_body);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("the body broke off or came too slowly"), "{answer}");

    // Asks without end and takes no answer: the system's buffers fill, then the clock runs.
    let mut greedy = service.connect();
    greedy.set_write_timeout(Some(Duration::from_secs(15))).unwrap();
    let request = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    let refused = std::iter::repeat_n((), 2000).find_map(|()| greedy.write_all(request.as_bytes()).err());
    let kind = refused.expect("it is cut off").kind();
    assert!(!matches!(kind, std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{kind}");
    assert!(service.ask("GET /health/live HTTP/1.1", b"").starts_with("HTTP/1.1 200 "));
}

#[test]
fn connections_are_bounded_and_more_wait() {
    let service = Service::start(&["--max-connections", "2", "--idle-timeout-s", "2"]);
    let _idle = [service.connect(), service.connect()];
    let began = Instant::now();
    assert!(service.ask("GET /health/live HTTP/1.1", b"").starts_with("HTTP/1.1 200 "));
    assert!(began.elapsed() > Duration::from_secs(1), "it had to wait for a place");
}

#[test]
fn one_id_leads_through_the_log() {
    let service = Service::start(&[]);
    let ask = |id: &str| {
        service.ask(&format!("GET /api/bank_card_bin/v1 HTTP/1.1\r\nX-Request-Id: {id}"), b"");
        service.logged("answered")
    };
    let line = ask("edge-7f9c2ba4");
    assert_eq!(
        (&line["span"]["request_id"], &line["reason"]),
        (&"edge-7f9c2ba4".into(), &"wrong_method".into())
    );
    let line = ask("4111-1111-1111-1111");
    assert_eq!(line["span"]["request_id"].as_str().map(str::len), Some(32), "{line}");
}

#[test]
fn a_trace_of_a_picture_has_its_stages_and_no_number() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let service = Service::start(&["--otlp-endpoint", &endpoint]);
    let head = format!(
        "POST /api/bank_card_ocr/v1 HTTP/1.1\r\nContent-Type: image/jpeg\r\nAuthorization: APPCODE {}\r\n\
         traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        service.greeted("AppCode")
    );
    let answer = service.ask(&head, include_bytes!("../../../testdata/cards/flat-dated.jpg"));
    let (_, number) = answer.split_once(r#""number":""#).unwrap();
    let number = number.split('"').next().unwrap();
    let (mut stream, _) = collector.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut message, mut buffer) = (String::new(), [0; 65_536]);
    while !message.ends_with("]}") {
        let read = stream.read(&mut buffer).unwrap();
        message.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    for part in
        ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "queue", "decode", "locate", "recognize"]
    {
        assert!(message.contains(&format!("\"{part}\"")), "{part} is missing in {message}");
    }
    assert!(
        number.len() >= 13 && !message.contains(number) && !message.contains(&service.greeted("AppCode"))
    );
}

#[test]
fn what_was_let_in_is_answered_after_sigterm() {
    let mut service = Service::start(&["--drain-s", "0"]);
    let mut stream = service.connect();
    let appcode = service.greeted("AppCode");
    let head =
        "POST /api/bank_card_ocr/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 8\r\n";
    write!(stream, "{head}Authorization: APPCODE {appcode}\r\n\r\nhalf").unwrap();
    while !service.ask("GET /metrics HTTP/1.1", b"").contains("kahao_requests_in_flight 2") {
        std::thread::sleep(Duration::from_millis(10));
    }
    service.signal("-TERM");
    service.logged("draining");
    std::thread::sleep(Duration::from_millis(200));
    write!(stream, "rest").unwrap();
    let (answer, _) = read_to_the_end(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("not a picture"), "{answer}");
    assert!(service.child.wait().unwrap().success());
}

/// Asks in every way, with credentials of every kind, right and wrong; the look at the log is the service's own at its end.
#[test]
fn no_number_and_no_secret_is_logged() {
    let service = Service::start(&[]);
    let (appcode, key) = (service.greeted("AppCode"), service.greeted("AppKey"));
    let path = "/api/bank_card_ocr/v1";
    let json = "Content-Type: application/json";
    let card = include_bytes!("../../../testdata/cards/flat-dated.jpg");
    let read = service.ask(
        &format!("POST {path} HTTP/1.1\r\nContent-Type: image/jpeg\r\nAuthorization: APPCODE {appcode}"),
        card,
    );
    assert!(read.contains("\"number\":\""), "{read}");
    let bin = format!("POST /api/bank_card_bin/v1 HTTP/1.1\r\n{json}\r\nAuthorization: APPCODE {appcode}");
    for number in ["4111111111111111", "4111 1111 1111 1111", "4111111111111111x"] {
        service.ask(&bin, format!("{{\"number\":\"{number}\"}}").as_bytes());
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let signed = format!(
        "x-ca-key: {key}\r\nx-ca-timestamp: {now}\r\nx-ca-signature: 0123456789abcdef0123456789abcdef"
    );
    let hmac = "x-ca-nonce: nonce-4111111111111111\r\nx-ca-signature-method: HmacSHA256";
    for head in [
        format!("POST {path} HTTP/1.1\r\n{json}\r\n{signed}"),
        format!("POST {path} HTTP/1.1\r\n{json}\r\n{signed}\r\n{hmac}"),
        format!("POST {path} HTTP/1.1\r\n{json}\r\nAuthorization: Bearer not-an-appcode"),
        format!("GET /4111111111111111?appcode={appcode} HTTP/1.1"),
        format!("PAN4111111111111111 {path} HTTP/1.1"),
        format!("GET {path} HTTP/1.1\r\nX-Request-Id: 4111-1111-1111-1111\r\ntraceparent: 4111111111111111"),
        format!("POST {path}?number=4111111111111111 HTTP/1.1\r\n{json}\r\nAuthorization: APPCODE {appcode}"),
    ] {
        let answer = service.ask(&head, b"{\"image_url\":\"http://4111111111111111.invalid/\"}");
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
}

#[test]
#[should_panic(expected = "kept-out-of-the-log is in")]
fn a_secret_in_the_log_is_found() {
    let service = Service::start(&[]);
    service.log.keep_out("kept-out-of-the-log");
    service.ask("GET /health/live HTTP/1.1\r\nX-Request-Id: kept-out-of-the-log", b"");
}
