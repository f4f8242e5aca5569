//! Records on their way to Kafka, and the news that they are there.
//!
//! rdkafka's own `FutureProducer` looks for news ten times a second, and spins through the last millisecond of each look:
//! a hundredth of a core for every producer, also at rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, ProducerContext};
use tokio::sync::oneshot::{Sender, channel};
use tokio::time::sleep;

use crate::client::LogContext;
use crate::producer::{Delivery, Outgoing};

/// How long one look for news takes if there are none; so long, too, may the end of a producer.
const LOOK: Duration = Duration::from_millis(500);
/// How long a record waits for room before it asks again.
const FULL: Duration = Duration::from_millis(50);

/// Who waits for the news of a record.
type Waiting = Sender<Result<Delivery, KafkaError>>;

impl ProducerContext for LogContext {
    type DeliveryOpaque = Box<Waiting>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Box<Waiting>) {
        let landed = match result {
            Ok(record) => Ok(Delivery {
                partition: record.partition(),
                offset: record.offset(),
            }),
            Err((error, _)) => Err(error.clone()),
        };
        // Nobody may wait any more.
        let _ = waiting.send(landed);
    }
}

/// A producer, and the thread that hears of its deliveries.
pub struct Deliveries {
    producer: Arc<BaseProducer<LogContext>>,
    ended: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl Deliveries {
    /// Of a producer with these settings.
    pub fn new(config: &ClientConfig) -> anyhow::Result<Self> {
        let producer: Arc<BaseProducer<LogContext>> = Arc::new(config.create_with_context(LogContext)?);
        let ended = Arc::new(AtomicBool::new(false));
        let listen = {
            let (producer, ended) = (Arc::clone(&producer), Arc::clone(&ended));
            move || {
                while !ended.load(Ordering::Relaxed) {
                    producer.poll(LOOK);
                }
            }
        };
        let listener = Some(Builder::new().name("deliveries".to_owned()).spawn(listen)?);
        Ok(Self {
            producer,
            ended,
            listener,
        })
    }

    /// The producer itself.
    pub fn producer(&self) -> &BaseProducer<LogContext> {
        &self.producer
    }

    /// Writes a record to a topic, once, and waits for the news of it.
    pub async fn deliver(&self, topic: &str, outgoing: &Outgoing) -> Result<Delivery, KafkaError> {
        let (waiting, landed) = channel();
        let mut record = BaseRecord::with_opaque_to(topic, Box::new(waiting));
        record.key = outgoing.key.as_deref();
        record.payload = outgoing.value.as_deref();
        record.headers.clone_from(&outgoing.headers);
        loop {
            record = match self.producer.send(record) {
                Ok(()) => return landed.await.unwrap_or(Err(KafkaError::Canceled)),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => record,
                Err((error, _)) => return Err(error),
            };
            sleep(FULL).await;
        }
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // A listener that panicked has nothing left to say.
        let _ = self.listener.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::DefaultProducerContext;

    use super::*;

    fn record() -> Outgoing {
        Outgoing {
            topic: "records",
            key: Some(b"key".to_vec()),
            value: Some(b"value".to_vec()),
            headers: None,
        }
    }

    fn deliveries(brokers: &str) -> Deliveries {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("queue.buffering.max.messages", "1");
        Deliveries::new(&config).unwrap()
    }

    #[tokio::test]
    async fn records_that_there_is_no_room_for_wait_and_each_is_written_once() {
        let cluster: MockCluster<'_, DefaultProducerContext> = MockCluster::new(1).unwrap();
        cluster.create_topic("records", 1, 1).unwrap();
        let deliveries = deliveries(&cluster.bootstrap_servers());
        let record = record();
        let written = join_all((0..5).map(|_| deliveries.deliver("records", &record))).await;
        let mut offsets: Vec<_> = written.into_iter().map(|landed| landed.unwrap().offset).collect();
        offsets.sort_unstable();
        assert_eq!(offsets, [0, 1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn what_librdkafka_refuses_is_told() {
        let deliveries = deliveries("127.0.0.1:1");
        let large = Outgoing {
            value: Some(vec![b'x'; 2_000_000]),
            ..record()
        };
        let refused = deliveries.deliver("records", &large).await.unwrap_err();
        assert_eq!(
            refused.rdkafka_error_code(),
            Some(RDKafkaErrorCode::MessageSizeTooLarge)
        );
    }
}
