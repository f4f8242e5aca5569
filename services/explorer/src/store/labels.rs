//! What people say of answers, in the collection `labels` that `make label` writes as well (`calibration/store.py`).

use std::collections::{BTreeMap, HashSet};

use contracts::message::Verdict;
use contracts::value::Score;
use messaging::result_document::ResultDocument;
use mongodb::bson::{DateTime, Document, doc};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::index::row::{answer_id, name};
use crate::judging::{question, references};

/// How a labelled answer was come upon. What was drawn at random and judged blindly stands for all answers; anything
/// else only fits (`calibration/labels.py`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Chosen {
    /// Drawn at random, the verdict hidden.
    Random,
    /// Drawn among those of which the judge is unsure, the verdict hidden.
    Unsure,
    /// Looked at with its verdict.
    Seen,
}

/// An answer that was judged, with all that a person needs to judge it, too.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Names the distinct answer.
    pub id: String,
    /// The question, as it is shown and stored.
    pub question: String,
    /// Answers that people gave.
    pub references: Vec<String>,
    /// The answer.
    pub answer: String,
    pub score: Score,
    /// The outcome that has it.
    pub outcome: ResultDocument,
}

/// A label as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelDocument {
    #[serde(rename = "_id")]
    pub id: String,
    pub question: String,
    pub references: Vec<String>,
    pub answer: String,
    pub score: f64,
    pub signals: Option<BTreeMap<String, f64>>,
    pub scorer: Option<String>,
    /// What the person says.
    pub accepted: bool,
    pub chosen: Chosen,
    /// Whether the verdict had been seen before.
    pub revised: bool,
    pub message_id: String,
    pub labelled_at: DateTime,
}

impl Case {
    /// The case of an outcome that has its texts and a score.
    pub fn of(outcome: ResultDocument) -> Option<Self> {
        let score = outcome.facts.score?;
        let (question, answer) = (question(&outcome)?, outcome.llm_answer.clone()?);
        let references: Vec<String> = references(&outcome).map(str::to_owned).collect();
        (!references.is_empty()).then(|| Self {
            id: answer_id(outcome.question_id.as_str(), &answer),
            question: stripped(&question).to_owned(),
            references,
            answer,
            score,
            outcome,
        })
    }

    fn label(&self, chosen: Chosen, accepted: bool, revised: bool) -> LabelDocument {
        LabelDocument {
            id: label_id(&self.id, chosen),
            question: self.question.clone(),
            references: self.references.clone(),
            answer: self.answer.clone(),
            score: self.score.get(),
            signals: self.outcome.signals.clone(),
            scorer: self.outcome.scorer.clone(),
            accepted,
            chosen,
            revised,
            message_id: self.outcome.id.to_string(),
            labelled_at: DateTime::now(),
        }
    }

    /// Whether the judge accepted it.
    pub fn is_accepted(&self) -> bool {
        self.outcome.facts.verdict == Verdict::Accepted
    }
}

impl Store {
    /// Stores what a person says of a case, and says it once however often it is said. It is `revised` where the verdict
    /// had been seen before: in this sitting, or for any other label of the answer.
    ///
    /// # Errors
    /// See [`StoreError`]; then nothing is stored.
    pub async fn save_label(
        &self,
        case: &Case,
        chosen: Chosen,
        accepted: bool,
        was_seen: bool,
    ) -> Result<(), StoreError> {
        let known = self.labels_of(&case.id).await?;
        if known
            .iter()
            .any(|label| label.chosen == chosen && label.accepted == accepted)
        {
            return Ok(());
        }
        let revised = chosen == Chosen::Seen || was_seen || !known.is_empty();
        let label = case.label(chosen, accepted, revised);
        let wanted = doc! { "_id": &label.id };
        self.within_patience(self.labels.replace_one(wanted, &label, true))
            .await?;
        // Whoever forgets it clears the outcome first, and then the labels: one of the two is seen.
        let still_there = self.result(&label.message_id).await?;
        if still_there.and_then(Case::of).is_some() {
            return Ok(());
        }
        self.remove_label(&case.id, chosen).await?;
        Err(StoreError::Forgotten)
    }

    /// Takes a label back, of an answer by its name or the beginning of it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn remove_label(&self, answer: &str, chosen: Chosen) -> Result<(), StoreError> {
        let wanted = doc! { "_id": names(answer), "chosen": name(&chosen) };
        self.within_patience(self.labels.delete_one(wanted)).await.map(drop)
    }

    /// All labels of an answer, by its name or the beginning of it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn labels_of(&self, answer: &str) -> Result<Vec<LabelDocument>, StoreError> {
        let wanted = doc! { "_id": names(answer) };
        self.within_patience(self.labels.find(wanted).all()).await
    }

    /// Which answers have a label of a draw.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn labelled(&self, chosen: Chosen) -> Result<HashSet<String>, StoreError> {
        let labels = self.labels.of::<Document>();
        let find = labels.find(doc! { "chosen": name(&chosen) });
        let found = self.within_patience(find.projection(doc! { "_id": 1 }).all()).await?;
        let ids = found.iter().filter_map(|label| label.get_str("_id").ok());
        Ok(ids
            .map(|id| id.split(':').next().unwrap_or_default().to_owned())
            .collect())
    }

    /// The first of these outcomes that still has its texts and a score.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn first_case(&self, message_ids: &[String]) -> Result<Option<Case>, StoreError> {
        let find = self.results.find(doc! { "_id": { "$in": message_ids } });
        let mut found = self.within_patience(find.all()).await?;
        found.sort_by_key(|outcome| message_ids.iter().position(|id| id == outcome.id.as_str()));
        Ok(found.into_iter().find_map(Case::of))
    }
}

/// The ids that begin so.
fn names(answer: &str) -> Document {
    doc! { "$gte": answer, "$lt": format!("{answer}~") }
}

fn label_id(answer_id: &str, chosen: Chosen) -> String {
    format!("{answer_id}:{}", name(&chosen))
}

/// Without white space at its ends, as Python's `strip` has it.
fn stripped(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_whitespace() || ('\x1c'..='\x1f').contains(&letter))
}

#[cfg(test)]
mod tests;
