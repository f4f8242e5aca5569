//! The scorer of a default stack, for every test.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::sync::LazyLock;

use judge::{Case, Scorer};
use serde_json::{Value, json};

/// The shipped model and the shipped frequencies.
pub fn artefact() -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../flink_job");
    let read = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(format!("{folder}/{name}")).unwrap()).unwrap()
    };
    let (model, background) = (read("coefficients.json"), read("background.json"));
    let strength = background["strength"].as_f64().unwrap();
    let idf = |share: f64| ((1.0 + strength) / (1.0 + strength * share)).ln() + 1.0;
    let shares = background["shares"].as_object().unwrap();
    let idfs: serde_json::Map<String, Value> = shares
        .iter()
        .map(|(stem, share)| (stem.clone(), json!(idf(share.as_f64().unwrap()))))
        .collect();
    json!({"format": 2, "documents": 0, "idf": idfs, "unknown_idf": idf(0.0), "model": model})
}

/// A scorer with them.
pub fn scorer() -> &'static Scorer {
    static SCORER: LazyLock<Scorer> = LazyLock::new(|| Scorer::from_json(&judge::seal(artefact()).0).unwrap());
    &SCORER
}

/// A case, in short.
pub fn case<'a>(question: &'a str, references: &'a [&'a str], answer: &'a str) -> Case<'a> {
    Case {
        question,
        references,
        answer,
    }
}
