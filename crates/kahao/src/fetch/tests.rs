//! What a well-meaning and a bad web server get, on loopback; where a fetch may go at all is in `hostile.rs`.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Fetches from one loopback address and from public ones: the tests' Internet has one server.
pub(super) fn config() -> Config {
    Config {
        no_image_url: false,
        url_allow: Vec::new(),
        url_deny: Vec::new(),
        url_allow_network: vec![Network::Public, "127.0.0.2".parse().unwrap()],
        url_deny_network: Vec::new(),
        fetches: 2,
    }
}

/// A resolver that answers from a table, each name's answers in turn and the last again; others are unknown.
pub(super) fn names(table: &[(&str, &[&[&str]])]) -> Arc<Lookup> {
    let parse = |answer: &&[&str]| answer.iter().map(|a| a.parse().unwrap()).collect::<Vec<IpAddr>>();
    let answers: HashMap<String, Vec<Vec<IpAddr>>> = table
        .iter()
        .map(|(name, answers)| (name.to_string(), answers.iter().rev().map(parse).collect()))
        .collect();
    let answers = Mutex::new(answers);
    Arc::new(move |name| {
        let mut answers = answers.lock().unwrap();
        let found = answers.get_mut(&name).and_then(|left| match left.len() {
            1 => left.last().cloned(),
            _ => left.pop(),
        });
        async { found.ok_or(io::ErrorKind::NotFound.into()) }.boxed()
    })
}

/// A fetcher of small files that knows no names.
pub(super) fn fetcher(config: &Config) -> Fetcher {
    Fetcher::with_lookup(config, 1000, names(&[])).unwrap()
}

/// So many bytes that begin like a picture.
fn picture(length: usize) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.resize(length, 7);
    bytes
}

fn endless(first: Vec<u8>) -> Body {
    let more = std::iter::repeat_with(|| vec![7; 100]);
    Body::from_stream(stream::iter(std::iter::once(first).chain(more).map(Ok::<_, io::Error>)))
}

/// A web server that has one of everything; gives its address.
pub(super) async fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let to = |target: String| get(move || async move { Redirect::temporary(&target) });
    // Redirects to what its query says, as it stands there.
    let redirect = |RawQuery(to): RawQuery| async move {
        let (status, to) = to.as_deref().and_then(|query| query.split_once('=')).unwrap();
        let to = percent_decoded(to);
        (
            StatusCode::from_u16(status.parse().unwrap()).unwrap(),
            [(header::LOCATION, to)],
            endless(picture(20)),
        )
    };
    let app = axum::Router::new()
        .route("/picture", get(|| async { picture(20) }))
        .route("/exact", get(|| async { picture(1000) }))
        .route("/big", get(|| async { picture(1001) }))
        .route("/endless", get(|| async { endless(picture(20)) }))
        .route(
            "/page",
            get(|| async { ([(header::CONTENT_TYPE, "image/png")], "<html><body>no picture at all") }),
        )
        .route("/endless-page", get(|| async { endless(b"<html><body>".to_vec()) }))
        .route("/short", get(|| async { "GI" }))
        .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
        .route("/lied", get(|| async { ([(header::CONTENT_TYPE, "text/html")], picture(20)) }))
        .route(
            "/gzip",
            get(|| async {
                ([(header::CONTENT_ENCODING, "gzip")], &b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x73\xf7\x74\xb3"[..])
            }),
        )
        .route(
            "/refresh",
            get(|| async { ([("refresh", "0; url=/picture")], "<meta http-equiv=refresh>").into_response() }),
        )
        .route("/gone", get(|| async { StatusCode::GONE }))
        .route("/nowhere", get(|| async { StatusCode::FOUND }))
        .route("/choices", get(|| async { (StatusCode::MULTIPLE_CHOICES, [(header::LOCATION, "/picture")]) }))
        .route("/slow", get(|| async { tokio::time::sleep(Duration::from_secs(60)).await }))
        .route("/redirect", get(redirect))
        .route("/hop1", to("/picture".into()))
        .route("/hop2", to("/hop1".into()))
        .route("/hop3", to("/hop2".into()))
        .route("/hop4", to("/hop3".into()))
        .route("/loop", to("/loop".into()));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let key_value = format!("to={}", text.replace('+', "%2B"));
    let decoded = url::form_urlencoded::parse(key_value.as_bytes()).next();
    decoded.map(|(_, value)| value.into_owned().into_bytes()).unwrap_or_default()
}

#[tokio::test]
async fn fetches_and_follows_and_refuses() {
    let origin = origin().await;
    let config = Config { url_deny: vec!["localhost".parse().unwrap()], ..config() };
    let fetcher = fetcher(&config);
    for (path, expected) in [
        ("/picture", Ok(20)),
        ("/exact", Ok(1000)),
        ("/big", Err(FetchError::TooLarge)),
        ("/endless", Err(FetchError::TooLarge)),
        ("/page", Err(FetchError::NotAPicture)),
        ("/endless-page", Err(FetchError::NotAPicture)),
        ("/short", Err(FetchError::NotAPicture)),
        ("/empty", Err(FetchError::NotAPicture)),
        ("/lied", Ok(20)),
        ("/gzip", Err(FetchError::NotAPicture)),
        ("/refresh", Err(FetchError::NotAPicture)),
        ("/gone", Err(FetchError::Status(410))),
        ("/nowhere", Err(FetchError::Status(302))),
        ("/choices", Err(FetchError::Status(300))),
        ("/hop1", Ok(20)),
        ("/hop3", Ok(20)),
        ("/hop4", Err(FetchError::TooManyRedirects)),
        ("/loop", Err(FetchError::TooManyRedirects)),
        ("/redirect?301=/picture", Ok(20)),
        ("/redirect?308=picture", Ok(20)),
        ("/redirect?307=http://localhost/", Err(FetchError::HostNotAllowed)),
    ] {
        let fetched = fetcher.fetch(&format!("http://{origin}{path}")).await;
        assert_eq!(fetched.map(|bytes| bytes.len()), expected, "{path}");
    }
}

