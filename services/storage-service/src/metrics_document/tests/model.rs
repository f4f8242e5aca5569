//! What the tests count: records of two partitions, and a database to count them in.

use std::collections::BTreeMap;

use messaging::input::{Origin, Outcome, Received};
use mongodb::bson::{Bson, DateTime, Document, deserialize_from_document, doc, serialize_to_document};
use serde_json::{Value, json};

use crate::expired::{Change, Expired, Slice};
use crate::metrics_document::{Advance, MetricsDocument};
use crate::recount::{Counted, Recount, Recovery};
use crate::runs::Runs;
use crate::tally::Tally;
use messaging::result_document::ResultDocument;

/// The records of one partition: requests that repeat, with scores, attempts and costs.
pub fn log(partition: i32, requests: &[u8]) -> Vec<ResultDocument> {
    let records = requests.iter().enumerate().map(|(offset, request)| {
        let message = json!({
            "message_id": format!("m{request}"), "run": run(*request), "trace_id": "t", "question_id": "q", "title": "", "content": "",
            "llm_answer": "", "best_answer": "", "score": f64::from(*request) / 255.0, "accepted": request % 2 == 0,
            "source": "llm", "attempts": offset % 3 + 1, "decided_at": "2026-01-01T00:00:01Z",
            "asked_at": "2026-01-01T00:00:00Z", "confidence": if request % 3 == 0 { "unsure" } else { "sure" },
            "spent": spent(usize::from(*request), offset),
        });
        let origin = Origin {
            topic: "validated_responses".into(),
            partition,
            offset: offset as i64,
        };
        let input = Outcome::Validated(Box::new(serde_json::from_value(message).unwrap()));
        ResultDocument::new(Received { input, origin }, "epoch")
    });
    records.collect()
}

/// Requests of two runs, and of none.
fn run(request: u8) -> Option<&'static str> {
    ["one", "two"].get(usize::from(request % 3)).copied()
}

/// What a request cost: some cost nothing, and all together have more models than are told apart.
fn spent(request: usize, offset: usize) -> Value {
    if request.is_multiple_of(5) {
        return Value::Null;
    }
    let of = |model: usize| {
        json!({
            "model": format!("$m.{model}"), "calls": model % 2, "input_tokens": model, "output_tokens": offset,
            "nanodollars": model * 1000 + offset,
        })
    };
    let by_model: Vec<Value> = (10 * request..10 * request + 15).map(of).collect();
    json!({
        "calls": 20, "input_tokens": 300 + offset, "output_tokens": 30, "nanodollars": 1_u64 << 40,
        "estimated": offset.is_multiple_of(2), "by_model": by_model,
    })
}

/// MongoDB, as far as counting needs it: inserts by `_id`, and guarded updates.
pub struct Model {
    results: BTreeMap<String, Counted>,
    pub metrics: BTreeMap<String, MetricsDocument>,
    pub expired: Expired,
    /// Every result that was ever stored.
    stored: Vec<(String, Counted)>,
    /// How much of each partition was handled when each of these was stored.
    handled_before: Vec<[usize; 2]>,
    /// How much of each partition was handled.
    pub handled: [usize; 2],
    /// Where each partition begins: Kafka removes what was handled before the results of that time are removed.
    pub begins: [usize; 2],
}

/// What was found out of old results, and is to be done yet.
#[derive(Clone)]
pub struct Expiry {
    until: DateTime,
    changes: Vec<Change>,
}

pub const DOCUMENTS: [(&str, Option<&str>); 3] = [("global", None), ("run:one", Some("one")), ("run:two", Some("two"))];

impl Model {
    pub fn new() -> Self {
        let empty = DOCUMENTS.map(|(id, _)| (id.to_owned(), MetricsDocument::empty(id)));
        Self {
            results: BTreeMap::new(),
            metrics: empty.into(),
            expired: Expired::default(),
            stored: vec![],
            handled_before: vec![],
            handled: [0; 2],
            begins: [0; 2],
        }
    }

    pub fn insert(&mut self, batch: &[ResultDocument]) -> Vec<bool> {
        let insert = |result: &ResultDocument| {
            let id = result.id.to_string();
            if let Some(first) = self.results.get(&id) {
                return first.origin == result.origin;
            }
            let first = Counted {
                facts: result.facts.clone(),
                run: result.run.as_ref().map(ToString::to_string),
                origin: result.origin.clone(),
                // Some have the same.
                stored_at: DateTime::from_millis(self.stored.len() as i64 / 2),
            };
            self.stored.push((id.clone(), first.clone()));
            self.handled_before.push(self.handled);
            self.results.insert(id, first);
            true
        };
        batch.iter().map(insert).collect()
    }

    /// Finds out what expires when the oldest results do, `left` of them excepted.
    pub fn expiry(&self, left: usize) -> Expiry {
        let mut until = DateTime::from_millis((self.stored.len() / 2).saturating_sub(left) as i64);
        loop {
            let counted = self.metrics[MetricsDocument::GLOBAL].watermarks.clone();
            let mut slice = Slice::new(until, runs(), counted, self.expired.clone());
            let old = self.results.values().filter(|result| result.stored_at < until);
            old.for_each(|result| slice.add(result));
            match slice.finish() {
                Ok(changes) => return Expiry { until, changes },
                Err(first) => until = first,
            }
        }
    }

