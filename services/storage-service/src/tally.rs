//! The numbers of the metrics document, as a sum over outcomes.

use std::collections::BTreeMap;

use contracts::message::{Confidence, Verdict};
use mongodb::bson::{Bson, Document, serialize_to_document};
use serde::{Deserialize, Serialize};

use crate::histogram::{Histogram, latency_bucket, score_bucket};
use crate::spending::Spending;
use messaging::result_document::Facts;

/// Whole numbers only, so that adding in any order gives the same sum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Outcomes.
    pub decided: i64,
    /// Outcomes by verdict.
    pub accepted: i64,
    pub exhausted: i64,
    pub errors: i64,
    /// Outcomes whose score lies where the scorer often errs; documents of 0.1.0 do not have it.
    #[serde(default)]
    pub unsure: i64,
    /// Outcomes by where the answer came from; errors have no source.
    pub by_source: BTreeMap<String, i64>,
    /// Attempts beyond the first.
    pub regenerations: i64,
    /// Outcomes by the number of attempts.
    pub attempts: BTreeMap<String, i64>,
    /// Scores, in millionths.
    pub score: Histogram,
    /// Latencies, in milliseconds.
    pub latency_ms: Histogram,
    /// Tokens of the kept attempts.
    pub tokens: Tokens,
    /// What all attempts have cost; documents of 0.1.0 do not have it.
    #[serde(default)]
    pub spent: Spending,
}

/// Tokens sent to the model and received from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    pub input: i64,
    pub output: i64,
}

impl Tally {
    /// Adds one outcome.
    pub fn add(&mut self, facts: &Facts) {
        self.decided += 1;
        match facts.verdict {
            Verdict::Accepted => self.accepted += 1,
            Verdict::Exhausted => self.exhausted += 1,
            Verdict::Error => self.errors += 1,
        }
        self.unsure += i64::from(facts.confidence == Some(Confidence::Unsure));
        if let Some(Ok(Bson::String(source))) = facts.source.map(|source| mongodb::bson::serialize_to_bson(&source)) {
            *self.by_source.entry(source).or_default() += 1;
        }
        self.regenerations += i64::from(facts.attempts.saturating_sub(1));
        *self.attempts.entry(facts.attempts.to_string()).or_default() += 1;
        if let Some(score) = facts.score {
            self.score.add(score.millionths(), score_bucket(score.millionths()));
        }
        if let Some(latency_ms) = facts.latency_ms {
            self.latency_ms.add(latency_ms, latency_bucket(latency_ms));
        }
        if let Some(usage) = &facts.usage {
            self.tokens.input += i64::from(usage.input_tokens);
            self.tokens.output += i64::from(usage.output_tokens);
        }
        if let Some(spent) = &facts.spent {
            self.spent.add(&spent.into());
        }
    }

    /// The operand of a `$inc` that adds this tally to the stored one, but for what was spent.
    ///
    /// # Errors
    /// Never in practice: the tally is plain data.
    pub fn increments(&self) -> anyhow::Result<Document> {
        let mut increments = Document::new();
        let mut counts = serialize_to_document(self)?;
        counts.remove("spent");
        flatten("", &counts, &mut increments);
        Ok(increments)
    }
}

/// Nested values by dotted path, leaving out what adds nothing.
pub fn flatten(prefix: &str, nested: &Document, into: &mut Document) {
    for (key, value) in nested {
        match value {
            Bson::Document(inner) => flatten(&format!("{prefix}{key}."), inner, into),
            Bson::Int64(0) => {}
            value => {
                into.insert(format!("{prefix}{key}"), value.clone());
            }
        }
    }
}