/// What a server says that answers every request with these bytes and closes.
async fn raw_origin(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let _ = connection.read(&mut [0; 4096]).await;
            let _ = connection.write_all(answer).await;
        }
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn what_a_server_says_of_its_answer_is_not_believed() {
    for (answer, expected) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 20971520000\r\n\r\nGIF89a"[..], Err(FetchError::TooLarge)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nGIF89a and no more", Err(FetchError::BrokeOff)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nGIF89a 12345 and more", Ok(12)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nGIF89a", Err(FetchError::Unreachable)),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nGIF89a",
            Err(FetchError::Unreachable),
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            Err(FetchError::BrokeOff),
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nGIF89a until it closes", Ok(22)),
        (b"HTTP/1.1 302 Found\r\nlocation: http://\xff\xfe/\r\n\r\n", Err(FetchError::BadUrl)),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            Err(FetchError::Status(101)),
        ),
        (b"GIF89a without a head at all", Err(FetchError::Unreachable)),
        (b"", Err(FetchError::Unreachable)),
    ] {
        let url = raw_origin(answer).await;
        let fetched = fetcher(&config()).fetch(&url).await;
        assert_eq!(fetched.map(|bytes| bytes.len()), expected, "{}", String::from_utf8_lossy(answer));
    }
}

#[tokio::test]
async fn lists_and_the_switch() {
    let origin = origin().await;
    let url = format!("http://{origin}/picture");
    let hosts = |hosts: &[&str]| hosts.iter().map(|host| host.parse().unwrap()).collect::<Vec<HostPattern>>();
    let networks =
        |list: &[&str]| list.iter().map(|network| network.parse().unwrap()).collect::<Vec<Network>>();
    for (config, expected) in [
        (Config { url_allow: hosts(&["127.0.0.2"]), ..config() }, Ok(20)),
        (Config { url_allow: hosts(&["example.com"]), ..config() }, Err(FetchError::HostNotAllowed)),
        (
            Config { url_allow: hosts(&["127.0.0.2"]), url_deny: hosts(&["127.0.0.2"]), ..config() },
            Err(FetchError::HostNotAllowed),
        ),
        (Config { url_allow_network: networks(&["public"]), ..config() }, Err(FetchError::NoAddress)),
        (Config { url_allow_network: networks(&["127.0.0.0/30"]), ..config() }, Ok(20)),
        (Config { url_deny_network: networks(&["127.0.0.0/8"]), ..config() }, Err(FetchError::NoAddress)),
        (Config { url_deny_network: networks(&["127.0.0.1"]), ..config() }, Ok(20)),
        (Config { no_image_url: true, ..config() }, Err(FetchError::SwitchedOff)),
    ] {
        let fetched = fetcher(&config).fetch(&url).await;
        assert_eq!(fetched.map(|bytes| bytes.len()), expected, "{config:?}");
    }
}

#[tokio::test]
async fn downloads_have_their_own_permits() {
    let origin = origin().await;
    let fetcher = Arc::new(fetcher(&Config { fetches: 1, ..config() }));
    let slow = {
        let fetcher = Arc::clone(&fetcher);
        tokio::spawn(async move { fetcher.fetch(&format!("http://{origin}/slow")).await })
    };
    while fetcher.permits.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fetcher.fetch(&format!("http://{origin}/picture")).await, Err(FetchError::Busy));
    slow.abort();
    let _ = slow.await;
    assert!(fetcher.fetch(&format!("http://{origin}/picture")).await.is_ok());
}

/// A server that sends a byte of its answer four times a second, for ever.
async fn dripping_origin(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let Ok((mut connection, _)) = listener.accept().await else { return };
        let _ = connection.read(&mut [0; 4096]).await;
        for byte in answer.iter().chain(std::iter::repeat(&b'a')) {
            if connection.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn slow_names_and_servers_are_given_up() {
    let fetch = async |lookup: Arc<Lookup>, url: String| {
        let fetcher = Fetcher::with_lookup(&config(), 1000, lookup).unwrap();
        let started = Instant::now();
        (fetcher.fetch(&url).await, started.elapsed().as_secs_f32())
    };
    // One that accepts and never answers: its backlog takes the connection.
    let silent = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let silent = format!("http://{}/", silent.local_addr().unwrap());
    let never: Arc<Lookup> = Arc::new(|_| std::future::pending().boxed());
    let (name, silent, head, body) = tokio::join!(
        fetch(never, "http://slow.example/".into()),
        fetch(names(&[]), silent),
        fetch(names(&[]), dripping_origin(b"HTTP/1.1 200 OK\r\n").await),
        fetch(names(&[]), dripping_origin(b"HTTP/1.1 200 OK\r\n\r\nGIF89a").await),
    );
    for (what, (fetched, seconds), limit) in [
        ("name", name, CONNECT_TIMEOUT),
        ("silent", silent, TOTAL_TIMEOUT),
        ("head", head, TOTAL_TIMEOUT),
        ("body", body, TOTAL_TIMEOUT),
    ] {
        assert_eq!(fetched, Err(FetchError::TimedOut), "{what} after {seconds} s");
        let limit = limit.as_secs_f32();
        assert!((limit - 0.1..limit + 3.0).contains(&seconds), "{what}: {seconds} s of {limit} s");
    }
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(fetcher(&config()).fetch(&url).await, Err(FetchError::Unreachable));
}
