//! One run, from its settings to its record.

use std::collections::BTreeMap;

use jiff::Timestamp;
use messaging::client::Producer;
use messaging::message::QuestionMessage;
use messaging::topic::Message as _;
use messaging::value::{Id, InvalidValue, now};
use rdkafka::util::get_rdkafka_version;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::arrivals::Arrivals;
use crate::config::{Config, Origin, Traffic};
use crate::dataset::Question;
use crate::journal::{Journal, RunRecord, State, Versions};
use crate::send::send;
use crate::source::Source;

/// Asks the questions that the settings describe, and leaves a record of it.
///
/// # Errors
/// What [`send`] and [`Journal`] say; the record tells it too.
pub async fn run(config: &Config, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let run = Run::new(&config.traffic);
    let record = run.record(Config::as_environment());
    let mut journal = Journal::create(&config.traffic.data_collected_dir, record)?;
    let ended = ask(config, &run, &mut journal, shutdown).await;
    let record = &mut journal.record;
    record.ended_at = Some(now());
    record.state = *ended.as_ref().unwrap_or(&State::Failed);
    record.problem = ended.as_ref().err().map(|problem| format!("{problem:#}"));
    let RunRecord {
        state,
        asked,
        unacknowledged,
        late,
        latest_ms,
        ..
    } = *record;
    if late > 0 {
        warn!(
            late,
            latest_ms, "THE SCHEDULE WAS NOT KEPT: questions were asked after their time"
        );
    }
    info!(run = run.name, ?state, asked, unacknowledged, "the run has ended");
    let saved = journal.save();
    ended.and(saved)
}

async fn ask(config: &Config, run: &Run, journal: &mut Journal, shutdown: &CancellationToken) -> anyhow::Result<State> {
    let producer = Producer::new(&config.kafka)?;
    let source = tokio::select! {
        source = open(config, &producer, shutdown) => source?,
        () = shutdown.cancelled() => return Ok(State::Interrupted),
    };
    info!(
        run = run.name,
        seed = run.seed,
        questions = source.record.questions,
        "asking"
    );
    let arrivals = Arrivals::new(&config.traffic, run.seed, source.record.questions)?;
    journal.record.dataset = Some(source.record.clone());
    journal.save()?;
    send(run, arrivals, source, producer, journal, shutdown).await
}

async fn open(config: &Config, producer: &Producer, shutdown: &CancellationToken) -> anyhow::Result<Source> {
    let source = match &config.traffic.traffic_source {
        Origin::MongoDb => Source::mongo(config.mongo.connect(crate::SERVICE).await?).await?,
        Origin::File(file) => Source::file(file, shutdown)?,
    };
    producer.wait_for_topics(&[QuestionMessage::TOPIC]).await;
    Ok(source)
}

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
    /// An id in the dataset that is none.
    pub fn message(
        &self,
        index: u64,
        question: Question,
        asked_at: Timestamp,
    ) -> Result<QuestionMessage, InvalidValue> {
        Ok(QuestionMessage {
            message_id: self.id("message", index),
            trace_id: self.id("trace", index),
            question_id: question.question_id.try_into()?,
            title: question.title,
            content: question.content,
            best_answer: question.best_answer,
            source: question.source,
            created_at: now(),
            attempts: 0,
            asked_at: Some(asked_at),
            retry_of: None,
        })
    }

    fn id(&self, kind: &str, index: u64) -> Id {
        if !self.is_repeatable {
            return Id::random();
        }
        let name = format!("cotejo/{}/{}/{kind}/{index}", self.name, self.seed);
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).into()
    }

    /// The record of the run at its start; with these settings it can be repeated.
    pub fn record(&self, mut settings: BTreeMap<String, String>) -> RunRecord {
        settings.insert("TRAFFIC_RUN".into(), self.name.clone());
        settings.insert("TRAFFIC_SEED".into(), self.seed.to_string());
        RunRecord {
            run: self.name.clone(),
            seed: self.seed,
            settings,
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, seed: u64, is_repeatable: bool) -> Run {
        Run {
            name: name.into(),
            seed,
            is_repeatable,
        }
    }

    #[test]
    fn only_the_same_run_seed_and_index_give_the_same_id() {
        let id = |name: &str, seed, index| run(name, seed, true).id("message", index);
        assert_eq!(id("a", 1, 2), id("a", 1, 2));
        for other in [
            id("b", 1, 2),
            id("a", 2, 2),
            id("a", 1, 3),
            run("a", 1, true).id("trace", 2),
        ] {
            assert_ne!(id("a", 1, 2), other);
        }
    }

    #[test]
    fn a_run_that_is_not_to_be_repeated_never_gives_an_id_twice() {
        let run = run("a", 1, false);
        assert_ne!(run.id("message", 1), run.id("message", 1));
    }
}
