//! Addresses and redirects that aim at the inner network. Loopback is the inside, watched by a listener; 127.0.0.2 is the one server of the outside. Rows whose address is not this machine's are fetched
//! only where no other network exists, as in `test.sh`; elsewhere they are refused before a fetch could begin.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;

use super::tests::{config, names, origin};
use super::*;
use FetchError::{BadUrl, Credentials, NoAddress, PortNotAllowed, TooManyRedirects, UrlTooLong};

/// `P` stands for the port that listens inside.
const DIRECT: &[(&str, FetchError)] = &[
    // Loopback, as people write it and as they do not.
    ("http://127.0.0.1:P/", NoAddress),
    ("https://127.0.0.1:P/", NoAddress),
    ("HTTP://127.0.0.1:P/", NoAddress),
    ("http://127.1:P/", NoAddress),
    ("http://127.0.1:P/", NoAddress),
    ("http://2130706433:P/", NoAddress),
    ("http://0x7f000001:P/", NoAddress),
    ("http://0x7f.0x0.0x0.0x1:P/", NoAddress),
    ("http://0177.0.0.1:P/", NoAddress),
    ("http://017700000001:P/", NoAddress),
    ("http://0x7f.1:P/", NoAddress),
    ("http://127.0.0.1.:P/", NoAddress),
    ("http://127.255.255.254:P/", NoAddress),
    ("http://0:P/", NoAddress),
    ("http://0.0.0.0:P/", NoAddress),
    ("http://[::]:P/", NoAddress),
    ("http://[::1]:P/", NoAddress),
    ("http://[0:0:0:0:0:0:0:1]:P/", NoAddress),
    ("http://[::ffff:127.0.0.1]:P/", NoAddress),
    ("http://[::ffff:7f00:1]:P/", NoAddress),
    ("http://[::127.0.0.1]:P/", NoAddress),
    ("http://[64:ff9b::127.0.0.1]:P/", NoAddress),
    ("http://[64:ff9b:1::127.0.0.1]:P/", NoAddress),
    ("http://[2002:7f00:1::]:P/", NoAddress),
    ("http://[2001:0:7f00:1::]:P/", NoAddress),
    // Full-width and circled digits, the ideographic full stop, percent signs: all become 127.0.0.1.
    ("http://１２７.０.０.１:P/", NoAddress),
    ("http://127。0。0。1:P/", NoAddress),
    ("http://①②⑦.⓪.⓪.①:P/", NoAddress),
    ("http://%31%32%37%2e0%2e0%2e1:P/", NoAddress),
    // Where parsers differ on where the host is.
    ("http:127.0.0.1:P/", NoAddress),
    ("http:/127.0.0.1:P/", NoAddress),
    ("http:\\\\127.0.0.1:P\\", NoAddress),
    ("http:///127.0.0.1:P/", NoAddress),
    (" \t\nhttp://127.0.0.1:P/", NoAddress),
    ("ht\ntp://127.0.\t0.1:P/", NoAddress),
    ("http://127.0.0.1:P\\@public.example/", NoAddress),
    ("http://127.0.0.1:P#@public.example/", NoAddress),
    ("http://127.0.0.1:P?@public.example/", NoAddress),
    ("http://@127.0.0.1:P/", NoAddress),
    ("http://public.example@127.0.0.1:P/", Credentials),
    ("http://public.example:80@127.0.0.1:P/", Credentials),
    ("http://127.0.0.1:P@public.example/", Credentials),
    ("http://:secret@127.0.0.1:P/", Credentials),
    // Names.
    ("http://localhost:P/", NoAddress),
    ("http://LOCALHOST.:P/", NoAddress),
    ("http://inside.example:P/", NoAddress),
    ("http://six.example:P/", NoAddress),
    ("http://mapped.example:P/", NoAddress),
    ("http://nat64.example:P/", NoAddress),
    ("http://zero.example:P/", NoAddress),
    ("http://metadata.google.internal:P/computeMetadata/v1/", NoAddress),
    ("http://unknown.example:P/", NoAddress),
    ("http://nothing.example:P/", NoAddress),
    // Other networks of the inside, and what is no network.
    ("http://10.0.0.1:P/", NoAddress),
    ("http://172.16.0.1:P/", NoAddress),
    ("http://192.168.0.1:P/", NoAddress),
    ("http://3232235521:P/", NoAddress),
    ("http://100.64.0.1:P/", NoAddress),
    ("http://100.100.100.200:P/latest/meta-data/", NoAddress),
    ("http://169.254.169.254:P/latest/meta-data/", NoAddress),
    ("http://0xa9fea9fe:P/", NoAddress),
    ("http://[::ffff:a9fe:a9fe]:P/", NoAddress),
    ("http://192.0.0.192:P/opc/v2/", NoAddress),
    ("http://198.18.0.1:P/", NoAddress),
    ("http://224.0.0.1:P/", NoAddress),
    ("http://255.255.255.255:P/", NoAddress),
    ("http://[fe80::1]:P/", NoAddress),
    ("http://[fd00:ec2::254]:P/", NoAddress),
    ("http://[fec0::1]:P/", NoAddress),
    ("http://[ff02::1]:P/", NoAddress),
    ("http://[5f00::1]:P/", NoAddress),
    // Ports of other protocols.
    ("http://127.0.0.2:22/", PortNotAllowed),
    ("http://127.0.0.2:25/", PortNotAllowed),
    ("https://127.0.0.2:1023/", PortNotAllowed),
    ("http://127.0.0.2:0/", PortNotAllowed),
    // No http address at all.
    ("", BadUrl),
    ("card.jpg", BadUrl),
    ("//127.0.0.1:P/", BadUrl),
    ("127.0.0.1:P/", BadUrl),
    ("http://", BadUrl),
    ("http://?/", BadUrl),
    ("file:///etc/passwd", BadUrl),
    ("file://127.0.0.1:P/", BadUrl),
    ("data:image/png;base64,aGk=", BadUrl),
    ("gopher://127.0.0.1:P/_GET", BadUrl),
    ("ftp://127.0.0.1:P/", BadUrl),
    ("dict://127.0.0.1:P/d:x", BadUrl),
    ("ldap://127.0.0.1:P/", BadUrl),
    ("jar:http://127.0.0.1:P/!/", BadUrl),
    ("unix:/var/run/docker.sock", BadUrl),
    ("http+unix://%2Fvar%2Frun%2Fdocker.sock/", BadUrl),
    ("javascript:alert(1)", BadUrl),
    ("http://[::1%25lo]:P/", BadUrl),
    ("http://[fe80::1%eth0]:P/", BadUrl),
    ("http://127.0.0.1:99999/", BadUrl),
    ("http://127.0.0.1:P%00.example/", BadUrl),
    ("http://127.0.0.1 .example:P/", BadUrl),
    ("http://127.0.0.256:P/", BadUrl),
    ("http://1.2.3.4.5:P/", BadUrl),
    ("http://0x100000000:P/", BadUrl),
    ("http://a%0d%0aHost:%20inside/", BadUrl),
];

