//! Settings of the simulated model.

use std::time::Duration;

use clap::Args;
use messaging::settings::{HOUR, duration};

use crate::offline::Mix;

/// The simulated model; used with `LLM_MODE=offline`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Simulated model (LLM_MODE=offline)")]
pub struct OfflineConfig {
    /// Another seed, other answers.
    #[arg(long, env, default_value_t = 1)]
    pub offline_seed: u64,
    /// How long a call takes on average, such as 200ms, up to 1h; each takes between half and one and a half of it.
    #[arg(long, env, default_value = "0s", value_parser = duration(Duration::ZERO, HOUR))]
    pub offline_latency: Duration,
    /// The share of calls that fail, 0 to 1.
    #[arg(long, env, default_value_t = 0.0, value_parser = parse_share)]
    pub offline_error_rate: f64,
    /// Of a hundred questions, how many pass at the first attempt, at the second or third, and never.
    #[arg(long, env, default_value = "70/20/10")]
    pub offline_mix: Mix,
    /// The share of questions, 0 to 1, that are answered by traps instead: wrong, but nearly the reference.
    #[arg(long, env, default_value_t = 0.05, value_parser = parse_share)]
    pub offline_traps: f64,
}

impl OfflineConfig {
    /// What of these settings changes an answer.
    pub(super) fn identity(&self) -> String {
        format!("{} {} {}", self.offline_seed, self.offline_mix, self.offline_traps)
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a number from 0 to 1 is allowed".into()),
    }
}
