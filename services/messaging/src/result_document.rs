//! The document that is kept of an outcome, in the collection `results`: storage-service writes it, explorer reads it.

use std::collections::BTreeMap;

use contracts::message::{
    Confidence, ErrorMessage, Identity, PreviousAttempt, ScoredAttempt, Source, Spent, Usage, ValidatedResponse,
    Verdict,
};
use contracts::value::{Id, Score};
use jiff::Timestamp;
use mongodb::bson::DateTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::input::{Origin, Outcome, Received};

/// One outcome; `_id` is the request's message_id, so there is never a second one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultDocument {
    /// The request's message_id.
    #[serde(rename = "_id")]
    pub id: Id,
    /// The question of the dataset.
    pub question_id: Id,
    /// Ties together the log lines about the request.
    pub trace_id: Id,
    /// The run of the generator that asked.
    pub run: Option<Id>,
    /// What the question is about: the dataset's class.
    pub topic: Option<String>,
    /// What the metrics are made of.
    #[serde(flatten)]
    pub facts: Facts,
    /// Whether the answer was accepted.
    pub accepted: bool,
    /// Every attempt, in order.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub history: Vec<ScoredAttempt>,
    /// The question in one line; none once it was forgotten.
    pub title: Option<String>,
    /// What the asker added.
    pub content: Option<String>,
    /// The answer that was kept.
    pub llm_answer: Option<String>,
    /// The reference.
    pub best_answer: Option<String>,
    /// Further references.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub other_answers: Vec<String>,
    /// When it was meant to be asked.
    pub asked_at: Option<DateTime>,
    /// When the verdict fell.
    pub decided_at: DateTime,
    /// When this document was written.
    #[serde(skip_deserializing)]
    pub stored_at: WhenWritten,
    /// The model that answered.
    pub model: Option<String>,
    /// Requests sent to the model's server for this attempt.
    pub calls: Option<u32>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// The template that rendered the prompt.
    pub prompt_version: Option<String>,
    /// Hash of the settings that change an answer.
    pub settings: Option<String>,
    /// The threshold of the verdict.
    pub threshold: Option<Score>,
    /// Hash of the scorer.
    pub scorer: Option<String>,
    /// What the score was made of; what is missing is 0.
    pub signals: Option<BTreeMap<String, f64>>,
    /// Left out where there is none: few models think aloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<String>,
    /// The model's failure, where there is no answer.
    pub error: Option<ErrorDetail>,
    /// Beside an error: the best attempt before it.
    pub previous: Option<PreviousAttempt>,
    /// The earlier request that this one repeats.
    pub retry_of: Option<Id>,
    /// When a person had its texts forgotten; storage-service never writes it.
    #[serde(default, skip_serializing)]
    pub forgotten_at: Option<DateTime>,
    /// Where the outcome was read.
    pub origin: StoredOrigin,
}

/// The moment in which a document is written. It may have waited long for its server, and must not be taken for an old
/// one then: what is old was counted long ago, and may be removed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WhenWritten;

impl Serialize for WhenWritten {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DateTime::now().serialize(serializer)
    }
}

/// Reads a list that may be null: earlier versions had none.
fn null_is_empty<'de, T: Deserialize<'de>, D: Deserializer<'de>>(list: D) -> Result<Vec<T>, D::Error> {
    Option::deserialize(list).map(Option::unwrap_or_default)
}

/// What the metrics are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// How the request ended.
    pub verdict: Verdict,
    /// Where the answer came from.
    pub source: Option<Source>,
    /// The score; none where there is no answer.
    pub score: Option<Score>,
    /// How far the verdict can be relied on.
    pub confidence: Option<Confidence>,
    /// How many times the model was asked.
    pub attempts: u32,
    /// From when the question was meant to be asked to the verdict.
    pub latency_ms: Option<i64>,
    /// What the kept attempt consumed.
    pub usage: Option<Usage>,
    /// All that the request has cost; an answer of another request has cost nothing more.
    pub spent: Option<Spent>,
}

/// What the model's failure was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// In a word that a program can compare.
    #[serde(rename = "type")]
    pub kind: String,
    /// For a person.
    pub detail: String,
    /// From when asking again is worth trying.
    pub retry_at: DateTime,
}

