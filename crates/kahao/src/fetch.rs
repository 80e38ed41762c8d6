//! Downloads the picture behind an `image_url`, from the public Internet only unless the operator's lists say otherwise.
//!
//! The address is checked where it is used: the resolver drops addresses that may not be reached, hosts
//! written as an address are checked before each request, and redirects are followed here, so that each
//! hop passes the same checks. No proxy from the environment, because the check would see its address.

mod address;
mod lists;

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kahao_reader::{SIGNATURE_BYTES, is_picture};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::LOCATION;
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::{Host, Url};

use crate::tls;
use lists::{HostPattern, Network};

const MAX_REDIRECTS: usize = 3;
/// For each hop: the name, the connection, and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// From the first name look-up to the last byte, redirects included.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(8);
/// Signed addresses of object stores have one to two thousand characters; RFC 9110 4.1 asks for 8000 at least.
const MAX_URL_BYTES: usize = 8192;

/// Settings of the download of `image_url`.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Downloads of image_url")]
pub(crate) struct Config {
    /// Refuse image_url: the service then never opens a connection of its own
    #[arg(long, env = "KAHAO_NO_IMAGE_URL")]
    pub(crate) no_image_url: bool,
    /// Hosts that image_url may name, separated by commas; *.example.com is every host below example.com.
    /// Absent: every host
    #[arg(long, env = "KAHAO_URL_ALLOW", value_name = "HOST", value_delimiter = ',')]
    pub(crate) url_allow: Vec<HostPattern>,
    /// Hosts that image_url may not name, written as for --url-allow, which they override
    #[arg(long, env = "KAHAO_URL_DENY", value_name = "HOST", value_delimiter = ',')]
    pub(crate) url_deny: Vec<HostPattern>,
    /// Networks that image_url may reach, separated by commas: a CIDR such as 10.1.0.0/16, or public for all that is
    /// globally reachable. Name your own picture store's here: public,10.1.2.3
    #[arg(long, env = "KAHAO_URL_ALLOW_NETWORK", value_name = "CIDR", value_delimiter = ',')]
    #[arg(default_value = "public")]
    pub(crate) url_allow_network: Vec<Network>,
    /// Networks that image_url may not reach, written as for --url-allow-network, which they override
    #[arg(long, env = "KAHAO_URL_DENY_NETWORK", value_name = "CIDR", value_delimiter = ',')]
    pub(crate) url_deny_network: Vec<Network>,
    /// Downloads at the same time; more are refused with 429
    #[arg(long, env = "KAHAO_FETCHES", value_name = "N", default_value_t = 16)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) fetches: u32,
}

impl Config {
    fn may_name(&self, host: &Host<&str>) -> bool {
        let listed = |list: &[HostPattern]| list.iter().any(|pattern| pattern.matches(host));
        !listed(&self.url_deny) && (self.url_allow.is_empty() || listed(&self.url_allow))
    }

    fn may_reach(&self, address: IpAddr) -> bool {
        let listed = |list: &[Network]| list.iter().any(|network| network.contains(address));
        listed(&self.url_allow_network) && !listed(&self.url_deny_network)
    }
}

/// Why a picture was not downloaded. The texts are public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("image_url is switched off on this server: send image_base64")]
    SwitchedOff,
    #[error("image_url names a host that this server does not fetch from")]
    HostNotAllowed,
    #[error("too many downloads at once: try again later")]
    Busy,
    #[error("image_url is not an http or https address")]
    BadUrl,
    #[error("image_url has more than {MAX_URL_BYTES} characters")]
    UrlTooLong,
    #[error("image_url must not hold a user name or a password")]
    Credentials,
    #[error(
        "image_url names a port that this server does not fetch from: 80, 443 and 1024 to 65535 are allowed"
    )]
    PortNotAllowed,
    /// One text whether the name is unknown or private, so that nobody learns a network's inner names.
    #[error("image_url cannot be fetched: its host has no address that this server may reach")]
    NoAddress,
    #[error("image_url cannot be fetched: its server does not answer")]
    Unreachable,
    #[error("image_url cannot be fetched: its server broke off")]
    BrokeOff,
    #[error("image_url cannot be fetched: its server took too long")]
    TimedOut,
    #[error("image_url cannot be fetched: its server answered {0}")]
    Status(u16),
    #[error("image_url cannot be fetched: more than {MAX_REDIRECTS} redirects")]
    TooManyRedirects,
    #[error("image_url cannot be fetched: it redirects from https to http")]
    Downgrade,
    #[error("image_url cannot be fetched: the file is larger than 20 MB")]
    TooLarge,
    #[error("image_url leads to no picture that can be read: JPEG, PNG, WebP, BMP, GIF and TIFF files are")]
    NotAPicture,
}

/// Asks for the addresses of a name: the system's resolver in the service; tests answer themselves.
pub(crate) type Lookup = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// Downloads pictures, each on a permit.
pub(crate) struct Fetcher {
    config: Arc<Config>,
    client: Client,
    permits: Semaphore,
    max_bytes: usize,
}

