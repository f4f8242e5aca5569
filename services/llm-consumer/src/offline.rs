//! A simulated model: no network, no cost, and the same answers whenever it is asked.
//!
//! Its answers are the reference with words dropped, replaced and added. Whether a question
//! passes at once, later or never is drawn from the seed and its id; how good each attempt is,
//! from its number as well, and always well clear of the usual threshold on either side.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use contracts::message::{Question, Usage};
use rand::seq::{SliceRandom as _, index};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

use crate::config::OfflineConfig;
use crate::model::{Ask, Completion, ErrorKind, LanguageModel, ModelError};

/// The words of a model that does not know: rare ones, so that they share nothing with a reference.
#[rustfmt::skip]
const FILLERS: [&str; 40] = [
    "allegedly", "ambiguously", "apparently", "arguably", "circuitously", "conceivably", "conjecture", "debatably",
    "equivocally", "fathomably", "figuratively", "haphazardly", "hearsay", "heretofore", "hypothetically",
    "imponderable", "inconclusive", "indeterminate", "inexplicably", "inscrutable", "insofar", "musings", "nebulous",
    "nominally", "notionally", "notwithstanding", "obliquely", "ostensibly", "perchance", "presumably", "purportedly",
    "quibbles", "reputedly", "seemingly", "speculation", "supposedly", "tangentially", "tentatively", "unfathomable",
    "vaguely",
];
/// Each filler outweighs several common words: a good answer can bear few.
const MAX_FILLERS_WHEN_GOOD: usize = 2;
/// A poor answer is padded up to this many words, or as many as the reference has.
const PADDED_WORDS: usize = 40;

/// A question's references, sealed: only this module can read them, so no real model can be shown them.
#[derive(Clone, Copy)]
pub struct Reference<'a>(&'a Question);

impl<'a> Reference<'a> {
    /// Seals the references of a question.
    #[must_use]
    pub fn seal(question: &'a Question) -> Self {
        Self(question)
    }
}

impl fmt::Debug for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

/// Of a hundred questions, how many pass when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// At the first attempt.
    pub at_once: u8,
    /// At the second or third.
    pub later: u8,
    /// Never.
    pub never: u8,
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Option<Vec<u8>> = text.split('/').map(|part| part.trim().parse().ok()).collect();
        match parts.as_deref() {
            Some(&[at_once, later, never])
                if [at_once, later, never].iter().map(|&p| u32::from(p)).sum::<u32>() == 100 =>
            {
                Ok(Self { at_once, later, never })
            }
            _ => Err("three percentages that sum to 100 are allowed, such as 70/20/10".into()),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.at_once, self.later, self.never)
    }
}

/// The simulated model.
#[derive(Debug, Clone)]
pub struct Offline {
    seed: u64,
    latency: Duration,
    error_rate: f64,
    mix: Mix,
}

impl Offline {
    /// A model that answers by these settings.
    #[must_use]
    pub fn new(config: &OfflineConfig) -> Self {
        Self {
            seed: config.offline_seed,
            latency: config.offline_latency,
            error_rate: config.offline_error_rate,
            mix: config.offline_mix,
        }
    }

    /// Random numbers that depend on nothing but these.
    fn rng(&self, purpose: &str, question_id: &str, numbers: [u32; 2]) -> ChaCha8Rng {
        let mut hash = Sha256::new_with_prefix(self.seed.to_le_bytes());
        for number in numbers {
            hash.update(number.to_le_bytes());
        }
        hash.update(purpose);
        hash.update([0]);
        hash.update(question_id);
        ChaCha8Rng::from_seed(hash.finalize().into())
    }

    /// The first attempt at which the question passes, if there is one.
    fn passes_from(&self, question_id: &str) -> Option<u32> {
        let mut rng = self.rng("fate", question_id, [0, 0]);
        let draw = rng.random_range(0..100);
        if draw < self.mix.at_once {
            Some(1)
        } else if draw < 100 - self.mix.never {
            Some(rng.random_range(2..=3))
        } else {
            None
        }
    }

    fn write(&self, question_id: &str, attempt: u32, reference: &str) -> String {
        let mut rng = self.rng("answer", question_id, [attempt, 0]);
        let passes = self.passes_from(question_id).is_some_and(|from| attempt >= from);
        let words: Vec<_> = reference.split_whitespace().collect();
        let (lost, mut fillers, padded) = if passes {
            (some_words(&words, &mut rng), MAX_FILLERS_WHEN_GOOD, 0)
        } else {
            (most_words(&words, &mut rng), words.len(), words.len().min(PADDED_WORDS))
        };
        let mut answer = Vec::with_capacity(words.len());
        for (position, word) in words.iter().enumerate() {
            if !lost.contains(&position) {
                answer.push(*word);
            } else if fillers > 0 && rng.random() {
                fillers -= 1;
                answer.push(filler(&mut rng));
            }
        }
        while answer.len() < padded || answer.is_empty() {
            answer.push(filler(&mut rng));
        }
        answer.join(" ")
    }
}

impl LanguageModel for Offline {
    fn name(&self) -> &str {
        "offline"
    }

    async fn answer(&self, ask: &Ask<'_>) -> Result<Completion, ModelError> {
        let mut rng = self.rng("request", ask.question_id, [ask.attempt, ask.request]);
        let fails = rng.random_bool(self.error_rate);
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency.mul_f64(rng.random_range(0.5..1.5))).await;
        }
        if fails {
            return Err(ModelError::new(
                ErrorKind::Unavailable,
                "simulated by OFFLINE_ERROR_RATE",
            ));
        }
        let answer = self.write(ask.question_id, ask.attempt, &ask.reference.0.best_answer);
        // As if a word were a token.
        let usage = Usage {
            input_tokens: count_words(ask.prompt),
            output_tokens: count_words(&answer),
            cost_usd: None,
        };
        Ok(Completion {
            answer,
            model: Some(self.name().into()),
            usage: Some(usage),
            finish_reason: Some("stop".into()),
        })
    }
}

/// The positions of 2 to 8 % of the words: what is left is about the same text.
/// Rounded down, so that a short reference is kept whole.
fn some_words(words: &[&str], rng: &mut ChaCha8Rng) -> HashSet<usize> {
    let count = words.len() as f64 * rng.random_range(0.02..0.08);
    index::sample(rng, words.len(), count as usize).into_iter().collect()
}

/// The positions of all but 8 to 25 % of the distinct words, so that a word which is often
/// there is gone altogether. Rounded up, so that a short reference is lost whole.
fn most_words(words: &[&str], rng: &mut ChaCha8Rng) -> HashSet<usize> {
    let words: Vec<_> = words.iter().map(|word| bare(word)).collect();
    let mut seen = HashSet::new();
    let mut distinct: Vec<_> = words.iter().filter(|word| seen.insert(*word)).collect();
    distinct.shuffle(rng);
    let kept = distinct.len() as f64 * rng.random_range(0.08..0.25);
    let kept: HashSet<_> = distinct.into_iter().take(kept as usize).collect();
    words
        .iter()
        .enumerate()
        .filter(|(_, word)| !kept.contains(word))
        .map(|(position, _)| position)
        .collect()
}

/// A word as a scorer sees it: lower case, without the punctuation around it.
fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

fn filler(rng: &mut ChaCha8Rng) -> &'static str {
    FILLERS[rng.random_range(0..FILLERS.len())]
}

fn count_words(text: &str) -> u32 {
    u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX)
}
