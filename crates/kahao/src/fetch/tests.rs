use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::get;
use futures_util::stream;

use super::*;

fn config() -> Config {
    Config { no_image_url: false, url_allow: Vec::new(), url_deny: Vec::new(), fetches: 2 }
}

fn loopback(address: IpAddr) -> bool {
    address.is_loopback()
}

fn fetcher(config: &Config) -> Fetcher {
    Fetcher::new(config, loopback, 1000).unwrap()
}

/// A web server on loopback that has one of everything; gives its address.
async fn origin() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let endless = || async {
        Body::from_stream(stream::iter(std::iter::repeat_with(|| Ok::<_, std::io::Error>(vec![7; 100]))))
    };
    let to = |target: String| get(move || async move { Redirect::temporary(&target) });
    let app = axum::Router::new()
        .route("/picture", get(|| async { vec![1_u8, 2, 3] }))
        .route("/exact", get(|| async { vec![9_u8; 1000] }))
        .route("/big", get(|| async { vec![9_u8; 1001] }))
        .route("/endless", get(endless))
        .route("/gone", get(|| async { StatusCode::GONE }))
        .route("/nowhere", get(|| async { StatusCode::FOUND }))
        .route("/slow", get(|| async { tokio::time::sleep(Duration::from_secs(60)).await }))
        .route("/hop1", to("/picture".into()))
        .route("/hop2", to("/hop1".into()))
        .route("/hop3", to("/hop2".into()))
        .route("/hop4", to("/hop3".into()))
        .route("/loop", to("/loop".into()))
        .route("/to-metadata", to("http://169.254.169.254/latest".into()))
        .route("/to-mapped", to("http://[::ffff:10.0.0.1]/".into()))
        .route("/to-file", to("file:///etc/passwd".into()))
        .route("/to-denied", to(format!("http://localhost:{}/picture", address.port())));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

#[tokio::test]
async fn fetches_and_follows_and_refuses() {
    let origin = origin().await;
    let config = Config { url_deny: vec!["localhost".into()], ..config() };
    let fetcher = fetcher(&config);
    for (path, expected) in [
        ("/picture", Ok(3)),
        ("/exact", Ok(1000)),
        ("/big", Err(FetchError::TooLarge)),
        ("/endless", Err(FetchError::TooLarge)),
        ("/gone", Err(FetchError::Status(410))),
        ("/nowhere", Err(FetchError::Status(302))),
        ("/hop1", Ok(3)),
        ("/hop3", Ok(3)),
        ("/hop4", Err(FetchError::TooManyRedirects)),
        ("/loop", Err(FetchError::TooManyRedirects)),
        ("/to-metadata", Err(FetchError::NoPublicAddress)),
        ("/to-mapped", Err(FetchError::NoPublicAddress)),
        ("/to-file", Err(FetchError::BadUrl)),
        ("/to-denied", Err(FetchError::HostNotAllowed)),
    ] {
        let fetched = fetcher.fetch(&format!("http://{origin}{path}")).await;
        assert_eq!(fetched.map(|bytes| bytes.len()), expected, "{path}");
    }
}

#[tokio::test]
async fn the_service_reaches_public_addresses_only() {
    let port = origin().await.port();
    let fetcher = Fetcher::new(&config(), is_public, 1000).unwrap();
    for url in [
        format!("http://127.0.0.1:{port}/picture"),
        format!("http://localhost:{port}/picture"),
        format!("http://LOCALHOST.:{port}/picture"),
        format!("http://[::1]:{port}/picture"),
        format!("http://[::ffff:127.0.0.1]:{port}/picture"),
        format!("http://2130706433:{port}/picture"),
        format!("http://0x7f.1:{port}/picture"),
        format!("http://0177.0.0.1:{port}/picture"),
        format!("http://127.1:{port}/picture"),
        format!("http://0:{port}/picture"),
        format!("http://user@127.0.0.1:{port}/picture"),
        "http://169.254.169.254/latest/meta-data".into(),
        "http://192.168.0.1/".into(),
        "http://name.invalid/".into(),
    ] {
        assert_eq!(fetcher.fetch(&url).await, Err(FetchError::NoPublicAddress), "{url}");
    }
    for url in [
        "",
        "picture.jpg",
        "ftp://example.com/",
        "file:///etc/passwd",
        "data:image/png;base64,aGk=",
        "http://",
        "gopher://x",
    ] {
        assert_eq!(fetcher.fetch(url).await, Err(FetchError::BadUrl), "{url}");
    }
}

#[tokio::test]
async fn lists_and_the_switch() {
    let origin = origin().await;
    let url = format!("http://{origin}/picture");
    let allow =
        |hosts: &[&str]| Config { url_allow: hosts.iter().map(|h| h.to_string()).collect(), ..config() };
    assert!(fetcher(&allow(&["127.0.0.1"])).fetch(&url).await.is_ok());
    assert_eq!(fetcher(&allow(&["example.com"])).fetch(&url).await, Err(FetchError::HostNotAllowed));
    let off = Config { no_image_url: true, ..config() };
    assert_eq!(fetcher(&off).fetch(&url).await, Err(FetchError::SwitchedOff));
}

#[test]
fn host_patterns() {
    for (host, pattern, matches) in [
        ("example.com", "example.com", true),
        ("EXAMPLE.com.", "Example.COM", true),
        ("img.example.com", "example.com", false),
        ("img.example.com", "*.example.com", true),
        ("a.b.example.com", "*.example.com", true),
        ("example.com", "*.example.com", false),
        ("badexample.com", "*.example.com", false),
        ("example.com.bad.com", "*.example.com", false),
        ("1.2.3.4", "1.2.3.4", true),
        ("[2606:4700::1]", "[2606:4700::1]", true),
    ] {
        assert_eq!(
            host_matches(&Host::parse(host).unwrap().as_deref_host(), pattern),
            matches,
            "{host} {pattern}"
        );
    }
}

trait AsDerefHost {
    fn as_deref_host(&self) -> Host<&str>;
}

impl AsDerefHost for Host<String> {
    fn as_deref_host(&self) -> Host<&str> {
        match self {
            Host::Domain(name) => Host::Domain(name),
            Host::Ipv4(v4) => Host::Ipv4(*v4),
            Host::Ipv6(v6) => Host::Ipv6(*v6),
        }
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

#[tokio::test]
async fn a_slow_server_is_given_up() {
    // One that accepts and never answers: its backlog takes the connection.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let started = std::time::Instant::now();
    assert_eq!(fetcher(&config()).fetch(&url).await, Err(FetchError::TimedOut));
    assert!((7..12).contains(&started.elapsed().as_secs()));
}

#[tokio::test]
async fn a_closed_port_is_unreachable_and_the_environment_has_no_say() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    fn counted(address: IpAddr) -> bool {
        CALLS.fetch_add(1, Ordering::Relaxed);
        address.is_loopback()
    }
    let fetcher = Fetcher::new(&config(), counted, 1000).unwrap();
    assert_eq!(fetcher.fetch(&url).await, Err(FetchError::Unreachable));
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
}