    /// Makes these changes, and removes what expired, unless another replica was faster or this one ends after so many.
    pub fn expire(&mut self, expiry: &Expiry, ends_after: Option<usize>) {
        let changes = expiry.changes.iter().take(ends_after.unwrap_or(usize::MAX));
        for Change { guard, after } in changes {
            if *guard != self.expired.guard(&after.counted.id) {
                return;
            }
            let stored = serialize_to_document(after).unwrap();
            self.expired.set(deserialize_from_document(stored).unwrap());
        }
        if ends_after.is_none() {
            self.results.retain(|_, result| result.stored_at >= expiry.until);
            let stored = self.stored.iter().zip(&self.handled_before);
            for ((_, result), handled) in stored.filter(|((_, result), _)| result.stored_at < expiry.until) {
                let place = &result.origin.place;
                let after = |partition| usize::from(place.partition == partition) * (place.offset as usize + 1);
                self.begins = [0, 1].map(|p| self.begins[p].max(handled[p]).max(after(p as i32)));
            }
        }
    }

    /// Whether a result was ever stored of each of these requests, and of no record two.
    pub fn check_stored(&self, batch: &[ResultDocument]) {
        for result in batch {
            assert!(
                self.stored.iter().any(|(id, _)| *id == result.id.to_string()),
                "{}",
                result.id
            );
        }
        for (index, (_, one)) in self.stored.iter().enumerate() {
            assert!(self.stored[..index].iter().all(|(_, other)| other.origin != one.origin));
        }
    }

    /// Every tally is that of all results, removed or not, and stays so when it is added up anew.
    pub fn check(&self) {
        let mut recount = Recount::new(runs(), self.metrics.values().cloned(), self.expired.clone());
        self.results.values().for_each(|result| recount.add(result));
        let recounted = recount.finish();
        for (id, run) in DOCUMENTS {
            let mut expected = Tally::default();
            let stored = self.stored.iter().map(|(_, result)| result);
            stored
                .filter(|result| run.is_none() || result.run.as_deref() == run)
                .for_each(|result| expected.add(&result.facts));
            assert_eq!(self.metrics[id].tally, expected, "{id}");
            assert_eq!(recounted[id].tally, expected, "{id}, counted anew");
        }
    }

    /// Loses the documents and makes them anew from the results.
    pub fn recover(&mut self) {
        let mut recovery = Recovery::new(Some(runs()), self.expired.clone());
        self.results.values().for_each(|result| recovery.add(result));
        self.metrics = recovery
            .finish()
            .1
            .map(|document| (document.id.clone(), document))
            .collect();
    }

    pub fn count(&mut self, id: &str, mut known: MetricsDocument, batch: &[ResultDocument], is_ours: &[bool]) {
        let run = DOCUMENTS
            .iter()
            .find(|(document, _)| *document == id)
            .and_then(|(_, run)| *run);
        let belongs =
            |result: &ResultDocument| run.is_none() || result.run.as_ref().map(ToString::to_string).as_deref() == run;
        let is_counted: Vec<_> = batch
            .iter()
            .zip(is_ours)
            .map(|(result, &is_ours)| is_ours && belongs(result))
            .collect();
        while let Some(advance) = known.advance(batch, &is_counted).unwrap() {
            if self.update(id, &advance) {
                return;
            }
            known = self.metrics[id].clone();
        }
    }

    fn update(&mut self, id: &str, advance: &Advance) -> bool {
        let mut stored = serialize_to_document(&self.metrics[id]).unwrap();
        let at = |path: &str| {
            path.split('.').try_fold(Bson::from(stored.clone()), |value, key| {
                value.as_document()?.get(key).cloned()
            })
        };
        let mut guard = advance.guard.iter();
        if !guard.all(|(path, wanted)| at(path).unwrap_or(Bson::Null) == *wanted) {
            return false;
        }
        for (operator, fields) in &advance.update {
            for (path, operand) in fields.as_document().unwrap() {
                apply(operator, path, operand, &mut stored);
            }
        }
        self.metrics
            .insert(id.to_owned(), deserialize_from_document(stored).unwrap());
        true
    }
}

fn apply(operator: &str, path: &str, operand: &Bson, stored: &mut Document) {
    let (parents, leaf) = path
        .rsplit_once('.')
        .map_or((vec![], path), |(parents, leaf)| (parents.split('.').collect(), leaf));
    let parent = parents.into_iter().fold(stored, |document, key| {
        let inner = document.entry(key.to_owned()).or_insert(Bson::Document(doc! {}));
        inner.as_document_mut().unwrap()
    });
    let before = parent.get_i64(leaf).unwrap_or(0);
    match operator {
        "$inc" => parent.insert(leaf, before + operand.as_i64().unwrap()),
        "$set" => parent.insert(leaf, operand.clone()),
        "$unset" => parent.remove(leaf),
        other => unreachable!("{other}"),
    };
}

pub fn runs() -> Runs {
    let mut runs = Runs::none();
    DOCUMENTS
        .iter()
        .filter_map(|(_, run)| *run)
        .for_each(|run| runs.add(run));
    runs
}
