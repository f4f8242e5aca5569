//! What a run is, and what its messages are called.

use std::collections::BTreeMap;

use contracts::message::{Identity, QuestionMessage};
use contracts::value::{Id, InvalidValue, now};
use jiff::Timestamp;
use rdkafka::util::get_rdkafka_version;
use uuid::Uuid;

use crate::dataset::Question;
use crate::extent::Extent;
use crate::journal::{RunRecord, State, Versions};
use crate::traffic::Traffic;

/// What makes a run the same again: its name and its seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name, and that of its folder.
    pub name: String,
    /// What all its randomness comes from.
    pub seed: u64,
    /// Whether ids derive from name and seed, so that the run can be repeated.
    is_repeatable: bool,
}

impl Run {
    /// The run that the settings describe; what they leave open is drawn.
    pub fn new(traffic: &Traffic) -> Self {
        Self {
            name: traffic
                .traffic_run
                .clone()
                .unwrap_or_else(|| Uuid::now_v7().to_string()),
            seed: traffic.traffic_seed.unwrap_or_else(rand::random),
            is_repeatable: traffic.traffic_run.is_some() && traffic.traffic_seed.is_some(),
        }
    }

    /// The message that asks a question, the `index`-th of the run.
    ///
    /// # Errors
    /// An id in the dataset, or a name of a run, that is none.
    pub fn message(
        &self,
        index: u64,
        question: Question,
        asked_at: Timestamp,
    ) -> Result<QuestionMessage, InvalidValue> {
        Ok(QuestionMessage {
            identity: Identity {
                message_id: self.id("message", index),
                trace_id: self.id("trace", index),
                question_id: question.question_id.try_into()?,
                asked_at: Some(asked_at),
                retry_of: None,
                run: Some(self.name.clone().try_into()?),
                topic: question.topic,
            },
            question: question.text,
            source: question.source,
            created_at: now(),
            attempts: 0,
        })
    }

    /// The id of the `index`-th message, or of its trace.
    pub fn id(&self, kind: &str, index: u64) -> Id {
        if !self.is_repeatable {
            return Id::random();
        }
        let name = format!("cotejo/{}/{}/{kind}/{index}", self.name, self.seed);
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).into()
    }

    /// The record of the run at its start; with these settings it can be repeated.
    pub fn record(&self, mut settings: BTreeMap<String, String>, traffic: &Traffic) -> RunRecord {
        let extent = Extent::of(traffic);
        settings.insert("TRAFFIC_RUN".into(), self.name.clone());
        settings.insert("TRAFFIC_SEED".into(), self.seed.to_string());
        settings.extend(
            traffic
                .askers()
                .map(|count| ("TRAFFIC_ASKERS".into(), count.to_string())),
        );
        RunRecord {
            run: self.name.clone(),
            seed: self.seed,
            settings,
            planned: extent.planned,
            note: extent.note,
            dataset: None,
            versions: Versions {
                traffic_generator: env!("CARGO_PKG_VERSION"),
                librdkafka: get_rdkafka_version().1,
            },
            started_at: now(),
            ended_at: None,
            state: State::Running,
            problem: None,
            asked: 0,
            unacknowledged: 0,
            late: 0,
            latest_ms: 0,
            closed_loop: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str, seed: u64, is_repeatable: bool) -> Run {
        Run {
            name: name.into(),
            seed,
            is_repeatable,
        }
    }

    #[test]
    fn only_the_same_run_seed_and_index_give_the_same_id() {
        let id = |name: &str, seed, index| identity(name, seed, true).id("message", index);
        assert_eq!(id("a", 1, 2), id("a", 1, 2));
        for other in [
            id("b", 1, 2),
            id("a", 2, 2),
            id("a", 1, 3),
            identity("a", 1, true).id("trace", 2),
        ] {
            assert_ne!(id("a", 1, 2), other);
        }
    }

    #[test]
    fn a_run_that_is_not_to_be_repeated_never_gives_an_id_twice() {
        let run = identity("a", 1, false);
        assert_ne!(run.id("message", 1), run.id("message", 1));
    }
}
