//! What is known of results that were removed: the collection `expired`, and how results get into it.
//!
//! The metrics are the sum of what expired and of the results that are left. A result is in exactly one of the two, by
//! when it was stored; so it does not matter whether it was removed yet.

use std::collections::HashMap;

use mongodb::bson::{DateTime, Document, doc};
use serde::{Deserialize, Serialize};

use crate::metrics_document::MetricsDocument;
use crate::recount::Counted;
use crate::runs::Runs;
use crate::tally::Tally;
use crate::watermark::{Passed, Watermarks};

/// A document of the collection `expired`: beside each metrics document whose results expired, and with its `_id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpiredDocument {
    /// Results that were stored before this are counted here, all others are not.
    pub before: DateTime,
    /// The sum over them; in the document of everything also which records they were made from.
    #[serde(flatten)]
    pub counted: MetricsDocument,
}

impl ExpiredDocument {
    fn empty(id: &str, run: Option<&str>) -> Self {
        Self {
            before: DateTime::MIN,
            counted: MetricsDocument {
                run: run.map(ToOwned::to_owned),
                ..MetricsDocument::empty(id)
            },
        }
    }
}

/// All of them, by `_id`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expired(HashMap<String, ExpiredDocument>);

impl Expired {
    /// Whether a result is counted in a document; then it is not one of those that are left.
    pub fn has(&self, id: &str, result: &Counted) -> bool {
        self.0
            .get(id)
            .is_some_and(|document| result.stored_at < document.before)
    }

    /// What a document counts.
    pub fn tally(&self, id: &str) -> Tally {
        let found = self.0.get(id).map(|document| document.counted.tally.clone());
        found.unwrap_or_default()
    }

    /// What every document counts.
    pub fn counted(&self) -> impl Iterator<Item = &MetricsDocument> {
        self.0.values().map(|document| &document.counted)
    }

    /// The runs that have a document of their own.
    pub fn runs(&self) -> impl Iterator<Item = &str> {
        self.counted().filter_map(|counted| counted.run.as_deref())
    }

    /// What is counted of the records whose results expired, and of those before them.
    pub fn watermarks(&self) -> Watermarks {
        let everything = self.0.get(MetricsDocument::GLOBAL);
        everything.map_or_else(Watermarks::default, |document| document.counted.watermarks.clone())
    }

    /// Matches a document only while nothing else expired in it; `None` where there is none.
    pub fn guard(&self, id: &str) -> Option<Document> {
        let known = self.0.get(id);
        known.map(|known| doc! { "_id": id, "before": known.before })
    }

    /// Notes that a document was changed.
    pub fn set(&mut self, document: ExpiredDocument) {
        self.0.insert(document.counted.id.clone(), document);
    }
}

impl FromIterator<ExpiredDocument> for Expired {
    fn from_iter<T: IntoIterator<Item = ExpiredDocument>>(documents: T) -> Self {
        let mut all = Self::default();
        documents.into_iter().for_each(|document| all.set(document));
        all
    }
}

/// How one document changes when results expire.
#[derive(Debug, Clone)]
pub struct Change {
    /// Matches the document as it was; `None` where there was none.
    pub guard: Option<Document>,
    /// What takes its place.
    pub after: ExpiredDocument,
}

/// The results that were stored before `end`, as they expire. They may be removed once every change is made.
#[derive(Debug, Clone)]
pub struct Slice {
    end: DateTime,
    runs: Runs,
    /// Which records the metrics count: the document of everything is the last in which a result is counted.
    counted: Watermarks,
    expired: Expired,
    after: HashMap<String, ExpiredDocument>,
    /// The partitions and records that all these results were made from.
    passed: Passed,
    uncounted: Option<DateTime>,
}

impl Slice {
    /// Nothing read yet.
    pub fn new(end: DateTime, runs: Runs, counted: Watermarks, expired: Expired) -> Self {
        Self {
            end,
            runs,
            counted,
            expired,
            after: HashMap::new(),
            passed: Passed::default(),
            uncounted: None,
        }
    }

    /// Adds one result.
    pub fn add(&mut self, result: &Counted) {
        let place = result.run.as_deref().map(|run| self.runs.place_of(run));
        if !self.counted.have(&result.origin) || place == Some(None) {
            let first = self.uncounted.unwrap_or(result.stored_at);
            self.uncounted = Some(first.min(result.stored_at));
            return;
        }
        if let Some(place) = place.flatten() {
            let run = result.run.as_deref().filter(|_| place != Runs::OTHER);
            self.count(&place, run, result);
        }
        if self.count(MetricsDocument::GLOBAL, None, result) {
            self.passed.add(&result.origin);
        }
    }

    /// Whether a result expires in a document only now.
    fn count(&mut self, id: &str, run: Option<&str>, result: &Counted) -> bool {
        if self.expired.has(id, result) {
            return false;
        }
        let before = || self.expired.0.get(id).cloned();
        let document = self
            .after
            .entry(id.to_owned())
            .or_insert_with(|| before().unwrap_or_else(|| ExpiredDocument::empty(id, run)));
        document.counted.add(result);
        true
    }

    /// What has to change.
    ///
    /// # Errors
    /// When the first result was stored that is not counted yet: only what was stored before may expire.
    pub fn finish(self) -> Result<Vec<Change>, DateTime> {
        if let Some(first) = self.uncounted {
            return Err(first);
        }
        let change = |(id, mut after): (String, ExpiredDocument)| {
            after.before = self.end;
            if id == MetricsDocument::GLOBAL {
                self.passed.advance(&mut after.counted.watermarks, &self.counted);
            }
            let guard = self.expired.guard(&id);
            Change { guard, after }
        };
        Ok(self.after.into_iter().map(change).collect())
    }
}
