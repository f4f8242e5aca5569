//! The loop, against librdkafka's own mock cluster.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at what it did not expect"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use contracts::message::{ErrorMessage, LlmRequest};
use contracts::topic::{DEAD_LETTERS, Message as _, topics};
use messaging::client::KafkaConfig;
use messaging::handler::{BatchHandler, Failure, Handler};
use messaging::input::Received;
use messaging::lease::Lease;
use messaging::pace::Pace;
use messaging::producer::{Outgoing, Producer};
use messaging::worker::Worker;
use rdkafka::bindings::rd_kafka_resp_err_t as RDKafkaRespErr;
use rdkafka::consumer::{BaseConsumer, Consumer as _, StreamConsumer};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(30);

struct Kafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
    config: KafkaConfig,
    producer: Producer,
}

impl Kafka {
    fn start() -> Self {
        Self::with_partitions(1)
    }

    fn with_partitions(partitions: i32) -> Self {
        #[derive(Parser)]
        struct Settings {
            #[command(flatten)]
            kafka: KafkaConfig,
        }
        let cluster = MockCluster::new(1).unwrap();
        for topic in topics() {
            cluster.create_topic(topic.name, partitions, 1).unwrap();
        }
        cluster.create_topic(DEAD_LETTERS, 1, 1).unwrap();
        let mut config = Settings::parse_from(["test"]).kafka;
        config.kafka_bootstrap_servers = cluster.bootstrap_servers();
        let producer = Producer::new(&config).unwrap();
        Self {
            cluster,
            config,
            producer,
        }
    }

    async fn ask(&self, ids: std::ops::Range<usize>) {
        for id in ids {
            self.producer.send(&Outgoing::new(&request(id))).await.unwrap();
        }
    }

    fn worker(&self) -> Worker {
        Worker::new("test", "group", &self.config).unwrap()
    }

    /// The offset that the group would resume from: the next record to read.
    fn committed(&self) -> i64 {
        let consumer: BaseConsumer = self.config.consumer("group").create().unwrap();
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition(LlmRequest::TOPIC, 0);
        let committed = consumer.committed_offsets(partitions, PATIENCE).unwrap();
        match committed.elements()[0].offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        }
    }
}

fn request(id: usize) -> LlmRequest {
    serde_json::from_value(serde_json::json!({
        "message_id": format!("m{id}"), "trace_id": "t", "question_id": format!("q{id}"), "title": "Why?", "content": "",
        "prompt": "", "best_answer": "Because.", "attempts": 1, "created_at": "2026-01-01T00:00:00Z",
    }))
    .unwrap()
}

fn number(request: &LlmRequest) -> usize {
    request.identity.message_id.as_str()[1..].parse().unwrap()
}

/// Finishes each record when the test opens its gate, and tells which have been started and finished.
#[derive(Clone)]
struct Gated {
    gates: Arc<Vec<Semaphore>>,
    started: Arc<Mutex<Vec<usize>>>,
    finished: Arc<Mutex<Vec<usize>>>,
}

impl Gated {
    fn new(count: usize) -> Self {
        let gates = Arc::new((0..count).map(|_| Semaphore::new(0)).collect());
        Self {
            gates,
            started: Arc::default(),
            finished: Arc::default(),
        }
    }

    fn open(&self, id: usize) {
        self.gates[id].add_permits(1000);
    }

    async fn until_started(&self, count: usize) {
        until(|| self.started.lock().unwrap().len() >= count).await;
    }

    async fn until_finished(&self, count: usize) {
        until(|| self.finished.lock().unwrap().len() >= count).await;
    }
}

impl Handler for Gated {
    type Input = LlmRequest;

    async fn handle(&self, request: LlmRequest, _: &Lease) -> Result<Vec<Outgoing>, Failure> {
        let id = number(&request);
        self.started.lock().unwrap().push(id);
        self.gates[id].acquire().await.unwrap().forget();
        self.finished.lock().unwrap().push(id);
        Ok(vec![])
    }
}

