//! The simulated model against a scorer like the real one: TF-IDF cosine, idf from the corpus.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::time::Duration;

use contracts::message::Question;
use llm_consumer::config::OfflineConfig;
use llm_consumer::model::{Ask, Completion, LanguageModel as _, ModelError};
use llm_consumer::offline::{Offline, Reference};
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

const THRESHOLD: f64 = 0.65;

fn settings() -> OfflineConfig {
    OfflineConfig {
        offline_seed: 1,
        offline_latency: Duration::ZERO,
        offline_error_rate: 0.0,
        offline_mix: "70/20/10".parse().unwrap(),
    }
}

async fn ask(
    model: &Offline,
    question_id: &str,
    attempt: u32,
    request: u32,
    reference: &str,
) -> Result<Completion, ModelError> {
    let question = Question {
        title: "Why?".into(),
        content: String::new(),
        best_answer: reference.into(),
        other_answers: vec![],
    };
    let reference = Reference::seal(&question);
    model
        .answer(&Ask {
            prompt: "Why?",
            question_id,
            attempt,
            request,
            reference,
        })
        .await
}

async fn answer(model: &Offline, question_id: &str, attempt: u32, reference: &str) -> String {
    ask(model, question_id, attempt, 1, reference).await.unwrap().answer
}

/// Inverse document frequencies of a corpus, as scikit-learn fits them.
struct Scorer {
    documents: f64,
    frequencies: HashMap<String, f64>,
}

impl Scorer {
    fn fit(corpus: &[String]) -> Self {
        let mut frequencies = HashMap::new();
        for word in corpus.iter().flat_map(|text| term_counts(text).into_keys()) {
            *frequencies.entry(word).or_default() += 1.0;
        }
        Self {
            documents: corpus.len() as f64,
            frequencies,
        }
    }

    fn score(&self, a: &str, b: &str) -> f64 {
        let (a, b) = (self.weights(a), self.weights(b));
        let norm = |weights: &HashMap<String, f64>| weights.values().map(|w| w * w).sum::<f64>().sqrt();
        let dot: f64 = a.iter().filter_map(|(word, weight)| Some(weight * b.get(word)?)).sum();
        if dot == 0.0 { 0.0 } else { dot / (norm(&a) * norm(&b)) }
    }

    fn weights(&self, text: &str) -> HashMap<String, f64> {
        let idf = |word: &str| {
            let frequency = self.frequencies.get(word).copied().unwrap_or_default();
            ((1.0 + self.documents) / (1.0 + frequency)).ln() + 1.0
        };
        term_counts(text)
            .into_iter()
            .map(|(word, count)| (word.clone(), count * idf(&word)))
            .collect()
    }
}

fn term_counts(text: &str) -> HashMap<String, f64> {
    let text = text.to_lowercase();
    let mut counts = HashMap::new();
    for word in text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| word.chars().count() > 1)
    {
        *counts.entry(word.to_owned()).or_default() += 1.0;
    }
    counts
}

/// References of which some words are everywhere and most are rare, as in any language.
fn corpus(texts: usize, words: usize, vocabulary: f64) -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut word = || format!("word{}", vocabulary.powf(rng.random::<f64>()) as u32);
    (0..texts)
        .map(|_| (0..words).map(|_| word()).collect::<Vec<_>>().join(" "))
        .collect()
}

/// How many of the corpus' questions first pass at attempts 1, 2, 3, never; panics when a
/// score lies too close to the threshold to be certain.
async fn first_passes(corpus: &[String]) -> [usize; 4] {
    let (model, scorer) = (Offline::new(&settings()), Scorer::fit(corpus));
    let mut passes = [0; 4];
    for (number, reference) in corpus.iter().enumerate() {
        let mut first = 3;
        for attempt in (1..=3).rev() {
            let answer = answer(&model, &number.to_string(), attempt, reference).await;
            let score = scorer.score(&answer, reference);
            assert!(
                !(0.5..0.7).contains(&score),
                "{score} is no clear verdict:\n{answer}\nfor\n{reference}"
            );
            if score >= THRESHOLD {
                first = attempt as usize - 1;
            }
        }
        passes[first] += 1;
    }
    passes
}

#[tokio::test]
async fn seventy_of_a_hundred_pass_at_once_twenty_later_and_ten_never() {
    for vocabulary in [500.0, 20_000.0] {
        let passes = first_passes(&corpus(4_000, 70, vocabulary)).await;
        for (counted, expected) in passes.into_iter().zip([2_800, 400, 400, 400]) {
            assert!(counted.abs_diff(expected) < 90, "{passes:?}");
        }
    }
}

#[tokio::test]
async fn the_verdict_is_clear_for_short_and_for_long_references() {
    for words in [20, 40, 120, 500] {
        first_passes(&corpus(1_000, words, 20_000.0)).await;
    }
}

#[tokio::test]
async fn a_reference_of_one_word_is_kept_or_lost() {
    let model = Offline::new(&OfflineConfig {
        offline_mix: "50/0/50".parse().unwrap(),
        ..settings()
    });
    let mut kept = 0;
    for number in 0..1_000 {
        let answer = answer(&model, &number.to_string(), 1, "Yes.").await;
        assert!(answer == "Yes." || !answer.contains("Yes"), "{answer}");
        kept += usize::from(answer == "Yes.");
    }
    assert!(kept.abs_diff(500) < 60, "{kept}");
}

#[tokio::test]
async fn another_seed_gives_other_answers_and_the_same_seed_the_same() {
    let reference = &corpus(1, 70, 500.0)[0];
    let first = answer(&Offline::new(&settings()), "q", 1, reference).await;
    let again = answer(&Offline::new(&settings()), "q", 1, reference).await;
    let other = answer(
        &Offline::new(&OfflineConfig {
            offline_seed: 2,
            ..settings()
        }),
        "q",
        1,
        reference,
    )
    .await;
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[tokio::test]
async fn failures_come_at_their_rate_and_are_drawn_anew_for_every_request() {
    let model = Offline::new(&OfflineConfig {
        offline_error_rate: 0.3,
        ..settings()
    });
    let mut failures = 0;
    for number in 0..500 {
        for request in 1..=4 {
            let failed = ask(&model, &number.to_string(), 1, request, "").await.is_err();
            assert_eq!(failed, ask(&model, &number.to_string(), 1, request, "").await.is_err());
            failures += usize::from(failed);
        }
    }
    assert!(failures.abs_diff(600) < 80, "{failures} of 2000");
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_the_set_time_on_average() {
    let model = Offline::new(&OfflineConfig {
        offline_latency: Duration::from_millis(200),
        ..settings()
    });
    let started = tokio::time::Instant::now();
    for number in 0..1_000 {
        answer(&model, &number.to_string(), 1, "reference").await;
    }
    let mean = started.elapsed() / 1_000;
    assert!((190..210).contains(&mean.as_millis()), "{mean:?}");
}

proptest! {
    #[test]
    fn any_reference_gets_an_answer_with_text_in_it(reference in any::<String>(), id in any::<String>(), attempt: u32) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let model = Offline::new(&settings());
        let answer = runtime.block_on(answer(&model, &id, attempt, &reference));
        prop_assert!(!answer.trim().is_empty());
    }
}
