//! Records that can never be handled, kept with their bytes untouched.

use rdkafka::Message as _;
use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};

use crate::producer::Outgoing;
use contracts::topic::DEAD_LETTERS;

/// The dead letter for `record`: same key and value, and headers that tell where it came
/// from (`topic`, `partition`, `offset`, `timestamp` in milliseconds), who gave it up
/// (`service`) and why (`reason`). It is identified by its origin, so a repeat is harmless.
#[must_use]
pub fn dead_letter(record: &OwnedMessage, service: &str, reason: &str) -> Outgoing {
    let timestamp = record.timestamp().to_millis().unwrap_or(-1).to_string();
    let headers = [
        ("reason", reason),
        ("service", service),
        ("topic", record.topic()),
        ("partition", &record.partition().to_string()),
        ("offset", &record.offset().to_string()),
        ("timestamp", &timestamp),
    ]
    .into_iter()
    .fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header {
            key,
            value: Some(value),
        })
    });
    Outgoing {
        topic: DEAD_LETTERS,
        key: record.key().map(<[u8]>::to_vec),
        value: record.payload().map(<[u8]>::to_vec),
        headers: Some(headers),
    }
}
