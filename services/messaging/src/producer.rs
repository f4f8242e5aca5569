//! Writing records, and asking about topics.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::Producer as _;

use crate::client::{KafkaConfig, tell};
use crate::delivery::Deliveries;
use crate::topic_id::topic_id;
use crate::wait::{Absence, until_ok};
use contracts::record;
use contracts::topic::Message;

/// A record to be written.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Topic.
    pub topic: &'static str,
    /// Record key.
    pub key: Option<Vec<u8>>,
    /// Record value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Record headers.
    pub headers: Option<OwnedHeaders>,
}

impl Outgoing {
    /// A message for its own topic, with its question's id as key.
    #[must_use]
    pub fn new<M: Message>(message: &M) -> Self {
        let (key, value) = record::encode(message);
        Self {
            topic: M::TOPIC,
            key: Some(key),
            value: Some(value),
            headers: None,
        }
    }

    /// Whether its topic takes a record of this size.
    #[must_use]
    pub fn fits(&self) -> bool {
        record::fits(
            self.key.as_ref().map_or(0, Vec::len),
            self.value.as_ref().map_or(0, Vec::len),
        )
    }
}

/// Where a record landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// Writes records; cheap to clone, all clones share one connection.
#[derive(Clone)]
pub struct Producer {
    deliveries: Arc<Deliveries>,
    place: Arc<str>,
    topic_prefix: Arc<str>,
}

impl Producer {
    /// A producer that loses nothing; what was perhaps written is written again.
    ///
    /// # Errors
    /// A setting that librdkafka does not take.
    pub fn new(kafka: &KafkaConfig) -> anyhow::Result<Self> {
        let mut config = kafka.client();
        for (key, value) in [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("compression.type", "lz4"),
            ("linger.ms", "1"),
            // What comes while a request is under way makes the next one: large under load, at once without.
            ("max.in.flight.requests.per.connection", "1"),
            // As Java's clients do, so that a key has the same partition everywhere.
            ("partitioner", "murmur2_random"),
            ("queue.buffering.max.kbytes", "65536"),
        ] {
            config.set(key, value);
        }
        Ok(Self {
            deliveries: Arc::new(Deliveries::new(&config).context("Kafka producer settings")?),
            place: kafka.kafka_bootstrap_servers.as_str().into(),
            topic_prefix: kafka.topic_prefix.as_str().into(),
        })
    }

    /// Writes a record and waits until the brokers have it, however long they are away.
    ///
    /// # Errors
    /// Only what waiting cannot mend, such as a record that is too large.
    pub async fn send(&self, record: &Outgoing) -> Result<Delivery, KafkaError> {
        let mut absence = None;
        let topic = self.topic(record.topic);
        loop {
            let error = match self.deliveries.deliver(&topic, record).await {
                Err(error) if is_temporary(&error) => error,
                delivered => return delivered,
            };
            absence.get_or_insert_with(|| Absence::begin("Kafka", &self.place));
            // Perhaps it was written after all: consumers drop repeats by message_id.
            tell(&error, "a record is not delivered, and is sent again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// What a topic is called in this Kafka.
    #[must_use]
    pub fn topic(&self, name: &'static str) -> Cow<'static, str> {
        match &*self.topic_prefix {
            "" => name.into(),
            prefix => format!("{prefix}{name}").into(),
        }
    }

    /// Waits until Kafka answers and has every one of `topics`.
    pub async fn wait_for_topics(&self, topics: &[&'static str]) {
        until_ok("Kafka", &self.place, || {
            let (deliveries, topics) = (Arc::clone(&self.deliveries), self.topics(topics));
            async {
                let missing =
                    tokio::task::spawn_blocking(move || missing_topics(deliveries.producer().client(), &topics))
                        .await??;
                anyhow::ensure!(missing.is_empty(), "there is no topic {} yet", missing.join(", "));
                anyhow::Ok(())
            }
        })
        .await;
    }

    fn topics(&self, names: &[&'static str]) -> Vec<Cow<'static, str>> {
        names.iter().map(|name| self.topic(name)).collect()
    }

    /// The ids of `topics`, which a topic made anew does not share with the old one; waits
    /// until Kafka answers.
    pub async fn topic_ids(&self, topics: &[&'static str]) -> Vec<String> {
        until_ok("Kafka", &self.place, || {
            let (deliveries, topics) = (Arc::clone(&self.deliveries), self.topics(topics));
            let ask = move || {
                topics
                    .iter()
                    .map(|topic| topic_id(deliveries.producer().client(), topic))
                    .collect()
            };
            async { tokio::task::spawn_blocking(ask).await? }
        })
        .await
    }
}

fn missing_topics<C: ClientContext>(client: &Client<C>, topics: &[Cow<'static, str>]) -> anyhow::Result<Vec<String>> {
    let metadata = client.fetch_metadata(None, Duration::from_secs(5))?;
    let exists = |name: &str| {
        metadata
            .topics()
            .iter()
            .any(|t| t.name() == name && !t.partitions().is_empty())
    };
    let missing = topics.iter().filter(|name| !exists(name));
    Ok(missing.map(ToString::to_string).collect())
}

fn is_temporary(error: &KafkaError) -> bool {
    !matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidMessageSize
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::Fatal
        )
    )
}
