//! `kahao serve`: the service.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use kahao_reader::{Limits, Timings};
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use crate::config::ServeConfig;
use crate::issuers::IssuerTable;
use crate::server::{self, Door};
use crate::state::{Shared, State};
use crate::store::{KeyChange, Store, StoreError, show_url};
use crate::tls::Tls;
use crate::{routes, telemetry};

/// Open connections of the listener for monitoring.
const MONITORING_CONNECTIONS: u32 = 64;
/// Connections that the system holds until they are accepted: where it has no room a client tries again after a second. Linux lowers this to
/// net.core.somaxconn, 4096 by default.
const BACKLOG: u32 = 4096;

/// Serves until SIGTERM or Ctrl-C.
pub(crate) fn run(config: &ServeConfig) -> anyhow::Result<ExitCode> {
    telemetry::start(&config.telemetry);
    // Checked and opened before the models are loaded, which takes longer.
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(start(config))?;
    Ok(ExitCode::SUCCESS)
}

async fn start(config: &ServeConfig) -> anyhow::Result<()> {
    let issuers = Arc::new(IssuerTable::load(&config.issuers)?);
    let tls = Tls::load(&config.tls)?.map(Arc::new);
    reload_on_hangup(Arc::clone(&issuers), tls.clone())?;
    let store = config.store.open().await?;
    let is_first_start = !store.has_usable_key().await?;
    if is_first_start && !config.listen.ip().is_loopback() {
        bail!(
            "{} can be reached from outside and there is no usable key: make one first with `kahao keys create --name NAME --database {}`",
            config.listen,
            show_url(&config.store.database),
        );
    }
    if !store.is_sealed() {
        tracing::warn!("app secrets are stored in the clear: set KAHAO_MASTER_KEY to seal them");
    }
    let listener = bind(config.listen, "--listen")?;
    let monitoring =
        config.metrics.metrics_listen.map(|address| bind(address, "--metrics-listen")).transpose()?;
    let max_time = Duration::from_millis(config.workers.read_time_ms);
    let reader = config.engine.reader()?.with_limits(Limits { max_time, ..Limits::default() });
    let read = {
        let issuers = Arc::clone(&issuers);
        // One table from the start of a picture to its end, whatever is loaded meanwhile.
        Arc::new(move |picture: &[u8], detail: bool, timings: &mut Timings| {
            reader.with_table(issuers.current()).with_details(detail).read_timed(picture, timings)
        })
    };
    let state = State::new(config, store.clone(), issuers, read)?;
    let address = listener.local_addr()?;
    if is_first_start && store.list_keys().await?.is_empty() {
        let scheme = if tls.is_some() { "https" } else { "http" };
        greet(&store, &format!("{scheme}://{address}")).await?;
    }
    let accounts = Arc::clone(&state.accounts);
    tokio::spawn(async move { accounts.keep_settling().await });
    if let Some(replicas) = state.replicas.clone() {
        replicas.connect().await;
        tokio::spawn(async move { replicas.keep_asking().await });
    }
    if let Some(listener) = monitoring {
        tracing::info!(address = %listener.local_addr()?, "listening for monitoring");
        // To the very end: the drain is to be seen too.
        let router = routes::monitoring(Arc::clone(&state));
        let config = server::Config { max_connections: MONITORING_CONNECTIONS, ..config.server.clone() };
        let door = Door { listener, router, tls: None, config, open: Gauge::default() };
        tokio::spawn(door.serve(std::future::pending()));
    }
    // Before it is said that requests are welcome: whoever waits for that may end the service the next moment.
    let terminate = signal(SignalKind::terminate())?;
    tracing::info!(%address, tls = tls.is_some(), "listening");
    let mut connections = config.server.clone();
    server::fit_to_open_files(&mut connections);
    let stop = wait_for_end(terminate, Arc::clone(&state), Duration::from_secs(config.drain_s));
    let open = state.metrics.connections.clone();
    let router = routes::router(Arc::clone(&state));
    let door = Door { listener, router, tls, config: connections, open };
    door.serve(stop).await;
    state.accounts.settle_all().await;
    if let Some(traces) = &state.traces {
        traces.flush().await;
    }
    tracing::info!("stopped");
    Ok(())
}

fn bind(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    listen(address).with_context(|| format!("cannot listen on {address}: choose another with {setting}"))
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart finds the port free.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Makes the first key of an empty store and says how to use it.
async fn greet(store: &Store, address: &str) -> anyhow::Result<()> {
    let fresh = match store.create_key("first", &KeyChange::default()).await {
        // Another replica on this database was a moment faster, and says it.
        Err(StoreError::NameTaken(_)) => return Ok(()),
        made => made?,
    };
    println!(
        "kahao has made its first key. It is shown once:

  AppCode    {appcode}
  AppKey     {app_key}
  AppSecret  {app_secret}

Try it with a picture of a card:

  curl -H 'Authorization: APPCODE {appcode}' -F image=@card.jpg {address}/api/bank_card_ocr/v1

or in a browser, with the AppCode:

  {address}/
",
        appcode = fresh.appcode.reveal(),
        app_key = fresh.key.app_key,
        app_secret = fresh.key.app_secret.reveal(),
    );
    Ok(())
}

/// Reads the issuer table and the certificate anew at every SIGHUP.
fn reload_on_hangup(issuers: Arc<IssuerTable>, tls: Option<Arc<Tls>>) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let (issuers, tls) = (Arc::clone(&issuers), tls.clone());
            // The file system may be slow. A panic there would be logged, and leaves things as they were.
            let reload = move || {
                issuers.reload();
                if let Some(tls) = tls {
                    tls.reload();
                }
            };
            let _ = tokio::task::spawn_blocking(reload).await;
        }
    });
    Ok(())
}

/// Done when the service should stop listening. On SIGTERM it refuses new work for a while before that,
/// so that load balancers take it out; whoever presses Ctrl-C does not want to wait.
async fn wait_for_end(mut terminate: Signal, state: Shared, drain: Duration) {
    let terminated = tokio::select! {
        _ = terminate.recv() => true,
        _ = tokio::signal::ctrl_c() => false,
    };
    state.start_draining();
    tracing::info!("draining");
    if terminated {
        tokio::select! {
            () = sleep(drain) => {}
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
}
