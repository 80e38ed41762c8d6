//! Connections: accepts them up to a number, shakes hands, gives them to the router, and ends in good order. Decides how
//! long a client may take over what the router cannot see: handshake, head, idleness, and taking its answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutWriter;
use tower_service::Service;

use crate::tls::Tls;

/// Settings of connections.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Connections")]
pub(crate) struct Config {
    /// Open connections; more wait until one closes. Fewer where the system's limit on open files is low
    #[arg(long, env = "KAHAO_MAX_CONNECTIONS", value_name = "N", default_value_t = 4096)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_connections: u32,
    /// How long the head of a request may take, and a connection may be idle before the next one, in seconds. Longer than
    /// your load balancer keeps idle connections, so that it never sends into one that is closing
    // Common load balancers close an idle connection after 60 seconds.
    #[arg(long, env = "KAHAO_IDLE_TIMEOUT_S", value_name = "SECONDS", default_value_t = 75)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) idle_timeout_s: u64,
    /// How long a client may take none of the answer that is being written to it, in seconds
    #[arg(long, env = "KAHAO_WRITE_TIMEOUT_S", value_name = "SECONDS", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) write_timeout_s: u64,
}

/// For the TLS handshake of a new connection.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long requests may take to finish once the service has stopped listening.
const FINISH_TIMEOUT: Duration = Duration::from_secs(30);
/// Open files that are kept free for the store, downloads and tables.
const FILES_OF_OUR_OWN: u64 = 256;

/// A place where clients come in.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) router: Router,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) config: Config,
    /// Tells how many connections are open.
    pub(crate) open: Gauge,
}

impl Door {
    /// Serves until `stop` is done, then lets open requests finish.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(self.config.max_connections as usize));
        loop {
            let (place, stream, peer) = tokio::select! {
                accepted = accept(&self.listener, &places) => accepted,
                () = &mut stop => break,
            };
            let (router, config) = (self.router.clone(), self.config.clone());
            let acceptor = self.tls.as_ref().map(|tls| tls.acceptor());
            let (watcher, open) = (graceful.watcher(), self.open.clone());
            tokio::spawn(async move {
                open.inc();
                match acceptor {
                    None => converse(stream, peer, router, &config, watcher).await,
                    Some(acceptor) => match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => converse(stream, peer, router, &config, watcher).await,
                        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                        Err(_) => tracing::debug!("TLS handshake took too long"),
                    },
                }
                open.dec();
                drop(place);
            });
        }
        drop(self.listener);
        if timeout(FINISH_TIMEOUT, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not finish in time and were cut off");
        }
    }
}

/// Speaks HTTP on a connection to its end.
async fn converse<S: AsyncRead + AsyncWrite + Send + 'static>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    config: &Config,
    watcher: Watcher,
) {
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(Duration::from_secs(config.write_timeout_s)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(config.idle_timeout_s))
        .serve_connection(TokioIo::new(Box::pin(stream)), service_fn(answer(router, peer)));
    // A connection that breaks is the client's business.
    let _ = watcher.watch(connection).await;
}

/// Lets this process open as many files as it may, and lowers `config` to the connections that these allow: a flood of
/// connections must leave the store its files.
pub(crate) fn fit_to_open_files(config: &mut Config) {
    let Ok(files) = rlimit::increase_nofile_limit(u64::MAX) else { return };
    let room = files - FILES_OF_OUR_OWN.min(files / 2);
    if let Ok(room) = u32::try_from(room)
        && room < config.max_connections
    {
        tracing::warn!(
            files,
            connections = room,
            "fewer connections, because few files may be open: see ulimit -n"
        );
        config.max_connections = room.max(1);
    }
}

/// The next connection. Errors of one connection, or too many open files, end no service.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (place, stream, peer),
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The router with the peer's address in each request.
fn answer(
    router: Router,
    peer: SocketAddr,
) -> impl Fn(Request<Incoming>) -> axum::routing::future::RouteFuture<std::convert::Infallible> {
    move |mut request| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    }
}
