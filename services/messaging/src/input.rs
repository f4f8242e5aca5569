//! From a record's bytes to a message, or to the reason why it can never be one.

use rdkafka::Message as _;
use rdkafka::message::OwnedMessage;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use crate::message::{ErrorMessage, ValidatedResponse};
use crate::topic::{MAX_RECORD_BYTES, Message};
use crate::value::Id;

/// What a consumer reads: one [`Message`], or a choice of several by topic.
pub trait Input: Sized + Send + 'static {
    /// The topics to subscribe to.
    fn topics() -> Vec<&'static str>;

    /// Reads a record's value.
    ///
    /// # Errors
    /// The reason for which the record can never be handled.
    fn decode(topic: &str, value: Option<&[u8]>) -> Result<Self, String>;

    /// The asking's trace, for the log lines about it.
    fn trace_id(&self) -> &Id;
}

impl<M: Message> Input for M {
    fn topics() -> Vec<&'static str> {
        vec![M::TOPIC]
    }

    fn decode(_topic: &str, value: Option<&[u8]>) -> Result<Self, String> {
        decode(value)
    }

    fn trace_id(&self) -> &Id {
        Message::trace_id(self)
    }
}

/// How an asking ended: what `validated_responses` and `llm_errors` carry.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It has an answer.
    Validated(Box<ValidatedResponse>),
    /// The model could not answer.
    Error(Box<ErrorMessage>),
}

impl Input for Outcome {
    fn topics() -> Vec<&'static str> {
        vec![ValidatedResponse::TOPIC, ErrorMessage::TOPIC]
    }

    fn decode(topic: &str, value: Option<&[u8]>) -> Result<Self, String> {
        if topic == ErrorMessage::TOPIC {
            decode(value).map(|message| Self::Error(Box::new(message)))
        } else {
            decode(value).map(|message| Self::Validated(Box::new(message)))
        }
    }

    fn trace_id(&self) -> &Id {
        match self {
            Self::Validated(message) => &message.trace_id,
            Self::Error(message) => &message.trace_id,
        }
    }
}

/// Reads one message from a record's value.
///
/// # Errors
/// The reason, beginning with a word that programs may compare: `tombstone`, `empty`,
/// `too_large`, `not_utf8`, `not_json` or `schema`.
pub fn decode<M: Message>(value: Option<&[u8]>) -> Result<M, String> {
    let bytes = value.ok_or("tombstone")?;
    if bytes.is_empty() {
        return Err("empty".into());
    }
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(format!(
            "too_large: {} bytes, {MAX_RECORD_BYTES} at most are allowed",
            bytes.len()
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| format!("not_utf8: {error}"))?;
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => format!("schema: {error}"),
        Category::Syntax | Category::Eof | Category::Io => format!("not_json: {error}"),
    })
}

/// Where a record lies; no two records ever share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

impl From<&OwnedMessage> for Origin {
    fn from(record: &OwnedMessage) -> Self {
        Self {
            topic: record.topic().to_owned(),
            partition: record.partition(),
            offset: record.offset(),
        }
    }
}

/// A message with its origin.
#[derive(Debug, Clone)]
pub struct Received<I> {
    /// The message.
    pub input: I,
    /// Where it was read.
    pub origin: Origin,
}
