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
        if watermarks.is_empty() {
            return Ok(None);
        }
        let mut guard = doc! { "_id": Self::ID, "epoch": &self.epoch };
        let mut set = doc! { "updated_at": DateTime::now() };
        for (partition, watermark) in watermarks {
            let path = format!("offsets.{partition}");
            guard.insert(&path, self.counted(&partition).map_or(Bson::Null, Bson::from));
            set.insert(path, watermark);
        }
        let mut update = doc! { "$set": set };
        let increments = tally.increments()?;
        if !increments.is_empty() {
            update.insert("$inc", increments);
        }
        Ok(Some(Advance { guard, update }))
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
mod tests {
    use messaging::input::{Outcome, Received};
    use mongodb::bson::{deserialize_from_document, serialize_to_document};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The records of one partition: requests that repeat, with scores and attempts.
    fn log(requests: &[u8]) -> Vec<ResultDocument> {
        let records = requests.iter().enumerate().map(|(offset, request)| {
            let message = json!({
                "message_id": format!("m{request}"), "trace_id": "t", "question_id": "q", "title": "", "content": "",
                "llm_answer": "", "best_answer": "", "score": f64::from(*request) / 255.0, "accepted": request % 2 == 0,
                "source": "llm", "attempts": offset % 3 + 1, "decided_at": "2026-01-01T00:00:01Z",
                "asked_at": "2026-01-01T00:00:00Z", "confidence": if request % 3 == 0 { "unsure" } else { "sure" },
            });
            let origin = Origin {
                topic: "validated_responses".into(),
                partition: 0,
                offset: offset as i64,
            };
            let input = Outcome::Validated(Box::new(serde_json::from_value(message).unwrap()));
            ResultDocument::new(Received { input, origin }, "epoch")
        });
        records.collect()
    }

    /// MongoDB, as far as counting needs it: inserts by `_id`, and one guarded update.
    struct Model {
        results: BTreeMap<String, (Facts, StoredOrigin)>,
        metrics: MetricsDocument,
    }

    impl Model {
        fn insert(&mut self, batch: &[ResultDocument]) -> Vec<bool> {
            let insert = |result: &ResultDocument| {
                let first = (result.facts.clone(), result.origin.clone());
                self.results.entry(result.id.to_string()).or_insert(first).1 == result.origin
            };
            batch.iter().map(insert).collect()
        }

        fn update(&mut self, advance: &Advance) -> bool {
            let stored = serialize_to_document(&self.metrics).unwrap();
            let at = |path: &str| {
                path.split('.').try_fold(Bson::from(stored.clone()), |value, key| {
                    value.as_document()?.get(key).cloned()
                })
            };
            if !advance
                .guard
                .iter()
                .all(|(path, wanted)| at(path).unwrap_or(Bson::Null) == *wanted)
            {
                return false;
            }
            let mut updated = stored.clone();
            for (operator, fields) in &advance.update {
                for (path, operand) in fields.as_document().unwrap() {
                    let (parents, leaf) = path
                        .rsplit_once('.')
                        .map_or((vec![], path.as_str()), |(p, leaf)| (p.split('.').collect(), leaf));
                    let parent = parents
                        .into_iter()
                        .fold(&mut updated, |document, key| document.get_document_mut(key).unwrap());
                    let before = parent.get_i64(leaf).unwrap_or(0);
                    let value = if operator == "$inc" {
                        (before + operand.as_i64().unwrap()).into()
                    } else {
                        operand.clone()
                    };
                    parent.insert(leaf, value);
                }
            }
            self.metrics = deserialize_from_document(updated).unwrap();
            true
        }
    }

    #[test]
    fn a_document_of_0_1_0_counts_on_and_gains_what_is_new() {
        let mut old = serialize_to_document(&MetricsDocument::empty("epoch", BTreeMap::new())).unwrap();
        old.remove("unsure");
        let metrics = deserialize_from_document(old).unwrap();
        let mut model = Model {
            results: BTreeMap::new(),
            metrics,
        };
        let log = log(&[0, 1]);
        let advance = model.metrics.advance(&log, &[true, true]).unwrap().unwrap();
        assert!(model.update(&advance));
        assert_eq!((model.metrics.tally.decided, model.metrics.tally.unsure), (2, 1));
    }

    proptest! {
        /// Consumers crash between inserting and counting, records are read again, and a
        /// consumer that lost its partition goes on with what it had read of the metrics.
        #[test]
        fn every_outcome_is_counted_exactly_once_whatever_is_repeated(
            requests in prop::collection::vec(0_u8..12, 1..40),
            steps in prop::collection::vec((0_usize..40, 1_usize..8, any::<bool>(), any::<bool>()), 0..30),
        ) {
            let log = log(&requests);
            let mut model = Model { results: BTreeMap::new(), metrics: MetricsDocument::empty("epoch", BTreeMap::new()) };
            let mut stale = model.metrics.clone();
            let mut inserted = 0;
            let everything = [(0, log.len(), false, false)];
            for (start, length, crashes, is_stale) in steps.into_iter().chain(everything) {
                // A consumer never skips: it begins at or before what was handled so far.
                let start = start.min(model.metrics.offsets.values().max().map_or(0, |&last| last as usize + 1)).min(inserted);
                let batch = &log[start..(start + length).min(log.len())];
                let is_ours = model.insert(batch);
                inserted = inserted.max(start + batch.len());
                if crashes {
                    continue;
                }
                let mut known = if is_stale { stale.clone() } else { model.metrics.clone() };
                stale = model.metrics.clone();
                while let Some(advance) = known.advance(batch, &is_ours).unwrap() {
                    if model.update(&advance) {
                        break;
                    }
                    known = model.metrics.clone();
                }
            }
            let mut expected = Tally::default();
            model.results.values().for_each(|(facts, _)| expected.add(facts));
            prop_assert_eq!(&model.metrics.tally, &expected);

            let mut recovered = MetricsDocument::lost();
            model.results.values().for_each(|(facts, origin)| recovered.recover(facts, origin, DateTime::now()));
            prop_assert_eq!(&recovered.tally, &expected);
            prop_assert!(recovered.offsets.values().max() <= model.metrics.offsets.values().max());

            let mut recounted = MetricsDocument::empty("epoch", model.metrics.offsets.clone());
            model.results.values().for_each(|(facts, origin)| recounted.recount(facts, origin));
            prop_assert_eq!(recounted.tally, expected);
        }
    }
}
