//! Cases written by hand, and the side of the threshold on which they belong.

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

#[test]
fn every_golden_answer_is_on_its_side_of_the_threshold() {
    let all: Vec<Golden> = serde_json::from_str(include_str!("fixtures/golden.json")).unwrap();
    let mut wrong = Vec::new();
    for golden in &all {
        for (answers, accepted) in [(&golden.accepted, true), (&golden.rejected, false)] {
            for answer in answers {
                let score = score(golden, answer);
                if (score >= THRESHOLD) != accepted {
                    wrong.push(format!("{score:.3} {} | {answer}", golden.question));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn people_and_the_judge_agree_on_most_of_the_spanish_answers() {
    let all: Vec<Golden> = serde_json::from_str(include_str!("fixtures/spanish.json")).unwrap();
    let (mut right, mut count, mut wrong) = (0, 0, Vec::new());
    for golden in &all {
        for (answers, accepted) in [(&golden.accepted, true), (&golden.rejected, false)] {
            for answer in answers {
                let score = score(golden, answer);
                count += 1;
                if (score >= THRESHOLD) == accepted {
                    right += 1;
                } else {
                    wrong.push(format!("{score:.3} {} | {answer}", golden.question));
                }
            }
        }
    }
    println!("{right} of {count}");
    assert!(right * 100 >= count * 85, "{right} of {count}:\n{}", wrong.join("\n"));
}
