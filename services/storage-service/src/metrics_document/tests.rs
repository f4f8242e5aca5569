//! Counting, whatever is repeated and whoever counts at once.

use std::collections::BTreeMap;

use messaging::input::{Outcome, Received};
use mongodb::bson::{deserialize_from_document, serialize_to_document};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::outcome::Facts;
use crate::recount::{Counted, Recount, Recovery};
use crate::runs::{MAX_RUNS, Runs};

/// The records of one partition: requests that repeat, with scores, attempts and costs.
fn log(partition: i32, requests: &[u8]) -> Vec<ResultDocument> {
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

/// MongoDB, as far as counting needs it: inserts by `_id`, and one guarded update.
struct Model {
    results: BTreeMap<String, (Facts, Option<String>, StoredOrigin)>,
    metrics: BTreeMap<String, MetricsDocument>,
}

const DOCUMENTS: [(&str, Option<&str>); 3] = [("global", None), ("run:one", Some("one")), ("run:two", Some("two"))];

impl Model {
    fn new() -> Self {
        let empty = DOCUMENTS.map(|(id, _)| (id.to_owned(), MetricsDocument::empty(id)));
        Self {
            results: BTreeMap::new(),
            metrics: empty.into(),
        }
    }

    fn insert(&mut self, batch: &[ResultDocument]) -> Vec<bool> {
        let insert = |result: &ResultDocument| {
            let first = (
                result.facts.clone(),
                result.run.as_ref().map(ToString::to_string),
                result.origin.clone(),
            );
            self.results.entry(result.id.to_string()).or_insert(first).2 == result.origin
        };
        batch.iter().map(insert).collect()
    }

    fn counted(&self) -> impl Iterator<Item = Counted> {
        self.results.values().cloned().map(|(facts, run, origin)| Counted {
            facts,
            run,
            origin,
            stored_at: DateTime::now(),
        })
    }

    /// Every tally is that of the results, and stays so when it is added up anew.
    fn check(&self) {
        let mut recount = Recount::new(runs(), self.metrics.values().cloned());
        self.counted().for_each(|result| recount.add(&result));
        let recounted = recount.finish();
        for (id, run) in DOCUMENTS {
            let mut expected = Tally::default();
            self.counted()
                .filter(|result| run.is_none() || result.run.as_deref() == run)
                .for_each(|result| expected.add(&result.facts));
            assert_eq!(self.metrics[id].tally, expected, "{id}");
            assert_eq!(recounted[id].tally, expected, "{id}, counted anew");
        }
    }

    /// Loses the documents and makes them anew from the results.
    fn recover(&mut self) {
        let mut recovery = Recovery::new(Some(runs()));
        self.counted().for_each(|result| recovery.add(&result));
        self.metrics = recovery
            .finish()
            .1
            .map(|document| (document.id.clone(), document))
            .collect();
    }

    fn count(&mut self, id: &str, mut known: MetricsDocument, batch: &[ResultDocument], is_ours: &[bool]) {
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

fn runs() -> Runs {
    let mut runs = Runs::none();
    DOCUMENTS
        .iter()
        .filter_map(|(_, run)| *run)
        .for_each(|run| runs.add(run));
    runs
}

fn counted(id: u8, run: &str, epoch: &str) -> Counted {
    let result = log(0, &[id]).remove(0);
    let origin = StoredOrigin {
        epoch: epoch.to_owned(),
        ..result.origin
    };
    Counted {
        facts: result.facts,
        run: Some(run.to_owned()),
        origin,
        stored_at: DateTime::now(),
    }
}

#[test]
fn results_of_every_epoch_are_counted_and_another_begins_without_a_recount() {
    let mut recovery = Recovery::new(None);
    for epoch in ["first", "second.with.dots"] {
        recovery.add(&counted(1, "one", epoch));
    }
    let documents: Vec<_> = recovery.finish().1.collect();
    let everything = documents
        .iter()
        .find(|document| document.id == MetricsDocument::GLOBAL)
        .unwrap();
    assert_eq!(everything.tally.decided, 2);
    let mut model = Model::new();
    model.metrics.insert("global".into(), everything.clone());
    let batch = log(0, &[1, 2]);
    model.count("global", everything.clone(), &batch, &[true, true]);
    assert_eq!(model.metrics["global"].tally.decided, 4);
}

#[test]
fn a_thousand_runs_have_documents_of_their_own_and_the_others_one_together() {
    let mut recovery = Recovery::new(None);
    let names: Vec<_> = (0..MAX_RUNS + 2).map(|number| format!("$run.{number}")).collect();
    names.iter().for_each(|name| recovery.add(&counted(1, name, "epoch")));
    let (runs, documents) = recovery.finish();
    let documents: Vec<_> = documents.collect();
    let decided = |id: &str| {
        documents
            .iter()
            .find(|document| document.id == id)
            .map(|document| document.tally.decided)
    };
    assert_eq!(documents.len(), MAX_RUNS + 2);
    assert_eq!(decided(&Runs::document(&names[MAX_RUNS - 1])), Some(1));
    assert_eq!(
        (decided(&Runs::document(&names[MAX_RUNS])), decided(Runs::OTHER)),
        (None, Some(2))
    );
    assert_eq!(runs.place_of("a new one").as_deref(), Some(Runs::OTHER));
}

#[test]
fn a_run_that_is_not_in_the_list_yet_is_left_to_whoever_counts_it_first() {
    let mut recovery = Recovery::new(Some(Runs::none()));
    recovery.add(&counted(1, "new", "epoch"));
    let (runs, documents) = recovery.finish();
    let documents: Vec<_> = documents.collect();
    assert_eq!(runs, Runs::none());
    let decided: Vec<_> = documents
        .iter()
        .map(|document| (document.id.as_str(), document.tally.decided))
        .collect();
    assert_eq!(decided, [(Runs::OTHER, 0), (MetricsDocument::GLOBAL, 1)]);
}

/// What a consumer does next with the records of its partition.
#[derive(Debug, Clone)]
struct Step {
    partition: usize,
    start: usize,
    length: usize,
    /// It ends when so many results are stored, in whatever order, and before it counts.
    crashes_after: Option<usize>,
    /// It goes on with what it had read of the metrics a step ago.
    is_stale: bool,
    /// The documents are lost after the results are stored.
    loses: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let crashes = prop::option::of(0_usize..8);
    let step = (
        0..2_usize,
        0_usize..40,
        1_usize..8,
        crashes,
        any::<bool>(),
        prop::bool::weighted(0.2),
    );
    let step = step.prop_map(|(partition, start, length, crashes_after, is_stale, loses)| Step {
        partition,
        start,
        length,
        crashes_after,
        is_stale,
        loses,
    });
    prop::collection::vec(step, 0..40)
}

proptest! {
    /// Consumers crash while they insert and between inserting and counting, records are read again, a consumer goes
    /// on with what it had read of the metrics before it lost its partition, or before the other partition's consumer
    /// counted, and the documents are lost at any time.
    #[test]
    fn every_outcome_is_counted_exactly_once_whatever_is_repeated(
        requests in prop::array::uniform2(prop::collection::vec(0_u8..12, 1..40)),
        steps in steps(),
    ) {
        let logs = [log(0, &requests[0]), log(1, &requests[1])];
        let mut model = Model::new();
        let mut stale = model.metrics.clone();
        let mut done = [0; 2];
        let everything = [0, 1].map(|partition| Step {
            partition,
            start: 0,
            length: logs[partition].len(),
            crashes_after: None,
            is_stale: false,
            loses: false,
        });
        for step in steps.into_iter().chain(everything) {
            // A consumer never skips: it begins at or before what was handled so far.
            let start = step.start.min(done[step.partition]);
            let log = &logs[step.partition];
            let batch = &log[start..(start + step.length).min(log.len())];
            if let Some(stored) = step.crashes_after {
                let some: Vec<_> = batch.iter().rev().take(stored).cloned().collect();
                model.insert(&some);
            }
            let is_ours = step.crashes_after.is_none().then(|| model.insert(batch));
            if step.loses {
                model.recover();
            }
            let Some(is_ours) = is_ours else { continue };
            for (id, _) in DOCUMENTS {
                let known = if step.is_stale { &stale } else { &model.metrics }[id].clone();
                model.count(id, known, batch, &is_ours);
            }
            stale = model.metrics.clone();
            done[step.partition] = done[step.partition].max(start + batch.len());
        }
        model.check();
        model.recover();
        model.check();
    }
}
