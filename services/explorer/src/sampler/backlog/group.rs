//! One consumer group.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use contracts::value::now;
use messaging::client::{KafkaConfig, LogContext};
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::ends::{Past, Place};
use super::{Backlog, Work};

/// The longest that Kafka may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest that the records which wait first are read for.
const READ_FOR: Duration = Duration::from_millis(500);
/// How often to look for new partitions.
const LOOK_EVERY: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

type Partition = (&'static str, i32);

/// A group as it is looked at.
pub struct Group {
    pub work: &'static Work,
    kafka: KafkaConfig,
    consumer: BaseConsumer<LogContext>,
    partitions: Vec<Partition>,
    found_partitions: Option<Instant>,
    ends: Past<HashMap<Partition, i64>>,
    waited: Past<HashMap<&'static str, u64>>,
    /// When the records that waited first were written: of each partition the offset, and milliseconds since 1970.
    written: HashMap<Partition, (i64, i64)>,
}

/// What waits in a partition.
struct Waiting {
    partition: Partition,
    next: i64,
    records: u64,
}

impl Group {
    pub fn new(kafka: &KafkaConfig, work: &'static Work) -> anyhow::Result<Self> {
        let mut config = kafka.client();
        config.set("group.id", format!("{}{}", kafka.group_prefix, work.group));
        // It neither joins nor commits; of a record it wants the time alone.
        config
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false");
        config
            .set("fetch.message.max.bytes", "1024")
            .set("queued.min.messages", "1")
            .set("fetch.queue.backoff.ms", "10");
        config
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100");
        let consumer = config
            .create_with_context(LogContext)
            .context("Kafka consumer settings")?;
        Ok(Self {
            work,
            kafka: kafka.clone(),
            consumer,
            partitions: vec![],
            found_partitions: None,
            ends: Past::of(work.commits),
            waited: Past::of(MINUTE),
            written: HashMap::new(),
        })
    }

    /// How many consumers share the work.
    pub fn members(&self) -> anyhow::Result<usize> {
        let name = format!("{}{}", self.kafka.group_prefix, self.work.group);
        let found = self.consumer.fetch_group_list(Some(&name), PATIENCE)?;
        Ok(found.groups().first().map_or(0, |group| group.members().len()))
    }

    /// What waits in each topic.
    pub fn backlogs(&mut self) -> anyhow::Result<Vec<Backlog>> {
        // What librdkafka has to say of a server that is away is said elsewhere; here it would only pile up.
        while self.consumer.poll(Duration::ZERO).is_some() {}
        self.find_partitions()?;
        let places = self.places()?;
        let looked = Instant::now();
        self.ends.note(
            looked,
            places
                .iter()
                .map(|(partition, place)| (*partition, place.end))
                .collect(),
        );
        let mut waiting = self.waiting(&places, looked);
        self.read_first(&waiting)?;
        // At the first looks nobody knows where the topics ended before.
        let due = now().as_millisecond() - i64::try_from(self.work.commits.as_millis())?;
        waiting.retain(|one| self.oldest(one).is_none_or(|written| written <= due));
        Ok(self.by_topic(&waiting, looked))
    }

    fn waiting(&self, places: &[(Partition, Place)], looked: Instant) -> Vec<Waiting> {
        let then = self.ends.then(looked).map(|(ends, _)| ends);
        let waiting = |&(partition, place): &(Partition, Place)| {
            let end = then.and_then(|ends| ends.get(&partition)).copied().unwrap_or(place.end);
            Waiting {
                partition,
                next: place.next(),
                records: place.waiting(end),
            }
        };
        places.iter().map(waiting).filter(|one| one.records > 0).collect()
    }

    fn by_topic(&mut self, waiting: &[Waiting], looked: Instant) -> Vec<Backlog> {
        let of = |topic: &'static str| waiting.iter().filter(move |one| one.partition.0 == topic);
        let records = |topic| of(topic).map(|one| one.records).sum();
        let topics = self.work.topics.iter().copied();
        self.waited
            .note(looked, topics.clone().map(|topic| (topic, records(topic))).collect());
        let before = self.waited.then(looked).filter(|(_, is_so_old)| *is_so_old);
        let backlog = |topic| Backlog {
            topic,
            group: self.work.group,
            waiting: records(topic),
            a_minute_ago: before.and_then(|(waited, _)| waited.get(topic).copied()),
            oldest: of(topic).filter_map(|one| self.oldest(one)).min(),
        };
        topics.map(backlog).collect()
    }

    fn find_partitions(&mut self) -> anyhow::Result<()> {
        if self.found_partitions.is_some_and(|found| found.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        let mut found = vec![];
        for topic in self.work.topics {
            let name = self.kafka.topic(topic);
            let metadata = self.consumer.fetch_metadata(Some(&name), PATIENCE)?;
            let partitions = metadata.topics().first().map_or(&[][..], |topic| topic.partitions());
            anyhow::ensure!(!partitions.is_empty(), "there is no topic {name} yet");
            found.extend(partitions.iter().map(|partition| (*topic, partition.id())));
        }
        (self.partitions, self.found_partitions) = (found, Some(Instant::now()));
        Ok(())
    }

    /// Where the group is in each partition.
    fn places(&self) -> anyhow::Result<Vec<(Partition, Place)>> {
        let list = |offset| self.list(self.partitions.iter().map(|&partition| (partition, offset)));
        // In place of a time, these two ask for the offsets themselves.
        let ends = self.consumer.offsets_for_times(list(Offset::End)?, PATIENCE)?;
        let begins = self.consumer.offsets_for_times(list(Offset::Beginning)?, PATIENCE)?;
        // After the ends: what is committed meanwhile was written before.
        let committed = self.consumer.committed_offsets(list(Offset::Invalid)?, PATIENCE)?;
        let offset = |list: &TopicPartitionList, &(topic, partition): &Partition| {
            let found = list
                .find_partition(&self.kafka.topic(topic), partition)
                .context("a partition is not answered for")?;
            found.error()?;
            anyhow::Ok(match found.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            })
        };
        let place = |partition: &Partition| {
            let known = |list| offset(list, partition)?.context("an offset is not answered");
            let place = Place {
                begin: known(&begins)?,
                end: known(&ends)?,
                committed: offset(&committed, partition)?,
            };
            anyhow::Ok((*partition, place))
        };
        self.partitions.iter().map(place).collect()
    }

    /// Reads when the record that waits first in each partition was written, where that is not known.
    fn read_first(&mut self, waiting: &[Waiting]) -> anyhow::Result<()> {
        self.written.retain(|partition, (offset, _)| {
            waiting
                .iter()
                .any(|one| one.partition == *partition && one.next == *offset)
        });
        let mut unknown: Vec<_> = waiting
            .iter()
            .filter(|one| !self.written.contains_key(&one.partition))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        self.consumer
            .assign(&self.list(unknown.iter().map(|one| (one.partition, Offset::Offset(one.next))))?)?;
        let began = Instant::now();
        while let Some(left) = READ_FOR.checked_sub(began.elapsed())
            && !unknown.is_empty()
        {
            let Some(Ok(record)) = self.consumer.poll(left) else {
                continue;
            };
            let is_it = |one: &&Waiting| {
                one.partition.1 == record.partition() && self.kafka.topic(one.partition.0) == record.topic()
            };
            if let Some(place) = unknown.iter().position(is_it) {
                let first = unknown.swap_remove(place);
                let written = record.timestamp().to_millis().unwrap_or_default();
                self.written.insert(first.partition, (first.next, written));
            }
        }
        Ok(self.consumer.unassign()?)
    }

    fn oldest(&self, waiting: &Waiting) -> Option<i64> {
        self.written.get(&waiting.partition).map(|(_, written)| *written)
    }

    fn list(&self, places: impl Iterator<Item = (Partition, Offset)>) -> anyhow::Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offset) in places {
            list.add_partition_offset(&self.kafka.topic(topic), partition, offset)?;
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rdkafka::consumer::CommitMode;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

    use super::super::WORK;
    use super::*;
    use crate::config::Config;

    /// Writes records of so long ago to a topic.
    fn write(kafka: &KafkaConfig, topic: &str, count: usize, ago: i64) {
        let producer: BaseProducer = kafka.client().create().unwrap();
        for _ in 0..count {
            let record = BaseRecord::to(topic).key("").payload("{}").partition(0);
            producer.send(record.timestamp(now().as_millisecond() - ago)).unwrap();
        }
        producer.flush(Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn what_a_group_has_not_committed_waits_since_the_first_of_it_was_written() {
        let cluster = MockCluster::new(1).unwrap();
        for topic in ["a.validated_responses", "a.llm_errors"] {
            cluster.create_topic(topic, 2, 1).unwrap();
        }
        let servers = cluster.bootstrap_servers();
        let settings = [
            "explorer",
            "--kafka-bootstrap-servers",
            &servers,
            "--topic-prefix",
            "a.",
            "--group-prefix",
            "b.",
        ];
        let kafka = Config::parse_from(settings).common.kafka;
        let mut group = Group::new(&kafka, &WORK[4]).unwrap();
        let mut seen = || {
            let backlogs = group.backlogs().unwrap();
            backlogs
                .into_iter()
                .map(|backlog| (backlog.topic, backlog.waiting, backlog.oldest))
                .collect::<Vec<_>>()
        };
        assert_eq!(seen(), [("validated_responses", 0, None), ("llm_errors", 0, None)]);

        std::thread::sleep(WORK[4].commits);
        let written = now().as_millisecond() - 60_000;
        write(&kafka, "a.llm_errors", 1, 60_000);
        write(&kafka, "a.llm_errors", 9, 30_000);
        // They are new to who looks: the group may have done them, and not said so yet.
        assert_eq!(seen()[1].1, 0);
        std::thread::sleep(WORK[4].commits);
        let (_, waiting, oldest) = seen()[1];
        assert_eq!(waiting, 10);
        assert!(
            (oldest.unwrap() - written).abs() < 5000,
            "{oldest:?} is not about {written}"
        );

        let member: BaseConsumer = kafka.client().set("group.id", "b.storage-service").create().unwrap();
        let mut done = TopicPartitionList::new();
        done.add_partition_offset("a.llm_errors", 0, Offset::Offset(4)).unwrap();
        member.commit(&done, CommitMode::Sync).unwrap();
        let (_, waiting, oldest) = seen()[1];
        assert_eq!(waiting, 6);
        assert!((oldest.unwrap() - written - 30_000).abs() < 5000, "{oldest:?}");
    }

    #[test]
    fn a_kafka_that_is_away_is_an_error_within_its_patience() {
        let settings = ["explorer", "--kafka-bootstrap-servers", "127.0.0.1:1"];
        let mut group = Group::new(&Config::parse_from(settings).common.kafka, &WORK[0]).unwrap();
        assert!(group.backlogs().is_err());
    }
}
