//! Creates every topic that is not there yet, then ends.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Parser;
use contracts::topic::{DEAD_LETTERS, MAX_DEAD_LETTER_BYTES, MAX_RECORD_BYTES, topics};
use messaging::client::{KafkaConfig, LogContext};
use messaging::process::{self, ProcessConfig, Settings};
use messaging::wait::until_ok;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Creates every topic that is not there yet, all with the same number of partitions.
#[derive(Debug, Parser)]
#[command(name = "create-topics", version)]
struct Config {
    /// Partitions of each topic.
    #[arg(long, env, default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=1000))]
    topic_partitions: i32,
    /// Copies of each partition; not more than there are brokers.
    #[arg(long, env, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=100))]
    topic_replication: i32,
    #[command(flatten)]
    kafka: KafkaConfig,
    #[command(flatten)]
    process: ProcessConfig,
}

impl Settings for Config {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }

    fn check(&self) -> Result<(), String> {
        self.kafka.check()
    }
}

fn main() -> ExitCode {
    process::run("create-topics", run)
}

async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let admin: AdminClient<LogContext> = config.kafka.client().create_with_context(LogContext)?;
    let create = until_ok("Kafka", &config.kafka.kafka_bootstrap_servers, || {
        create(&admin, &config)
    });
    tokio::select! {
        () = create => Ok(()),
        () = shutdown.cancelled() => bail!("stopped before the topics were created"),
    }
}

async fn create(admin: &AdminClient<LogContext>, config: &Config) -> anyhow::Result<()> {
    let limit = |bytes: usize| bytes.to_string();
    let (records, dead_letters) = (limit(MAX_RECORD_BYTES), limit(MAX_DEAD_LETTER_BYTES));
    let names = topics()
        .into_iter()
        .map(|topic| (topic.name, &records))
        .chain([(DEAD_LETTERS, &dead_letters)]);
    let wanted: Vec<_> = names
        .map(|(name, limit)| {
            NewTopic::new(
                name,
                config.topic_partitions,
                TopicReplication::Fixed(config.topic_replication),
            )
            .set("max.message.bytes", limit)
        })
        .collect();
    // A broker that has just started may not know its controller yet, and librdkafka asks it only once: give up soon.
    let patience = Some(Duration::from_secs(5));
    let options = AdminOptions::new()
        .request_timeout(patience)
        .operation_timeout(patience);
    for result in admin.create_topics(&wanted, &options).await? {
        match result {
            Ok(topic) => info!(topic, partitions = config.topic_partitions, "created"),
            Err((topic, RDKafkaErrorCode::TopicAlreadyExists)) => info!(topic, "already there"),
            Err((topic, error)) => bail!("topic {topic}: {error}"),
        }
    }
    Ok(())
}
