//! The settings of cache-service; no other place reads the environment.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand, value_parser};
use contracts::value::Score;
use messaging::process::{ProcessConfig, Settings};
use messaging::settings::{CENTURY, CommonConfig, duration};

use crate::memory::Policy;
use crate::simulate::Simulation;

/// Answers a question from memory or MongoDB where it can, else asks the model for it, once.
#[derive(Debug, Parser)]
#[command(name = "cache-service", version)]
pub struct Config {
    /// Which answer leaves the memory cache when it is full.
    #[arg(long, env, value_enum, default_value_t = Policy::Lru)]
    pub cache_policy: Policy,
    /// Most answers kept in memory, up to 10000000, of up to 16 KiB each; 0 keeps none. In containers,
    /// CACHE_MEMORY (512m) bounds them.
    #[arg(long, env, default_value_t = 10_000, value_parser = value_parser!(u32).range(..=10_000_000))]
    pub cache_size: u32,
    /// How long after its verdict an answer may be reused, such as 30m or 24h.
    #[arg(long, env, default_value = "24h", value_parser = duration(Duration::ZERO, CENTURY))]
    pub cache_ttl: Duration,
    /// Whether an answer may be reused that the model gave by other settings than today's: another model, prompt or
    /// LLM_MODE.
    #[arg(long, env, action = ArgAction::Set, default_value_t = false)]
    pub cache_across_models: bool,
    /// The score from which an answer is accepted, between 0 and 1.
    #[arg(long, env, default_value = "0.65")]
    pub score_threshold: Score,
    /// How long a question waits for the same question that is already with the model, before it asks in its place;
    /// the others that wait go on waiting, for twice as long each time, up to 1h. 0s lets none wait.
    #[arg(long, env, default_value = "60s", value_parser = duration(Duration::ZERO, CENTURY))]
    pub coalesce_timeout: Duration,
    /// Where to serve /metrics, /healthz and /readyz.
    #[arg(long, env, default_value = "127.0.0.1:8092")]
    pub http_address: SocketAddr,
    /// Kafka, MongoDB and logs.
    #[command(flatten)]
    pub common: CommonConfig,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of serving.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Print how many questions memory caches would serve, as CSV, of those whose names stand on the standard input, one a
    /// line.
    Simulate(Simulation),
}

impl Settings for Config {
    fn process(&self) -> &ProcessConfig {
        &self.common.process
    }

    fn check(&self) -> Result<(), String> {
        self.common.check()
    }
}
