//! The settings that services with a database share.

use clap::Args;

use crate::client::KafkaConfig;
use crate::mongo::MongoConfig;
use crate::process::ProcessConfig;

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
