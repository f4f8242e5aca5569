//! The way of a request through the topics, read from them when somebody asks for it: all attempts, the prompts, and
//! where each record lies. No group, nothing committed; bounded in time, records and bytes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use contracts::message::{LlmRequest, LlmResponse, QuestionMessage};
use contracts::topic::{Message as _, topics};
use contracts::value::now;
use memchr::memmem;
use messaging::client::{KafkaConfig, LogContext};
use messaging::result_document::ResultDocument;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;
use tokio::sync::Semaphore;

/// The longest that a reading takes.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest that Kafka may take for one answer, and be silent while there is more to read.
const SILENCE: Duration = Duration::from_secs(2);
/// Most records that are looked at, and bytes.
const MOST_RECORDS: usize = 300_000;
const MOST_BYTES: usize = 256 << 20;
/// Most readings at once.
const READERS: usize = 2;
/// Clocks differ, and a verdict is written a moment after it fell.
const BEFORE: i64 = 2_000;
const AFTER: i64 = 5_000;
/// How far back is looked for what has no outcome, and no time: what is under way is not old.
const UNDER_WAY: i64 = 15 * 60_000;

/// Reads trails; few at once.
#[derive(Clone)]
pub struct Trails {
    kafka: Arc<KafkaConfig>,
    permits: Arc<Semaphore>,
}

/// Between which moments a request's records were written, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: i64,
    to: i64,
}

/// What the topics have of a request.
#[derive(Debug, Default)]
pub struct Trail {
    /// In the order of time.
    pub records: Vec<Record>,
    /// Whether all was looked at; else there was too much to read, or Kafka fell silent.
    pub is_whole: bool,
}

/// One record of the request.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub topic: &'static str,
    pub partition: i32,
    pub offset: i64,
    /// When it was written, in milliseconds since 1970.
    pub written_at: i64,
    pub bytes: usize,
    pub value: Value,
}

