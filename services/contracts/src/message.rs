//! Every message that travels between the parts of Cotejo.
//!
//! The JSON Schemas in `contracts/schema/` are generated from this file by `make contracts`.
//! What messages share is written once and flattened: the JSON has no levels but those of
//! `previous`, `history`, `usage` and `spent`. Unknown fields are ignored and every new field
//! must be optional, so that an old consumer survives a new producer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::topic::{MAX_ANSWER_BYTES, MAX_OTHER_ANSWERS, MAX_QUESTION_BYTES};
use crate::value::{self, Id, MAX_WHOLE, Score};

/// Which request a message belongs to; carried through every hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// One question asked once; the outcome is stored under it.
    pub message_id: Id,
    /// Ties together the log lines of every part about this request.
    pub trace_id: Id,
    /// One question of the dataset: a stable hash of its normalised text.
    pub question_id: Id,
    /// When the arrival process meant the question to be asked; latency counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The earlier request that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<Id>,
    /// The run of the generator that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Id>,
    /// What the question is about: the dataset's class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

/// A question with the answers that people gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// The question in one line.
    pub title: String,
    /// What the asker added; may be empty.
    pub content: String,
    /// The answer a person gave: the reference that answers are scored against. No real model is ever shown it.
    pub best_answer: String,
    /// Further references, as good as `best_answer`: the best match counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_empty")]
    #[schemars(length(max = MAX_OTHER_ANSWERS))]
    pub other_answers: Vec<String>,
}

impl Question {
    /// What is asked, in one text: this is what a scorer is given.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}", self.title, self.content)
    }

    /// All references, `best_answer` first.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.best_answer.as_str()).chain(self.other_answers.iter().map(String::as_str))
    }

    /// Whether two questions have the same references, so that a score for one holds for the other.
    #[must_use]
    pub fn has_references_of(&self, other: &Self) -> bool {
        self.references().eq(other.references())
    }

    /// Checks what a schema cannot: sizes in bytes.
    ///
    /// # Errors
    /// What is too large, how large it is, and what is allowed.
    pub fn check_size(&self) -> Result<(), String> {
        check_other_answers(&self.other_answers)?;
        let question = self.title.len() + self.content.len();
        let references = self.references().map(str::len).sum();
        for (what, bytes, most) in [
            ("the question", question, MAX_QUESTION_BYTES),
            (
                if self.other_answers.is_empty() {
                    "best_answer"
                } else {
                    "best_answer with other_answers"
                },
                references,
                MAX_ANSWER_BYTES,
            ),
        ] {
            if bytes > most {
                return Err(format!(
                    "too_large: {what} has {bytes} bytes, {most} at most are allowed"
                ));
            }
        }
        Ok(())
    }
}

/// Checks how many further references there are: very many short ones would fill what keeps them.
///
/// # Errors
/// How many there are, and how many are allowed.
pub fn check_other_answers(other_answers: &[String]) -> Result<(), String> {
    let others = other_answers.len();
    if others > MAX_OTHER_ANSWERS {
        return Err(format!(
            "too_large: other_answers has {others} texts, {MAX_OTHER_ANSWERS} at most are allowed"
        ));
    }
    Ok(())
}

/// Reads a list that may be null, as optional fields may.
fn null_is_empty<'de, D: serde::Deserializer<'de>>(list: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(list).map(Option::unwrap_or_default)
}

/// A question as it is asked, on `questions_in`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuestionMessage {
    /// Which request this is.
    #[serde(flatten)]
    pub identity: Identity,
    /// The question and its references.
    #[serde(flatten)]
    pub question: Question,
    /// Where the question came from, such as the name of the dataset.
    pub source: String,
    /// When this message was made.
    pub created_at: Timestamp,
    /// Always 0: no model has been asked yet.
    pub attempts: u32,
}

/// A question for the model, on `llm_requests`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LlmRequest {
    /// The request this attempt belongs to.
    #[serde(flatten)]
    pub identity: Identity,
    /// The question and its references.
    #[serde(flatten)]
    pub question: Question,
    /// For the record only: llm-consumer renders what it sends by itself.
    pub prompt: String,
    /// Which attempt this is, from 1.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// When this message was made.
    pub created_at: Timestamp,
    /// The best earlier attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousAttempt>,
    /// All that the request has cost so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
}

/// A model's answer, on `llm_responses`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LlmResponse {
    /// The request this attempt belongs to.
    #[serde(flatten)]
    pub identity: Identity,
    /// The question and its references.
    #[serde(flatten)]
    pub question: Question,
    /// What the model answered, and how.
    #[serde(flatten)]
    pub answer: Answer,
    /// What the model was sent.
    pub prompt: String,
    /// How long the model took, retries included, in milliseconds.
    pub latency_ms: u32,
    /// Which attempt this is, from 1.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// When this message was made.
    pub produced_at: Timestamp,
    /// The best earlier attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousAttempt>,
    /// All that the request has cost so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
}

/// What a model answered, and how: what an outcome repeats of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// What the model answered.
    pub llm_answer: String,
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
    /// Hash of the settings that change an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
    /// What the model wrote to itself before it answered (`<think>…</think>`); no part of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<String>,
}

impl Answer {
    /// The `finish_reason` of an answer that ended because it was too long for the limit that was set.
    pub const CUT_OFF: &str = "length";

    /// Whether the model was stopped in the middle of what it had to say.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.finish_reason.as_deref() == Some(Self::CUT_OFF)
    }

    /// An answer of which no more is known than its text.
    #[must_use]
    pub fn of_text(llm_answer: String) -> Self {
        Self {
            llm_answer,
            model: None,
            usage: None,
            calls: None,
            finish_reason: None,
            prompt_version: None,
            settings: None,
            thinking: None,
        }
    }
}

