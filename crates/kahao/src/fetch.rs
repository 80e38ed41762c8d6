//! Downloads the picture behind an `image_url`, from the public Internet only.
//!
//! The address is checked where it is used: the resolver drops addresses that are not public, hosts
//! written as an address are checked before each request, and redirects are followed here, so that each
//! hop passes the same checks. No proxy from the environment, because the check would see its address.

mod address;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::LOCATION;
use reqwest::{Client, Response, redirect};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::{Host, Url};

pub(crate) use address::is_public;

use crate::tls;

const MAX_REDIRECTS: usize = 3;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// From the first name look-up to the last byte, redirects included.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(8);

/// Settings of the download of `image_url`.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Downloads of image_url")]
pub(crate) struct Config {
    /// Refuse image_url: the service then never opens a connection of its own
    #[arg(long, env = "KAHAO_NO_IMAGE_URL")]
    pub(crate) no_image_url: bool,
    /// Hosts that image_url may name, separated by commas; *.example.com is every host below example.com.
    /// Absent: every public host
    #[arg(long, env = "KAHAO_URL_ALLOW", value_name = "HOST", value_delimiter = ',')]
    pub(crate) url_allow: Vec<String>,
    /// Hosts that image_url may not name, written as for --url-allow
    #[arg(long, env = "KAHAO_URL_DENY", value_name = "HOST", value_delimiter = ',')]
    pub(crate) url_deny: Vec<String>,
    /// Downloads at the same time; more are refused with 429
    #[arg(long, env = "KAHAO_FETCHES", value_name = "N", default_value_t = 16)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) fetches: u32,
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
    /// One text whether the name is unknown or private, so that nobody learns a network's inner names.
    #[error("image_url cannot be fetched: its host has no public address")]
    NoPublicAddress,
    #[error("image_url cannot be fetched: its server does not answer")]
    Unreachable,
    #[error("image_url cannot be fetched: its server took too long")]
    TimedOut,
    #[error("image_url cannot be fetched: its server answered {0}")]
    Status(u16),
    #[error("image_url cannot be fetched: more than {MAX_REDIRECTS} redirects")]
    TooManyRedirects,
    #[error("image_url cannot be fetched: the file is larger than 20 MB")]
    TooLarge,
}

/// Decides whether an address may be reached: [`is_public`] in the service; tests allow loopback.
pub(crate) type MayReach = fn(IpAddr) -> bool;

/// Downloads pictures, each on a permit.
pub(crate) struct Fetcher {
    config: Config,
    client: Client,
    permits: Semaphore,
    may_reach: MayReach,
    max_bytes: usize,
}

impl Fetcher {
    /// A fetcher of files of at most `max_bytes`.
    pub(crate) fn new(config: &Config, may_reach: MayReach, max_bytes: usize) -> anyhow::Result<Self> {
        let client = Client::builder()
            .user_agent(concat!("kahao/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls::client_config()?)
            .no_proxy()
            .dns_resolver(GuardedResolver { may_reach })
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            // A kept connection would be reused without its address being looked at again.
            .pool_max_idle_per_host(0)
            .build()?;
        let permits = Semaphore::new(config.fetches as usize);
        Ok(Self { config: config.clone(), client, permits, may_reach, max_bytes })
    }

    /// The bytes behind `url`.
    pub(crate) async fn fetch(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        if self.config.no_image_url {
            return Err(FetchError::SwitchedOff);
        }
        let url = Url::parse(url.trim()).map_err(|_| FetchError::BadUrl)?;
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
            let target = response.headers().get(LOCATION).filter(|_| status.is_redirection());
            let target = target.ok_or(FetchError::Status(status.as_u16()))?;
            url = target.to_str().ok().and_then(|to| url.join(to).ok()).ok_or(FetchError::BadUrl)?;
        }
        Err(FetchError::TooManyRedirects)
    }

    /// What can be told before a connection: the scheme, the lists, and a host that is an address (the
    /// resolver never sees those).
    fn check(&self, url: &Url) -> Result<(), FetchError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::BadUrl);
        }
        let host = url.host().ok_or(FetchError::BadUrl)?;
        let listed = |list: &[String]| list.iter().any(|pattern| host_matches(&host, pattern));
        if listed(&self.config.url_deny)
            || !(self.config.url_allow.is_empty() || listed(&self.config.url_allow))
        {
            return Err(FetchError::HostNotAllowed);
        }
        let address = match host {
            Host::Domain(_) => return Ok(()),
            Host::Ipv4(v4) => IpAddr::V4(v4),
            Host::Ipv6(v6) => IpAddr::V6(v6),
        };
        if (self.may_reach)(address) { Ok(()) } else { Err(FetchError::NoPublicAddress) }
    }

    /// The body, given up as soon as it is too long; a length that the server names is only a hint.
    async fn read(&self, mut response: Response) -> Result<Vec<u8>, FetchError> {
        if response.content_length().is_some_and(|length| length > self.max_bytes as u64) {
            return Err(FetchError::TooLarge);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| classify(&e))? {
            if bytes.len() + chunk.len() > self.max_bytes {
                return Err(FetchError::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// Whether `host` is `pattern`, or below it where the pattern begins with `*.`.
fn host_matches(host: &Host<&str>, pattern: &str) -> bool {
    let host = host.to_string().trim_end_matches('.').to_ascii_lowercase();
    let pattern = pattern.trim().trim_end_matches('.').to_ascii_lowercase();
    match pattern.strip_prefix("*.") {
        Some(parent) => host.strip_suffix(parent).is_some_and(|below| below.ends_with('.')),
        None => host == pattern,
    }
}

/// The system's resolver, less every address that may not be reached.
#[derive(Debug)]
struct GuardedResolver {
    may_reach: MayReach,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let may_reach = self.may_reach;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| Unresolved)?;
            let reachable: Vec<SocketAddr> = found.filter(|address| may_reach(address.ip())).collect();
            if reachable.is_empty() {
                return Err(Unresolved.into());
            }
            Ok(Box::new(reachable.into_iter()) as Addrs)
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no public address")]
struct Unresolved;

fn classify(error: &reqwest::Error) -> FetchError {
    let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |cause| (*cause).source());
    if causes.any(|cause| cause.is::<Unresolved>()) {
        FetchError::NoPublicAddress
    } else if error.is_timeout() {
        FetchError::TimedOut
    } else if error.is_builder() {
        FetchError::BadUrl
    } else {
        FetchError::Unreachable
    }
}

#[cfg(test)]
mod tests;
