//! Creates every topic that is not there yet, brings the others to today's settings, then ends.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Parser;
use contracts::topic::{DEAD_LETTERS, MAX_DEAD_LETTER_BYTES, MAX_RECORD_BYTES, topics};
use messaging::client::{KafkaConfig, LogContext};
use messaging::process::{self, ProcessConfig, Settings};
use messaging::producer::Producer;
use messaging::settings::{CENTURY, HOUR, duration};
use messaging::wait::until_ok;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Creates every topic that is not there yet, all with the same number of partitions; the others get today's settings
/// and the partitions that they lack.
#[derive(Debug, Parser)]
#[command(name = "create-topics", version)]
struct Config {
    /// Partitions of each topic: so many copies of a service can share its work. An earlier topic gets what it lacks; none
    /// loses any.
    #[arg(long, env, default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=1000))]
    topic_partitions: i32,
    /// Copies of each partition; not more than there are brokers.
    #[arg(long, env, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=100))]
    topic_replication: i32,
    /// How many of them must have a record before it is acknowledged; by default one less than all, and at least one.
    #[arg(long, env, value_parser = clap::value_parser!(i32).range(1..=100))]
    topic_min_insync: Option<i32>,
    /// How long a topic keeps what was written, such as 7days or 12h, from 1h on; or forever.
    #[arg(long, env, default_value = "7days", value_parser = parse_retention)]
    topic_retention: Retention,
    #[command(flatten)]
    kafka: KafkaConfig,
    #[command(flatten)]
    process: ProcessConfig,
}

/// How long a topic keeps a record: as Kafka has it, in milliseconds.
#[derive(Debug, Clone)]
struct Retention(String);

const FOREVER: &str = "-1";

fn parse_retention(text: &str) -> Result<Retention, String> {
    if text == "forever" {
        return Ok(Retention(FOREVER.into()));
    }
    match duration(HOUR, CENTURY)(text) {
        Ok(kept) => Ok(Retention(kept.as_millis().to_string())),
        Err(allowed) => Err(format!("{allowed}, or forever")),
    }
}

/// Only whole segments are removed: by Kafka's default a partition keeps up to 1 GiB of what is over.
const SEGMENT_BYTES: usize = 128 << 20;

const MIN_INSYNC: &str = "min.insync.replicas";

/// What a topic is to be.
#[derive(Clone)]
struct Wanted {
    name: String,
    settings: [(&'static str, String); 4],
}

impl Config {
    fn min_insync(&self) -> i32 {
        self.topic_min_insync
            .unwrap_or_else(|| (self.topic_replication - 1).max(1))
    }

    fn wanted(&self) -> Vec<Wanted> {
        let messages = topics().into_iter().map(|topic| (topic.name, MAX_RECORD_BYTES));
        messages
            .chain([(DEAD_LETTERS, MAX_DEAD_LETTER_BYTES)])
            .map(|(name, largest)| Wanted {
                name: self.kafka.topic(name),
                settings: [
                    ("max.message.bytes", largest.to_string()),
                    (MIN_INSYNC, self.min_insync().to_string()),
                    ("retention.ms", self.topic_retention.0.clone()),
                    ("segment.bytes", SEGMENT_BYTES.to_string()),
                ],
            })
            .collect()
    }
}

impl Settings for Config {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }

    fn check(&self) -> Result<(), String> {
        let (needed, copies) = (self.min_insync(), self.topic_replication);
        if needed > copies {
            return Err(format!(
                "TOPIC_MIN_INSYNC is '{needed}', and TOPIC_REPLICATION {copies}: no more is allowed"
            ));
        }
        self.kafka.check()
    }
}

fn main() -> ExitCode {
    process::run("create-topics", run)
}

async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let admin: AdminClient<LogContext> = config.kafka.client().create_with_context(LogContext)?;
    // The client for admins does not tell that Kafka refuses it; any other does, in the log.
    let _teller = Producer::new(&config.kafka)?;
    let wanted = config.wanted();
    let create = until_ok("Kafka", &config.kafka.kafka_bootstrap_servers, || async {
        let earlier = create(&admin, &config, &wanted).await?;
        if !earlier.is_empty() {
            grow(&admin, &config, &earlier).await?;
            update(&admin, &heed_copies(&admin, &config, earlier)?).await?;
        }
        anyhow::Ok(())
    });
    tokio::select! {
        () = create => Ok(()),
        () = shutdown.cancelled() => bail!("stopped before the topics were created"),
    }
}

// A broker that has just started may not know its controller yet, and librdkafka asks it only once: give up soon.
fn options() -> AdminOptions {
    let patience = Some(Duration::from_secs(5));
    AdminOptions::new()
        .request_timeout(patience)
        .operation_timeout(patience)
}

