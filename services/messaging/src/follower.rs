//! Reading topics along: all partitions, also new ones, no group, no offsets, no promises.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use metrics::counter;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::client::{KafkaConfig, LogContext};
use crate::http::Readiness;
use crate::input::Input;
use crate::wait::until_ok;

/// How long Kafka may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look for new partitions.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Hands every message of `I`'s topics to `observe`, beginning with the newest `newest` of
/// each partition, until `shutdown`.
///
/// Tells `readiness`, by this `name`, when it has begun. What cannot be read is counted and passed over: its dead letter
/// is written by the service that owns the topic's work.
///
/// # Errors
/// A Kafka setting that cannot be used.
pub async fn follow<I: Input>(
    name: &'static str,
    kafka: &KafkaConfig,
    readiness: &Readiness,
    newest: usize,
    mut observe: impl FnMut(I) + Send,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let mut look_at = |topic: &str, value: Option<&[u8]>| I::decode(topic, value).map(&mut observe);
    read_along(I::topics(), name, kafka, readiness, newest, &mut look_at, shutdown).await
}

/// Takes a record's topic and value; fails when it cannot be read.
type Look<'a> = dyn FnMut(&str, Option<&[u8]>) -> Result<(), String> + Send + 'a;

/// In a box, that services need not compile it again for all that they follow.
fn read_along<'a>(
    topics: Vec<&'static str>,
    name: &'static str,
    kafka: &'a KafkaConfig,
    readiness: &'a Readiness,
    newest: usize,
    look_at: &'a mut Look<'a>,
    shutdown: CancellationToken,
) -> BoxFuture<'a, anyhow::Result<()>> {
    async move {
        let mut config = kafka.consumer("follower");
        // The group is only a name that librdkafka wants; nothing is committed to it.
        config.set("enable.auto.commit", "false");
        let consumer: StreamConsumer<LogContext> = config
            .create_with_context(LogContext)
            .context("Kafka consumer settings")?;
        let consumer = Arc::new(consumer);
        let place = &kafka.kafka_bootstrap_servers;
        let topics: Vec<_> = topics.into_iter().map(|topic| kafka.topic(topic)).collect();
        let start = |newest: Option<usize>| {
            let consumer = Arc::clone(&consumer);
            let topics = topics.clone();
            until_ok("Kafka", place, move || {
                let (consumer, topics) = (Arc::clone(&consumer), topics.clone());
                async move { tokio::task::spawn_blocking(move || assign(&consumer, &topics, newest)).await? }
            })
        };
        tokio::select! {
            () = start(Some(newest)) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
        readiness.begun(name);
        info!(?topics, newest, "reading along");
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let record = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                record = consumer.recv() => record,
                // A topic may have got more partitions: those are read from their beginning.
                _ = look.tick() => {
                    tokio::select! {
                        () = start(None) => continue,
                        () = shutdown.cancelled() => return Ok(()),
                    }
                }
            };
            match record {
                Ok(record) => {
                    if look_at(record.topic(), record.payload()).is_err() {
                        counter!("follower_unreadable_total", "topic" => record.topic().to_owned()).increment(1);
                    }
                }
                Err(error) => debug!(%error, "cannot read now, trying on"),
            }
        }
    }
    .boxed()
}

/// Starts to read the partitions that are not read yet: the `newest` records of each, or all.
fn assign(consumer: &StreamConsumer<LogContext>, topics: &[String], newest: Option<usize>) -> anyhow::Result<()> {
    let assigned = consumer.assignment()?;
    let mut more = TopicPartitionList::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        let partitions = metadata.topics().first().map_or(&[][..], |topic| topic.partitions());
        anyhow::ensure!(!partitions.is_empty(), "there is no topic {topic} yet");
        for partition in partitions.iter().map(|partition| partition.id()) {
            if assigned.find_partition(topic, partition).is_some() {
                continue;
            }
            let (low, high) = consumer.fetch_watermarks(topic, partition, PATIENCE)?;
            let all = i64::MAX;
            let newest = newest.map_or(all, |newest| i64::try_from(newest).unwrap_or(all));
            more.add_partition_offset(topic, partition, Offset::Offset(low.max(high.saturating_sub(newest))))?;
        }
    }
    if more.count() > 0 {
        consumer.incremental_assign(&more)?;
    }
    Ok(())
}

impl rdkafka::consumer::ConsumerContext for LogContext {}
