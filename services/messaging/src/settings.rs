//! The settings that services with a database share, and what a duration may be.

use std::time::Duration;

use clap::Args;

use crate::client::KafkaConfig;
use crate::mongo::MongoConfig;
use crate::process::ProcessConfig;

/// The longest that anything done within one run may take.
pub const HOUR: Duration = Duration::from_secs(3600);
/// The longest that anything may be kept: a hundred years of 365.25 days.
pub const CENTURY: Duration = Duration::from_secs(100 * 31_557_600);

/// What reads a duration such as 500ms, 60s or 1h 30m, `from` one that is allowed `to` another.
///
/// # Errors
/// What is allowed.
pub fn duration(from: Duration, to: Duration) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync {
    move |text| match humantime::parse_duration(text) {
        Ok(duration) if (from..=to).contains(&duration) => Ok(duration),
        _ => {
            let [from, to] = [from, to].map(humantime::format_duration);
            Err(format!(
                "from {from} to {to} is allowed, in words such as 500ms, 60s or 1h 30m"
            ))
        }
    }
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// So long, and then it may be removed.
    For(Duration),
    /// Nothing is ever removed.
    Forever,
}

/// Reads how long something is kept: a duration such as 7days or 12h, or forever.
///
/// # Errors
/// What is allowed.
pub fn parse_retention(text: &str) -> Result<Retention, String> {
    if text == "forever" {
        return Ok(Retention::Forever);
    }
    match duration(HOUR, CENTURY)(text) {
        Ok(kept) => Ok(Retention::For(kept)),
        Err(allowed) => Err(format!("{allowed}, or forever")),
    }
}

/// The servers that a service needs, and how it logs.
#[derive(Debug, Clone, Args)]
pub struct CommonConfig {
    /// Kafka.
    #[command(flatten)]
    pub kafka: KafkaConfig,
    /// MongoDB.
    #[command(flatten)]
    pub mongo: MongoConfig,
    /// Logs.
    #[command(flatten)]
    pub process: ProcessConfig,
}

impl CommonConfig {
    /// Checks what a single setting cannot.
    ///
    /// # Errors
    /// The setting, its value unless that may be secret, and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        self.kafka.check()?;
        self.mongo.check()
    }
}
