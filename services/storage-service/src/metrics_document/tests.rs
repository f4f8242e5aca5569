//! Counting, whatever is repeated and whoever counts at once.

use messaging::input::{Outcome, Received};
use mongodb::bson::{deserialize_from_document, serialize_to_document};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The records of one partition: requests that repeat, with scores, attempts and costs.
fn log(partition: i32, requests: &[u8]) -> Vec<ResultDocument> {
    let records = requests.iter().enumerate().map(|(offset, request)| {
        let message = json!({
            "message_id": format!("m{request}"), "trace_id": "t", "question_id": "q", "title": "", "content": "",
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
    results: BTreeMap<String, (Facts, StoredOrigin)>,
    metrics: MetricsDocument,
}

impl Model {
    fn new(metrics: MetricsDocument) -> Self {
        Self {
            results: BTreeMap::new(),
            metrics,
        }
    }

    fn insert(&mut self, batch: &[ResultDocument]) -> Vec<bool> {
        let insert = |result: &ResultDocument| {
            let first = (result.facts.clone(), result.origin.clone());
            self.results.entry(result.id.to_string()).or_insert(first).1 == result.origin
        };
        batch.iter().map(insert).collect()
    }

    fn update(&mut self, advance: &Advance) -> bool {
        let mut stored = serialize_to_document(&self.metrics).unwrap();
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
        self.metrics = deserialize_from_document(stored).unwrap();
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

#[test]
fn a_document_of_0_1_0_counts_on_and_gains_what_is_new() {
    let mut old = serialize_to_document(&MetricsDocument::empty("epoch", BTreeMap::new())).unwrap();
    old.remove("unsure");
    old.remove("spent");
    let mut model = Model::new(deserialize_from_document(old).unwrap());
    let log = log(0, &[0, 1]);
    let advance = model.metrics.advance(&log, &[true, true]).unwrap().unwrap();
    assert!(model.update(&advance));
    let tally = &model.metrics.tally;
    assert_eq!((tally.decided, tally.unsure), (2, 1));
    assert_eq!((tally.spent.amounts.calls, tally.spent.by_model.len()), (20, 15));
}

proptest! {
    /// Consumers crash between inserting and counting, records are read again, and a
    /// consumer goes on with what it had read of the metrics before it lost its partition, or
    /// before the other partition's consumer counted.
    #[test]
    fn every_outcome_is_counted_exactly_once_whatever_is_repeated(
        requests in prop::array::uniform2(prop::collection::vec(0_u8..12, 1..40)),
        steps in prop::collection::vec((0..2_usize, 0_usize..40, 1_usize..8, any::<bool>(), any::<bool>()), 0..40),
    ) {
        let logs = [log(0, &requests[0]), log(1, &requests[1])];
        let mut model = Model::new(MetricsDocument::empty("epoch", BTreeMap::new()));
        let mut stale = model.metrics.clone();
        let mut inserted = [0; 2];
        let everything = [0, 1].map(|partition| (partition, 0, logs[partition].len(), false, false));
        for (partition, start, length, crashes, is_stale) in steps.into_iter().chain(everything) {
            // A consumer never skips: it begins at or before what was handled so far.
            let counted = model.metrics.offsets.get(&format!("validated_responses-{partition}"));
            let start = start.min(counted.map_or(0, |&last| last as usize + 1)).min(inserted[partition]);
            let log = &logs[partition];
            let batch = &log[start..(start + length).min(log.len())];
            let is_ours = model.insert(batch);
            inserted[partition] = inserted[partition].max(start + batch.len());
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
        for (partition, watermark) in &recovered.offsets {
            prop_assert!(Some(watermark) <= model.metrics.offsets.get(partition));
        }

        let mut recounted = MetricsDocument::empty("epoch", model.metrics.offsets.clone());
        model.results.values().for_each(|(facts, origin)| recounted.recount(facts, origin));
        prop_assert_eq!(recounted.tally, expected);
    }
}
