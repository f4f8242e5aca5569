//! The settings of storage-service; no other place reads the environment.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand};
use messaging::process::{ProcessConfig, Settings};
use messaging::settings::{CommonConfig, HOUR, Retention, duration, parse_retention};

use crate::watermark::LARGEST_BATCH;

/// Keeps exactly one outcome for every request, and metrics that equal their sum.
#[derive(Debug, Parser)]
#[command(name = "storage-service", version)]
pub struct Config {
    /// Most outcomes written to MongoDB together.
    #[arg(long, env, default_value = "500", value_parser = batch_size)]
    pub batch_size: usize,
    /// How long a batch that is not full waits for more, such as 10ms.
    #[arg(long, env, default_value = "10ms", value_parser = duration(Duration::ZERO, HOUR))]
    pub batch_wait: Duration,
    /// How long a result is kept, such as 90days, or forever; the metrics count it for ever. Longer than TOPIC_RETENTION
    /// and STATE_TTL: a record that is read again after its result was removed would be stored again.
    #[arg(long, env, default_value = "forever", value_parser = parse_retention)]
    pub results_retention: Retention,
    /// Where to serve /api/metrics, /metrics, /healthz and /readyz.
    #[arg(long, env, default_value = "127.0.0.1:8082")]
    pub http_address: SocketAddr,
    /// Kafka, MongoDB and logs.
    #[command(flatten)]
    pub common: CommonConfig,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Recompute the metrics documents from the results, then end; safe while services run.
    RebuildMetrics,
}

impl Settings for Config {
    fn process(&self) -> &ProcessConfig {
        &self.common.process
    }

    fn check(&self) -> Result<(), String> {
        self.common.check()
    }
}

fn batch_size(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|size| (1..=LARGEST_BATCH).contains(size))
        .ok_or_else(|| format!("allowed are 1 to {LARGEST_BATCH}"))
}
