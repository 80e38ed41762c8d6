//! What is counted about the service, as Prometheus reads it. Labels are words of this program: routes, codes, reasons;
//! never a key, an address or anything that a caller writes.

mod process;

use std::net::SocketAddr;
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use crate::stages::Timed;
use crate::workers::Load;

/// Settings of the metrics.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct Config {
    /// Address and port of a listener of its own for /metrics and /health/*, plain HTTP without credentials: choose one that
    /// only your monitoring reaches. Absent: /metrics is at --listen, for direct callers on this machine alone
    #[arg(long, env = "KAHAO_METRICS_LISTEN", value_name = "ADDR")]
    pub(crate) metrics_listen: Option<SocketAddr>,
}

/// What [`Metrics::write`] gives, as its reader knows it.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// From what a refusal takes to the longest wait; a picture is some tens of milliseconds.
const BUCKETS_S: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

type Labels<const N: usize> = [(&'static str, String); N];
type Histograms = Family<Labels<1>, Histogram, fn() -> Histogram>;

/// Every figure of the service.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels<3>, Counter>,
    request_seconds: Histograms,
    stage_seconds: Histograms,
    refusals: Family<Labels<1>, Counter>,
    pub(crate) in_flight: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) traces_dropped: Counter,
    queued: Gauge,
    reading: Gauge,
    workers: Gauge,
    draining: Gauge,
    database_up: Gauge,
    redis_up: Gauge,
}

/// An answered request.
#[derive(Debug)]
pub(crate) struct Answered<'a> {
    pub(crate) method: &'static str,
    pub(crate) route: &'a str,
    pub(crate) code: u16,
    /// Why it was refused.
    pub(crate) reason: Option<&'static str>,
    pub(crate) took: Duration,
    pub(crate) stages: &'a [Timed],
}

/// Which of the stores outside this process answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stores {
    pub(crate) database_up: bool,
    pub(crate) redis_up: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("kahao_build", "The version that runs", build);
        registry.register_collector(Box::new(process::Process));
        let mut add = Adder(registry);
        Self {
            requests: add.metric(
                "kahao_requests",
                "Answers by method, route and code; 499 where the client hung up first",
            ),
            request_seconds: add
                .histograms("kahao_request_duration_seconds", "From a request's head to its answer"),
            stage_seconds: add
                .histograms("kahao_stage_duration_seconds", "Stages of the requests that got that far"),
            refusals: add.metric("kahao_refusals", "Answers without success, by reason"),
            in_flight: add.metric("kahao_requests_in_flight", "Requests being answered"),
            connections: add.metric("kahao_connections", "Open connections"),
            traces_dropped: add
                .metric("kahao_traces_dropped", "Requests whose spans the collector did not take in time"),
            queued: add.metric("kahao_queue_depth", "Pictures that wait for a worker"),
            reading: add.metric("kahao_pictures_in_progress", "Pictures being read"),
            workers: add.metric("kahao_workers", "Threads that read pictures"),
            draining: add.metric("kahao_draining", "1 while the service is about to end"),
            database_up: add.metric("kahao_database_up", "1 while the database answers"),
            redis_up: add.metric(
                "kahao_redis_up",
                "1 while replicas share rates and nonces in Redis; 0 without Redis",
            ),
            registry: add.0,
        }
    }
}

/// A registry that gives back what it registers: every metric is a handle on shared numbers.
struct Adder(Registry);

impl Adder {
    fn metric<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.register(name, help, M::default())
    }

    fn histograms(&mut self, name: &str, help: &str) -> Histograms {
        self.register(name, help, Family::new_with_constructor(|| Histogram::new(BUCKETS_S)))
    }

    fn register<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }
}

impl Metrics {
    /// Counts a request that has its answer.
    pub(crate) fn count(&self, answered: &Answered<'_>) {
        let route = || ("route", answered.route.to_owned());
        let labels = [("method", answered.method.to_owned()), route(), ("code", answered.code.to_string())];
        self.requests.get_or_create(&labels).inc();
        self.request_seconds.get_or_create(&[route()]).observe(answered.took.as_secs_f64());
        for Timed { stage, took, .. } in answered.stages {
            self.stage_seconds
                .get_or_create(&[("stage", stage.name().to_owned())])
                .observe(took.as_secs_f64());
        }
        if let Some(reason) = answered.reason {
            self.refusals.get_or_create(&[("reason", reason.to_owned())]).inc();
        }
    }

    /// All figures in the text format of OpenMetrics.
    pub(crate) fn write(&self, load: Load, stores: Stores, draining: bool) -> String {
        self.queued.set(load.waiting as i64);
        self.reading.set(load.running as i64);
        self.workers.set(load.workers as i64);
        self.draining.set(draining.into());
        self.database_up.set(stores.database_up.into());
        self.redis_up.set(stores.redis_up.into());
        let mut page = String::new();
        text::encode(&mut page, &self.registry).expect("writing to a string cannot fail");
        page
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::stages::Stage;

    #[test]
    fn a_page_has_every_figure() {
        let metrics = Metrics::default();
        let stages = [Timed { stage: Stage::Locate, began: Instant::now(), took: Duration::from_millis(7) }];
        let answered = Answered {
            method: "POST",
            route: "/r",
            code: 429,
            reason: Some("queue_full"),
            took: Duration::from_millis(30),
            stages: &stages,
        };
        metrics.count(&answered);
        metrics.in_flight.inc();
        let page = metrics.write(
            Load { waiting: 3, running: 2, workers: 2 },
            Stores { database_up: true, redis_up: false },
            true,
        );
        for line in [
            concat!("kahao_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            r#"kahao_requests_total{method="POST",route="/r",code="429"} 1"#,
            r#"kahao_request_duration_seconds_bucket{le="0.05",route="/r"} 1"#,
            r#"kahao_request_duration_seconds_bucket{le="0.025",route="/r"} 0"#,
            r#"kahao_stage_duration_seconds_count{stage="locate"} 1"#,
            r#"kahao_refusals_total{reason="queue_full"} 1"#,
            "kahao_requests_in_flight 1",
            "kahao_connections 0",
            "kahao_traces_dropped_total 0",
            "kahao_queue_depth 3",
            "kahao_pictures_in_progress 2",
            "kahao_workers 2",
            "kahao_draining 1",
            "kahao_database_up 1",
            "kahao_redis_up 0",
            "# EOF",
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is missing in\n{page}");
        }
    }
}