async fn until(condition: impl Fn() -> bool) {
    let poll = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, poll).await.expect("it should have happened by now");
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_stored_in_order_although_handlers_finish_out_of_order() {
    let kafka = Kafka::start();
    kafka.ask(0..4).await;
    let (handler, stop) = (Gated::new(4), CancellationToken::new());
    let worker = tokio::spawn(kafka.worker().run_each(handler.clone(), 100, stop.clone()));
    handler.until_started(4).await;
    for id in [3, 1, 2] {
        handler.open(id);
    }
    handler.until_finished(3).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(kafka.committed(), 0, "record 0 is not done, so nothing may be stored");
    handler.open(0);
    handler.until_finished(4).await;
    stop.cancel();
    worker.await.unwrap().unwrap();
    assert_eq!(kafka.committed(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slow_record_does_not_hold_up_the_others() {
    let kafka = Kafka::start();
    kafka.ask(0..50).await;
    let (handler, stop) = (Gated::new(50), CancellationToken::new());
    (1..50).for_each(|id| handler.open(id));
    let worker = tokio::spawn(kafka.worker().run_each(handler.clone(), 100, stop.clone()));
    handler.until_finished(49).await;
    assert!(!handler.finished.lock().unwrap().contains(&0));
    handler.open(0);
    handler.until_finished(50).await;
    stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_window_takes_no_more_and_keeps_its_membership() {
    let kafka = Kafka::start();
    kafka.ask(0..40).await;
    let (handler, stop) = (Gated::new(40), CancellationToken::new());
    let worker = tokio::spawn(kafka.worker().run_each(handler.clone(), 8, stop.clone()));
    handler.until_started(8).await;
    // Longer than the session: a member that had stopped polling would be thrown out.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(
        handler.started.lock().unwrap().len() < 20,
        "the window is full, the rest must wait"
    );
    (0..40).for_each(|id| handler.open(id));
    handler.until_finished(40).await;
    stop.cancel();
    worker.await.unwrap().unwrap();
    let mut started = handler.started.lock().unwrap().clone();
    started.sort_unstable();
    assert_eq!(
        started,
        (0..40).collect::<Vec<_>>(),
        "no record was handled twice: it never left the group"
    );
    assert_eq!(kafka.committed(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_work_in_flight_end_and_a_successor_goes_on_from_there() {
    let kafka = Kafka::start();
    kafka.ask(0..6).await;
    let (handler, stop) = (Gated::new(12), CancellationToken::new());
    let worker = tokio::spawn(kafka.worker().run_each(handler.clone(), 6, stop.clone()));
    handler.until_started(6).await;
    stop.cancel();
    (0..12).for_each(|id| handler.open(id));
    worker.await.unwrap().unwrap();
    assert_eq!(kafka.committed(), 6);

    kafka.ask(6..12).await;
    let stop = CancellationToken::new();
    let successor = tokio::spawn(kafka.worker().run_each(handler.clone(), 6, stop.clone()));
    handler.until_finished(12).await;
    stop.cancel();
    successor.await.unwrap().unwrap();
    assert_eq!(handler.started.lock().unwrap().len(), 12, "nothing was handled twice");
}

struct FailsAt(usize);

impl Handler for FailsAt {
    type Input = LlmRequest;

    async fn handle(&self, request: LlmRequest, _: &Lease) -> Result<Vec<Outgoing>, Failure> {
        if number(&request) == self.0 {
            Err(Failure::Fatal(anyhow::anyhow!("broken")))
        } else {
            Ok(vec![])
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_stored_for_what_failed() {
    let kafka = Kafka::start();
    kafka.ask(0..5).await;
    let outcome = timeout(
        PATIENCE,
        kafka.worker().run_each(FailsAt(2), 100, CancellationToken::new()),
    )
    .await
    .unwrap();
    assert!(outcome.unwrap_err().to_string().contains("broken"));
    assert!(kafka.committed() <= 2);
}

#[derive(Clone, Default)]
struct Rejects(Arc<Mutex<usize>>);

impl Handler for Rejects {
    type Input = LlmRequest;

    async fn handle(&self, request: LlmRequest, _: &Lease) -> Result<Vec<Outgoing>, Failure> {
        *self.0.lock().unwrap() += 1;
        if number(&request) == 0 {
            Err(Failure::Reject("too_large: test".into()))
        } else {
            Ok(vec![])
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_handled_becomes_a_dead_letter_with_its_bytes_and_origin() {
    let kafka = Kafka::start();
    let poison = Outgoing {
        topic: LlmRequest::TOPIC,
        key: Some(b"k".to_vec()),
        value: Some(b"{\xff".to_vec()),
        headers: None,
    };
    kafka.producer.send(&poison).await.unwrap();
    kafka
        .producer
        .send(&Outgoing {
            value: None,
            ..poison.clone()
        })
        .await
        .unwrap();
    kafka.ask(0..2).await;
    // The error quotes the value, which alone nearly fills a record.
    let large = format!(r#"{{"message_id":"m","attempts":"{}"}}"#, "x".repeat(4_000_000)).into_bytes();
    let quoted = Outgoing {
        value: Some(large.clone()),
        ..poison.clone()
    };
    kafka.producer.send(&quoted).await.unwrap();
    let (handler, stop) = (Rejects::default(), CancellationToken::new());
    let worker = tokio::spawn(kafka.worker().run_each(handler.clone(), 100, stop.clone()));

    let reader: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", &kafka.config.kafka_bootstrap_servers)
        .set("group.id", "reader")
        .create()
        .unwrap();
    let mut dead_letters = TopicPartitionList::new();
    dead_letters
        .add_partition_offset(DEAD_LETTERS, 0, Offset::Beginning)
        .unwrap();
    reader.assign(&dead_letters).unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let letter = timeout(PATIENCE, reader.recv()).await.unwrap().unwrap().detach();
        let headers = letter.headers().unwrap();
        let header = |key| {
            headers
                .iter()
                .find(|h| h.key == key)
                .and_then(|h| h.value)
                .map(String::from_utf8_lossy)
                .unwrap()
        };
        assert_eq!(
            (&*header("service"), &*header("topic"), &*header("partition")),
            ("test", LlmRequest::TOPIC, "0")
        );
        let reason = header("reason").split(':').next().unwrap().to_owned();
        seen.push((
            header("offset").parse::<i64>().unwrap(),
            reason,
            letter.payload().map(<[u8]>::to_vec),
        ));
    }
    seen.sort();
    assert_eq!(seen[0], (0, "not_utf8".into(), Some(b"{\xff".to_vec())));
    assert_eq!(seen[1], (1, "tombstone".into(), None));
    assert_eq!((seen[2].0, &*seen[2].1), (2, "too_large"));
    assert_eq!(seen[3], (4, "schema".into(), Some(large)));
    until(|| *handler.0.lock().unwrap() == 2).await;
    stop.cancel();
    worker.await.unwrap().unwrap();
    assert_eq!(kafka.committed(), 5, "dead letters are acknowledged");
}

#[derive(Clone, Default)]
struct Batches(Arc<Mutex<Vec<Vec<i64>>>>);

impl BatchHandler for Batches {
    type Input = LlmRequest;

    async fn handle(&self, batch: Vec<Received<LlmRequest>>) -> anyhow::Result<()> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.0
            .lock()
            .unwrap()
            .push(batch.iter().map(|received| received.origin.offset).collect());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_in_order_bounded_and_one_at_a_time() {
    let kafka = Kafka::start();
    kafka.ask(0..50).await;
    let (handler, stop) = (Batches::default(), CancellationToken::new());
    let pace = Pace::batches(20, Duration::from_millis(5));
    let worker = tokio::spawn(kafka.worker().run_batches(handler.clone(), pace, stop.clone()));
    until(|| handler.0.lock().unwrap().iter().map(Vec::len).sum::<usize>() == 50).await;
    stop.cancel();
    worker.await.unwrap().unwrap();
    let batches = handler.0.lock().unwrap().clone();
    assert!(batches.iter().all(|batch| batch.len() <= 20));
    assert!(
        batches.len() <= 10,
        "records that are ready are handled together: {batches:?}"
    );
    assert_eq!(batches.concat(), (0..50).collect::<Vec<_>>());
    assert_eq!(kafka.committed(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lands_on_the_partition_where_javas_clients_put_it() {
    // Computed with Kafka's own Utils.toPositive(Utils.murmur2(key)) % 3 for these keys.
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(ErrorMessage::TOPIC, 3, 1).unwrap();
    let mut config = Kafka::start().config;
    config.kafka_bootstrap_servers = cluster.bootstrap_servers();
    let producer = Producer::new(&config).unwrap();
    for (key, partition) in [("kafka", 1), ("cotejo", 0), ("question", 2)] {
        let record = Outgoing {
            topic: ErrorMessage::TOPIC,
            key: Some(key.into()),
            value: Some(vec![1]),
            headers: None,
        };
        assert_eq!(producer.send(&record).await.unwrap().partition, partition, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_lost_while_it_is_paused_is_read_when_it_comes_back() {
    let kafka = Kafka::with_partitions(2);
    kafka.ask(0..200).await;
    let (stays, leaves) = (Gated::new(200), Gated::new(200));
    let (stop_first, stop_second) = (CancellationToken::new(), CancellationToken::new());
    let first = tokio::spawn(kafka.worker().run_each(stays.clone(), 8, stop_first.clone()));
    stays.until_started(8).await;
    // A full window pauses after a second.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let second = tokio::spawn(kafka.worker().run_each(leaves.clone(), 8, stop_second.clone()));
    leaves.until_started(1).await;
    (0..200).for_each(|id| stays.open(id));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(stays.finished.lock().unwrap().len() < 200, "the other has its part");
    stop_second.cancel();
    second.await.unwrap().unwrap();
    stays.until_finished(200).await;
    stop_first.cancel();
    first.await.unwrap().unwrap();
}

/// Holds every record until its lease ends, and then gives it back.
#[derive(Clone, Default)]
struct Holds {
    begun: Arc<Mutex<usize>>,
    given_back: Arc<Mutex<usize>>,
}

impl Handler for Holds {
    type Input = LlmRequest;

    async fn handle(&self, _: LlmRequest, lease: &Lease) -> Result<Vec<Outgoing>, Failure> {
        *self.begun.lock().unwrap() += 1;
        let given_back = lease.during(std::future::pending::<Vec<Outgoing>>()).await;
        *self.given_back.lock().unwrap() += 1;
        given_back
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_when_its_partition_goes_to_another_member_or_its_service_stops() {
    let kafka = Kafka::with_partitions(2);
    kafka.ask(0..20).await;
    let (first, second) = (Holds::default(), Holds::default());
    let (stop_first, stop_second) = (CancellationToken::new(), CancellationToken::new());
    let running = tokio::spawn(kafka.worker().run_each(first.clone(), 100, stop_first.clone()));
    until(|| *first.begun.lock().unwrap() == 20).await;
    let joining = tokio::spawn(kafka.worker().run_each(second.clone(), 100, stop_second.clone()));
    until(|| *second.begun.lock().unwrap() > 0).await;
    until(|| *first.given_back.lock().unwrap() > 0).await;
    stop_first.cancel();
    timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
    assert_eq!(*first.begun.lock().unwrap(), *first.given_back.lock().unwrap());
    stop_second.cancel();
    timeout(PATIENCE, joining).await.unwrap().unwrap().unwrap();
    assert_eq!(kafka.committed(), 0, "what was given back is not finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_a_broker_did_not_know_for_a_moment_is_written_again_soon() {
    let kafka = Kafka::start();
    kafka.ask(0..1).await;
    // One that has just been made may well be unknown, and is not given up: this one is older than that.
    tokio::time::sleep(Duration::from_secs(31)).await;
    let says = |error| kafka.cluster.topic_error(LlmRequest::TOPIC, error).unwrap();
    says(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    let topics = timeout(
        Duration::from_millis(100),
        kafka.producer.wait_for_topics(&[LlmRequest::TOPIC]),
    );
    assert!(topics.await.is_err(), "the producer heard that there is no such topic");
    says(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
    timeout(Duration::from_secs(15), kafka.ask(1..2))
        .await
        .expect("it asked again");
}
