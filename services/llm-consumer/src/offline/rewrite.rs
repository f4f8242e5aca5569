//! Answers made from a reference: right in other words, right in part, wrong, or none at all.

use rand::RngExt as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand_chacha::ChaCha8Rng;

use super::phrases::{DENIALS, GUESSES, OFF_TOPIC, OPENINGS, REFUSALS, SENTENCES, SYNONYMS};

/// A reference of up to so many words is a name or a number: it is said whole or not at all.
const SHORT_WORDS: usize = 12;
/// One word in so many may be replaced by another that means the same.
const WORDS_A_SYNONYM: usize = 12;

/// The reference in other words.
pub fn right(reference: &str, rng: &mut ChaCha8Rng) -> String {
    if !reference.contains(char::is_alphanumeric) {
        return off_topic(reference, rng);
    }
    if count(reference) <= SHORT_WORDS {
        let sentence = pick(SENTENCES.like(reference), rng);
        let bare = reference.trim_end_matches(['.', '!', ' ']);
        return if rng.random() {
            reference.to_owned()
        } else {
            sentence.replace("{}", bare)
        };
    }
    let mut sentences = sentences(reference);
    if sentences.len() > 2 {
        // The first one answers, and stays.
        sentences[1..].shuffle(rng);
    }
    let mut synonyms = count(reference) / WORDS_A_SYNONYM;
    let mut answer = String::from(if rng.random() {
        pick(OPENINGS.like(reference), rng)
    } else {
        ""
    });
    for word in sentences.iter().flat_map(|sentence| sentence.split_whitespace()) {
        let other = SYNONYMS.iter().find(|(from, _)| *from == word).map(|(_, to)| *to);
        let replaced = other.filter(|_| synonyms > 0 && rng.random());
        synonyms -= usize::from(replaced.is_some());
        answer.push_str(replaced.unwrap_or(word));
        answer.push(' ');
    }
    answer.trim_end().to_owned()
}

/// Not good enough: right in part, about something else, or a refusal.
pub fn poor(reference: &str, rng: &mut ChaCha8Rng) -> String {
    match rng.random_range(0..3) {
        0 if count(reference) > SHORT_WORDS => part(reference, rng),
        1 => pick(REFUSALS.like(reference), rng).to_owned(),
        _ => off_topic(reference, rng),
    }
}

/// Two of the reference's longer words, remembered without what they say.
fn part(reference: &str, rng: &mut ChaCha8Rng) -> String {
    let words: Vec<_> = reference.split_whitespace().map(bare_word).collect();
    let long: Vec<_> = words.into_iter().filter(|word| word.len() > 4).collect();
    if long.len() < 2 {
        return off_topic(reference, rng);
    }
    let remembered = long.sample(rng, 2);
    remembered.fold(pick(GUESSES.like(reference), rng).to_owned(), |guess, word| {
        guess.replacen("{}", word, 1)
    })
}

/// The answer to another question: of all there are, one that shares no longer word with the reference, if there is.
fn off_topic(reference: &str, rng: &mut ChaCha8Rng) -> String {
    let answers = OFF_TOPIC.like(reference);
    let first = rng.random_range(0..answers.len());
    let (before, from) = answers.split_at(first);
    let shares = |answer: &&&str| shared_words(answer, reference);
    from.iter()
        .chain(before)
        .min_by_key(shares)
        .copied()
        .unwrap_or_default()
        .to_owned()
}

fn shared_words(answer: &str, reference: &str) -> usize {
    let is_long = |word: &&str| word.len() > 4;
    let words: Vec<_> = reference.split_whitespace().map(bare_word).filter(is_long).collect();
    answer
        .split_whitespace()
        .map(bare_word)
        .filter(|word| is_long(word) && words.contains(word))
        .count()
}

/// The reference with a mistake that few words tell: another number, or a negation.
pub fn wrong(reference: &str, rng: &mut ChaCha8Rng) -> String {
    other_number(reference, rng).unwrap_or_else(|| negated(reference))
}

/// The reference with another number in the place of one that it has.
fn other_number(reference: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let starts: Vec<usize> = reference
        .char_indices()
        .filter(|&(at, c)| c.is_ascii_digit() && !reference[..at].ends_with(|before: char| before.is_ascii_digit()))
        .map(|(at, _)| at)
        .collect();
    let &start = starts.choose(rng)?;
    let end = reference[start..]
        .find(|c: char| !c.is_ascii_digit())
        .map_or(reference.len(), |length| start + length);
    // The last digit but a zero moves, so that the number stays one of its kind.
    let mut digits = reference.as_bytes()[start..end].to_vec();
    let at = digits.iter().rposition(|&digit| digit != b'0').unwrap_or(0);
    digits[at] = b'1' + (digits[at] - b'0' + rng.random_range(0..7)) % 9;
    Some(format!(
        "{}{}{}",
        &reference[..start],
        String::from_utf8_lossy(&digits),
        &reference[end..]
    ))
}

/// The reference with its first statement negated.
fn negated(reference: &str) -> String {
    const AFTER: [&str; 14] = [
        "is", "are", "was", "were", "can", "will", "should", "could", "would", "may", "must", "has", "have", "do",
    ];
    const BEFORE: [&str; 9] = ["es", "son", "está", "fue", "hay", "tiene", "puede", "debe", "se"];
    let mut words: Vec<&str> = reference.split_whitespace().collect();
    if let Some(at) = words.iter().position(|word| AFTER.contains(word)) {
        words.insert(at + 1, "not");
    } else if let Some(at) = words.iter().position(|word| BEFORE.contains(word)) {
        words.insert(at, "no");
    } else {
        words.insert(0, DENIALS.like(reference)[0]);
    }
    words.join(" ")
}

/// The sentences of a text, each with its full stop.
fn sentences(text: &str) -> Vec<&str> {
    text.split_inclusive(['\n'])
        .flat_map(|line| {
            let mut ends: Vec<usize> = line
                .match_indices(['.', '!', '?'])
                .map(|(at, mark)| at + mark.len())
                .filter(|&end| line[end..].starts_with(char::is_whitespace))
                .collect();
            ends.push(line.len());
            let starts = std::iter::once(0).chain(ends.clone());
            starts
                .zip(ends)
                .map(|(start, end)| line[start..end].trim())
                .collect::<Vec<_>>()
        })
        .filter(|sentence| !sentence.is_empty())
        .collect()
}

fn pick<'a>(phrases: &[&'a str], rng: &mut ChaCha8Rng) -> &'a str {
    phrases.choose(rng).copied().unwrap_or_default()
}

fn bare_word(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

fn count(text: &str) -> usize {
    text.split_whitespace().count()
}
