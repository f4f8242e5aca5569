use serde_json::json;

use super::*;
use crate::test_support::{failure, outcome};

fn record(topic: &'static str, value: Value) -> Record {
    Record {
        topic,
        partition: 0,
        offset: 0,
        written_at: 0,
        bytes: 0,
        value,
    }
}

#[test]
fn a_record_is_of_the_request_that_its_message_names() {
    let payload = br#"{"message_id": "m1", "retry_of": "m0"}"#;
    assert_eq!(of_request(payload, "m1").unwrap()["retry_of"], "m0");
    assert!(of_request(payload, "m0").is_none() && of_request(payload, "m2").is_none());
    assert!(of_request(b"m1, but no JSON", "m1").is_none());
    // The id of another system may be written in more than one way.
    assert!(of_request(br#"{"message_id": "a\/\u00f1"}"#, "a/ñ").is_some());
}

#[test]
fn a_window_is_a_little_wider_than_the_request() {
    let asked_at: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let asked_at = asked_at.as_millisecond();
    let window = Window::of(&outcome(json!({})));
    assert_eq!(
        window,
        Window {
            from: asked_at - 2_000,
            to: asked_at + 6_250
        }
    );
}

#[test]
fn what_must_have_been_there_and_is_not_is_gone() {
    let whole = |records| Trail {
        records,
        is_whole: true,
    };
    let asked = outcome(json!({}));
    assert_eq!(
        whole(vec![record("questions_in", json!({}))]).gone(&asked),
        ["llm_requests", "llm_responses", "validated_responses"]
    );
    let cached = outcome(json!({ "attempts": 0, "source": "cache" }));
    assert_eq!(whole(vec![]).gone(&cached), ["questions_in", "validated_responses"]);
    assert_eq!(
        whole(vec![]).gone(&failure(json!({}))),
        ["questions_in", "llm_requests", "llm_errors"]
    );
    // Nothing is said of what was not all looked at.
    assert!(Trail::default().gone(&asked).is_empty());
}
