//! Asks a question in other words that mean the same: other case, punctuation and spaces, and
//! words around "and" and "or" in the other order.
//!
//! Its identity is made from its words, as that of every question: it stays the same where case
//! and spaces alone differ, and is another otherwise. So a run shows what that identity misses.

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;

use crate::dataset::{Question, question_id};

/// Words between which others may change places; in English and in Spanish.
const LINKS: [&str; 4] = ["and", "or", "y", "o"];

/// `question` in other words, the same for the same `seed`; none if they are too long.
pub fn paraphrase(question: &Question, seed: u64) -> Option<Question> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let title = &question.text.title;
    let mut ways: [Way; 4] = [swap_case, punctuate, space, swap_words];
    ways.shuffle(&mut rng);
    // The last ones are for texts that the first ones leave as they are: punctuation changes any.
    let count = rng.random_range(1..=2);
    let (first, rest) = ways.split_at(count);
    let mut other = first.iter().fold(title.clone(), |text, way| way(&text, &mut rng));
    for way in rest.iter().chain([&(punctuate as Way)]) {
        if other != *title {
            break;
        }
        other = way(&other, &mut rng);
    }
    let mut paraphrased = question.clone();
    paraphrased.text.title = other;
    paraphrased.text.check_size().ok()?;
    paraphrased.question_id = question_id(&paraphrased.text.title, &paraphrased.text.content);
    Some(paraphrased)
}

type Way = fn(&str, &mut ChaCha12Rng) -> String;

fn swap_case(text: &str, rng: &mut ChaCha12Rng) -> String {
    if rng.random() {
        text.to_lowercase()
    } else {
        text.to_uppercase()
    }
}

/// Without what is at the end, or with more of it.
fn punctuate(text: &str, rng: &mut ChaCha12Rng) -> String {
    let bare = text.trim_end_matches(|last: char| ".?!".contains(last) || last.is_whitespace());
    let mut ends = ["", ".", "?", "??", "?!", "..."];
    ends.shuffle(rng);
    let others = ends.iter().map(|end| format!("{bare}{end}"));
    // At least all but one are different, and all but one are not empty.
    others
        .into_iter()
        .find(|other| other != text && !other.is_empty())
        .unwrap_or_else(|| text.to_owned())
}

/// More spaces between some words.
fn space(text: &str, rng: &mut ChaCha12Rng) -> String {
    let mut spaced = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        spaced.push(character);
        if character == ' ' && rng.random_bool(0.5) {
            spaced.push(' ');
        }
    }
    spaced
}

/// "cats and dogs" becomes "dogs and cats".
fn swap_words(text: &str, _: &mut ChaCha12Rng) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    let is_link = |word: &str| LINKS.iter().any(|link| word.eq_ignore_ascii_case(link));
    let is_word = |word: &str| !word.is_empty() && word.chars().all(char::is_alphanumeric);
    for link in 1..words.len().saturating_sub(1) {
        if is_link(words[link])
            && [link - 1, link + 1]
                .iter()
                .all(|&at| is_word(words[at]) && !is_link(words[at]))
        {
            words.swap(link - 1, link + 1);
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use contracts::message;
    use proptest::prelude::*;

    use super::*;

    fn question(title: &str) -> Question {
        Question {
            question_id: question_id(title, "more"),
            text: message::Question {
                title: title.into(),
                content: "more".into(),
                best_answer: "answer".into(),
                other_answers: vec![],
            },
            topic: None,
            source: "test".into(),
        }
    }

    /// The words of a text in any order, without case and punctuation.
    fn words(text: &str) -> Vec<String> {
        let text = text.to_lowercase();
        let mut words: Vec<_> = text
            .split(|character: char| character.is_whitespace() || character.is_ascii_punctuation())
            .filter(|word| !word.is_empty())
            .map(ToOwned::to_owned)
            .collect();
        words.sort_unstable();
        words
    }

    #[test]
    fn words_around_and_and_or_change_places() {
        let rng = &mut ChaCha12Rng::seed_from_u64(1);
        for (text, other) in [
            ("Are cats and dogs friends?", "Are dogs and cats friends?"),
            ("¿gatos o perros grandes?", "¿gatos o perros grandes?"),
            ("son gatos o perros grandes", "son perros o gatos grandes"),
            ("and then", "and then"),
        ] {
            assert_eq!(swap_words(text, rng), other);
        }
    }

    #[test]
    fn a_paraphrase_keeps_its_identity_in_other_case_and_spaces_and_has_another_in_other_words() {
        let original = question("Are cats and dogs friends");
        let ids = |way: Way, seed| {
            let title = way(&original.text.title, &mut ChaCha12Rng::seed_from_u64(seed));
            question_id(&title, "more") == original.question_id
        };
        assert!((0..20).all(|seed| ids(swap_case, seed) && ids(space, seed)));
        assert!((0..20).all(|seed| !ids(punctuate, seed) && !ids(swap_words, seed)));
        let all: Vec<_> = (0..200).filter_map(|seed| paraphrase(&original, seed)).collect();
        let kept = all
            .iter()
            .filter(|other| other.question_id == original.question_id)
            .count();
        assert!((20..180).contains(&kept), "{kept} of 200 keep their identity");
    }

    proptest! {
        #[test]
        fn a_paraphrase_is_another_text_of_the_same_words_and_the_same_for_the_same_seed(
            title in "[a-zA-Z0-9?!]( ?[a-zA-Z?!.]{1,8}| and| or){0,8}", seed: u64,
        ) {
            let original = question(&title);
            let other = paraphrase(&original, seed).unwrap();
            prop_assert_eq!(&other, &paraphrase(&original, seed).unwrap());
            prop_assert_ne!(&other.text.title, &title);
            prop_assert!(!other.text.title.trim().is_empty());
            prop_assert_eq!(words(&other.text.title), words(&title));
            prop_assert_eq!(other.question_id, question_id(&other.text.title, "more"));
            prop_assert_eq!(other.text.best_answer, "answer");
        }
    }
}