/// Each redirects from the server of the outside; `P` as above, `O` is that server.
const REDIRECTS: &[(&str, FetchError)] = &[
    ("O/redirect?301=http://127.0.0.1:P/", NoAddress),
    ("O/redirect?302=http://[::1]:P/", NoAddress),
    ("O/redirect?303=http://[::ffff:127.0.0.1]:P/", NoAddress),
    ("O/redirect?307=http://2130706433:P/", NoAddress),
    ("O/redirect?308=http://localhost:P/", NoAddress),
    ("O/redirect?302=http://inside.example:P/", NoAddress),
    ("O/redirect?302=//127.0.0.1:P/", NoAddress),
    ("O/redirect?302=\\\\127.0.0.1:P/", NoAddress),
    ("O/redirect?302=https://127.0.0.1:P/", NoAddress),
    ("O/redirect?302=http://public.example@127.0.0.1:P/", Credentials),
    ("O/redirect?302=http://169.254.169.254:P/latest/meta-data/", NoAddress),
    ("O/redirect?302=http://10.0.0.1:P/", NoAddress),
    ("O/redirect?302=file:///etc/passwd", BadUrl),
    ("O/redirect?302=data:image/gif;base64,R0lGODlh", BadUrl),
    ("O/redirect?302=gopher://127.0.0.1:P/_x", BadUrl),
    ("O/redirect?302=http://127.0.0.2:25/", PortNotAllowed),
    // A second and a third hop.
    ("O/redirect?302=O/redirect%3F307%3Dhttp://127.0.0.1:P/", NoAddress),
    ("O/redirect?302=O/redirect%3F307%3DO/redirect%253F301%253Dhttp://127.0.0.1:P/", NoAddress),
    ("O/redirect?302=O/hop4", TooManyRedirects),
    // The name led outside when it was asked first, and inside when the redirect came back to it.
    ("http://rebind.example:Q/redirect?302=http://rebind.example:P/", NoAddress),
    ("http://rebind-self.example:Q/loop", NoAddress),
];

