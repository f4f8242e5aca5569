//! A record's way, from its bytes to those of what follows.

#![expect(clippy::unwrap_used, reason = "what cannot be fails the test")]

use std::sync::Arc;

use contracts::message::{RegenerationRequest, ValidatedResponse, Verdict};
use contracts::record::decode;
use contracts::value::Score;
use cotejo_native::attempts::Action;
use cotejo_native::records::{First, Followed, Judge, scorer_of};
use serde_json::{Value, json};

const QUESTION: &str = "Why is the sky blue?";
const REFERENCE: &str = "Molecules of air scatter blue light more than red light.";

/// Whatever the reference has not makes an answer worse; nothing else does.
fn artefact(documents: u32) -> String {
    let regression = json!({"intercept": [5, 5], "weights": {"uncovered": [-9, -9]}});
    let model = json!({
        "short": 6, "long": 30, "human": regression, "sound": regression,
        "calibration": {"slope": [1, 1], "intercept": [0, 0]}, "unsure": [0.4, 0.6]
    });
    judge::seal(json!({"format": 2, "documents": documents, "idf": {}, "unknown_idf": 1.0, "model": model})).0
}

fn judge() -> Judge {
    Judge::new(scorer_of(&artefact(1)).unwrap(), Score::try_from(0.65).unwrap(), 3)
}

fn response(attempts: u32, answer: &str, others: Value) -> Vec<u8> {
    let mut fields = json!({
        "message_id": "m", "trace_id": "t", "question_id": "q", "title": QUESTION, "content": "", "prompt": QUESTION,
        "best_answer": REFERENCE, "llm_answer": answer, "latency_ms": 1, "attempts": attempts,
        "produced_at": "2026-01-01T00:00:00Z", "run": "r", "topic": "7", "settings": "s", "model": "offline",
        "spent": {"calls": 1, "input_tokens": 2, "output_tokens": 3, "nanodollars": 4},
    });
    fields
        .as_object_mut()
        .unwrap()
        .extend(others.as_object().unwrap().clone());
    serde_json::to_vec(&fields).unwrap()
}

fn judged(value: &[u8]) -> Vec<u8> {
    match judge().first(Some(value)).unwrap() {
        First::Failed { judged, .. } => judged,
        First::Accepted(record) => record.value,
    }
}

fn follow(state: Option<&str>, value: &[u8]) -> Followed {
    judge().follow(state, &judged(value), Some(value)).unwrap()
}

#[test]
fn a_verdict_has_everything_that_the_answer_carried_and_what_it_was_judged_by() {
    let value = response(1, REFERENCE, json!({"other_answers": ["Quite another one."]}));
    let First::Accepted(record) = judge().first(Some(&value)).unwrap() else {
        unreachable!("it is the reference")
    };
    let verdict: ValidatedResponse = decode(Some(&record.value)).unwrap();
    let written: Value = serde_json::from_slice(&record.value).unwrap();
    let sent: Value = serde_json::from_slice(&value).unwrap();
    for name in [
        "message_id",
        "run",
        "topic",
        "settings",
        "model",
        "spent",
        "other_answers",
        "best_answer",
    ] {
        assert_eq!(written[name], sent[name], "{name}");
    }
    assert_eq!(record.key, b"q");
    assert_eq!(written["confidence"], "sure");
    assert_eq!(verdict.scorer.as_deref(), Some(scorer_of(&artefact(1)).unwrap().hash()));
    assert_eq!(verdict.history.unwrap()[0].scorer, verdict.scorer);
    let signals = verdict.signals.unwrap();
    assert_eq!(signals.get("cosine"), Some(&1.0));
    assert!(!signals.contains_key("uncovered"), "what is 0 is left out");
}

#[test]
fn a_second_attempt_is_never_decided_without_the_memory_of_the_first() {
    assert!(matches!(
        judge().first(Some(&response(2, REFERENCE, json!({})))).unwrap(),
        First::Failed { .. }
    ));
}

