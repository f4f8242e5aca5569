use serde_json::json;

use super::*;
use crate::test_support::{failure, outcome};
use crate::trail::Record;

const RESPONSE: &str = include_str!("../../../../../../contracts/examples/LlmResponse/valid/every_field.json");

fn trail(answers: &[(u32, &str)]) -> Trail {
    let record = |&(number, text): &(u32, &str)| {
        let mut value: serde_json::Value = serde_json::from_str(RESPONSE).unwrap();
        (value["attempts"], value["llm_answer"]) = (json!(number), json!(text));
        Record {
            topic: "llm_responses",
            partition: 0,
            offset: 0,
            written_at: 0,
            bytes: 0,
            value,
        }
    };
    Trail {
        records: answers.iter().map(record).collect(),
        is_whole: true,
    }
}

fn texts(attempts: &[Attempt]) -> Vec<(u32, Option<&str>, bool)> {
    attempts
        .iter()
        .map(|attempt| (attempt.number, attempt.text.as_deref(), attempt.is_kept))
        .collect()
}

#[test]
fn mongodb_has_the_text_of_the_attempt_that_was_kept() {
    let accepted = outcome(json!({ "llm_answer": "Good." }));
    assert_eq!(
        texts(&of(&accepted, None)),
        [(1, None, false), (2, Some("Good."), true)]
    );
    let exhausted = outcome(json!({ "llm_answer": "Bad.", "accepted": false, "verdict": "exhausted", "score": 0.12 }));
    assert_eq!(
        texts(&of(&exhausted, None)),
        [(1, Some("Bad."), true), (2, None, false)]
    );
    assert_eq!(shown(&of(&exhausted, None), None).unwrap().number, 1);
    assert_eq!(shown(&of(&exhausted, None), Some(2)).unwrap().number, 2);
}

#[test]
fn the_topics_have_the_texts_of_all_and_what_was_given_twice_is_found_by_its_text() {
    let kept = outcome(
        json!({ "llm_answer": "B", "accepted": false, "verdict": "exhausted", "score": 0.3,
        "history": [{ "attempts": 1, "score": 0.3 }, { "attempts": 2, "score": 0.3 }] }),
    );
    let found = of(&kept, Some(&trail(&[(1, "A"), (2, "B")])));
    assert_eq!(texts(&found), [(1, Some("A"), false), (2, Some("B"), true)]);
    assert_eq!(found[0].scorer.as_deref(), Some("5f2d8c1e9a7b4c30"));
    assert!(found[0].response.as_ref().unwrap().prompt.starts_with("Answer"));
}

#[test]
fn an_answer_that_is_reused_is_the_only_attempt_and_an_error_shows_the_one_before() {
    let reused = outcome(json!({ "llm_answer": "A", "attempts": 0, "source": "cache", "history": null }));
    assert_eq!(texts(&of(&reused, None)), [(0, Some("A"), true)]);
    let failed = of(&failure(json!({})), None);
    assert_eq!(texts(&failed), [(1, Some("It reflects the sea."), false)]);
    assert_eq!(shown(&failed, None).unwrap().number, 1);
    assert!(shown(&of(&failure(json!({ "previous": null })), None), None).is_none());
}
