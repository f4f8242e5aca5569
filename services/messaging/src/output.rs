//! What a worker writes: the messages that follow from a record, or its dead letter.

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::{BoxFuture, try_join_all};
use metrics::counter;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message as _, OwnedMessage};
use tracing::warn;

use crate::dead_letter::dead_letter;
use crate::producer::{Outgoing, Producer};
use contracts::topic::MAX_RECORD_BYTES;

/// The longest reason: a schema error quotes the record, which may be large.
const MAX_REASON_CHARS: usize = 1000;
/// The longest key of a dead letter; what is beyond is cut off.
const MAX_KEY_BYTES: usize = 64 << 10;

/// Whether the brokers do not take a record of that size.
pub(crate) fn is_too_large(error: &anyhow::Error) -> bool {
    let code = error.downcast_ref().and_then(KafkaError::rdkafka_error_code);
    matches!(
        code,
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize)
    )
}

/// A service's way out.
#[derive(Clone)]
pub(crate) struct Output {
    pub(crate) service: &'static str,
    pub(crate) producer: Producer,
}

impl Output {
    /// Writes all records and waits for their delivery.
    pub(crate) fn produce<'a>(&'a self, outgoing: &'a [Outgoing]) -> BoxFuture<'a, anyhow::Result<()>> {
        let sent = try_join_all(outgoing.iter().map(|record| self.producer.send(record)));
        sent.map(|delivered| delivered.map(drop).context("producing")).boxed()
    }

    /// Writes a record that can never be handled to the dead letters.
    pub(crate) async fn dead_letter(&self, record: &OwnedMessage, reason: &str) -> anyhow::Result<()> {
        let reason: &str = &reason.chars().take(MAX_REASON_CHARS).collect::<String>();
        warn!(
            topic = record.topic(),
            partition = record.partition(),
            offset = record.offset(),
            reason,
            "dead letter"
        );
        let kind = reason.split(':').next().unwrap_or_default().to_owned();
        counter!("dead_letters_total", "topic" => record.topic().to_owned(), "reason" => kind).increment(1);
        let mut letter = dead_letter(record, self.service, reason);
        // A compressed batch can hold a record that no topic would take by itself.
        for (part, most) in [(&mut letter.key, MAX_KEY_BYTES), (&mut letter.value, MAX_RECORD_BYTES)] {
            if let Some(bytes) = part {
                bytes.truncate(most);
            }
        }
        self.produce(&[letter]).await
    }
}
