//! A metrics document: a tally, and which records are counted in it.

use messaging::input::Origin;
use mongodb::bson::{Bson, DateTime, Document, doc, serialize_to_bson};
use serde::{Deserialize, Serialize};

use crate::recount::Counted;
use crate::tally::Tally;
use crate::watermark::Watermarks;
use messaging::result_document::{ResultDocument, StoredOrigin};

/// A document of the collection `metrics`: of everything, or of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsDocument {
    #[serde(rename = "_id")]
    pub id: String,
    /// The run; nothing in the document of everything, and in that of the runs that have none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The sum over all results that are counted.
    #[serde(flatten)]
    pub tally: Tally,
    /// When the first result was stored.
    pub began_at: DateTime,
    pub updated_at: DateTime,
    /// Which records are counted.
    pub watermarks: Watermarks,
}

/// What one batch adds, and the state of the document to which it may be added.
#[derive(Debug, Clone)]
pub struct Advance {
    /// Matches the document only while no other batch of these partitions was counted since.
    pub guard: Document,
    /// The update that counts the batch.
    pub update: Document,
}

impl MetricsDocument {
    /// The `_id` of the document of everything.
    pub const GLOBAL: &str = "global";

    /// A document that counts nothing yet.
    pub fn empty(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            run: None,
            tally: Tally::default(),
            began_at: DateTime::now(),
            updated_at: DateTime::now(),
            watermarks: Watermarks::default(),
        }
    }

    /// Whether the record that a result was made from is counted.
    pub fn counts(&self, result: &ResultDocument) -> bool {
        self.watermarks.have(&result.origin)
    }

    /// Whether a record of this epoch comes after what is counted of its partition.
    pub fn goes_on_with(&self, epoch: &str, place: &Origin) -> bool {
        let (place, epoch) = (place.clone(), epoch.to_owned());
        self.watermarks.go_on_with(&StoredOrigin { place, epoch })
    }

    /// Adds one result to the tally, and nothing to the watermarks.
    pub fn add(&mut self, result: &Counted) {
        if self.tally.decided == 0 {
            (self.began_at, self.updated_at) = (result.stored_at, result.stored_at);
        }
        self.tally.add(&result.facts);
        self.began_at = self.began_at.min(result.stored_at);
        self.updated_at = self.updated_at.max(result.stored_at);
    }

    /// What counting `batch` takes; `None` when nothing of it is left to count.
    ///
    /// `is_counted` tells, for each result, whether it adds to the tally: the stored document was made from that very
    /// record, and it belongs here. Any other only moves the watermark.
    ///
    /// # Errors
    /// Never in practice: everything is plain data.
    pub fn advance(&self, batch: &[ResultDocument], is_counted: &[bool]) -> anyhow::Result<Option<Advance>> {
        let left = batch
            .iter()
            .zip(is_counted)
            .filter(|(result, _)| !self.watermarks.have(&result.origin));
        let moved = self.watermarks.moved(left.clone().map(|(result, _)| &result.origin));
        if moved.is_empty() {
            return Ok(None);
        }
        let mut tally = Tally::default();
        left.filter(|(_, is_counted)| **is_counted)
            .for_each(|(result, _)| tally.add(&result.facts));
        let spent = self.tally.spent.change(&tally.spent, "spent.")?;
        let mut guard = doc! { "_id": &self.id };
        if spent.changes_models() {
            // What is told apart depends on all the models there are.
            guard.extend(self.unchanged());
        }
        guard.extend(spent.known);
        let mut set = doc! { "updated_at": DateTime::now() };
        for (path, (before, after)) in moved {
            guard.insert(&path, before.map_or(Ok(Bson::Null), serialize_to_bson)?);
            set.insert(path, serialize_to_bson(&after)?);
        }
        set.extend(spent.names);
        let mut increments = tally.increments()?;
        increments.extend(spent.increments);
        let operators = [("$set", set), ("$inc", increments), ("$unset", spent.removed)];
        let update = operators
            .into_iter()
            .filter(|(_, fields)| !fields.is_empty())
            .map(|(operator, fields)| (operator.to_owned(), fields.into()))
            .collect();
        Ok(Some(Advance { guard, update }))
    }

    /// Matches the document only while nothing was counted since.
    pub fn unchanged(&self) -> Document {
        doc! { "_id": &self.id, "updated_at": self.updated_at, "decided": self.tally.decided }
    }
}

#[cfg(test)]
mod tests;
