//! Records on their way to Kafka, and the news that they are there.
//!
//! rdkafka's own `FutureProducer` looks for news ten times a second, and spins through the last millisecond of each look:
//! a hundredth of a core for every producer, also at rest.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, ProducerContext};
use tokio::sync::oneshot::{Sender, channel};
use tokio::time::sleep;

use crate::client::LogContext;
use crate::producer::Outgoing;

/// How long one look for news takes if there are none.
const LOOK: Duration = Duration::from_secs(5);
/// How long a record waits for room before it asks again.
const FULL: Duration = Duration::from_millis(100);

/// Where a record landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

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

/// A producer whose news are waited for by a thread of its own, until its last owner has dropped it.
pub fn producer(config: &ClientConfig) -> anyhow::Result<Arc<BaseProducer<LogContext>>> {
    let producer: Arc<BaseProducer<LogContext>> = Arc::new(config.create_with_context(LogContext)?);
    let listening = Arc::clone(&producer);
    let listen = move || {
        while Arc::strong_count(&listening) > 1 {
            listening.poll(LOOK);
        }
    };
    thread::Builder::new().name("deliveries".to_owned()).spawn(listen)?;
    Ok(producer)
}

/// Writes a record to a topic, once, and waits for the news of it.
pub async fn deliver(
    producer: &BaseProducer<LogContext>,
    topic: &str,
    outgoing: &Outgoing,
) -> Result<Delivery, KafkaError> {
    let (waiting, landed) = channel();
    let mut record = BaseRecord::with_opaque_to(topic, Box::new(waiting));
    record.key = outgoing.key.as_deref();
    record.payload = outgoing.value.as_deref();
    record.headers.clone_from(&outgoing.headers);
    loop {
        record = match producer.send(record) {
            Ok(()) => return landed.await.unwrap_or(Err(KafkaError::Canceled)),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => record,
            Err((error, _)) => return Err(error),
        };
        sleep(FULL).await;
    }
}