/// A listener on an address and on IPv6's loopback, and how many connections it has seen.
async fn inside(address: &str) -> (u16, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let four = TcpListener::bind((address, 0)).await.unwrap();
    let port = four.local_addr().unwrap().port();
    // A machine without IPv6 has nothing to watch there.
    let six = TcpListener::bind(format!("[::1]:{port}")).await;
    for listener in [Some(four), six.ok()].into_iter().flatten() {
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                seen.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    (port, seen)
}

fn resolver() -> Arc<Lookup> {
    names(&[
        ("public.example", &[&["127.0.0.2"]]),
        ("localhost", &[&["::1", "127.0.0.1"]]),
        ("localhost.", &[&["127.0.0.1"]]),
        ("inside.example", &[&["127.0.0.1"]]),
        ("six.example", &[&["::1"]]),
        ("mapped.example", &[&["::ffff:127.0.0.1"]]),
        ("nat64.example", &[&["64:ff9b::127.0.0.1"]]),
        ("zero.example", &[&["0.0.0.0", "::"]]),
        ("metadata.google.internal", &[&["169.254.169.254"]]),
        ("nothing.example", &[&[]]),
        ("rebind.example", &[&["127.0.0.2"], &["127.0.0.1"]]),
        ("rebind-self.example", &[&["127.0.0.2"], &["127.0.0.1", "::1"]]),
        ("mixed.example", &[&["127.0.0.1", "::1", "127.0.0.2", "10.0.0.1"]]),
    ])
}

/// Whether this machine has no way to another one, so that even a faulty fetcher could reach nobody.
fn is_alone() -> bool {
    let routes = std::fs::read_to_string("/proc/self/net/route").unwrap_or_default();
    !routes.is_empty() && routes.lines().skip(1).all(|route| route.starts_with("lo\t"))
}

/// Whether the host of a row is this machine, or nothing at all.
fn stays_here(url: &str) -> bool {
    match accept(url, None).as_ref().map(Url::host) {
        Ok(Some(Host::Ipv4(v4))) => v4.is_loopback() || v4.is_unspecified(),
        Ok(Some(Host::Ipv6(v6))) => {
            matches!(address::canonical(v6.into()), IpAddr::V4(v4) if v4.is_loopback())
                || v6.is_loopback()
                || v6.is_unspecified()
        }
        // Names are answered by the table above.
        Ok(Some(Host::Domain(_)) | None) | Err(_) => true,
    }
}

#[tokio::test]
async fn no_byte_goes_inside() {
    // Every address of this machine.
    let (port, seen) = inside("0.0.0.0").await;
    let origin = origin().await;
    let fetcher = Fetcher::with_lookup(&config(), 1000, resolver()).unwrap();
    let filled = |url: &str| {
        url.replace(":P", &format!(":{port}"))
            .replace(":Q", &format!(":{}", origin.port()))
            .replace("O/", &format!("http://{origin}/"))
    };
    let (mut fetched, mut judged) = (0, 0);
    for (row, expected) in DIRECT {
        let url = filled(row);
        if is_alone() || stays_here(&url) {
            assert_eq!(fetcher.fetch(&url).await, Err(*expected), "{row}");
            fetched += 1;
        } else {
            let refused = accept(&url, None).and_then(|url| fetcher.check(&url));
            assert_eq!(refused, Err(*expected), "{row}");
            judged += 1;
        }
    }
    for (row, expected) in REDIRECTS {
        let target = row.rsplit_once('=').map_or("", |(_, target)| target);
        if is_alone() || stays_here(&filled(target)) {
            assert_eq!(fetcher.fetch(&filled(row)).await, Err(*expected), "{row}");
            fetched += 1;
        } else {
            judged += 1;
        }
    }
    let long = format!("http://public.example:{}/{}", origin.port(), "a".repeat(MAX_URL_BYTES));
    assert_eq!(fetcher.fetch(&long).await, Err(UrlTooLong));
    // The watch itself works: it counts the one connection that a fetcher without its lists makes.
    let open = Config { url_allow_network: vec!["127.0.0.0/8".parse().unwrap()], ..config() };
    assert_eq!(seen.load(Ordering::SeqCst), 0, "connections to the inside");
    let through = Fetcher::with_lookup(&open, 1000, resolver()).unwrap();
    let _ = through.fetch(&format!("http://127.0.0.1:{port}/")).await;
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    println!("{fetched} addresses fetched, {judged} judged by their text, none reached the inside");
    assert!(fetched >= 90 && (judged == 0 || !is_alone()), "{fetched} {judged}");
}

#[tokio::test]
async fn of_a_mixed_answer_only_the_outside_is_dialled() {
    let (port, seen) = inside("127.0.0.1").await;
    let origin = origin().await;
    let fetcher = Fetcher::with_lookup(&config(), 1000, resolver()).unwrap();
    let fetched = fetcher.fetch(&format!("http://mixed.example:{}/picture", origin.port())).await;
    assert_eq!(fetched.map(|bytes| bytes.len()), Ok(20));
    // Nobody listens on this port outside: a fetcher that tried the other addresses would find the watch there.
    let only_inside = fetcher.fetch(&format!("http://mixed.example:{port}/")).await;
    assert!(only_inside.is_err());
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[test]
fn redirects_never_lose_their_tls() {
    let from = |url: &str| Url::parse(url).unwrap();
    let to = |from: &Url, target: &str| accept(target, Some(from)).map(String::from);
    let secure = from("https://example.com/a/b");
    assert_eq!(to(&secure, "http://example.com/"), Err(FetchError::Downgrade));
    assert_eq!(to(&secure, "c"), Ok("https://example.com/a/c".into()));
    assert_eq!(to(&secure, "//other.example:8443/"), Ok("https://other.example:8443/".into()));
    assert_eq!(to(&from("http://example.com/"), "https://example.com/"), Ok("https://example.com/".into()));
}
