//! Who is let in, in order: not while draining, a proven key, its rate and quota, room for the body.
//! The body is read last, except for a signature that covers it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;
use tokio::sync::OwnedSemaphorePermit;

use crate::auth::{self, Claim};
use crate::error::ApiError;
use crate::input::{discard, read_body};
use crate::state::State;
use crate::store::{Key, Outcome};

/// Settings of admission.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Admission")]
pub(crate) struct Config {
    /// Requests whose picture may be in memory at the same time; more are refused with 429
    #[arg(long, env = "KAHAO_MAX_REQUESTS", value_name = "N", default_value_t = 128)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) max_requests: u32,
    /// Networks of your own proxies, separated by commas: from them X-Forwarded-For is believed
    #[arg(long = "trusted-proxy", env = "KAHAO_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    pub(crate) trusted_proxies: Vec<IpNet>,
}

/// A request that was let in, with its body.
pub(crate) struct Admitted {
    pub(crate) key: Arc<Key>,
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
    /// To be held as long as the body or the picture is in memory.
    pub(crate) room: OwnedSemaphorePermit,
}

/// What a request will take up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// A worker: while the queue is full it is refused before its body is read.
    Worker,
    Nothing,
}

/// Lets a request in, or says why not.
pub(crate) async fn admit(state: &State, request: Request, needs: Needs) -> Result<Admitted, ApiError> {
    let (head, body) = request.into_parts();
    let (claim, room) = match check_head(state, &head, needs).await {
        Ok(passed) => passed,
        Err(refusal) => {
            discard(&head.headers, body);
            return Err(refusal);
        }
    };
    let body = read_body(&state.body, &head.headers, body).await?;
    let key = match claim {
        Claim::Proven(key) => key,
        Claim::OnBody(claim) => {
            let key = state.auth.check_body(*claim, &body).await?;
            check_key(state, &key, &head).await?;
            key
        }
    };
    Ok(Admitted { key, head, body, room })
}

/// All that can be decided before the body is read.
async fn check_head(
    state: &State,
    head: &Parts,
    needs: Needs,
) -> Result<(Claim, OwnedSemaphorePermit), ApiError> {
    if state.is_draining() {
        return Err(ApiError::Draining);
    }
    let claim = state.auth.check_head(&state.accounts, head).await?;
    if let Claim::Proven(key) = &claim {
        check_key(state, key, head).await?;
    }
    if needs == Needs::Worker {
        state.workers.check_room()?;
    }
    let room = Arc::clone(&state.requests).try_acquire_owned().map_err(|_| ApiError::TooManyRequests)?;
    Ok((claim, room))
}

/// What a proven key may do now.
async fn check_key(state: &State, key: &Key, head: &Parts) -> Result<(), ApiError> {
    tracing::Span::current().record("key", &key.id);
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    // Without a peer nothing is known of the caller; the unspecified address is in no network.
    let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    auth::check_use(key, caller_address(peer, &head.headers, &state.trusted_proxies))?;
    state.rates.take(key).await.map_err(|over| {
        state.accounts.count(key, Outcome::Limited);
        ApiError::OverRate(over)
    })
}

/// Whether a request comes from this machine and through no proxy, which would make the whole world look like this machine.
pub(crate) fn is_direct_and_local(request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback())
        && !forwarded.iter().any(|header| request.headers().contains_key(*header))
}

/// The address the request comes from: the last one of `X-Forwarded-For` that a trusted proxy vouches
/// for and that is not a trusted proxy itself.
fn caller_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut caller = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for");
    let hops: Vec<&str> =
        lines.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).collect();
    for hop in hops.iter().rev() {
        if !is_trusted(&caller) {
            break;
        }
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        caller = address.to_canonical();
    }
    caller
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_are_believed_from_trusted_proxies_only() {
        for (peer, forwarded, trusted, expected) in [
            ("203.0.113.9", "", "", "203.0.113.9"),
            ("::ffff:203.0.113.9", "", "", "203.0.113.9"),
            ("203.0.113.9", "198.51.100.1", "", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.1", "10.0.0.0/8", "198.51.100.1"),
            ("10.0.0.1", "1.2.3.4, 198.51.100.1", "10.0.0.0/8", "198.51.100.1"),
            ("10.0.0.1", "198.51.100.1, 10.0.0.2", "10.0.0.0/8", "198.51.100.1"),
            ("10.0.0.1", "198.51.100.1,unknown", "10.0.0.0/8", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.0/8", "10.0.0.1"),
            ("10.0.0.1", "2001:db8::1", "10.0.0.0/8", "2001:db8::1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            let trusted: Vec<IpNet> = trusted.split(',').filter_map(|n| n.parse().ok()).collect();
            let caller = caller_address(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(caller, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded}");
        }
    }
}