/// Creates what is missing, and gives what was there before.
async fn create<'a>(
    admin: &AdminClient<LogContext>,
    config: &Config,
    wanted: &'a [Wanted],
) -> anyhow::Result<Vec<&'a Wanted>> {
    let new: Vec<_> = wanted
        .iter()
        .map(|topic| {
            let copies = TopicReplication::Fixed(config.topic_replication);
            let new = NewTopic::new(&topic.name, config.topic_partitions, copies);
            topic.settings.iter().fold(new, |new, (key, value)| new.set(key, value))
        })
        .collect();
    let mut earlier = Vec::new();
    for (topic, result) in wanted.iter().zip(admin.create_topics(&new, &options()).await?) {
        match result {
            Ok(topic) => info!(topic, partitions = config.topic_partitions, "created"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => earlier.push(topic),
            Err((topic, error)) => bail!("topic {topic}: {error}"),
        }
    }
    Ok(earlier)
}

/// Adds the partitions that topics lack.
async fn grow(admin: &AdminClient<LogContext>, config: &Config, topics: &[&Wanted]) -> anyhow::Result<()> {
    let partitions = usize::try_from(config.topic_partitions)?;
    let wanted: Vec<_> = topics
        .iter()
        .map(|topic| NewPartitions::new(&topic.name, partitions))
        .collect();
    for result in admin.create_partitions(&wanted, &options()).await? {
        match result {
            Ok(topic) => info!(topic, partitions, "already there, and has more partitions now"),
            // It has as many already.
            Err((_, RDKafkaErrorCode::InvalidPartitions)) => {}
            Err((topic, error)) => warn!(topic, partitions, %error, "already there, and cannot have more partitions"),
        }
    }
    Ok(())
}

/// Tells which topics have another number of copies than they would get today, and asks no more of those than they have:
/// else nothing could be written to them.
fn heed_copies(admin: &AdminClient<LogContext>, config: &Config, topics: Vec<&Wanted>) -> anyhow::Result<Vec<Wanted>> {
    let metadata = admin.inner().fetch_metadata(None, Duration::from_secs(5))?;
    let copies: HashMap<_, _> = metadata
        .topics()
        .iter()
        .filter_map(|topic| {
            let copies = topic.partitions().iter().map(|partition| partition.replicas().len());
            Some((topic.name(), i32::try_from(copies.min()?).ok()?))
        })
        .collect();
    let mut heeding = topics.into_iter().cloned().collect::<Vec<_>>();
    for topic in &mut heeding {
        let Some(&copies) = copies.get(&*topic.name) else {
            continue;
        };
        if copies != config.topic_replication {
            let (topic, wanted) = (&*topic.name, config.topic_replication);
            warn!(
                topic,
                copies, wanted, "already there; Kafka's own tools alone change how many copies it has"
            );
        }
        for (key, value) in &mut topic.settings {
            if *key == MIN_INSYNC {
                *value = config.min_insync().min(copies).to_string();
            }
        }
    }
    Ok(heeding)
}

/// Brings topics to today's settings; what else somebody set for them stays. Where that is not allowed, the difference
/// is told.
async fn update(admin: &AdminClient<LogContext>, topics: &[Wanted]) -> anyhow::Result<()> {
    let specifiers: Vec<_> = topics
        .iter()
        .map(|topic| ResourceSpecifier::Topic(&topic.name))
        .collect();
    for (topic, described) in topics
        .iter()
        .zip(admin.describe_configs(&specifiers, &options()).await?)
    {
        let described = match described {
            Ok(described) => described,
            Err(error) => {
                warn!(topic = &*topic.name, %error, "already there; its settings cannot be read");
                continue;
            }
        };
        let today: HashMap<_, _> = described.entries.iter().map(|entry| (&*entry.name, entry)).collect();
        let value = |key: &str| {
            today
                .get(key)
                .and_then(|entry| entry.value.as_deref())
                .unwrap_or_default()
        };
        let differ: Vec<_> = topic
            .settings
            .iter()
            .filter(|(key, wanted)| value(key) != wanted)
            .collect();
        if differ.is_empty() {
            info!(topic = &*topic.name, "already there");
            continue;
        }
        let change = differ
            .iter()
            .map(|(key, wanted)| format!("{key} from {} to {wanted}", value(key)))
            .collect::<Vec<_>>()
            .join(", ");
        // Kafka takes the whole of what is set for a topic, not a part.
        let kept = described
            .entries
            .iter()
            .filter(|entry| entry.source == ConfigSource::DynamicTopic);
        let kept = kept.filter_map(|entry| Some((&*entry.name, entry.value.as_deref()?)));
        let all = kept.chain(topic.settings.iter().map(|(key, wanted)| (*key, &**wanted)));
        let altered = AlterConfig::new(ResourceSpecifier::Topic(&topic.name));
        let altered = all.fold(altered, |altered, (key, value)| altered.set(key, value));
        match admin.alter_configs(&[altered], &options()).await?.pop() {
            Some(Err((_, error))) => {
                warn!(topic = &*topic.name, change, %error, "already there, and not as it is to be")
            }
            _ => info!(topic = &*topic.name, change, "already there, and changed"),
        }
    }
    Ok(())
}
