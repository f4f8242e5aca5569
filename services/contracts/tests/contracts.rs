//! The contracts in `contracts/`: fresh, and kept by every golden example.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at what it did not expect"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use contracts::message::{
    ErrorMessage, LlmRequest, LlmResponse, QuestionMessage, RegenerationRequest, ValidatedResponse,
};
use contracts::record::decode;
use contracts::topic::{Message, topics};
use serde_json::{Map, Value, json};

fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts")
}

/// Name and bytes of every example of a kind; there must be some.
fn examples(message: &str, kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder = contracts().join("examples").join(message).join(kind);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let examples: Vec<_> = files
        .map(|file| file.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    assert!(!examples.is_empty(), "no examples in {}", folder.display());
    examples
}

fn keeps_its_contract<M: Message>(name: &str) {
    for (example, bytes) in examples(name, "valid") {
        let message: M = decode(Some(&bytes)).unwrap_or_else(|reason| panic!("{example}: {reason}"));
        let written = serde_json::to_vec(&message).unwrap();
        let again: M = decode(Some(&written)).unwrap_or_else(|reason| panic!("{example} written again: {reason}"));
        assert_eq!(serde_json::to_vec(&again).unwrap(), written, "{example}");
    }
    for (example, bytes) in examples(name, "invalid") {
        assert!(decode::<M>(Some(&bytes)).is_err(), "{example} was taken for valid");
    }
}

#[test]
fn every_golden_example_is_taken_or_refused_as_its_folder_says() {
    keeps_its_contract::<QuestionMessage>("QuestionMessage");
    keeps_its_contract::<LlmRequest>("LlmRequest");
    keeps_its_contract::<LlmResponse>("LlmResponse");
    keeps_its_contract::<RegenerationRequest>("RegenerationRequest");
    keeps_its_contract::<ValidatedResponse>("ValidatedResponse");
    keeps_its_contract::<ErrorMessage>("ErrorMessage");
}

#[test]
fn every_message_has_examples() {
    let mut with_examples: Vec<_> = fs::read_dir(contracts().join("examples"))
        .unwrap()
        .map(|folder| folder.unwrap().file_name().into_string().unwrap())
        .collect();
    with_examples.sort();
    let mut messages: Vec<_> = topics().iter().map(|topic| topic.message.to_owned()).collect();
    messages.sort();
    assert_eq!(with_examples, messages);
}

#[test]
fn the_example_of_every_field_has_every_field() {
    for topic in topics() {
        let example = contracts().join(format!("examples/{}/valid/every_field.json", topic.message));
        let example: Map<String, Value> = serde_json::from_slice(&fs::read(example).unwrap()).unwrap();
        let named: BTreeSet<_> = example.keys().collect();
        let known: BTreeSet<_> = topic
            .schema
            .get("properties")
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .collect();
        assert_eq!(named, known, "{}", topic.message);
    }
}

#[test]
fn a_reason_names_the_field_also_if_messages_share_it() {
    let example = contracts().join("examples/LlmResponse/valid/every_field.json");
    let example: Map<String, Value> = serde_json::from_slice(&fs::read(example).unwrap()).unwrap();
    for (field, value, reason) in [
        ("message_id", json!(""), "schema: message_id: an id must not be empty"),
        ("title", json!(null), "schema: title: invalid type: null"),
        (
            "other_answers",
            json!(["a", 1]),
            "schema: other_answers[1]: invalid type: integer",
        ),
        (
            "usage",
            json!({ "input_tokens": 1 }),
            "schema: usage: missing field `output_tokens`",
        ),
        ("attempts", json!(-1), "schema: attempts: invalid value"),
        (
            "previous",
            json!({ "score": 2 }),
            "schema: previous.score: 2 is not a score",
        ),
    ] {
        let mut record = example.clone();
        record.insert(field.into(), value);
        let told = decode::<LlmResponse>(Some(&serde_json::to_vec(&record).unwrap())).unwrap_err();
        assert!(told.starts_with(reason), "{told}");
    }
}

#[test]
fn a_tombstone_and_an_empty_value_are_refused_with_a_reason() {
    assert_eq!(decode::<ErrorMessage>(None).unwrap_err(), "tombstone");
    assert_eq!(decode::<ErrorMessage>(Some(b"")).unwrap_err(), "empty");
    assert!(decode::<ErrorMessage>(Some(&[b'['; 10_000])).is_err());
    assert!(
        decode::<ErrorMessage>(Some(&vec![b' '; 5 << 20]))
            .unwrap_err()
            .starts_with("too_large")
    );
}
