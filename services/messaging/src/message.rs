//! Every message that travels between the parts of Cotejo.
//!
//! The JSON Schemas in `contracts/schema/` and the Python types in
//! `flink_job/messages.py` are generated from this file by `make contracts`.
//! Unknown fields are ignored and every new field must be optional, so that an
//! old consumer survives a new producer.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{Id, Score};

/// A question as it is asked, on `questions_in`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuestionMessage {
    /// One asking of one question; the outcome is stored under it.
    pub message_id: Id,
    /// Ties together the log lines of every part about this asking.
    pub trace_id: Id,
    /// One question of the dataset: a stable hash of its normalised text.
    pub question_id: Id,
    /// The question in one line.
    pub title: String,
    /// What the asker added; may be empty.
    pub content: String,
    /// The answer a person gave; the reference that answers are scored against.
    pub best_answer: String,
    /// Where the question came from, such as the name of the dataset.
    pub source: String,
    /// When this message was made.
    pub created_at: Timestamp,
    /// Always 0: no model has been asked yet.
    pub attempts: u32,
    /// When the arrival process meant the question to be asked; latency counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The earlier asking that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<Id>,
}

/// A question for the model, on `llm_requests`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LlmRequest {
    /// The asking this attempt belongs to.
    pub message_id: Id,
    /// Ties together the log lines of every part about this asking.
    pub trace_id: Id,
    /// The question of the dataset.
    pub question_id: Id,
    /// The question in one line.
    pub title: String,
    /// What the asker added; may be empty.
    pub content: String,
    /// For the record only: llm-consumer renders what it sends by itself.
    pub prompt: String,
    /// The reference answer; no real model is ever shown it.
    pub best_answer: String,
    /// Which attempt this is, from 1.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// When this message was made.
    pub created_at: Timestamp,
    /// When the question was meant to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The best earlier attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousAttempt>,
    /// The earlier asking that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<Id>,
}

/// A model's answer, on `llm_responses`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LlmResponse {
    /// The asking this attempt belongs to.
    pub message_id: Id,
    /// Ties together the log lines of every part about this asking.
    pub trace_id: Id,
    /// The question of the dataset.
    pub question_id: Id,
    /// The question in one line.
    pub title: String,
    /// What the asker added; may be empty.
    pub content: String,
    /// What the model was sent.
    pub prompt: String,
    /// What the model answered.
    pub llm_answer: String,
    /// The reference answer.
    pub best_answer: String,
    /// How long the model took, retries included, in milliseconds.
    pub latency_ms: u32,
    /// Which attempt this is, from 1.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// When this message was made.
    pub produced_at: Timestamp,
    /// When the question was meant to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The model, as its server names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What this attempt consumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Requests really sent to the model's server for this attempt, retries included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// Why the model stopped, as its server says it (`stop`, `length`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// Names the template that rendered the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_version: Option<String>,
    /// The best earlier attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousAttempt>,
    /// The earlier asking that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<Id>,
}

/// An answer that scored too low and should be asked for again, on `regeneration_requests`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegenerationRequest {
    /// The asking this attempt belongs to.
    pub message_id: Id,
    /// Ties together the log lines of every part about this asking.
    pub trace_id: Id,
    /// The question of the dataset.
    pub question_id: Id,
    /// The question in one line.
    pub title: String,
    /// What the asker added; may be empty.
    pub content: String,
    /// What the model was sent.
    pub prompt: String,
    /// The reference answer.
    pub best_answer: String,
    /// The attempt that just failed, from 1; the next one is this plus 1.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// When the question was meant to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The best attempt so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousAttempt>,
    /// The earlier asking that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<Id>,
}

/// The outcome of an asking that has an answer, on `validated_responses`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValidatedResponse {
    /// The asking this is the outcome of.
    pub message_id: Id,
    /// Ties together the log lines of every part about this asking.
    pub trace_id: Id,
    /// The question of the dataset.
    pub question_id: Id,
    /// The question in one line.
    pub title: String,
    /// What the asker added; may be empty.
    pub content: String,
    /// The answer that was kept: the accepted one, or the best of those that failed.
    pub llm_answer: String,
    /// The reference answer.
    pub best_answer: String,
    /// The score of `llm_answer` against `best_answer`.
    pub score: Score,
    /// Whether the score reached the threshold.
    pub accepted: bool,
    /// Where the answer came from.
    pub source: Source,
    /// How many times the model was asked; 0 where it was not.
    pub attempts: u32,
    /// When the verdict fell.
    pub decided_at: Timestamp,
    /// When the question was meant to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The verdict; where it is missing, `accepted` tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The SCORE_THRESHOLD of the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Score>,
    /// Hash of the scoring artefact that gave the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scorer: Option<String>,
    /// The model, as its server names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What the kept attempt consumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Requests really sent to the model's server for the kept attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// Why the model stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// Names the template that rendered the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_version: Option<String>,
    /// Every attempt of this asking, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<ScoredAttempt>>,
    /// The earlier asking that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<Id>,
}

/// The outcome of an asking that the model could not answer, on `llm_errors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorMessage {
    /// The asking this is the outcome of.
    pub message_id: Id,
    /// Ties together the log lines of every part about this asking.
    pub trace_id: Id,
    /// The question of the dataset.
    pub question_id: Id,
    /// What went wrong, in a word a program can compare (`rate_limited`, `timeout`, …).
    pub error_type: String,
    /// What went wrong, for a person.
    pub error_detail: String,
    /// The attempt that failed, from 1.
    pub attempts: u32,
    /// From when asking again is worth trying.
    pub retry_at: Timestamp,
    /// When this message was made.
    pub produced_at: Timestamp,
    /// When the question was meant to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The question in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the asker added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The reference answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_answer: Option<String>,
    /// Requests really sent to the model's server for this attempt, retries included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// The best earlier attempt, kept beside the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousAttempt>,
    /// The earlier asking that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<Id>,
}

/// The best attempt before this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PreviousAttempt {
    /// What the model answered then.
    pub llm_answer: String,
    /// What that answer scored.
    pub score: Score,
    /// Which attempt it was, from 1.
    pub attempts: u32,
}

/// One line of an asking's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScoredAttempt {
    /// Which attempt, from 1.
    pub attempts: u32,
    /// What it scored.
    pub score: Score,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What one attempt consumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens sent.
    pub input_tokens: u32,
    /// Tokens received.
    pub output_tokens: u32,
    /// Price in US dollars, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The model was asked for it.
    Llm,
    /// cache-service had it in memory.
    Cache,
    /// cache-service found it in MongoDB.
    Mongodb,
    /// A twin of the question was in flight and its answer served both.
    Coalesced,
}

/// How an asking ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The score reached the threshold.
    Accepted,
    /// The last allowed attempt failed too; the best one is kept.
    Exhausted,
    /// The model could not answer; no score is invented.
    Error,
}