/// An answer that scored too low and should be asked for again, on `regeneration_requests`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegenerationRequest {
    /// The request this attempt belongs to.
    #[serde(flatten)]
    pub identity: Identity,
    /// The question and its references.
    #[serde(flatten)]
    pub question: Question,
    /// What the model was sent.
    pub prompt: String,
    /// The attempt that just failed, from 1; the next one is this plus 1.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// The best attempt so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousAttempt>,
    /// All that the request has cost so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
}

/// The outcome of a request that has an answer, on `validated_responses`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValidatedResponse {
    /// The request this is the outcome of.
    #[serde(flatten)]
    pub identity: Identity,
    /// The question and its references.
    #[serde(flatten)]
    pub question: Question,
    /// The answer that was kept: the accepted one, or the best of those that failed.
    #[serde(flatten)]
    pub answer: Answer,
    /// The probability that a person would accept `llm_answer`, by the scorer.
    pub score: Score,
    /// Whether the score reached the threshold, and the answer was not cut off.
    pub accepted: bool,
    /// Where the answer came from.
    pub source: Source,
    /// How many times the model was asked; 0 where it was not.
    pub attempts: u32,
    /// When the verdict fell.
    pub decided_at: Timestamp,
    /// The verdict; where it is missing, `accepted` tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The SCORE_THRESHOLD of the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Score>,
    /// Hash of the scoring artefact that gave the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scorer: Option<String>,
    /// What the score was made of, by name; what is missing is 0.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "value::named_numbers"
    )]
    #[schemars(extend("propertyNames" = { "pattern": value::NAME_PATTERN }))]
    pub signals: Option<BTreeMap<String, f64>>,
    /// Whether the scorer often errs with scores such as this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// Every attempt of this request, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<ScoredAttempt>>,
    /// All that the request has cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
}

/// The outcome of a request that the model could not answer, on `llm_errors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorMessage {
    /// The request this is the outcome of.
    #[serde(flatten)]
    pub identity: Identity,
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
    /// The question in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the asker added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The reference answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_answer: Option<String>,
    /// Further references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_answers: Option<Vec<String>>,
    /// Requests really sent to the model's server for this attempt, retries included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// The model that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Hash of the settings that change an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
    /// The best earlier attempt, kept beside the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousAttempt>,
    /// All that the request has cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
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
    /// Hash of the scoring artefact that gave the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scorer: Option<String>,
    /// Why the model stopped then, as its server said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
}

impl PreviousAttempt {
    /// Whether the model was stopped in the middle of what it had to say.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.finish_reason.as_deref() == Some(Answer::CUT_OFF)
    }
}

/// One line of a request's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScoredAttempt {
    /// Which attempt, from 1.
    pub attempts: u32,
    /// What it scored.
    pub score: Score,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Hash of the scoring artefact that gave the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scorer: Option<String>,
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

/// All that a request has cost, failed attempts included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spent {
    /// Over all models.
    #[serde(flatten)]
    pub cost: Cost,
    /// Whether some of it is an estimate, because a server did not say what it used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// The same for each model; the simulated one, which costs nothing, is not in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_model: Vec<ModelCost>,
}

impl Spent {
    /// Adds what one attempt cost.
    pub fn add(&mut self, cost: &Cost) {
        self.cost.add(cost);
    }

    /// Adds what one attempt at a real model cost.
    pub fn add_for(&mut self, model: &str, cost: &Cost) {
        self.add(cost);
        match self.by_model.iter_mut().find(|entry| entry.model == model) {
            Some(entry) => entry.cost.add(cost),
            None => self.by_model.push(ModelCost {
                model: model.to_owned(),
                cost: *cost,
            }),
        }
    }
}

/// What calls to one model cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelCost {
    /// The model, by the name that it is asked for.
    pub model: String,
    /// What it cost.
    #[serde(flatten)]
    pub cost: Cost,
}

/// What calls to a model cost; whole numbers, so that sums are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// Requests really sent to the model's server.
    pub calls: u32,
    /// Tokens sent.
    #[serde(deserialize_with = "value::whole")]
    #[schemars(range(max = MAX_WHOLE))]
    pub input_tokens: u64,
    /// Tokens received.
    #[serde(deserialize_with = "value::whole")]
    #[schemars(range(max = MAX_WHOLE))]
    pub output_tokens: u64,
    /// Price, in billionths of a US dollar.
    #[serde(deserialize_with = "value::whole")]
    #[schemars(range(max = MAX_WHOLE))]
    pub nanodollars: u64,
}

impl Cost {
    fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        for (sum, more) in [
            (&mut self.input_tokens, other.input_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.nanodollars, other.nanodollars),
        ] {
            *sum = sum.saturating_add(more).min(MAX_WHOLE);
        }
    }
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

/// How a request ended.
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

impl Verdict {
    /// The verdict on an answer.
    #[must_use]
    pub fn on(accepted: bool) -> Self {
        if accepted { Self::Accepted } else { Self::Exhausted }
    }
}

/// How far a verdict can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// The scorer seldom errs with such a score.
    Sure,
    /// The score lies where the scorer errs often: a person should look.
    Unsure,
}

impl Confidence {
    /// How far to rely on a score.
    #[must_use]
    pub fn on(unsure: bool) -> Self {
        if unsure { Self::Unsure } else { Self::Sure }
    }
}
