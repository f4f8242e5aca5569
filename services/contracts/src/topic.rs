//! Every topic, with the message it carries and who writes and reads it.

use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::message::{
    ErrorMessage, Identity, LlmRequest, LlmResponse, QuestionMessage, RegenerationRequest, ValidatedResponse,
};

/// The largest record that a topic takes, in bytes.
pub const MAX_RECORD_BYTES: usize = 4 << 20;
/// The largest record that [`DEAD_LETTERS`] takes: any record of the others, and its headers.
pub const MAX_DEAD_LETTER_BYTES: usize = 5 << 20;
/// The largest question (title and content together), in bytes.
pub const MAX_QUESTION_BYTES: usize = 64 << 10;
/// The largest answer of a model, in bytes; and all references of a question together.
pub const MAX_ANSWER_BYTES: usize = 256 << 10;
/// The most references that a question may have beside `best_answer`.
pub const MAX_OTHER_ANSWERS: usize = 16;

/// A message that has a topic of its own.
pub trait Message: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The topic that carries it.
    const TOPIC: &'static str;

    /// Which request it belongs to. Its question_id is the record key: all messages about one question share a
    /// partition.
    fn identity(&self) -> &Identity;
}

macro_rules! topics {
    ($($message:ident on $topic:literal, written by [$($producer:literal),*], read by [$($consumer:literal),*];)*) => {
        $(impl Message for $message {
            const TOPIC: &'static str = $topic;
            fn identity(&self) -> &Identity { &self.identity }
        })*

        /// Every topic that carries messages, in the order a question meets them.
        #[must_use]
        pub fn topics() -> Vec<TopicInfo> {
            vec![$(TopicInfo {
                name: $topic,
                message: stringify!($message),
                key: "question_id",
                producers: &[$($producer),*],
                consumers: &[$($consumer),*],
                schema: schema_for!($message),
            }),*]
        }
    };
}

topics! {
    QuestionMessage on "questions_in",
        written by ["traffic-generator"], read by ["cache-service"];
    LlmRequest on "llm_requests",
        written by ["cache-service"], read by ["llm-consumer"];
    LlmResponse on "llm_responses",
        written by ["llm-consumer"], read by ["flink_job"];
    RegenerationRequest on "regeneration_requests",
        written by ["flink_job"], read by ["cache-service"];
    ValidatedResponse on "validated_responses",
        written by ["flink_job", "cache-service"], read by ["storage-service", "cache-service", "explorer"];
    ErrorMessage on "llm_errors",
        written by ["llm-consumer"], read by ["storage-service", "cache-service", "flink_job", "explorer"];
}

/// Where records go that can never be handled, their bytes untouched.
pub const DEAD_LETTERS: &str = "dead_letters";

/// What there is to know of a topic; written to `contracts/topics.json`.
#[derive(Debug, Serialize)]
pub struct TopicInfo {
    /// The topic's name.
    pub name: &'static str,
    /// The type of its messages.
    pub message: &'static str,
    /// The field that is the record key.
    pub key: &'static str,
    /// The parts that write to it.
    pub producers: &'static [&'static str],
    /// The parts that read it.
    pub consumers: &'static [&'static str],
    /// The JSON Schema of its messages.
    #[serde(skip)]
    pub schema: Schema,
}
