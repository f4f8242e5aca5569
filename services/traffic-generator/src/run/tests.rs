use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use clap::Parser as _;
use contracts::message::{ErrorMessage, Identity, ValidatedResponse};
use contracts::topic::DEAD_LETTERS;
use contracts::value::Id;
use messaging::producer::Outgoing;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

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
        for topic in [
            QuestionMessage::TOPIC,
            ValidatedResponse::TOPIC,
            ErrorMessage::TOPIC,
            DEAD_LETTERS,
        ] {
            brokers.create_topic(topic, 1, 1).unwrap();
        }
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
        let questions = self.questions();
        let next = || questions.poll(Duration::from_secs(10)).unwrap().unwrap();
        (0..count)
            .map(|_| serde_json::from_slice(next().payload().unwrap()).unwrap())
            .collect()
    }

    /// How many questions a run that goes on has on record.
    fn asked_so_far(&self) -> usize {
        let events = self.folder.path().join("r/events.csv");
        std::fs::read_to_string(events).map_or(0, |text| text.lines().count().saturating_sub(1))
    }

    /// Answers `count` questions, each after some milliseconds, by an outcome of another kind than the one before;
    /// returns the most that waited at once.
    async fn answer(&self, count: usize) -> usize {
        let (questions, servers) = (self.questions(), self.brokers.bootstrap_servers());
        let config = Config::parse_from(["test", &format!("--kafka-bootstrap-servers={servers}")]);
        let producer = Producer::new(&config.common.kafka).unwrap();
        let (mut waiting, mut answered, mut most) = (VecDeque::new(), 0, 0);
        while answered < count {
            while let Some(record) = questions.poll(Duration::ZERO) {
                waiting.push_back((Instant::now(), record.unwrap().payload().unwrap().to_vec()));
            }
            most = most.max(waiting.len());
            sleep(Duration::from_millis(5)).await;
            if waiting
                .front()
                .is_some_and(|(since, _)| since.elapsed() > Duration::from_millis(30))
            {
                let (_, question) = waiting.pop_front().unwrap();
                producer.send(&outcome(answered, question)).await.unwrap();
                answered += 1;
            }
        }
        most
    }

    fn questions(&self) -> BaseConsumer {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", self.brokers.bootstrap_servers());
        let consumer: BaseConsumer = settings.set("group.id", "test").create().unwrap();
        let mut partitions = rdkafka::TopicPartitionList::new();
        partitions
            .add_partition_offset(QuestionMessage::TOPIC, 0, rdkafka::Offset::Beginning)
            .unwrap();
        consumer.assign(&partitions).unwrap();
        consumer
    }
}

/// What comes of a question: a verdict, an error or a dead letter, by turns.
fn outcome(number: usize, question: Vec<u8>) -> Outgoing {
    let asked: Value = serde_json::from_slice(&question).unwrap();
    let with = |more: Value| {
        let mut message = asked.clone();
        let fields = message.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        message
    };
    match number % 3 {
        0 => Outgoing::new(
            &serde_json::from_value::<ValidatedResponse>(with(json!({
                "llm_answer": "a", "score": 0.5, "accepted": false, "source": "llm", "decided_at": now(), "attempts": 3,
            })))
            .unwrap(),
        ),
        1 => Outgoing::new(
            &serde_json::from_value::<ErrorMessage>(with(json!({
                "error_type": "timeout", "error_detail": "", "retry_at": now(), "produced_at": now(), "attempts": 1,
            })))
            .unwrap(),
        ),
        _ => Outgoing {
            topic: DEAD_LETTERS,
            key: None,
            value: Some(question),
            headers: None,
        },
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
    let stop = async {
        while stage.asked_so_far() < 9 {
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

#[tokio::test(flavor = "multi_thread")]
async fn in_a_closed_loop_each_asker_waits_for_its_outcome_and_then_asks_again() {
    let stage = Stage::new();
    let arguments = [
        "--traffic-distribution=closed",
        "--traffic-askers=3",
        "--traffic-total=30",
    ];
    let shutdown = CancellationToken::new();
    let ((record, rows), most) = tokio::join!(stage.run(&arguments, &shutdown), stage.answer(30));
    assert_eq!(
        (&record["state"], record["late"].as_u64()),
        (&"complete".into(), Some(0))
    );
    assert_eq!(record["closed_loop"], json!({ "outcomes": 30, "given_up": 0 }));
    assert_eq!((most, rows.len()), (3, 30));
    assert!(
        stage
            .asked(30)
            .windows(2)
            .all(|pair| pair[0].identity.asked_at <= pair[1].identity.asked_at)
    );
}

#[tokio::test]
async fn an_asker_thinks_before_it_asks_again_and_nobody_asks_after_the_duration() {
    let stage = Stage::new();
    let arguments = [
        "--traffic-distribution=closed",
        "--traffic-askers=1",
        "--traffic-think-time=1h",
        "--traffic-duration=300ms",
    ];
    let shutdown = CancellationToken::new();
    let ((record, rows), most) = tokio::join!(stage.run(&arguments, &shutdown), stage.answer(1));
    assert_eq!(
        (&record["state"], &record["planned"]),
        (&"complete".into(), &Value::Null)
    );
    assert_eq!((most, rows.len()), (1, 1));
}

#[tokio::test]
async fn an_outcome_that_never_comes_is_given_up_and_on_record() {
    let stage = Stage::new();
    let arguments = [
        "--traffic-distribution=closed",
        "--traffic-askers=2",
        "--traffic-total=5",
        "--traffic-outcome-timeout=50ms",
    ];
    let (record, rows) = stage.run(&arguments, &CancellationToken::new()).await;
    assert_eq!((&record["state"], rows.len()), (&"complete".into(), 5));
    assert_eq!(record["closed_loop"], json!({ "outcomes": 0, "given_up": 5 }));
    assert_eq!(
        record["note"],
        "5 questions had no outcome within TRAFFIC_OUTCOME_TIMEOUT=50ms, and their askers went on"
    );
}

#[tokio::test]
async fn a_stop_does_not_wait_for_outcomes() {
    let (stage, shutdown) = (Stage::new(), CancellationToken::new());
    let stop = async {
        while stage.asked_so_far() < 8 {
            sleep(Duration::from_millis(20)).await;
        }
        shutdown.cancel();
    };
    let arguments = ["--traffic-distribution=closed"];
    let ((record, rows), ()) = tokio::join!(stage.run(&arguments, &shutdown), stop);
    assert_eq!((&record["state"], rows.len()), (&"interrupted".into(), 8));
    assert_eq!(record["settings"]["TRAFFIC_ASKERS"], "8");
    assert_eq!(record["closed_loop"], json!({ "outcomes": 0, "given_up": 0 }));
}
