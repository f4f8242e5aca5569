//! Creates every topic that is not there yet, brings the others to today's settings, then ends.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser;
use contracts::topic::{DEAD_LETTERS, MAX_DEAD_LETTER_BYTES, MAX_RECORD_BYTES, topics};
use messaging::client::{KafkaConfig, LogContext, is_refusal};
use messaging::process::{self, ProcessConfig, Settings};
use messaging::producer::Producer;
use messaging::settings::{Retention, parse_retention};
use messaging::wait::until_mended;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
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

/// As Kafka has it, in milliseconds.
fn milliseconds(retention: Retention) -> String {
    match retention {
        Retention::For(kept) => kept.as_millis().to_string(),
        Retention::Forever => "-1".to_owned(),
    }
}

/// Only whole segments are removed: by Kafka's default a partition keeps up to 1 GiB of what is over.
const SEGMENT_BYTES: usize = 128 << 20;

/// So soon every broker knows what was changed.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
const MIN_INSYNC: &str = "min.insync.replicas";

/// What a topic is to be.
#[derive(Clone)]
struct Wanted {
    name: String,
    settings: Vec<(&'static str, String)>,
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
                settings: vec![
                    ("max.message.bytes", largest.to_string()),
                    (MIN_INSYNC, self.min_insync().to_string()),
                    ("retention.ms", milliseconds(self.topic_retention)),
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
    let bring_about = || async {
        let shapes = shapes(&admin)?;
        let (earlier, new): (Vec<_>, Vec<_>) = wanted.iter().partition(|topic| shapes.contains_key(&topic.name));
        if !new.is_empty() {
            create(&admin, &config, &new).await?;
        }
        if !earlier.is_empty() {
            grow(&admin, &config, &earlier, &shapes).await?;
            update(&admin, &heed_copies(&config, &earlier, &shapes)).await?;
        }
        anyhow::Ok(())
    };
    let create = until_mended("Kafka", &config.kafka.kafka_bootstrap_servers, bring_about, |error| {
        error.downcast_ref().is_some_and(|error| is_refusal(error, ""))
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

/// A topic as it is.
#[derive(Clone, Copy)]
struct Shape {
    partitions: usize,
    /// How many each partition has at least.
    copies: i32,
}

/// The topics that are there.
fn shapes(admin: &AdminClient<LogContext>) -> anyhow::Result<HashMap<String, Shape>> {
    let metadata = admin.inner().fetch_metadata(None, Duration::from_secs(5))?;
    let shapes = metadata.topics().iter().filter_map(|topic| {
        let partitions = topic.partitions();
        let copies = partitions.iter().map(|partition| partition.replicas().len()).min()?;
        let shape = Shape {
            partitions: partitions.len(),
            copies: i32::try_from(copies).ok()?,
        };
        Some((topic.name().to_owned(), shape))
    });
    Ok(shapes.collect())
}

/// Creates what is missing.
async fn create(admin: &AdminClient<LogContext>, config: &Config, wanted: &[&Wanted]) -> anyhow::Result<()> {
    let new: Vec<_> = wanted
        .iter()
        .map(|topic| {
            let copies = TopicReplication::Fixed(config.topic_replication);
            let new = NewTopic::new(&topic.name, config.topic_partitions, copies);
            topic.settings.iter().fold(new, |new, (key, value)| new.set(key, value))
        })
        .collect();
    for result in admin.create_topics(&new, &options()).await? {
        match result {
            Ok(topic) => info!(topic, partitions = config.topic_partitions, "created"),
            // It may also be one that somebody else has just made, or that is being deleted: then the next look tells.
            Err((topic, error)) => {
                let what = format!("creating topic {topic}: {error}");
                return Err(KafkaError::AdminOp(error)).context(what);
            }
        }
    }
    Ok(())
}

/// Adds the partitions that topics lack.
async fn grow(
    admin: &AdminClient<LogContext>,
    config: &Config,
    topics: &[&Wanted],
    shapes: &HashMap<String, Shape>,
) -> anyhow::Result<()> {
    let partitions = usize::try_from(config.topic_partitions)?;
    let small = topics
        .iter()
        .filter(|topic| shapes[&topic.name].partitions < partitions);
    let wanted: Vec<_> = small.map(|topic| NewPartitions::new(&topic.name, partitions)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    for result in admin.create_partitions(&wanted, &options()).await? {
        match result {
            Ok(topic) => info!(topic, partitions, "already there, and has more partitions now"),
            Err((topic, error)) => warn!(topic, partitions, %error, "already there, and cannot have more partitions"),
        }
    }
    Ok(())
}

/// Tells which topics have another number of copies than they would get today. How many of these must have a record is
/// left as it is, unless somebody says otherwise, and never more than there are: else nothing could be written.
fn heed_copies(config: &Config, topics: &[&Wanted], shapes: &HashMap<String, Shape>) -> Vec<Wanted> {
    let mut heeding: Vec<Wanted> = topics.iter().map(|&topic| topic.clone()).collect();
    for topic in &mut heeding {
        let (copies, wanted) = (shapes[&topic.name].copies, config.topic_replication);
        if copies != wanted {
            let topic = &*topic.name;
            warn!(
                topic,
                copies, wanted, "already there; Kafka's own tools alone change how many copies it has"
            );
        }
        let min_insync = config.topic_min_insync.map(|needed| needed.min(copies).to_string());
        topic.settings.retain_mut(|(key, value)| {
            if *key != MIN_INSYNC {
                return true;
            }
            min_insync.clone().map(|needed| *value = needed).is_some()
        });
    }
    heeding
}

/// Brings topics to today's settings; what else somebody set for them stays. Where that is not allowed, the difference
/// is told.
async fn update(admin: &AdminClient<LogContext>, topics: &[Wanted]) -> anyhow::Result<()> {
    let mut differ = Vec::new();
    for (topic, described) in topics.iter().zip(describe(admin, topics).await?) {
        match described {
            Ok(described) if change(topic, &described).is_empty() => info!(topic = &*topic.name, "already there"),
            Ok(described) => {
                admin.alter_configs(&[alter(topic, &described)], &options()).await?;
                differ.push((topic.clone(), change(topic, &described)));
            }
            Err(error) => warn!(topic = &*topic.name, %error, "already there; its settings cannot be read"),
        }
    }
    if differ.is_empty() {
        return Ok(());
    }
    // The client does not tell whether that was allowed, and a broker may hear of it a moment later.
    tokio::time::sleep(SETTLED_AFTER).await;
    let (topics, changes): (Vec<_>, Vec<_>) = differ.into_iter().unzip();
    for ((topic, change_made), described) in topics.iter().zip(changes).zip(describe(admin, &topics).await?) {
        let (name, change_made) = (&*topic.name, change_made.join(", "));
        match described.map(|described| change(topic, &described)) {
            Ok(rest) if rest.is_empty() => info!(topic = name, change = change_made, "already there, and changed"),
            _ => warn!(
                topic = name,
                change = change_made,
                "already there, and not as it is to be: it cannot be changed"
            ),
        }
    }
    Ok(())
}

async fn describe(
    admin: &AdminClient<LogContext>,
    topics: &[Wanted],
) -> anyhow::Result<Vec<Result<ConfigResource, RDKafkaErrorCode>>> {
    let topics = topics.iter().map(|topic| ResourceSpecifier::Topic(&topic.name));
    let topics: Vec<_> = topics.collect();
    Ok(admin.describe_configs(&topics, &options()).await?)
}

/// What has to change of a topic's settings, in words.
fn change(topic: &Wanted, described: &ConfigResource) -> Vec<String> {
    let today = described.entry_map();
    let value = |key: &str| {
        today
            .get(key)
            .and_then(|entry| entry.value.as_deref())
            .unwrap_or_default()
    };
    let differ = topic.settings.iter().filter(|(key, wanted)| value(key) != wanted);
    differ
        .map(|(key, wanted)| format!("{key} from {} to {wanted}", value(key)))
        .collect()
}

/// The whole of a topic's settings as they are to be: Kafka takes no part of them.
fn alter<'a>(topic: &'a Wanted, described: &'a ConfigResource) -> AlterConfig<'a> {
    let kept = described
        .entries
        .iter()
        .filter(|entry| entry.source == ConfigSource::DynamicTopic);
    let kept = kept.filter_map(|entry| Some((&*entry.name, entry.value.as_deref()?)));
    let all = kept.chain(topic.settings.iter().map(|(key, wanted)| (*key, &**wanted)));
    let altered = AlterConfig::new(ResourceSpecifier::Topic(&topic.name));
    all.fold(altered, |altered, (key, value)| altered.set(key, value))
}
