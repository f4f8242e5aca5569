//! One run, from its settings to its record.

use std::collections::BTreeMap;

use contracts::message::QuestionMessage;
use contracts::topic::Message as _;
use contracts::value::now;
use messaging::producer::Producer;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::arrivals::Arrivals;
use crate::config::Config;
use crate::extent::Extent;
use crate::identity::Run;
use crate::journal::{Journal, RunRecord, State};
use crate::send::send;
use crate::source::Source;
use crate::traffic::Origin;

/// Asks the questions that `config` describes, and leaves a record with all `settings`.
///
/// # Errors
/// What [`send`] and [`Journal`] say; the record tells it too.
pub async fn run(
    config: &Config,
    settings: BTreeMap<String, String>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let run = Run::new(&config.traffic);
    let record = run.record(settings, Extent::of(&config.traffic));
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
    let producer = Producer::new(&config.common.kafka)?;
    let opened = tokio::select! {
        opened = open(config, &producer, shutdown) => opened,
        () = shutdown.cancelled() => return Ok(State::Interrupted),
    };
    if shutdown.is_cancelled() {
        return Ok(State::Interrupted);
    }
    let source = opened?;
    info!(
        run = run.name,
        seed = run.seed,
        questions = source.record.questions,
        "asking"
    );
    if let Some(note) = &journal.record.note {
        warn!("{note}");
    }
    let arrivals = Arrivals::new(&config.traffic, run.seed, &source.ids)?;
    journal.record.dataset = Some(source.record.clone());
    journal.save()?;
    send(run, arrivals, source, producer, journal, shutdown).await
}