/// Where the outcome was read, and in which epoch of the topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredOrigin {
    /// The record.
    #[serde(flatten)]
    pub place: Origin,
    /// Tells topics from later ones of the same names.
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
        let Identity { asked_at, .. } = message.identity;
        let facts = Facts {
            verdict: message.verdict.unwrap_or(Verdict::on(message.accepted)),
            source: Some(message.source),
            score: Some(message.score),
            confidence: message.confidence,
            attempts: message.attempts,
            latency_ms: latency_ms(asked_at, message.decided_at),
            usage: message.answer.usage,
            spent: message.spent,
        };
        Self {
            accepted: message.accepted,
            history: message.history.unwrap_or_default(),
            title: Some(message.question.title),
            content: Some(message.question.content),
            llm_answer: Some(message.answer.llm_answer),
            best_answer: Some(message.question.best_answer),
            other_answers: message.question.other_answers,
            model: message.answer.model,
            calls: message.answer.calls,
            finish_reason: message.answer.finish_reason,
            prompt_version: message.answer.prompt_version,
            settings: message.answer.settings,
            threshold: message.threshold,
            scorer: message.scorer,
            signals: message.signals,
            thinking: message.answer.thinking,
            ..Self::without_texts(message.identity, facts, message.decided_at, origin)
        }
    }

    fn error(message: ErrorMessage, origin: StoredOrigin) -> Self {
        let facts = Facts {
            verdict: Verdict::Error,
            source: None,
            score: None,
            confidence: None,
            attempts: message.attempts,
            latency_ms: latency_ms(message.identity.asked_at, message.produced_at),
            usage: None,
            spent: message.spent,
        };
        Self {
            history: message.previous.iter().map(in_history).collect(),
            title: message.title,
            content: message.content,
            best_answer: message.best_answer,
            other_answers: message.other_answers.unwrap_or_default(),
            model: message.model,
            calls: message.calls,
            settings: message.settings,
            error: Some(ErrorDetail {
                kind: message.error_type,
                detail: message.error_detail,
                retry_at: date(message.retry_at),
            }),
            previous: message.previous,
            ..Self::without_texts(message.identity, facts, message.produced_at, origin)
        }
    }

    /// What every outcome has, and nothing else.
    fn without_texts(identity: Identity, facts: Facts, decided_at: Timestamp, origin: StoredOrigin) -> Self {
        Self {
            id: identity.message_id,
            question_id: identity.question_id,
            trace_id: identity.trace_id,
            run: identity.run,
            topic: identity.topic,
            facts,
            accepted: false,
            history: vec![],
            title: None,
            content: None,
            llm_answer: None,
            best_answer: None,
            other_answers: vec![],
            asked_at: identity.asked_at.map(date),
            decided_at: date(decided_at),
            stored_at: WhenWritten,
            model: None,
            calls: None,
            finish_reason: None,
            prompt_version: None,
            settings: None,
            threshold: None,
            scorer: None,
            signals: None,
            thinking: None,
            error: None,
            previous: None,
            retry_of: identity.retry_of,
            forgotten_at: None,
            origin,
        }
    }
}

fn in_history(attempt: &PreviousAttempt) -> ScoredAttempt {
    ScoredAttempt {
        attempts: attempt.attempts,
        score: attempt.score,
        model: None,
        scorer: attempt.scorer.clone(),
    }
}

fn date(timestamp: Timestamp) -> DateTime {
    DateTime::from_millis(timestamp.as_millisecond())
}

/// Clocks of two machines may disagree; a latency below 0 would only confuse.
fn latency_ms(asked_at: Option<Timestamp>, decided_at: Timestamp) -> Option<i64> {
    Some((decided_at.as_millisecond() - asked_at?.as_millisecond()).max(0))
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Document, deserialize_from_document, doc, serialize_to_document};

    use super::*;

    fn stored(outcome: Outcome) -> Document {
        let origin = Origin {
            topic: "validated_responses".into(),
            partition: 0,
            offset: 0,
        };
        serialize_to_document(&ResultDocument::new(Received { input: outcome, origin }, "epoch")).unwrap()
    }

    /// The fields of a message that its document does not have by the same name.
    fn not_stored(message: &str, document: &Document) -> Vec<String> {
        let fields: BTreeMap<String, serde_json::Value> = serde_json::from_str(message).unwrap();
        let is_stored = |field: &String| document.get(field).is_some_and(|value| value.as_null().is_none());
        fields.into_keys().filter(|field| !is_stored(field)).collect()
    }

    #[test]
    fn every_field_of_an_outcome_is_stored() {
        let example = include_str!("../../../contracts/examples/ValidatedResponse/valid/every_field.json");
        let verdict = stored(Outcome::Validated(serde_json::from_str(example).unwrap()));
        assert_eq!(not_stored(example, &verdict), ["message_id"]);
        let example = include_str!("../../../contracts/examples/ErrorMessage/valid/every_field.json");
        let error = stored(Outcome::Error(serde_json::from_str(example).unwrap()));
        let elsewhere = ["error_detail", "error_type", "message_id", "produced_at", "retry_at"];
        assert_eq!(not_stored(example, &error), elsewhere);
        for document in [&verdict, &error] {
            assert_eq!(document.get_array("other_answers").unwrap().len(), 2);
            assert!(document.get_str("model").is_ok() && document.get_str("settings").is_ok());
            let spent = document.get_document("spent").unwrap();
            assert_eq!(spent.get_i64("nanodollars").unwrap(), 420_000);
            assert!(spent.get_bool("estimated").unwrap());
            let large = spent.get_array("by_model").unwrap()[1].as_document().unwrap();
            assert_eq!(
                (large.get_str("model").unwrap(), large.get_i64("calls").unwrap()),
                ("large", 1)
            );
            let counted: Facts = deserialize_from_document(document.clone()).unwrap();
            assert_eq!(counted.spent.unwrap().by_model.len(), 2);
        }
        assert_eq!(
            verdict.get_document("signals").unwrap().get_f64("cosine").unwrap(),
            0.64
        );
        assert_eq!(verdict.get_str("confidence").unwrap(), "unsure");
        assert!(verdict.get_str("scorer").is_ok() && verdict.get_str("thinking").is_ok());
        assert!(!error.contains_key("thinking"));
        let why = error.get_document("error").unwrap();
        let retry_at = date("2026-03-01T12:01:00Z".parse().unwrap());
        assert_eq!(why.get_datetime("retry_at").unwrap(), &retry_at);
        assert_eq!(why.get_str("type").unwrap(), "rate_limited");
        for document in [verdict, error] {
            let line = document.get_array("history").unwrap()[0].as_document().unwrap();
            assert!(line.get_str("scorer").is_ok());
        }
    }

    #[test]
    fn what_0_1_0_stored_is_counted() {
        let stored = doc! { "verdict": "accepted", "source": "llm", "score": 0.7, "attempts": 1_i64, "latency_ms": 5_i64, "usage": null };
        let facts: Facts = deserialize_from_document(stored).unwrap();
        assert_eq!((facts.confidence, facts.spent), (None, None));
    }
}
