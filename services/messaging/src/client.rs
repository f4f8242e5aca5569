//! Kafka settings, and the one way to make a consumer and a producer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use rdkafka::ClientConfig;
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use tracing::{debug, info, warn};

use crate::topic::{MAX_DEAD_LETTER_BYTES, MAX_RECORD_BYTES, Message};
use crate::topic_id::topic_id;
use crate::wait::{Seldom, until_ok};

/// How to reach Kafka.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaConfig {
    /// Brokers to begin with, as host:port, comma-separated.
    #[arg(long, env, default_value = "127.0.0.1:9092")]
    pub kafka_bootstrap_servers: String,
    /// How to talk to the brokers.
    #[arg(long, env, value_enum, default_value_t = SecurityProtocol::Plaintext)]
    pub kafka_security_protocol: SecurityProtocol,
    /// SASL mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
    #[arg(long, env)]
    pub kafka_sasl_mechanism: Option<String>,
    /// SASL user.
    #[arg(long, env)]
    pub kafka_sasl_username: Option<String>,
    /// SASL password.
    #[arg(long, env, hide_env_values = true)]
    pub kafka_sasl_password: Option<Secret>,
    /// File with the certificates of the authorities to trust.
    #[arg(long, env)]
    pub kafka_ssl_ca_location: Option<String>,
}

/// How to talk to the brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum SecurityProtocol {
    /// Neither encryption nor authentication.
    Plaintext,
    /// TLS.
    Ssl,
    /// Authentication without encryption.
    SaslPlaintext,
    /// Authentication over TLS.
    SaslSsl,
}

/// A setting that no log line and no error ever shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value itself; do not log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl KafkaConfig {
    /// Checks settings that constrain each other.
    ///
    /// # Errors
    /// The setting that is missing, and why it is needed.
    pub fn check(&self) -> Result<(), String> {
        let needs_sasl = matches!(
            self.kafka_security_protocol,
            SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl
        );
        let missing = [
            ("KAFKA_SASL_MECHANISM", self.kafka_sasl_mechanism.is_none()),
            ("KAFKA_SASL_USERNAME", self.kafka_sasl_username.is_none()),
            ("KAFKA_SASL_PASSWORD", self.kafka_sasl_password.is_none()),
        ];
        match missing.into_iter().find(|&(_, is_missing)| needs_sasl && is_missing) {
            Some((name, _)) => Err(format!(
                "{name} is not set, and KAFKA_SECURITY_PROTOCOL with SASL needs it"
            )),
            None => Ok(()),
        }
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.kafka_bootstrap_servers);
        let protocol = match self.kafka_security_protocol {
            SecurityProtocol::Plaintext => "plaintext",
            SecurityProtocol::Ssl => "ssl",
            SecurityProtocol::SaslPlaintext => "sasl_plaintext",
            SecurityProtocol::SaslSsl => "sasl_ssl",
        };
        client.set("security.protocol", protocol);
        let password = self.kafka_sasl_password.as_ref().map(Secret::expose);
        for (key, value) in [
            ("sasl.mechanism", self.kafka_sasl_mechanism.as_deref()),
            ("sasl.username", self.kafka_sasl_username.as_deref()),
            ("sasl.password", password),
            ("ssl.ca.location", self.kafka_ssl_ca_location.as_deref()),
        ] {
            if let Some(value) = value {
                client.set(key, value);
            }
        }
        // A broker that restarts is back within seconds: look again soon.
        client.set("reconnect.backoff.max.ms", "2000");
        client.set("receive.message.max.bytes", "100000000");
        client.set("message.max.bytes", (MAX_DEAD_LETTER_BYTES + 4096).to_string());
        client
    }

    /// Settings of a consumer that stores an offset only when its record is done.
    #[must_use]
    pub fn consumer(&self, group: &str) -> ClientConfig {
        let mut consumer = self.client();
        for (key, value) in [
            ("group.id", group),
            ("enable.auto.offset.store", "false"),
            ("enable.auto.commit", "true"),
            ("auto.commit.interval.ms", "1000"),
            // The default would skip what was written before the group first joined.
            ("auto.offset.reset", "earliest"),
            ("isolation.level", "read_committed"),
            ("partition.assignment.strategy", "cooperative-sticky"),
            // A member that was killed is missed after this long.
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "1500"),
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "100"),
            ("fetch.queue.backoff.ms", "10"),
            ("queued.min.messages", "2000"),
            ("queued.max.messages.kbytes", "16384"),
            ("topic.metadata.refresh.interval.ms", "30000"),
        ] {
            consumer.set(key, value);
        }
        consumer
    }

    /// A client for administration: topics and their metadata.
    #[must_use]
    pub fn admin(&self) -> ClientConfig {
        self.client()
    }
}

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
    ///
    /// # Panics
    /// Never: every message is plain data, which always has a JSON form.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "plain structs of strings and numbers always serialise"
    )]
    pub fn new<M: Message>(message: &M) -> Self {
        Self {
            topic: M::TOPIC,
            key: Some(message.question_id().as_str().as_bytes().to_vec()),
            value: Some(serde_json::to_vec(message).expect("a message has a JSON form")),
            headers: None,
        }
    }

    /// Whether its topic takes a record of this size.
    #[must_use]
    pub fn fits(&self) -> bool {
        // What a record weighs beside its key and value.
        const OVERHEAD: usize = 256;
        self.value.as_ref().map_or(0, Vec::len) + self.key.as_ref().map_or(0, Vec::len) + OVERHEAD <= MAX_RECORD_BYTES
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
    producer: FutureProducer<LogContext>,
    place: Arc<str>,
}

