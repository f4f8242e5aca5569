//! Health, readiness and Prometheus metrics over HTTP.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::wait::awaited;

/// Latency buckets of every histogram, in seconds.
const BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0,
];

/// Samples of histograms pile up until somebody asks for the metrics, or for so long.
const UPKEEP_EVERY: Duration = Duration::from_secs(10);

/// Says whether a service has what it needs: each of its consumers has begun, and it waits for no server.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<watch::Sender<BTreeSet<&'static str>>>);

impl Readiness {
    /// Of a service with these consumers, none of which has begun.
    #[must_use]
    pub fn of(consumers: &[&'static str]) -> Self {
        Self(Arc::new(watch::Sender::new(consumers.iter().copied().collect())))
    }

    /// Notes that a consumer has begun.
    pub fn begun(&self, consumer: &'static str) {
        self.0.send_modify(|to_begin| {
            to_begin.remove(consumer);
        });
    }

    /// Waits until each consumer has begun.
    pub async fn all_begun(&self) {
        // It cannot end before: `self` is who tells.
        let _ = self.0.subscribe().wait_for(BTreeSet::is_empty).await;
    }

    fn status(&self) -> (StatusCode, String) {
        let to_begin = self.0.borrow();
        let to_begin = to_begin.iter().map(|name| format!("{name} has not begun\n"));
        let servers = awaited().into_iter().map(|server| format!("waiting for {server}\n"));
        let missing: String = to_begin.chain(servers).collect();
        if missing.is_empty() {
            (StatusCode::OK, "ready\n".to_owned())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, missing)
        }
    }
}

/// Serves `/healthz`, `/readyz`, `/metrics` and `routes` until `shutdown`.
///
/// # Errors
/// When the address is taken or the metrics were installed before.
pub fn serve(
    address: SocketAddr,
    routes: Router,
    readiness: Readiness,
    shutdown: CancellationToken,
) -> BoxFuture<'static, anyhow::Result<()>> {
    // In a box, that services need not compile the server again.
    async move {
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
    .boxed()
}
