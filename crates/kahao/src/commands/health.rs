//! `kahao health`: whether a service is ready, for containers that have no curl.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

/// Settings of `kahao health`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct HealthConfig {
    /// Address of the service; without it, the port that KAHAO_METRICS_LISTEN or else KAHAO_LISTEN names on this machine, or
    /// http://127.0.0.1:8080
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// Where the service listens
    #[arg(long, env = "KAHAO_LISTEN", hide = true, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where its monitoring listens: plain HTTP, also where the service speaks TLS
    #[arg(long, env = "KAHAO_METRICS_LISTEN", hide = true)]
    metrics_listen: Option<SocketAddr>,
}

/// Asks the service; exit code 0 when it is ready, 1 when not.
pub(crate) fn run(config: &HealthConfig) -> anyhow::Result<ExitCode> {
    let url = match &config.url {
        Some(url) => url.clone(),
        None => match config.metrics_listen.unwrap_or(config.listen) {
            address if address.ip().is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
            address => format!("http://{address}"),
        },
    };
    let url =
        Url::parse(&url).with_context(|| format!("{url} is not an address such as http://127.0.0.1:8080"))?;
    if url.scheme() != "http" {
        bail!(
            "{url} is not an http address: ask the service itself, not its proxy; one that speaks TLS at its --metrics-listen"
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(async { timeout(Duration::from_secs(5), ask(&url)).await }) {
        Ok(Ok(200)) => return Ok(ExitCode::SUCCESS),
        Ok(Ok(status)) => eprintln!("kahao: not ready: the service at {url} answered {status}"),
        Ok(Err(error)) => eprintln!("kahao: not ready: the service at {url} cannot be asked: {error:#}"),
        Err(_) => eprintln!("kahao: not ready: the service at {url} did not answer within 5 seconds"),
    }
    Ok(ExitCode::from(1))
}

/// The status of `/health/ready`. One line of HTTP by hand is less than a client.
async fn ask(url: &Url) -> anyhow::Result<u16> {
    let addresses = url.socket_addrs(|| None)?;
    let mut stream = TcpStream::connect(&*addresses).await?;
    let host = url.host_str().unwrap_or_default();
    let request = format!("GET /health/ready HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    let status = head.strip_prefix(b"HTTP/1.1 ").and_then(|status| std::str::from_utf8(status).ok());
    status.and_then(|status| status.parse().ok()).context("its answer is not HTTP/1.1")
}
