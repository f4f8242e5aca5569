//! Texts as large as they may be: the work is bounded.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod common;

use std::time::Duration;

use common::{case, scorer};
use rustix::time::{ClockId, clock_gettime};

const LARGEST: usize = 256 * 1024;
/// So much a run may take longer for no reason of ours.
const NOISE: Duration = Duration::from_millis(20);

fn filled(piece: &str) -> String {
    piece.repeat(LARGEST / piece.len())
}

/// Words of seven letters, none twice, in sentences of nine; another seed has other words.
fn different_words(seed: u64, length: usize) -> String {
    let mut text = String::new();
    for number in 0_u64.. {
        let mut value = (number + (seed << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let word: String = (0..7)
            .map(|_| {
                let letter = b'a' + (value % 26) as u8;
                value /= 26;
                letter as char
            })
            .collect();
        text.push_str(&word);
        text.push(if number % 9 == 8 { '.' } else { ' ' });
        if text.len() > length {
            break;
        }
    }
    text
}

/// How long this thread has had a processor.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// The fastest of three: what disturbs the machine only ever adds.
fn fastest(mut work: impl FnMut()) -> Duration {
    let once = |()| {
        let begun = cpu_time();
        work();
        cpu_time() - begun
    };
    [(); 3].map(once).into_iter().min().unwrap()
}

#[test]
fn the_largest_texts_of_any_kind_are_judged() {
    let few_words = filled("ab ac ab ad ");
    let many_words = different_words(1, LARGEST);
    let mut texts: Vec<String> = [
        "a",
        "a ",
        "1",
        "1,000,",
        "1 ",
        "two ",
        "thousand ",
        "I.",
        "not ",
        "é",
        "e\u{301}",
        "中",
        "'",
        "a'b",
        ".",
        "a.\n",
        "Paris ",
        "🎾",
        "ing",
        "mente",
        "1\u{a0}000\u{a0}",
    ]
    .map(filled)
    .to_vec();
    texts.extend([few_words.clone(), many_words.clone()]);
    for answer in &texts {
        for reference in [&few_words, &many_words] {
            let judgement = scorer().judge(&case(answer, &[reference, "Paris"], answer));
            assert!((0.0..=1.0).contains(&judgement.score));
            let judgement = scorer().judge(&case("What is it?", &[answer], reference));
            assert!((0.0..=1.0).contains(&judgement.score));
        }
    }
}

/// Four times the text makes four times the work, and would make sixteen times if it grew with the square.
fn assert_linear(kind: &str, texts: impl Fn(usize) -> (String, String)) {
    let [quarter, whole] = [LARGEST / 4, LARGEST].map(|length| {
        let (reference, answer) = texts(length);
        fastest(|| {
            scorer().judge(&case("What is it?", &[&reference], &answer));
        })
    });
    assert!(whole < 8 * quarter + NOISE, "{kind}: {quarter:?} and {whole:?}");
}

#[test]
fn work_grows_with_the_length_and_not_with_its_square() {
    let repeated = |length: usize| "ab ac ab ad ".repeat(length / 12);
    assert_linear("no word in common", |length| {
        (different_words(1, length), different_words(2, length))
    });
    assert_linear("few words", |length| (repeated(length), repeated(length)));
    assert_linear("many and few", |length| (different_words(1, length), repeated(length)));
}

#[test]
fn sixteen_large_references_and_a_large_answer_are_explained() {
    let text = different_words(1, LARGEST);
    let references = [text.as_str(); 16];
    let explanation = scorer().explain(&case("", &references, &text[..LARGEST / 2]));
    assert!(explanation.score < 1.0 && explanation.reference == 0);
}