async fn open(config: &Config, producer: &Producer, shutdown: &CancellationToken) -> anyhow::Result<Source> {
    let source = match &config.traffic.traffic_source {
        Origin::MongoDb => Source::mongo(config.common.mongo.connect(crate::SERVICE).await?).await?,
        Origin::File(file) => Source::file(file, shutdown)?,
    };
    producer.wait_for_topics(&[QuestionMessage::TOPIC]).await;
    Ok(source)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use clap::Parser as _;
    use contracts::message::Identity;
    use contracts::value::Id;
    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::message::Message as _;
    use rdkafka::mocking::MockCluster;
    use serde_json::Value;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::dataset;

    /// A broker, a folder, and settings for a run between both.
    struct Stage {
        brokers: MockCluster<'static, rdkafka::producer::DefaultProducerContext>,
        folder: tempfile::TempDir,
    }

    impl Stage {
        fn new() -> Self {
            let (brokers, folder) = (MockCluster::new(1).unwrap(), tempfile::tempdir().unwrap());
            brokers.create_topic(QuestionMessage::TOPIC, 1, 1).unwrap();
            std::fs::write(folder.path().join("few.csv"), "1,a,,one\n1,b,,two\n1,c,,three\n").unwrap();
            Self { brokers, folder }
        }

        async fn run(&self, arguments: &[&str], shutdown: &CancellationToken) -> (Value, Vec<String>) {
            self.attempt(arguments, shutdown).await.unwrap();
            self.record()
        }

        async fn attempt(&self, arguments: &[&str], shutdown: &CancellationToken) -> anyhow::Result<()> {
            let path = self.folder.path().display();
            let [servers, source, collected] = [
                format!("--kafka-bootstrap-servers={}", self.brokers.bootstrap_servers()),
                format!("--traffic-source={path}/few.csv"),
                format!("--data-collected-dir={path}"),
            ];
            let own = [
                "test",
                &servers,
                &source,
                &collected,
                "--traffic-run=r",
                "--traffic-seed=1",
            ];
            let config = Config::parse_from(own.iter().chain(arguments));
            timeout(Duration::from_secs(30), run(&config, BTreeMap::new(), shutdown))
                .await
                .unwrap()
        }

        /// What a run left: its record, and the rows of its events.
        fn record(&self) -> (Value, Vec<String>) {
            let read = |name: &str| std::fs::read_to_string(self.folder.path().join("r").join(name)).unwrap();
            let rows = read("events.csv").lines().skip(1).map(ToOwned::to_owned).collect();
            (serde_json::from_str(&read("run.json")).unwrap(), rows)
        }

        /// Everything that was asked, in order.
        fn asked(&self, count: usize) -> Vec<QuestionMessage> {
            let mut settings = ClientConfig::new();
            settings.set("bootstrap.servers", self.brokers.bootstrap_servers());
            let consumer: BaseConsumer = settings.set("group.id", "test").create().unwrap();
            let mut partitions = rdkafka::TopicPartitionList::new();
            partitions
                .add_partition_offset(QuestionMessage::TOPIC, 0, rdkafka::Offset::Beginning)
                .unwrap();
            consumer.assign(&partitions).unwrap();
            let next = || consumer.poll(Duration::from_secs(10)).unwrap().unwrap();
            (0..count)
                .map(|_| serde_json::from_slice(next().payload().unwrap()).unwrap())
                .collect()
        }
    }

    #[tokio::test]
    async fn every_question_is_asked_once_in_order_and_written_down() {
        let stage = Stage::new();
        let arguments = ["--traffic-total=500", "--traffic-rate=5000"];
        let (record, rows) = stage.run(&arguments, &CancellationToken::new()).await;
        assert_eq!((&record["state"], &record["asked"]), (&"complete".into(), &500.into()));
        assert_eq!(record["dataset"]["questions"], 3);
        let asked = stage.asked(500);
        assert!(
            asked
                .windows(2)
                .all(|pair| pair[0].identity.asked_at <= pair[1].identity.asked_at)
        );
        let run = Run::new(&Config::parse_from(["test", "--traffic-run=r", "--traffic-seed=1"]).traffic);
        assert_eq!(asked[7].identity.message_id, run.id("message", 7));
        assert!(asked.iter().all(|question| {
            let Identity { run, topic, .. } = &question.identity;
            run.as_ref().map(Id::as_str) == Some("r") && topic.as_deref() == Some("1")
        }));
        let row = |question: &QuestionMessage, offset: usize| {
            let identity = &question.identity;
            let begin = format!(
                "{},{},{:.3},",
                identity.message_id,
                identity.question_id,
                identity.asked_at.unwrap()
            );
            rows.iter()
                .any(|row| row.starts_with(&begin) && row.ends_with(&format!(",0,{offset},")))
        };
        assert!(asked.iter().enumerate().all(|(offset, question)| row(question, offset)));
        assert_eq!(rows.iter().collect::<HashSet<_>>().len(), 500);
    }

    #[tokio::test]
    async fn a_trace_with_a_question_that_is_not_there_ends_the_run_before_anything_is_asked() {
        let stage = Stage::new();
        let [known, unknown] = [dataset::question_id("a", ""), dataset::question_id("d", "")];
        let trace = stage.folder.path().join("trace.csv");
        std::fs::write(&trace, format!("time,question_id\n0,{known}\n0,{unknown}\n")).unwrap();
        let follow = format!("--traffic-distribution=trace={}", trace.display());
        let problem = stage.attempt(&[&follow], &CancellationToken::new()).await.unwrap_err();
        let (record, rows) = stage.record();
        assert_eq!((record["state"].as_str(), rows.len()), (Some("failed"), 0));
        assert_eq!(record["problem"], problem.to_string());
        let named = format!("the question {unknown} that line 3 of the trace names");
        assert!(problem.to_string().contains(&named), "{problem}");
    }

    #[tokio::test]
    async fn a_stopped_run_has_everything_that_was_asked_on_record() {
        let (stage, shutdown) = (Stage::new(), CancellationToken::new());
        let arguments = [
            "--traffic-total=10000",
            "--traffic-rate=100",
            "--traffic-distribution=constant",
        ];
        let events = stage.folder.path().join("r/events.csv");
        let stop = async {
            while std::fs::read_to_string(&events).map_or(0, |text| text.lines().count()) < 10 {
                sleep(Duration::from_millis(20)).await;
            }
            shutdown.cancel();
        };
        let ((record, rows), ()) = tokio::join!(stage.run(&arguments, &shutdown), stop);
        assert_eq!(
            (&record["state"], &record["unacknowledged"]),
            (&"interrupted".into(), &0.into())
        );
        assert!((9..5000).contains(&rows.len()), "{} rows", rows.len());
        assert_eq!(record["asked"], rows.len());
        assert_eq!(stage.asked(rows.len()).len(), rows.len());
    }

    #[tokio::test]
    async fn a_schedule_that_cannot_be_kept_is_on_record() {
        let stage = Stage::new();
        stage
            .brokers
            .broker_round_trip_time(1, Duration::from_millis(1))
            .unwrap();
        let arguments = [
            "--traffic-total=100000",
            "--traffic-rate=1000000",
            "--traffic-distribution=constant",
        ];
        let (record, rows) = stage.run(&arguments, &CancellationToken::new()).await;
        assert_eq!(rows.len(), 100_000);
        assert!(
            record["late"].as_u64() > Some(0) && record["latest_ms"].as_u64() > Some(100),
            "{record}"
        );
    }
}
