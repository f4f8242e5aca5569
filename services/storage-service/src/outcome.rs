//! The document that is kept of an outcome, in the collection `results`.

use contracts::message::{ErrorMessage, PreviousAttempt, ScoredAttempt, Source, Usage, ValidatedResponse, Verdict};
use contracts::value::{Id, Score};
use jiff::Timestamp;
use messaging::input::{Origin, Outcome, Received};
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};

/// One outcome; `_id` is the asking's message_id, so there is never a second one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResultDocument {
    #[serde(rename = "_id")]
    pub id: Id,
    pub question_id: Id,
    pub trace_id: Id,
    #[serde(flatten)]
    pub facts: Facts,
    pub accepted: bool,
    pub history: Vec<ScoredAttempt>,
    pub title: Option<String>,
    pub content: Option<String>,
    pub llm_answer: Option<String>,
    pub best_answer: Option<String>,
    pub asked_at: Option<DateTime>,
    pub decided_at: DateTime,
    pub stored_at: DateTime,
    pub model: Option<String>,
    pub calls: Option<u32>,
    pub finish_reason: Option<String>,
    pub prompt_version: Option<String>,
    pub threshold: Option<Score>,
    pub scorer: Option<String>,
    pub error: Option<ErrorDetail>,
    /// Beside an error: the best attempt before it.
    pub previous: Option<PreviousAttempt>,
    pub retry_of: Option<Id>,
    pub origin: StoredOrigin,
}

/// What the metrics are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub verdict: Verdict,
    pub source: Option<Source>,
    pub score: Option<Score>,
    pub attempts: u32,
    /// From when the question was meant to be asked to the verdict.
    pub latency_ms: Option<i64>,
    pub usage: Option<Usage>,
}

/// What the model's failure was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorDetail {
    #[serde(rename = "type")]
    pub kind: String,
    pub detail: String,
}

/// Where the outcome was read, and in which epoch of the topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredOrigin {
    #[serde(flatten)]
    pub place: Origin,
    pub epoch: String,
}

impl ResultDocument {
    /// The document for an outcome that was read in `epoch`.
    pub fn new(received: Received<Outcome>, epoch: &str) -> Self {
        let origin = StoredOrigin {
            place: received.origin,
            epoch: epoch.to_owned(),
        };
        match received.input {
            Outcome::Validated(message) => Self::validated(*message, origin),
            Outcome::Error(message) => Self::error(*message, origin),
        }
    }

    fn validated(message: ValidatedResponse, origin: StoredOrigin) -> Self {
        let by_acceptance = if message.accepted {
            Verdict::Accepted
        } else {
            Verdict::Exhausted
        };
        Self {
            id: message.message_id,
            question_id: message.question_id,
            trace_id: message.trace_id,
            facts: Facts {
                verdict: message.verdict.unwrap_or(by_acceptance),
                source: Some(message.source),
                score: Some(message.score),
                attempts: message.attempts,
                latency_ms: latency_ms(message.asked_at, message.decided_at),
                usage: message.usage,
            },
            accepted: message.accepted,
            history: message.history.unwrap_or_default(),
            title: Some(message.title),
            content: Some(message.content),
            llm_answer: Some(message.llm_answer),
            best_answer: Some(message.best_answer),
            asked_at: message.asked_at.map(date),
            decided_at: date(message.decided_at),
            stored_at: DateTime::now(),
            model: message.model,
            calls: message.calls,
            finish_reason: message.finish_reason,
            prompt_version: message.prompt_version,
            threshold: message.threshold,
            scorer: message.scorer,
            error: None,
            previous: None,
            retry_of: message.retry_of,
            origin,
        }
    }

    fn error(message: ErrorMessage, origin: StoredOrigin) -> Self {
        Self {
            id: message.message_id,
            question_id: message.question_id,
            trace_id: message.trace_id,
            facts: Facts {
                verdict: Verdict::Error,
                source: None,
                score: None,
                attempts: message.attempts,
                latency_ms: latency_ms(message.asked_at, message.produced_at),
                usage: None,
            },
            accepted: false,
            history: message.previous.iter().map(in_history).collect(),
            title: message.title,
            content: message.content,
            llm_answer: None,
            best_answer: message.best_answer,
            asked_at: message.asked_at.map(date),
            decided_at: date(message.produced_at),
            stored_at: DateTime::now(),
            model: None,
            calls: message.calls,
            finish_reason: None,
            prompt_version: None,
            threshold: None,
            scorer: None,
            error: Some(ErrorDetail {
                kind: message.error_type,
                detail: message.error_detail,
            }),
            previous: message.previous,
            retry_of: message.retry_of,
            origin,
        }
    }
}

fn in_history(attempt: &PreviousAttempt) -> ScoredAttempt {
    ScoredAttempt {
        attempts: attempt.attempts,
        score: attempt.score,
        model: None,
    }
}

fn date(timestamp: Timestamp) -> DateTime {
    DateTime::from_millis(timestamp.as_millisecond())
}

/// Clocks of two machines may disagree; a latency below 0 would only confuse.
fn latency_ms(asked_at: Option<Timestamp>, decided_at: Timestamp) -> Option<i64> {
    Some((decided_at.as_millisecond() - asked_at?.as_millisecond()).max(0))
}
