//! What a consumer reads: messages, with the place where each was read.

use contracts::message::{ErrorMessage, Identity, ValidatedResponse, check_other_answers};
use contracts::record::decode;
use contracts::topic::Message;
use rdkafka::Message as _;
use rdkafka::message::OwnedMessage;
use serde::{Deserialize, Serialize};

/// What a consumer reads: one [`Message`], or a choice of several by topic.
pub trait Input: Sized + Send + 'static {
    /// The topics to subscribe to.
    fn topics() -> Vec<&'static str>;

    /// Reads a record's value.
    ///
    /// # Errors
    /// The reason for which the record can never be handled.
    fn decode(topic: &str, value: Option<&[u8]>) -> Result<Self, String>;

    /// Which request it belongs to, for the log lines about it.
    fn identity(&self) -> &Identity;
}

impl<M: Message> Input for M {
    fn topics() -> Vec<&'static str> {
        vec![M::TOPIC]
    }

    fn decode(_topic: &str, value: Option<&[u8]>) -> Result<Self, String> {
        decode(value)
    }

    fn identity(&self) -> &Identity {
        Message::identity(self)
    }
}

/// How a request ended: what `validated_responses` and `llm_errors` carry.
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
        // It may have a prefix.
        if topic.ends_with(ErrorMessage::TOPIC) {
            let message: ErrorMessage = decode(value)?;
            check_other_answers(message.other_answers.as_deref().unwrap_or_default())?;
            Ok(Self::Error(Box::new(message)))
        } else {
            let message: ValidatedResponse = decode(value)?;
            check_other_answers(&message.question.other_answers)?;
            Ok(Self::Validated(Box::new(message)))
        }
    }

    fn identity(&self) -> &Identity {
        match self {
            Self::Validated(message) => &message.identity,
            Self::Error(message) => &message.identity,
        }
    }
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
