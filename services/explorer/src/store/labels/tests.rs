use mongodb::bson::{Bson, serialize_to_document};
use serde_json::json;

use super::*;
use crate::test_support::{failure, outcome};

#[test]
fn a_label_has_the_form_that_make_label_stores() {
    let outcome = outcome(json!({ "content": " \u{1c}\n", "question_id": "q1", "llm_answer": "Because of the sea." }));
    let case = Case::of(outcome).unwrap();
    let mut stored = serialize_to_document(&case.label(Chosen::Unsure, true, false)).unwrap();
    assert!(matches!(stored.remove("labelled_at"), Some(Bson::DateTime(_))));
    // As `Store.save` in calibration/store.py.
    let expected = doc! {
        "_id": "a8d1a4a038c7c4a5d4e31c4ad6da9f68:unsure",
        "question": "Why is the sky blue?",
        "references": [
            "Molecules of air scatter blue light more than red light.",
            "Blue light is scattered more by air than red light is.",
            "Scattering: short waves, that is blue ones, are sent in all directions by the air.",
        ],
        "answer": "Because of the sea.",
        "score": 0.71,
        "signals": { "cosine": 0.64, "numbers_missing": 0.0, "uncovered": 0.18 },
        "scorer": "5f2d8c1e9a7b4c30",
        "accepted": true,
        "chosen": "unsure",
        "revised": false,
        "message_id": "0193546f-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
    };
    assert_eq!(stored, expected);
}

#[test]
fn what_has_no_score_or_was_forgotten_is_no_case() {
    assert!(Case::of(failure(json!({}))).is_none());
    let mut forgotten = outcome(json!({}));
    (forgotten.title, forgotten.llm_answer, forgotten.best_answer) = (None, None, None);
    forgotten.other_answers.clear();
    assert!(Case::of(forgotten).is_none());
}
