//! What the index holds of an outcome.

use contracts::message::{Confidence, Source, Verdict};
use messaging::result_document::ResultDocument;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::packed::{Record, packed_cost};
use super::query::ONE;

/// Bits of a key below the time: two outcomes of the same millisecond seldom share them.
const HASH_BITS: u32 = 21;
/// The last millisecond that has keys, in the year 2109.
pub const LATEST: i64 = (1 << (63 - HASH_BITS)) - 2;
/// How much of a text a list shows, in characters.
const SHOWN: usize = 160;

/// An outcome as the index has it, with the texts whose words it searches.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub key: i64,
    pub message_id: String,
    pub question_id: String,
    pub answer_id: Option<String>,
    pub run: Option<String>,
    pub subject: Option<String>,
    pub verdict: String,
    pub source: Option<String>,
    pub error: Option<String>,
    pub model: Option<String>,
    pub settings: Option<String>,
    pub scorer: Option<String>,
    pub threshold: Option<f64>,
    pub attempts: u32,
    pub score: Option<f64>,
    pub unsure: bool,
    pub latency: Option<i64>,
    pub cost: Option<i64>,
    /// Sent, and received.
    pub tokens: Option<(i64, i64)>,
    pub decided_at: i64,
    pub question: String,
    pub reference: String,
    pub answer: String,
}

impl Row {
    /// The row of an outcome.
    pub fn of(outcome: ResultDocument) -> Self {
        let decided_at = outcome.decided_at.timestamp_millis();
        let id = outcome.id.to_string();
        let (title, content) = (outcome.title.unwrap_or_default(), outcome.content.unwrap_or_default());
        let references: Vec<String> = outcome.best_answer.into_iter().chain(outcome.other_answers).collect();
        let answer_id = outcome
            .llm_answer
            .as_deref()
            .map(|answer| answer_id(outcome.question_id.as_str(), answer));
        let facts = outcome.facts;
        let spent = facts.spent.map(|spent| spent.cost);
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            key: key(decided_at, &id),
            message_id: id,
            question_id: outcome.question_id.to_string(),
            answer_id,
            run: outcome.run.map(|run| run.to_string()),
            subject: outcome.topic,
            verdict: name(&facts.verdict),
            source: facts.source.as_ref().map(name::<Source>),
            error: outcome.error.map(|error| error.kind),
            model: outcome.model,
            settings: outcome.settings,
            scorer: outcome.scorer,
            threshold: outcome.threshold.map(f64::from),
            attempts: facts.attempts,
            score: facts.score.map(f64::from),
            unsure: facts.confidence == Some(Confidence::Unsure),
            latency: facts.latency_ms,
            cost: spent.map(|spent| whole(spent.nanodollars)),
            tokens: spent.map(|spent| (whole(spent.input_tokens), whole(spent.output_tokens))),
            decided_at,
            question: if content.is_empty() {
                title
            } else {
                format!("{title}\n{content}")
            },
            reference: references.join("\n"),
            answer: outcome.llm_answer.unwrap_or_default(),
        }
    }

    /// Everything in which words are searched.
    pub fn texts(&self) -> String {
        let texts = [&self.question, &self.reference, &self.answer].map(String::as_str);
        if texts.iter().all(|text| text.is_empty()) {
            String::new()
        } else {
            texts.join("\n")
        }
    }

    /// The same outcome, without its texts.
    pub fn forgotten(self) -> Self {
        Self {
            answer_id: None,
            question: String::new(),
            reference: String::new(),
            answer: String::new(),
            ..self
        }
    }

    /// What lists filter and sort by.
    pub fn record(&self, key: i64, facet: u32) -> Record {
        Record {
            key,
            answer: self.answer_id.as_deref().map_or(0, answer_number),
            facet,
            score: self.score.map(|score| (score * f64::from(ONE)).round() as u32),
            latency: self
                .latency
                .map(|latency| u32::try_from(latency).unwrap_or(u32::MAX - 1)),
            cost: self.cost.map(packed_cost),
        }
    }

    /// The beginning of the question, as a list shows it.
    pub fn title(&self) -> String {
        beginning(&self.question)
    }

    /// The beginning of the answer.
    pub fn shown_answer(&self) -> String {
        beginning(&self.answer)
    }
}

/// Orders outcomes by time; the same for the same outcome whenever it is read.
pub fn key(decided_at: i64, message_id: &str) -> i64 {
    let hash = Sha256::digest(message_id.as_bytes());
    let hash = i64::from(u32::from_be_bytes([0, hash[0], hash[1], hash[2]]) >> (24 - HASH_BITS));
    first_key(decided_at.min(LATEST)) | hash
}

/// The smallest key of what was decided in a millisecond. Messages may claim any time.
pub fn first_key(decided_at: i64) -> i64 {
    decided_at.clamp(0, LATEST + 1) << HASH_BITS
}

/// Names a distinct answer to a question, as `make label` does (`calibration/cases.py`).
pub fn answer_id(question_id: &str, answer: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(question_id.as_bytes());
    hash.update([0]);
    hash.update(answer.as_bytes());
    let mut digits = String::with_capacity(32);
    for byte in hash.finalize().iter().take(16) {
        digits.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
    }
    digits
}

/// As much of an [`answer_id`] as tells answers apart; never 0.
pub fn answer_number(answer_id: &str) -> i64 {
    let digits = answer_id.get(..15).unwrap_or_default();
    i64::from_str_radix(digits, 16).unwrap_or_default().max(1)
}

/// The name that messages give a variant.
pub fn name<T: Serialize>(variant: &T) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// The opposite of [`name`] for verdicts.
pub fn verdict(name: &str) -> Option<Verdict> {
    serde_json::from_value(name.into()).ok()
}

/// The opposite of [`name`] for sources.
pub fn source(name: &str) -> Option<Source> {
    serde_json::from_value(name.into()).ok()
}

fn beginning(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_time() {
        let ids = ["a", "b", "c"];
        let mut keys: Vec<i64> = (1_700_000_000_000..1_700_000_000_010)
            .flat_map(|time| ids.map(|id| key(time, id)))
            .collect();
        assert_eq!(key(1_700_000_000_000, "a"), keys[0]);
        keys.dedup();
        assert_eq!(keys.len(), 30);
        for (time, chunk) in (1_700_000_000_000..).zip(keys.chunks(3)) {
            assert!(
                chunk
                    .iter()
                    .all(|&key| (first_key(time)..first_key(time + 1)).contains(&key))
            );
        }
    }

    #[test]
    fn an_answer_has_the_name_that_make_label_gives_it() {
        // By calibration.cases.answer_id({"question_id": "q1", "llm_answer": "Because of the sea."}).
        assert_eq!(
            answer_id("q1", "Because of the sea."),
            "a8d1a4a038c7c4a5d4e31c4ad6da9f68"
        );
    }

    #[test]
    fn a_list_shows_the_beginning_of_a_long_text() {
        assert_eq!(beginning("two\n  words "), "two words");
        assert_eq!(beginning(&"ñ".repeat(500)).chars().count(), SHOWN + 1);
    }
}
