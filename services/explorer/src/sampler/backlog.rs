//! What waits in the topics, and how many copies of a service share its work, as Kafka tells it.

mod ends;
mod group;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use messaging::client::KafkaConfig;

use self::group::Group;

/// Services say once a second how far they are.
const SERVICES_COMMIT: Duration = Duration::from_secs(1);
/// The job says it with its checkpoints alone (`stack/backlog.py`).
const JOB_COMMITS: Duration = Duration::from_secs(30);
/// The job's group. It has no members: Flink gives its tasks their partitions.
pub const JOB: &str = "flink_job";

/// A consumer group, the part that it belongs to, and the topics whose work it does.
#[derive(Debug)]
pub struct Work {
    pub part: &'static str,
    pub group: &'static str,
    pub topics: &'static [&'static str],
    /// What is younger than this may be done long since: the group has not said so yet.
    pub commits: Duration,
}

/// All of them, in the order in which a question meets them.
pub const WORK: [Work; 5] = [
    Work {
        part: "cache-service",
        group: "cache-service",
        topics: &["questions_in"],
        commits: SERVICES_COMMIT,
    },
    Work {
        part: "cache-service",
        group: "cache-service-regenerations",
        topics: &["regeneration_requests"],
        commits: SERVICES_COMMIT,
    },
    Work {
        part: "llm-consumer",
        group: "llm-consumer",
        topics: &["llm_requests"],
        commits: SERVICES_COMMIT,
    },
    Work {
        part: JOB,
        group: JOB,
        topics: &["llm_responses"],
        commits: JOB_COMMITS,
    },
    Work {
        part: "storage-service",
        group: "storage-service",
        topics: &["validated_responses", "llm_errors"],
        commits: SERVICES_COMMIT,
    },
];

/// The topic whose questions the model is asked, or is about to be.
const AT_THE_MODEL: &str = "llm_requests";
/// What waits in these topics is decided already.
const DECIDED: [&str; 2] = ["validated_responses", "llm_errors"];

/// What Kafka says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kafka {
    /// Of each topic of [`WORK`], in that order.
    pub backlogs: Vec<Backlog>,
    /// How many consumers each group has; the job's is not among them.
    pub members: BTreeMap<&'static str, usize>,
}

/// What a group has not finished of a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Backlog {
    pub topic: &'static str,
    pub group: &'static str,
    /// How many records wait for longer than the group takes to say that it is done.
    pub waiting: u64,
    /// How many did a minute ago, if that is known.
    pub a_minute_ago: Option<u64>,
    /// When the oldest of them was written, in milliseconds since 1970.
    pub oldest: Option<i64>,
}

impl Kafka {
    /// How many questions wait for a verdict.
    pub fn undecided(&self) -> u64 {
        self.open().map(|backlog| backlog.waiting).sum()
    }

    /// How many of them wait at the model.
    pub fn at_the_model(&self) -> u64 {
        self.open()
            .filter(|backlog| backlog.topic == AT_THE_MODEL)
            .map(|backlog| backlog.waiting)
            .sum()
    }

    /// Since when the oldest of them waits, in milliseconds since 1970.
    pub fn oldest(&self) -> Option<i64> {
        self.open().filter_map(|backlog| backlog.oldest).min()
    }

    fn open(&self) -> impl Iterator<Item = &Backlog> {
        self.backlogs.iter().filter(|backlog| !DECIDED.contains(&backlog.topic))
    }
}

/// Asks Kafka; every group by a consumer of its own, which is kept and joins none.
pub struct Groups(Arc<Mutex<Vec<Group>>>);

impl Groups {
    /// Of a Kafka that need not be there yet.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub fn new(kafka: &KafkaConfig) -> anyhow::Result<Self> {
        let groups: anyhow::Result<Vec<_>> = WORK.iter().map(|work| Group::new(kafka, work)).collect();
        Ok(Self(Arc::new(Mutex::new(groups?))))
    }

    /// Asks what waits, on a thread that may wait for it.
    ///
    /// # Errors
    /// Kafka does not answer.
    pub async fn look(&self) -> anyhow::Result<Kafka> {
        let groups = Arc::clone(&self.0);
        let look = move || {
            let mut kafka = Kafka::default();
            for group in groups.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
                kafka.backlogs.extend(group.backlogs()?);
                if group.work.group != JOB {
                    kafka.members.insert(group.work.group, group.members()?);
                }
            }
            Ok(kafka)
        };
        tokio::task::spawn_blocking(look).await?
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_work_on_every_topic_is_looked_at() {
        let looked_at: BTreeSet<_> = WORK.iter().flat_map(|work| work.topics).copied().collect();
        let all = contracts::topic::topics();
        assert_eq!(looked_at, all.iter().map(|topic| topic.name).collect());
        for work in &WORK {
            for topic in all.iter().filter(|topic| work.topics.contains(&topic.name)) {
                assert!(
                    topic.consumers.contains(&work.part),
                    "{} does not read {}",
                    work.part,
                    topic.name
                );
            }
        }
    }

    #[test]
    fn what_waits_to_be_stored_is_decided() {
        let backlog = |topic, waiting, oldest| Backlog {
            topic,
            group: "",
            waiting,
            a_minute_ago: None,
            oldest,
        };
        let kafka = Kafka {
            backlogs: vec![
                backlog("questions_in", 3, Some(50)),
                backlog("llm_requests", 4, Some(40)),
                backlog("validated_responses", 5, Some(10)),
            ],
            ..Kafka::default()
        };
        assert_eq!(
            (kafka.undecided(), kafka.at_the_model(), kafka.oldest()),
            (7, 4, Some(40))
        );
    }
}