impl Fetcher {
    /// A fetcher of files of at most `max_bytes`.
    pub(crate) fn new(config: &Config, max_bytes: usize) -> anyhow::Result<Self> {
        let system = |name: String| {
            async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            }
            .boxed()
        };
        Self::with_lookup(config, max_bytes, Arc::new(system))
    }

    fn with_lookup(config: &Config, max_bytes: usize, lookup: Arc<Lookup>) -> anyhow::Result<Self> {
        let config = Arc::new(config.clone());
        let client = Client::builder()
            .user_agent(concat!("kahao/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls::client_config()?)
            .no_proxy()
            .dns_resolver(GuardedResolver { config: Arc::clone(&config), lookup })
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            // A kept connection would be reused without its address being looked at again.
            .pool_max_idle_per_host(0)
            .build()?;
        let permits = Semaphore::new(config.fetches as usize);
        Ok(Self { config, client, permits, max_bytes })
    }

    /// The bytes behind `url`, which begin like a picture.
    pub(crate) async fn fetch(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        if self.config.no_image_url {
            return Err(FetchError::SwitchedOff);
        }
        let url = accept(url, None)?;
        let _permit = self.permits.try_acquire().map_err(|_| FetchError::Busy)?;
        timeout(TOTAL_TIMEOUT, self.follow(url)).await.unwrap_or(Err(FetchError::TimedOut))
    }

    async fn follow(&self, mut url: Url) -> Result<Vec<u8>, FetchError> {
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url)?;
            let response = self.client.get(url.clone()).send().await.map_err(|e| classify(&e))?;
            let status = response.status();
            if status.is_success() {
                return self.read(response).await;
            }
            let target = response.headers().get(LOCATION).filter(|_| is_redirect(status));
            let target = target.ok_or(FetchError::Status(status.as_u16()))?;
            url = accept(target.to_str().map_err(|_| FetchError::BadUrl)?, Some(&url))?;
        }
        Err(FetchError::TooManyRedirects)
    }

    /// The lists, as far as the URL alone tells: its host, and the address if the host is one, because the resolver
    /// never sees those.
    fn check(&self, url: &Url) -> Result<(), FetchError> {
        let host = url.host().ok_or(FetchError::BadUrl)?;
        if !self.config.may_name(&host) {
            return Err(FetchError::HostNotAllowed);
        }
        let address = match host {
            Host::Domain(_) => return Ok(()),
            Host::Ipv4(v4) => IpAddr::V4(v4),
            Host::Ipv6(v6) => IpAddr::V6(v6),
        };
        if self.config.may_reach(address) { Ok(()) } else { Err(FetchError::NoAddress) }
    }

    /// The body, given up as soon as it is too long or begins unlike a picture; what the server says of its length and
    /// type is only a hint. It is never unpacked.
    async fn read(&self, mut response: Response) -> Result<Vec<u8>, FetchError> {
        if response.content_length().is_some_and(|length| length > self.max_bytes as u64) {
            return Err(FetchError::TooLarge);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| classify(&e))? {
            if bytes.len() + chunk.len() > self.max_bytes {
                return Err(FetchError::TooLarge);
            }
            let is_told = bytes.len() >= SIGNATURE_BYTES;
            bytes.extend_from_slice(&chunk);
            if !is_told && bytes.len() >= SIGNATURE_BYTES && !is_picture(&bytes) {
                return Err(FetchError::NotAPicture);
            }
        }
        if is_picture(&bytes) { Ok(bytes) } else { Err(FetchError::NotAPicture) }
    }
}

/// A URL that may be asked for, as far as its own text tells; `from` is the one that redirects there.
pub(crate) fn accept(text: &str, from: Option<&Url>) -> Result<Url, FetchError> {
    if text.len() > MAX_URL_BYTES {
        return Err(FetchError::UrlTooLong);
    }
    let url = Url::options().base_url(from).parse(text.trim()).map_err(|_| FetchError::BadUrl)?;
    let port = match (url.scheme(), url.port_or_known_default()) {
        ("http" | "https", Some(port)) if url.has_host() => port,
        _ => return Err(FetchError::BadUrl),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(FetchError::Credentials);
    }
    // Below 1024 live mail, shells and directories, which take a request for something else.
    if !matches!(port, 80 | 443 | 1024..) {
        return Err(FetchError::PortNotAllowed);
    }
    if url.scheme() == "http" && from.is_some_and(|from| from.scheme() == "https") {
        return Err(FetchError::Downgrade);
    }
    Ok(url)
}

/// RFC 9110 15.4: those that a client may follow by itself.
fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// A resolver that drops every address that may not be reached, so that the address that is checked is the one that is
/// connected to.
struct GuardedResolver {
    config: Arc<Config>,
    lookup: Arc<Lookup>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let config = Arc::clone(&self.config);
        let found = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move {
            let mut found = found.await.map_err(|_| Unresolved)?;
            found.retain(|address| config.may_reach(*address));
            if found.is_empty() {
                return Err(Unresolved.into());
            }
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no address that may be reached")]
struct Unresolved;

fn classify(error: &reqwest::Error) -> FetchError {
    let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |cause| (*cause).source());
    if causes.any(|cause| cause.is::<Unresolved>()) {
        FetchError::NoAddress
    } else if error.is_timeout() {
        FetchError::TimedOut
    } else if error.is_builder() {
        FetchError::BadUrl
    } else if error.is_body() || error.is_decode() {
        FetchError::BrokeOff
    } else {
        FetchError::Unreachable
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
pub(crate) mod tests;