#[test]
fn the_best_attempt_travels_with_its_scorer_and_is_what_is_kept() {
    let first = response(1, "Blue light is scattered.", json!({}));
    let followed = follow(None, &first);
    assert_eq!(followed.action, Action::Regenerate);
    let request: RegenerationRequest = decode(Some(&followed.record.unwrap().value)).unwrap();
    let previous = request.previous.unwrap();
    assert_eq!(
        previous.scorer.as_deref(),
        Some(scorer_of(&artefact(1)).unwrap().hash())
    );
    assert_eq!(request.spent.unwrap().cost.nanodollars, 4);

    let last = response(3, "Nobody knows.", json!({}));
    let followed = follow(followed.state.as_deref(), &last);
    assert_eq!(followed.action, Action::Exhaust);
    let verdict: ValidatedResponse = decode(Some(&followed.record.unwrap().value)).unwrap();
    assert_eq!((verdict.verdict, verdict.attempts), (Some(Verdict::Exhausted), 3));
    assert_eq!(verdict.answer.llm_answer, previous.llm_answer);
    assert_eq!(verdict.score, previous.score);
    assert_eq!(
        follow(followed.state.as_deref(), &last),
        Followed {
            action: Action::Drop,
            state: None,
            record: None
        }
    );
}

#[test]
fn an_answer_that_was_cut_off_is_a_failed_attempt_and_a_whole_one_is_better() {
    let cut_off = |attempts| response(attempts, REFERENCE, json!({"finish_reason": "length"}));
    let first = follow(None, &cut_off(1));
    assert_eq!(first.action, Action::Regenerate);
    let request: RegenerationRequest = decode(Some(&first.record.unwrap().value)).unwrap();
    assert_eq!(request.previous.unwrap().finish_reason.as_deref(), Some("length"));

    let verdict = |last: &[u8]| -> ValidatedResponse {
        let followed = follow(first.state.as_deref(), last);
        assert_eq!(followed.action, Action::Exhaust);
        decode(Some(&followed.record.unwrap().value)).unwrap()
    };
    assert!(!verdict(&cut_off(3)).accepted);
    let poor = verdict(&response(3, "Nobody knows.", json!({})));
    assert_eq!(poor.answer.llm_answer, "Nobody knows.");
}

#[test]
fn an_earlier_attempt_that_another_scorer_thought_good_is_scored_again() {
    for previous in [
        json!({"llm_answer": "Nobody knows.", "score": 0.99, "attempts": 1}),
        json!({"llm_answer": "Nobody knows.", "score": 0.99, "attempts": 1, "scorer": "another"}),
    ] {
        let last = response(2, "Blue light is scattered.", json!({"previous": previous}));
        let followed = follow(None, &last);
        assert_eq!(followed.action, Action::Regenerate);
        let request: RegenerationRequest = decode(Some(&followed.record.unwrap().value)).unwrap();
        assert_eq!(request.previous.unwrap().attempts, 2);
    }
}

#[test]
fn the_order_of_records_changes_no_verdict() {
    let answers = ["", "Nobody knows.", "Blue light is scattered.", REFERENCE];
    let values = answers.map(|answer| response(1, answer, json!({})));
    let judge = judge();
    let ahead: Vec<_> = values.iter().map(|value| judged_by(&judge, value)).collect();
    let mut back: Vec<_> = values.iter().rev().map(|value| judged_by(&judge, value)).collect();
    back.reverse();
    assert_eq!(ahead, back);
}

/// What does not depend on the time of the day.
fn judged_by(judge: &Judge, value: &[u8]) -> Value {
    match judge.first(Some(value)).unwrap() {
        First::Failed { judged, .. } => serde_json::from_slice(&judged).unwrap(),
        First::Accepted(record) => {
            let mut verdict: Value = serde_json::from_slice(&record.value).unwrap();
            verdict["decided_at"].take();
            verdict
        }
    }
}

#[test]
fn an_artefact_is_in_memory_once_and_no_longer_than_somebody_uses_it() {
    let (one, same, other) = (
        scorer_of(&artefact(2)),
        scorer_of(&artefact(2)),
        scorer_of(&artefact(3)),
    );
    let (one, same, other) = (one.unwrap(), same.unwrap(), other.unwrap());
    assert!(Arc::ptr_eq(&one, &same));
    assert!(!Arc::ptr_eq(&one, &other));
    let weak = Arc::downgrade(&one);
    drop((one, same));
    assert!(weak.upgrade().is_none());
}
