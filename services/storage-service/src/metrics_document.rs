//! The metrics document: a tally and how far each partition is counted in it.

use std::collections::{BTreeMap, HashMap};

use messaging::input::Origin;
use mongodb::bson::{Bson, DateTime, Document, doc};
use serde::{Deserialize, Serialize};

use crate::outcome::{Facts, ResultDocument, StoredOrigin};
use crate::tally::Tally;

/// The one document of the collection `metrics`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MetricsDocument {
    #[serde(rename = "_id")]
    pub id: String,
    /// The sum over all results that are counted.
    #[serde(flatten)]
    pub tally: Tally,
    pub updated_at: DateTime,
    /// Names the topics that the offsets belong to.
    pub epoch: String,
    /// The last offset counted, by partition.
    pub offsets: BTreeMap<String, i64>,
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
    /// The `_id` of the one document.
    pub const ID: &str = "global";

    /// A document that counts nothing yet.
    pub fn empty(epoch: &str, offsets: BTreeMap<String, i64>) -> Self {
        let (id, epoch) = (Self::ID.to_owned(), epoch.to_owned());
        Self {
            id,
            tally: Tally::default(),
            updated_at: DateTime::now(),
            epoch,
            offsets,
        }
    }

    /// A document to recover a lost one in.
    pub fn lost() -> Self {
        Self {
            updated_at: DateTime::MIN,
            ..Self::empty("", BTreeMap::new())
        }
    }

    /// Whether a result stored in `origin` is counted in this document already.
    ///
    /// Results of an earlier epoch always are: an epoch begins with a recount.
    pub fn counts(&self, origin: &StoredOrigin) -> bool {
        origin.epoch != self.epoch || self.has_counted(&origin.place)
    }

    /// Whether a record of this epoch is counted already.
    pub fn has_counted(&self, origin: &Origin) -> bool {
        self.counted(&partition_key(origin)) >= Some(origin.offset)
    }

    fn counted(&self, partition: &str) -> Option<i64> {
        self.offsets.get(partition).copied()
    }

    /// What counting `batch` takes; `None` when nothing of it is left to count.
    ///
    /// `is_ours` tells, for each result, whether the stored document was made from that very
    /// record; a repeat only moves the watermark.
    ///
    /// # Errors
    /// Never in practice: everything is plain data.
    pub fn advance(&self, batch: &[ResultDocument], is_ours: &[bool]) -> anyhow::Result<Option<Advance>> {
        let (tally, watermarks) = self.uncounted(batch, is_ours);
        if watermarks.is_empty() {
            return Ok(None);
        }
        let spent = self.tally.spent.change(&tally.spent, "spent.")?;
        let mut guard = doc! { "_id": Self::ID, "epoch": &self.epoch };
        if spent.changes_models() {
            // What is told apart depends on all the models there are.
            guard.extend(self.unchanged());
        }
        guard.extend(spent.known);
        let mut set = doc! { "updated_at": DateTime::now() };
        for (partition, watermark) in watermarks {
            let path = format!("offsets.{partition}");
            guard.insert(&path, self.counted(&partition).map_or(Bson::Null, Bson::from));
            set.insert(path, watermark);
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

    /// What of a batch is left to count, and how far that reaches in each partition.
    fn uncounted(&self, batch: &[ResultDocument], is_ours: &[bool]) -> (Tally, HashMap<String, i64>) {
        let mut tally = Tally::default();
        let mut watermarks: HashMap<String, i64> = HashMap::new();
        for (result, &is_ours) in batch.iter().zip(is_ours) {
            if self.counts(&result.origin) {
                continue;
            }
            let watermark = watermarks
                .entry(partition_key(&result.origin.place))
                .or_insert(result.origin.place.offset);
            *watermark = (*watermark).max(result.origin.place.offset);
            if is_ours {
                tally.add(&result.facts);
            }
        }
        (tally, watermarks)
    }

    /// Matches the document only while nothing was counted since.
    pub fn unchanged(&self) -> Document {
        doc! { "_id": Self::ID, "epoch": &self.epoch, "updated_at": self.updated_at, "decided": self.tally.decided }
    }

    /// Adds one result that is read because the document was lost, and with it the watermarks:
    /// they are what is stored of the newest epoch.
    pub fn recover(&mut self, facts: &Facts, origin: &StoredOrigin, stored_at: DateTime) {
        self.tally.add(facts);
        if origin.epoch != self.epoch && stored_at >= self.updated_at {
            self.epoch.clone_from(&origin.epoch);
            self.offsets.clear();
        }
        if origin.epoch == self.epoch {
            let watermark = self
                .offsets
                .entry(partition_key(&origin.place))
                .or_insert(origin.place.offset);
            *watermark = (*watermark).max(origin.place.offset);
        }
        self.updated_at = self.updated_at.max(stored_at);
    }

    /// Adds one result that a recount has read.
    pub fn recount(&mut self, facts: &Facts, origin: &StoredOrigin) {
        if self.counts(origin) {
            self.tally.add(facts);
        }
    }
}

fn partition_key(origin: &Origin) -> String {
    format!("{}-{}", origin.topic, origin.partition)
}

#[cfg(test)]
mod tests;
