//! What a judgement costs: prints a table. `cargo run --release -p judge --example cost`

use std::hint::black_box;
use std::time::Instant;

use judge::{Case, Scorer};
use serde_json::{Value, json};

const QUESTION: &str = "Who wrote the novel in which a whale is hunted?";
const SHORT: &str = "Herman Melville";
const SENTENCE: &str = "The novel was written by Herman Melville and came out in 1851.";
const LONG: &str = "Herman Melville wrote it. He had been to sea on a whaler himself, and drew on the fate of the Essex, which a \
sperm whale sank in 1820, as well as on stories about an albino whale that sailors called Mocha Dick. The book came \
out in London in October 1851 and in New York a month later, sold badly, and was called a masterpiece only after the \
author had died.";
const OTHER: &str = "The book that you mean is by Melville, an American who went whaling as a young man. It tells of a captain \
who lost a leg to a white whale and sails around the world to kill it. It was published in 1851, first in England and \
then in the United States; few people bought it then, and today it is one of the best known novels in English, which \
is read in many schools.";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../flink_job");
    let read = |name: &str| -> Result<Value, Box<dyn std::error::Error>> {
        Ok(serde_json::from_str(&std::fs::read_to_string(format!(
            "{folder}/{name}"
        ))?)?)
    };
    let background = read("background.json")?;
    let strength = background["strength"].as_f64().unwrap_or_default();
    let idf = |share: f64| ((1.0 + strength) / (1.0 + strength * share)).ln() + 1.0;
    let shares = background["shares"].as_object().into_iter().flatten();
    let idfs: serde_json::Map<String, Value> = shares
        .map(|(stem, share)| (stem.clone(), json!(idf(share.as_f64().unwrap_or_default()))))
        .collect();
    let model = read("coefficients.json")?;
    let artefact = json!({"format": 2, "idf": idfs, "unknown_idf": idf(0.0), "model": model});
    let scorer = Scorer::from_json(&judge::seal(artefact).0)?;
    println!("| reference | answer | references | µs |\n|---|---|---|---|");
    for (name, reference, answer_name, answer, count) in [
        ("2 words", SHORT, "2 words", SHORT, 1),
        ("2 words", SHORT, "a sentence", SENTENCE, 1),
        ("2 words", SHORT, "70 words", OTHER, 1),
        ("70 words", LONG, "70 words", OTHER, 1),
        ("70 words", LONG, "70 words", OTHER, 16),
    ] {
        let references = vec![reference; count];
        let case = Case {
            question: QUESTION,
            references: &references,
            answer,
        };
        let micros = fastest(|| {
            black_box(scorer.judge(black_box(&case)));
        });
        println!("| {name} | {answer_name} | {count} | {micros:.1} |");
    }
    Ok(())
}

/// The mean of the fastest of many short runs: what disturbs the machine only ever adds.
fn fastest(mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        let begun = Instant::now();
        (0..50).for_each(|_| work());
        best = best.min(begun.elapsed().as_secs_f64() * 1e6 / 50.0);
    }
    best
}
