//! storage-service: keeps exactly one outcome for every request.
//!
//! `validated_responses` and `llm_errors` → [`handler`] → [`store`] and [`metrics_store`] → MongoDB; the numbers are
//! served by [`web`], and [`expirer`] removes old results.

mod config;
mod expired;
mod expirer;
mod handler;
mod histogram;
mod metrics_document;
mod metrics_store;
mod recount;
mod runs;
mod spending;
mod store;
mod tally;
mod watermark;
mod web;

use std::process::ExitCode;

use messaging::http::{self, Readiness};
use messaging::pace::Pace;
use messaging::process;
use messaging::producer::Producer;
use messaging::settings::Retention;
use messaging::worker::Worker;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::{Command, Config};
use crate::expirer::Expirer;
use crate::handler::Recorder;
use crate::metrics_store::MetricsStore;
use crate::store::Store;

const SERVICE: &str = "storage-service";

fn main() -> ExitCode {
    process::run(SERVICE, run)
}

async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mongo = config.common.mongo.client(SERVICE).await?;
    let (store, metrics) = (Store::new(mongo.clone()), MetricsStore::new(mongo.clone()));
    if config.command == Some(Command::RebuildMetrics) {
        let metrics = tokio::select! {
            metrics = metrics.rebuild() => metrics,
            () = shutdown.cancelled() => anyhow::bail!("stopped before the metrics were rebuilt"),
        };
        info!(decided = metrics.tally.decided, "metrics rebuilt from the results");
        return Ok(());
    }
    let readiness = Readiness::of(&[SERVICE]);
    http::serve(
        config.http_address,
        web::routes(metrics.clone()),
        readiness.clone(),
        shutdown.clone(),
    )
    .await?;
    let prepare = async {
        mongo.until_readable().await;
        store.prepare().await;
        metrics.prepare().await;
    };
    tokio::select! {
        () = prepare => {}
        () = shutdown.cancelled() => return Ok(()),
    }
    if let Retention::For(kept) = config.results_retention {
        let expirer = Expirer::new(mongo, metrics.clone());
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(expirer.run(kept)));
    }
    let recorder = Recorder::new(store, metrics, Producer::new(&config.common.kafka)?);
    let pace = Pace::batches(config.batch_size, config.batch_wait);
    Worker::of_several_topics(SERVICE, SERVICE, &config.common.kafka)?
        .reporting_to(&readiness)
        .run_batches(recorder, pace, shutdown)
        .await
}
