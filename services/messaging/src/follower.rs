//! Reading topics along: all partitions, no group, no offsets, no promises.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metrics::counter;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::client::{KafkaConfig, LogContext};
use crate::http::Readiness;
use crate::input::Input;
use crate::wait::until_ok;

/// Hands every message of `I`'s topics to `observe`, beginning with the newest `newest` of
/// each partition, until `shutdown`.
///
/// Tells `readiness`, by this `name`, when it has begun. What cannot be read is counted and passed over: its dead letter is written by the
/// service that owns the topic's work.
///
/// # Errors
/// A Kafka setting that cannot be used.
pub async fn follow<I: Input>(
    name: &'static str,
    kafka: &KafkaConfig,
    readiness: &Readiness,
    newest: usize,
    mut observe: impl FnMut(I),
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let mut config = kafka.consumer("follower");
    // The group is only a name that librdkafka wants; nothing is committed to it.
    config.set("enable.auto.commit", "false");
    let consumer: StreamConsumer<LogContext> = config
        .create_with_context(LogContext)
        .context("Kafka consumer settings")?;
    let consumer = Arc::new(consumer);
    let place = &kafka.kafka_bootstrap_servers;
    tokio::select! {
        () = until_ok("Kafka", place, || {
            let consumer = Arc::clone(&consumer);
            async move { tokio::task::spawn_blocking(move || assign::<I>(&consumer, newest)).await? }
        }) => {}
        () = shutdown.cancelled() => return Ok(()),
    }
    readiness.begun(name);
    info!(topics = ?I::topics(), newest, "reading along");
    loop {
        let record = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            record = consumer.recv() => record,
        };
        match record {
            Ok(record) => match I::decode(record.topic(), record.payload()) {
                Ok(input) => observe(input),
                Err(_) => counter!("follower_unreadable_total", "topic" => record.topic().to_owned()).increment(1),
            },
            Err(error) => debug!(%error, "cannot read now, trying on"),
        }
    }
}

fn assign<I: Input>(consumer: &StreamConsumer<LogContext>, newest: usize) -> anyhow::Result<()> {
    let mut assignment = TopicPartitionList::new();
    for topic in I::topics() {
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(5))?;
        let partitions = metadata.topics().first().map_or(&[][..], |topic| topic.partitions());
        anyhow::ensure!(!partitions.is_empty(), "there is no topic {topic} yet");
        for partition in partitions {
            let (low, high) = consumer.fetch_watermarks(topic, partition.id(), Duration::from_secs(5))?;
            let start = low.max(high - i64::try_from(newest).unwrap_or(i64::MAX));
            assignment.add_partition_offset(topic, partition.id(), Offset::Offset(start))?;
        }
    }
    Ok(consumer.assign(&assignment)?)
}

impl rdkafka::consumer::ConsumerContext for LogContext {}
