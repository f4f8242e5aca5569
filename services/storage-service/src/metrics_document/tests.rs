//! Counting, whatever is repeated and whoever counts at once.

use std::collections::BTreeMap;

use proptest::prelude::*;

use self::model::{DOCUMENTS, Expiry, Model, log};
use super::*;
use crate::expired::{Expired, Slice};
use crate::recount::{Counted, Recovery};
use crate::runs::{MAX_RUNS, Runs};

mod model;

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
    let mut recovery = Recovery::new(None, Expired::default());
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
    let mut recovery = Recovery::new(None, Expired::default());
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
    let mut recovery = Recovery::new(Some(Runs::none()), Expired::default());
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

#[test]
fn what_expired_is_counted_beside_what_is_left_though_all_documents_and_the_list_are_lost() {
    let results = [
        counted(1, "one", "epoch"),
        counted(2, "two", "epoch"),
        counted(4, "three", "epoch"),
    ];
    let [old, new] = [1, 2].map(DateTime::from_millis);
    let at = |index: usize, stored_at| Counted {
        stored_at,
        ..results[index].clone()
    };
    let mut before = Recovery::new(None, Expired::default());
    let all = [at(0, old), at(1, old), at(2, new)];
    all.iter().for_each(|result| before.add(result));
    let (runs, documents) = before.finish();
    let documents: Vec<_> = documents.collect();

    let mut slice = Slice::new(
        new,
        runs.clone(),
        documents.last().unwrap().watermarks.clone(),
        Expired::default(),
    );
    all[..2].iter().for_each(|result| slice.add(result));
    let expired: Expired = slice.finish().unwrap().into_iter().map(|change| change.after).collect();
    // The second is not removed yet, and counts no more for that.
    let mut after = Recovery::new(None, expired);
    all[1..].iter().for_each(|result| after.add(result));
    let (runs_after, documents_after) = after.finish();
    assert!(
        ["one", "two", "three"].map(|run| runs_after.place_of(run))
            == ["one", "two", "three"].map(|run| runs.place_of(run))
    );
    let by_id = |documents: Vec<MetricsDocument>| -> BTreeMap<_, _> {
        documents
            .into_iter()
            .map(|document| (document.id.clone(), document))
            .collect()
    };
    let (before, after) = (by_id(documents), by_id(documents_after.collect()));
    assert_eq!(before.len(), 5);
    for (id, document) in before.iter().filter(|(id, _)| *id != Runs::OTHER) {
        assert_eq!(document, &after[id]);
    }
}

#[test]
fn nothing_expires_that_the_metrics_do_not_count_yet() {
    let result = counted(1, "one", "epoch");
    let stored_at = result.stored_at;
    let mut runs = Runs::none();
    let slice = |runs: &Runs, watermarks| {
        let end = DateTime::from_millis(stored_at.timestamp_millis() + 1);
        let mut slice = Slice::new(end, runs.clone(), watermarks, Expired::default());
        slice.add(&result);
        slice.finish().map(|changes| changes.len())
    };
    let mut recovery = Recovery::new(None, Expired::default());
    recovery.add(&result);
    let counted = recovery.finish().1.last().unwrap().watermarks;
    assert_eq!(
        slice(&runs, counted.clone()),
        Err(stored_at),
        "its run is not in the list yet"
    );
    runs.add("one");
    assert_eq!(
        slice(&runs, Watermarks::default()),
        Err(stored_at),
        "its record is not counted"
    );
    assert_eq!(slice(&runs, counted), Ok(2));
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
    /// Old results expire after it, all but so many.
    expires: Option<Expires>,
}

/// How old results expire.
#[derive(Debug, Clone)]
struct Expires {
    left: usize,
    /// It ends when so many documents are changed, and before it removes anything.
    ends_after: Option<usize>,
    /// It does what was found out the time before, while others did the same.
    is_late: bool,
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
        prop::option::of((0_usize..8, prop::option::of(0_usize..4), any::<bool>())),
    );
    let step = step.prop_map(
        |(partition, start, length, crashes_after, is_stale, loses, expires)| Step {
            partition,
            start,
            length,
            crashes_after,
            is_stale,
            loses,
            expires: expires.map(|(left, ends_after, is_late)| Expires {
                left,
                ends_after,
                is_late,
            }),
        },
    );
    prop::collection::vec(step, 0..40)
}

proptest! {
    /// Consumers crash while they insert and between inserting and counting, records are read again, a consumer goes
    /// on with what it had read of the metrics before it lost its partition, or before the other partition's consumer
    /// counted, the documents are lost at any time, and results expire at any time, in steps that end anywhere.
    #[test]
    fn every_outcome_is_counted_exactly_once_whatever_is_repeated(
        requests in prop::array::uniform2(prop::collection::vec(0_u8..12, 1..40)),
        steps in steps(),
    ) {
        let logs = [log(0, &requests[0]), log(1, &requests[1])];
        let mut model = Model::new();
        let mut stale = model.metrics.clone();
        let everything = [0, 1].map(|partition| Step {
            partition,
            start: 0,
            length: logs[partition].len(),
            crashes_after: None,
            is_stale: false,
            loses: false,
            expires: None,
        });
        let mut late: Option<Expiry> = None;
        for step in steps.into_iter().chain(everything) {
            // A consumer never skips: it begins at or before what was handled so far.
            let start = step.start.max(model.begins[step.partition]).min(model.handled[step.partition]);
            let log = &logs[step.partition];
            let end = (start + step.length).min(log.len());
            let known = if step.is_stale { stale.clone() } else { model.metrics.clone() };
            let removes = model.expired.guard(MetricsDocument::GLOBAL).is_some();
            let fresh = log[start..end].iter().filter(|result| !(removes && known["global"].counts(result)));
            let batch: &Vec<_> = &fresh.cloned().collect();
            if let Some(stored) = step.crashes_after {
                let some: Vec<_> = batch.iter().rev().take(stored).cloned().collect();
                model.insert(&some);
            }
            let is_ours = step.crashes_after.is_none().then(|| model.insert(batch));
            if step.loses {
                model.recover();
            }
            if let Some(Expires { left, ends_after, is_late }) = step.expires {
                let now = model.expiry(left);
                let expiry = late.replace(now.clone()).filter(|_| is_late).unwrap_or(now);
                model.expire(&expiry, ends_after);
                // Nobody is as far behind as results are kept.
                stale = model.metrics.clone();
            }
            let Some(is_ours) = is_ours else {
                if model.begins != [0; 2] {
                    // It may have stored a repeat, as the first of it was removed: its successor begins where it did.
                    model.handled[step.partition] = model.handled[step.partition].min(start);
                }
                continue;
            };
            for (id, _) in DOCUMENTS {
                model.count(id, known[id].clone(), batch, &is_ours);
            }
            stale = model.metrics.clone();
            model.handled[step.partition] = model.handled[step.partition].max(end);
        }
        model.check();
        logs.iter().for_each(|log| model.check_stored(log));
        model.recover();
        model.check();
    }
}
