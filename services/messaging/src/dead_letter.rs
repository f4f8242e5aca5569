//! Records that can never be handled, kept with their bytes untouched.

use contracts::message::Identity;
use contracts::topic::DEAD_LETTERS;
use contracts::value::Id;
use rdkafka::Message as _;
use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};
use serde::Deserialize;

use crate::input::Input;
use crate::producer::Outgoing;

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

/// What can still be read of a dead letter: which request it belonged to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter(pub Identity);

impl Input for DeadLetter {
    fn topics() -> Vec<&'static str> {
        vec![DEAD_LETTERS]
    }

    /// Reads no more of the value than it has to: the rest may be what was wrong with it.
    fn decode(_topic: &str, value: Option<&[u8]>) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Request {
            message_id: Id,
            question_id: Id,
        }
        let bytes = value.ok_or("tombstone")?;
        let request: Request = serde_json::from_slice(bytes).map_err(|error| format!("no request: {error}"))?;
        Ok(Self(Identity {
            trace_id: request.message_id.clone(),
            message_id: request.message_id,
            question_id: request.question_id,
            asked_at: None,
            retry_of: None,
            run: None,
            topic: None,
        }))
    }

    fn identity(&self) -> &Identity {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(value: &[u8]) -> Option<(String, String)> {
        let DeadLetter(identity) = DeadLetter::decode(DEAD_LETTERS, Some(value)).ok()?;
        Some((identity.message_id.into(), identity.question_id.into()))
    }

    #[test]
    fn the_request_of_a_dead_letter_is_read_whatever_else_is_wrong_with_it() {
        let named = Some(("m".to_owned(), "q".to_owned()));
        assert_eq!(request(br#"{"question_id":"q","message_id":"m"}"#), named);
        assert_eq!(
            request(br#"{"trace_id":"","message_id":"m","attempts":-1,"question_id":"q"}"#),
            named
        );
        assert_eq!(
            request(b"{\"title\":\"\xff\",\"message_id\":\"m\",\"question_id\":\"q\"}"),
            named
        );
    }

    #[test]
    fn a_dead_letter_that_names_no_request_is_not_read() {
        for value in [&b"{}"[..], b"", b"\xff", br#"{"message_id":"m","question_id":""}"#] {
            assert_eq!(request(value), None);
        }
        assert!(DeadLetter::decode(DEAD_LETTERS, None).is_err());
    }
}
