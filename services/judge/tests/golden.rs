//! Cases written by hand, and the side of the threshold on which they belong.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod common;

use common::{case, scorer};
use serde::Deserialize;

const THRESHOLD: f64 = 0.65;

#[derive(Deserialize)]
struct Golden {
    question: String,
    reference: String,
    accepted: Vec<String>,
    rejected: Vec<String>,
}

fn score(golden: &Golden, answer: &str) -> f64 {
    scorer()
        .judge(&case(&golden.question, &[&golden.reference], answer))
        .score
}

/// How many answers a file has, and those that are on the wrong side.
fn judged(file: &str) -> (usize, Vec<String>) {
    let all: Vec<Golden> = serde_json::from_str(file).unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    for golden in &all {
        for (answers, accepted) in [(&golden.accepted, true), (&golden.rejected, false)] {
            count += answers.len();
            for answer in answers {
                let score = score(golden, answer);
                if (score >= THRESHOLD) != accepted {
                    wrong.push(format!("{score:.3} {} | {answer}", golden.question));
                }
            }
        }
    }
    (count, wrong)
}

#[test]
fn every_golden_answer_is_on_its_side_of_the_threshold() {
    let (_, wrong) = judged(include_str!("fixtures/golden.json"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn people_and_the_judge_agree_on_most_of_the_spanish_answers() {
    let (count, wrong) = judged(include_str!("fixtures/spanish.json"));
    println!("{} of {count}", count - wrong.len());
    assert!(
        wrong.len() * 100 <= count * 7,
        "of {count} wrong:\n{}",
        wrong.join("\n")
    );
}
