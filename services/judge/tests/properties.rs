//! What holds for all texts.

mod common;

use common::{case, scorer};
use judge::{Case, Signal};
use proptest::prelude::*;

/// Words that mean something to the judge, and any text at all.
fn text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "Paris", "is", "not", "the", "capital", "of", "France", "1,000", "twenty", "one", "VI", "U.S.", "no", "yes",
        ".", ",", "?", "don't", "know", "sorry", "más", "canción", "hot", "cold", "Henry", "born", "in", "1879", "\n",
        "but", "never", "el", "la", "de", "que", "London", "bites", "dog", "man", "🎾", "中文", "e\u{301}", "O'Brien",
        "5km", "3.5", "…", "(", "\"",
    ]);
    let sentence = prop::collection::vec(word, 0..25).prop_map(|words| words.join(" "));
    prop_oneof![4 => sentence, 1 => ".{0,80}"]
}

fn score(question: &str, references: &[&str], answer: &str) -> f64 {
    scorer()
        .judge(&Case {
            question,
            references,
            answer,
        })
        .score
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_score_is_a_probability(question in text(), reference in text(), answer in text()) {
        let judgement = scorer().judge(&case(&question, &[&reference], &answer));
        prop_assert!((0.0..=1.0).contains(&judgement.score));
        for (signal, value) in judgement.signals.iter() {
            prop_assert!((0.0..=1.0).contains(&value), "{} is {value}", signal.name());
        }
    }

    #[test]
    fn nothing_is_wrong_with_the_reference_itself(question in text(), reference in text()) {
        let judgement = scorer().judge(&case(&question, &[&reference], &reference));
        for (signal, value) in judgement.signals.iter().filter(|(signal, _)| *signal != Signal::Cosine) {
            prop_assert_eq!(value, 0.0, "{}", signal.name());
        }
    }

    #[test]
    fn no_addition_to_the_reference_scores_above_it(
        question in text(), reference in text(), before in text(), behind in text(),
    ) {
        let itself = score(&question, &[&reference], &reference);
        for answer in [
            format!("{reference} {behind}"),
            format!("{before} {reference}"),
            format!("{before}{reference}{behind}"),
            format!("{reference} 42"),
            format!("It is not true: {reference}"),
            format!("{reference} {reference}"),
        ] {
            prop_assert!(score(&question, &[&reference], &answer) <= itself, "{answer}");
        }
    }

    #[test]
    fn no_answer_at_all_scores_above_the_reference(question in text(), reference in text(), answer in text()) {
        prop_assert!(score(&question, &[&reference], &answer) <= score(&question, &[&reference], &reference));
    }

    #[test]
    fn one_more_reference_never_lowers_the_score(question in text(), references in prop::collection::vec(text(), 1..5), answer in text()) {
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        let all = score(&question, &references, &answer);
        for count in 1..references.len() {
            prop_assert!(score(&question, &references[..count], &answer) <= all);
        }
        let best = references.iter().map(|reference| score(&question, &[reference], &answer)).fold(0.0, f64::max);
        prop_assert_eq!(best.to_bits(), all.to_bits());
    }

    #[test]
    fn an_explanation_has_the_score_to_the_bit(question in text(), references in prop::collection::vec(text(), 0..4), answer in text()) {
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        let case = case(&question, &references, &answer);
        let (judgement, explanation) = (scorer().judge(&case), scorer().explain(&case));
        prop_assert_eq!(judgement.score.to_bits(), explanation.score.to_bits());
        prop_assert_eq!((judgement.reference, judgement.unsure), (explanation.reference, explanation.unsure));
        for share in &explanation.signals {
            prop_assert!(share.contribution <= 0.0 && share.without_it >= explanation.score, "{share:?}");
        }
        for mark in &explanation.answer_words {
            prop_assert_eq!(&answer[mark.start..mark.end], &mark.word);
        }
    }

    #[test]
    fn marks_are_the_words_that_the_signals_counted(question in text(), reference in text(), answer in text()) {
        let explanation = scorer().explain(&case(&question, &[&reference], &answer));
        let uncovered = explanation.signals.iter().find(|share| share.name == "uncovered").map(|share| share.value);
        let seen: std::collections::BTreeMap<_, _> =
            explanation.reference_words.iter().map(|mark| (&mark.stem, mark)).collect();
        let sum = |classes: &[judge::Class]| -> f64 {
            seen.values().filter(|mark| classes.contains(&mark.class)).map(|mark| mark.weight).sum()
        };
        use judge::Class::{Contradicts, Missing, Shared};
        // Where words contradict, some of them are there and some are not: the marks then bound the signal.
        let all = sum(&[Shared, Missing, Contradicts]);
        if let (Some(uncovered), true) = (uncovered, all > 0.0 && sum(&[Contradicts]) == 0.0) {
            prop_assert!((uncovered - sum(&[Missing]) / all).abs() < 1e-6, "{explanation:#?}");
        }
    }

    #[test]
    fn judging_others_first_changes_nothing(cases in prop::collection::vec((text(), text(), text()), 2..6)) {
        let judge = |(question, reference, answer): &(String, String, String)| score(question, &[reference], answer).to_bits();
        let forward: Vec<u64> = cases.iter().map(judge).collect();
        let mut backward: Vec<u64> = cases.iter().rev().map(judge).collect();
        backward.reverse();
        prop_assert_eq!(forward, backward);
    }
}
