//! Connections: accepts them up to a number, gives them to the router, and ends in good order. Decides
//! how long a client may take to send its head, which the router cannot see.

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
use hyper_util::server::graceful::GracefulShutdown;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tower_service::Service;

/// Most open connections; more wait in the system's backlog.
const MAX_CONNECTIONS: usize = 4096;
/// For the head of a request, and from one request to the next: longer than the 60 seconds after which
/// common load balancers close an idle connection, so that they never send into one that is closing.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// How long requests may take to finish once the service has stopped listening.
const FINISH_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until `stop` is done, then lets open requests finish. `open` tells how many connections there are.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    open: Gauge,
    stop: impl Future<Output = ()>,
) {
    let mut stop = std::pin::pin!(stop);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let (place, stream, peer) = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut stop => break,
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service_fn(answer(router.clone(), peer)));
        let connection = graceful.watch(connection);
        let open = open.clone();
        tokio::spawn(async move {
            open.inc();
            // A connection that breaks is the client's business.
            let _ = connection.await;
            open.dec();
            drop(place);
        });
    }
    drop(listener);
    if timeout(FINISH_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
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
