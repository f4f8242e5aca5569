//! The contracts in `contracts/`: fresh, and kept by every golden example.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at what it did not expect"
)]

use std::fs;
use std::path::{Path, PathBuf};

use contracts::message::{
    ErrorMessage, LlmRequest, LlmResponse, QuestionMessage, RegenerationRequest, ValidatedResponse,
};
use contracts::record::decode;
use contracts::topic::{Message, topics};

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
