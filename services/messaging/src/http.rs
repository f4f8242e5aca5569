//! Health, readiness and Prometheus metrics over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Latency buckets of every histogram, in seconds.
const BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0,
];

/// Samples of histograms pile up until somebody asks for the metrics, or for so long.
const UPKEEP_EVERY: Duration = Duration::from_secs(10);

/// Says whether a service has what it needs; false until it is set.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Sets whether the service is ready.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    fn status(&self) -> (StatusCode, &'static str) {
        if self.0.load(Ordering::Relaxed) {
            (StatusCode::OK, "ready\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "waiting for what it needs\n")
        }
    }
}

/// Serves `/healthz`, `/readyz`, `/metrics` and `routes` until `shutdown`.
///
/// # Errors
/// When the address is taken or the metrics were installed before.
pub async fn serve(
    address: SocketAddr,
    routes: Router,
    readiness: Readiness,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("HTTP_ADDRESS={address} cannot be listened on; choose an address of this machine with a free port")
    })?;
    let metrics: PrometheusHandle = PrometheusBuilder::new()
        .set_buckets(&BUCKETS)?
        .install_recorder()
        .context("metrics recorder")?;
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        loop {
            sleep(UPKEEP_EVERY).await;
            upkeep.run_upkeep();
        }
    });
    let router = routes
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(async move || readiness.status()))
        .route("/metrics", get(async move || metrics.render()));
    info!(%address, "serving HTTP");
    tokio::spawn(async move {
        let server = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned());
        if let Err(error) = server.await {
            error!(%error, "HTTP server");
        }
    });
    Ok(())
}
