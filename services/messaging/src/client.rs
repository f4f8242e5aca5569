//! How to reach Kafka: settings, and what every client is made from.

use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, error, warn};

use crate::secret::Secret;
use crate::settings::{HOUR, duration};
use crate::wait::{self, REFUSAL, refusal_of};
use contracts::topic::MAX_DEAD_LETTER_BYTES;

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
    /// SASL mechanism.
    #[arg(long, env, value_parser = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])]
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
    /// PEM file with this client's private key and its certificates, for mutual TLS.
    #[arg(long, env)]
    pub kafka_ssl_keystore_location: Option<String>,
    /// Password of that private key.
    #[arg(long, env, hide_env_values = true)]
    pub kafka_ssl_key_password: Option<Secret>,
    /// What the name of every topic begins with.
    #[arg(long, env, default_value = "", value_parser = prefix)]
    pub topic_prefix: String,
    /// What the name of every consumer group begins with.
    #[arg(long, env, default_value = "", value_parser = prefix)]
    pub group_prefix: String,
    /// How long a stop waits for records in work, such as 7s, up to 1h; what is unfinished then is handled again later.
    #[arg(long, env, default_value = "7s", value_parser = duration(Duration::ZERO, HOUR))]
    pub drain_deadline: Duration,
}

/// Leaves room for the name: Kafka takes 249 characters.
fn prefix(text: &str) -> Result<String, String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.len() > 100 || !text.chars().all(is_allowed) {
        return Err("up to 100 letters, digits, dots, underscores and hyphens are allowed".into());
    }
    Ok(text.into())
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

impl KafkaConfig {
    /// Checks settings that constrain each other.
    ///
    /// # Errors
    /// The setting that is missing or names nothing, and why it is needed.
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
        if let Some((name, _)) = missing.into_iter().find(|&(_, is_missing)| needs_sasl && is_missing) {
            return Err(format!(
                "{name} is not set, and KAFKA_SECURITY_PROTOCOL with SASL needs it"
            ));
        }
        for (name, path) in [
            ("KAFKA_SSL_CA_LOCATION", &self.kafka_ssl_ca_location),
            ("KAFKA_SSL_KEYSTORE_LOCATION", &self.kafka_ssl_keystore_location),
        ] {
            if let Some(path) = path
                && !Path::new(path).exists()
            {
                return Err(format!("{name} is '{path}', and there is no such file or folder"));
            }
        }
        Ok(())
    }

    /// What a topic is called in this Kafka.
    #[must_use]
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.topic_prefix)
    }

    /// Settings that all clients share.
    #[must_use]
    pub fn client(&self) -> ClientConfig {
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
        let key_password = self.kafka_ssl_key_password.as_ref().map(Secret::expose);
        // One file has both, as Java's clients want it.
        let keystore = self.kafka_ssl_keystore_location.as_deref();
        for (key, value) in [
            ("sasl.mechanism", self.kafka_sasl_mechanism.as_deref()),
            ("sasl.username", self.kafka_sasl_username.as_deref()),
            ("sasl.password", password),
            ("ssl.ca.location", self.kafka_ssl_ca_location.as_deref()),
            ("ssl.certificate.location", keystore),
            ("ssl.key.location", keystore),
            ("ssl.key.password", key_password),
        ] {
            if let Some(value) = value {
                client.set(key, value);
            }
        }
        // A broker that restarts is back within seconds: look again soon.
        client.set("reconnect.backoff.max.ms", "2000");
        // A broker that has just started may say that it has no such topic: ask again soon, and believe it when it has.
        client.set("topic.metadata.refresh.interval.ms", "5000");
        client.set("topic.metadata.propagation.max.ms", "0");
        // By default three of those intervals: the first record to a topic would then wait for up to a second.
        client.set("metadata.max.age.ms", "900000");
        client.set("receive.message.max.bytes", "100000000");
        client.set("message.max.bytes", (MAX_DEAD_LETTER_BYTES + 4096).to_string());
        client
    }

    /// Settings of a consumer that stores an offset only when its record is done.
    #[must_use]
    pub fn consumer(&self, group: &str) -> ClientConfig {
        let mut consumer = self.client();
        let group = format!("{}{group}", self.group_prefix);
        for (key, value) in [
            ("group.id", &*group),
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
        ] {
            consumer.set(key, value);
        }
        consumer
    }
}

/// Logs that Kafka is away or refuses, and why: seldom, and once for all clients of the process.
pub(crate) fn tell(error: &KafkaError, reason: &str) {
    if is_refusal(error, reason) {
        if wait::is_news(&refusal_of("Kafka")) {
            error!(server = "Kafka", %error, reason, "{REFUSAL}");
        }
    // That all brokers are down names none; the error of each does.
    } else if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) && wait::is_news("Kafka") {
        warn!(server = "Kafka", %error, reason, "Kafka is away; trying on");
    }
}

/// Whether Kafka says no to who asks, or to what is asked.
#[must_use]
pub fn is_refusal(error: &KafkaError, reason: &str) -> bool {
    // Of an alert by which the other side ends TLS, librdkafka knows no more than that the connection is gone.
    let is_alert = reason.contains("SSL alert");
    let code = match error {
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    };
    is_alert
        || matches!(
            code,
            Some(
                RDKafkaErrorCode::Authentication
                    | RDKafkaErrorCode::SSL
                    | RDKafkaErrorCode::SaslAuthenticationFailed
                    | RDKafkaErrorCode::UnsupportedSASLMechanism
                    | RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
                    | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
            )
        )
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
        tell(&error, reason);
    }
}