impl Producer {
    /// A producer that loses nothing and repeats nothing while it lives.
    ///
    /// # Errors
    /// A setting that librdkafka does not take.
    pub fn new(kafka: &KafkaConfig) -> anyhow::Result<Self> {
        let mut config = kafka.client();
        for (key, value) in [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("compression.type", "lz4"),
            ("linger.ms", "2"),
            // As Java's clients do, so that a key has the same partition everywhere.
            ("partitioner", "murmur2_random"),
            ("queue.buffering.max.kbytes", "65536"),
        ] {
            config.set(key, value);
        }
        let producer = config
            .create_with_context(LogContext)
            .context("Kafka producer settings")?;
        Ok(Self {
            producer,
            place: kafka.kafka_bootstrap_servers.as_str().into(),
        })
    }

    /// Writes a record and waits until the brokers have it, however long they are away.
    ///
    /// # Errors
    /// Only what waiting cannot mend, such as a record that is too large.
    pub async fn send(&self, record: &Outgoing) -> Result<Delivery, KafkaError> {
        loop {
            let mut outgoing = FutureRecord::<[u8], [u8]>::to(record.topic);
            outgoing.key = record.key.as_deref();
            outgoing.payload = record.value.as_deref();
            outgoing.headers.clone_from(&record.headers);
            let error = match self.producer.send(outgoing, rdkafka::util::Timeout::Never).await {
                Ok(delivery) => {
                    return Ok(Delivery {
                        partition: delivery.partition,
                        offset: delivery.offset,
                    });
                }
                Err((error, _)) => error,
            };
            if !is_temporary(&error) {
                return Err(error);
            }
            // Perhaps it was written after all: consumers drop repeats by message_id.
            warn!(server = "Kafka", place = &*self.place, topic = record.topic, %error, "not delivered, sending again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Waits until everything sent so far is delivered.
    ///
    /// # Errors
    /// When `deadline` passes first.
    pub fn flush(&self, deadline: Duration) -> Result<(), KafkaError> {
        self.producer.flush(deadline)
    }

    /// Waits until Kafka answers and has every one of `topics`.
    pub async fn wait_for_topics(&self, topics: &[&'static str]) {
        until_ok("Kafka", &self.place, || {
            let (producer, topics) = (self.producer.clone(), topics.to_vec());
            async {
                let missing = tokio::task::spawn_blocking(move || missing_topics(producer.client(), &topics)).await??;
                anyhow::ensure!(missing.is_empty(), "there is no topic {} yet", missing.join(", "));
                anyhow::Ok(())
            }
        })
        .await;
    }

    /// The ids of `topics`, which a topic made anew does not share with the old one; waits
    /// until Kafka answers.
    pub async fn topic_ids(&self, topics: &[&'static str]) -> Vec<String> {
        until_ok("Kafka", &self.place, || {
            let (producer, topics) = (self.producer.clone(), topics.to_vec());
            let ask = move || topics.iter().map(|topic| topic_id(producer.client(), topic)).collect();
            async { tokio::task::spawn_blocking(ask).await? }
        })
        .await
    }
}

fn missing_topics<C: ClientContext>(client: &Client<C>, topics: &[&'static str]) -> anyhow::Result<Vec<&'static str>> {
    let metadata = client.fetch_metadata(None, Duration::from_secs(5))?;
    let exists = |name: &&str| {
        metadata
            .topics()
            .iter()
            .any(|t| t.name() == *name && !t.partitions().is_empty())
    };
    Ok(topics.iter().copied().filter(|name| !exists(name)).collect())
}

fn is_temporary(error: &KafkaError) -> bool {
    !matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidMessageSize
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::Fatal
        )
    )
}

/// Whether to log that Kafka is away: seldom, and once for all clients of the process.
pub(crate) fn is_news(error: &KafkaError) -> bool {
    static AWAY: Seldom = Seldom::new();
    // That all brokers are down names none; the error of each does.
    error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) && AWAY.now()
}

/// Sends librdkafka's log lines to ours, the repeated ones seldom.
pub struct LogContext;

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                warn!(facility, message, "librdkafka");
            }
            _ => debug!(facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if is_news(&error) {
            info!(server = "Kafka", %error, reason, "Kafka is away or refuses; librdkafka keeps trying");
        }
    }
}