impl Trails {
    /// Of the topics of a Kafka; nothing is asked of it yet.
    pub fn new(kafka: &KafkaConfig) -> Self {
        Self {
            kafka: Arc::new(kafka.clone()),
            permits: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// What the topics have of a request.
    ///
    /// # Errors
    /// Kafka is away or refuses.
    pub async fn read(&self, message_id: &str, window: Window) -> anyhow::Result<Trail> {
        let _permit = self.permits.acquire().await?;
        let (kafka, id) = (Arc::clone(&self.kafka), message_id.to_owned());
        tokio::task::spawn_blocking(move || read(&kafka, &id, window)).await?
    }
}

impl Window {
    /// Of what was decided.
    pub fn of(outcome: &ResultDocument) -> Self {
        let decided_at = outcome.decided_at.timestamp_millis();
        let asked_at = outcome
            .asked_at
            .map_or(decided_at - UNDER_WAY, |date| date.timestamp_millis());
        Self {
            from: asked_at.min(decided_at) - BEFORE,
            to: decided_at + AFTER,
        }
    }

    /// Of what is under way.
    pub fn recent() -> Self {
        let now = now().as_millisecond();
        Self {
            from: now - UNDER_WAY,
            to: now + AFTER,
        }
    }
}

impl Record {
    /// The attempt that it is about, if any.
    pub fn attempt(&self) -> Option<u32> {
        let number = self.value.get("attempts")?.as_u64()?;
        u32::try_from(number).ok().filter(|&number| number > 0)
    }

    /// The model's answer that it carries.
    pub fn response(&self) -> Option<LlmResponse> {
        let is_one = self.topic == LlmResponse::TOPIC;
        is_one
            .then(|| serde_json::from_value(self.value.clone()).ok())
            .flatten()
    }
}

impl Trail {
    /// The topics that had records of this request, and have none of them any more.
    pub fn gone(&self, outcome: &ResultDocument) -> Vec<&'static str> {
        let was_asked = outcome.facts.attempts > 0;
        let has = |topic: &str| self.records.iter().any(|record| record.topic == topic);
        let must_have_been = |topic: &str| match topic {
            LlmRequest::TOPIC => was_asked,
            LlmResponse::TOPIC => was_asked && outcome.llm_answer.is_some(),
            QuestionMessage::TOPIC => true,
            // It may have a prefix.
            other => outcome.origin.place.topic.ends_with(other),
        };
        let names = topics().into_iter().map(|topic| topic.name);
        names
            .filter(|topic| self.is_whole && must_have_been(topic) && !has(topic))
            .collect()
    }
}

fn read(kafka: &KafkaConfig, id: &str, window: Window) -> anyhow::Result<Trail> {
    let mut config = kafka.consumer("explorer");
    // The group is only a name that librdkafka wants; nothing is committed to it.
    config.set("enable.auto.commit", "false");
    let consumer: BaseConsumer<LogContext> = config.create_with_context(LogContext)?;
    let names: HashMap<String, &'static str> = topics()
        .into_iter()
        .map(|topic| (kafka.topic(topic.name), topic.name))
        .collect();
    let mut ends = assign(&consumer, names.keys(), window)?;
    let (began, mut looked_at, mut bytes) = (Instant::now(), 0, 0);
    let mut trail = Trail::default();
    while !ends.is_empty() && began.elapsed() < PATIENCE && looked_at < MOST_RECORDS && bytes < MOST_BYTES {
        let Some(record) = consumer.poll(SILENCE) else { break };
        let record = record.context("Kafka does not let the topics be read")?;
        let place = (record.topic().to_owned(), record.partition());
        looked_at += 1;
        bytes += record.payload_len();
        let Some(&end) = ends.get(&place) else { continue };
        if record.offset() < end {
            trail
                .records
                .extend(names.get(&place.0).and_then(|&topic| found(topic, &record, id)));
        }
        if record.offset() + 1 >= end {
            ends.remove(&place);
        }
    }
    trail.is_whole = ends.is_empty();
    trail.records.sort_by_key(|record| record.written_at);
    Ok(trail)
}

/// Begins to read the partitions that have something of the window, and gives where that ends.
fn assign<'n>(
    consumer: &BaseConsumer<LogContext>,
    topics: impl Iterator<Item = &'n String>,
    window: Window,
) -> anyhow::Result<HashMap<(String, i32), i64>> {
    let (mut from, mut to) = (TopicPartitionList::new(), TopicPartitionList::new());
    for topic in topics {
        let metadata = consumer
            .fetch_metadata(Some(topic), SILENCE)
            .context("Kafka does not answer")?;
        for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
            from.add_partition_offset(topic, partition.id(), Offset::Offset(window.from))?;
            to.add_partition_offset(topic, partition.id(), Offset::Offset(window.to))?;
        }
    }
    if from.count() == 0 {
        return Ok(HashMap::new());
    }
    let from = consumer.offsets_for_times(from, PATIENCE)?;
    let to = consumer.offsets_for_times(to, PATIENCE)?;
    let (mut ends, mut assignment) = (HashMap::new(), TopicPartitionList::new());
    for first in from.elements() {
        // Without one, nothing was written since.
        let Offset::Offset(start) = first.offset() else {
            continue;
        };
        let (topic, partition) = (first.topic(), first.partition());
        let end = match to.find_partition(topic, partition).map(|last| last.offset()) {
            Some(Offset::Offset(end)) => end,
            _ => consumer.fetch_watermarks(topic, partition, SILENCE)?.1,
        };
        if start < end {
            assignment.add_partition_offset(topic, partition, Offset::Offset(start))?;
            ends.insert((topic.to_owned(), partition), end);
        }
    }
    consumer.assign(&assignment)?;
    Ok(ends)
}

/// The record, if it is one of the request.
fn found(topic: &'static str, record: &BorrowedMessage<'_>, id: &str) -> Option<Record> {
    let payload = record.payload()?;
    let value = of_request(payload, id)?;
    Some(Record {
        topic,
        partition: record.partition(),
        offset: record.offset(),
        written_at: record.timestamp().to_millis().unwrap_or_default(),
        bytes: payload.len(),
        value,
    })
}

/// The message, if it is about the request. Most are not: those are told apart without being read, but where an id has
/// what JSON may write in several ways.
fn of_request(payload: &[u8], id: &str) -> Option<Value> {
    let is_written_alike = id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    if is_written_alike && memmem::find(payload, id.as_bytes()).is_none() {
        return None;
    }
    let value: Value = serde_json::from_slice(payload).ok()?;
    (value.get("message_id")?.as_str()? == id).then_some(value)
}

#[cfg(test)]
mod tests;
