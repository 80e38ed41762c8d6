//! What every request shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ipnet::IpNet;
use tokio::sync::Semaphore;

use crate::accounts::Accounts;
use crate::auth::Auth;
use crate::config::ServeConfig;
use crate::fetch::Fetcher;
use crate::input::{self, MAX_PICTURE_BYTES};
use crate::issuers::IssuerTable;
use crate::limits::RateLimits;
use crate::metrics::Metrics;
use crate::replicas::Replicas;
use crate::store::Store;
use crate::traces::Traces;
use crate::workers::{Read, Workers};

/// The parts of the service.
pub(crate) struct State {
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) auth: Auth,
    pub(crate) rates: RateLimits,
    /// What replicas agree on, where there is a Redis.
    pub(crate) replicas: Option<Arc<Replicas>>,
    pub(crate) fetcher: Fetcher,
    pub(crate) workers: Workers,
    pub(crate) issuers: Arc<IssuerTable>,
    /// One permit for each request whose body is in memory.
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// What is expected of bodies.
    pub(crate) body: input::Config,
    pub(crate) metrics: Metrics,
    pub(crate) traces: Option<Traces>,
    /// The metrics have a listener of their own.
    pub(crate) metrics_apart: bool,
    draining: AtomicBool,
}

/// The state as handlers hold it.
pub(crate) type Shared = Arc<State>;

impl State {
    /// Puts the parts together; `read` is the one that tests replace.
    pub(crate) fn new(
        config: &ServeConfig,
        store: Store,
        issuers: Arc<IssuerTable>,
        read: Arc<Read>,
    ) -> anyhow::Result<Shared> {
        let metrics = Metrics::default();
        let replicas = config.replicas.redis.as_deref().map(Replicas::new).transpose()?;
        Ok(Arc::new(Self {
            accounts: Arc::new(Accounts::new(store)),
            auth: Auth::new(&config.auth, replicas.clone()),
            rates: RateLimits::new(replicas.clone()),
            replicas,
            fetcher: Fetcher::new(&config.fetch, MAX_PICTURE_BYTES)?,
            workers: Workers::start(&config.workers, read)?,
            issuers,
            requests: Arc::new(Semaphore::new(config.admission.max_requests as usize)),
            body: config.input.clone(),
            trusted_proxies: config.admission.trusted_proxies.clone(),
            traces: Traces::start(&config.traces, metrics.traces_dropped.clone())?,
            metrics,
            metrics_apart: config.metrics.metrics_listen.is_some(),
            draining: AtomicBool::new(false),
        }))
    }

    /// From now on new work is refused; what was let in finishes.
    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether new work is refused because the service is about to end.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
