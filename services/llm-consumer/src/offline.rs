//! A simulated model: no network, no cost, and the same answers whenever it is asked.
//!
//! Its answers are made from the reference ([`rewrite`]). Whether a question passes at once,
//! later or never, or whether its answer is a trap, is drawn from the seed and its id; the words
//! of each attempt, from its number as well.

mod phrases;
mod rewrite;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use contracts::message::Question;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

use crate::config::OfflineConfig;
use crate::model::{Ask, Completion, ErrorKind, LanguageModel, ModelError, MostTokens, Tokens};

/// The name of the simulated model.
pub const MODEL: &str = "offline";
/// Its name on an answer that is a trap: wrong, and nearly the reference. Verdicts on these are counted apart.
pub const TRAP: &str = "offline-trap";

/// The reference answers, sealed: only this module can read them, so no real model can be shown one.
#[derive(Clone, Copy)]
pub struct Reference<'a>(&'a Question);

impl<'a> Reference<'a> {
    /// Seals a question's references.
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

/// What the answers to a question are like.
enum Fate {
    /// Good from this attempt on, poor before.
    GoodFrom(u32),
    /// Always poor.
    Poor,
    /// Always wrong in a way that few words tell.
    Trap,
}

/// The simulated model.
#[derive(Debug, Clone)]
pub struct Offline {
    seed: u64,
    latency: Duration,
    error_rate: f64,
    mix: Mix,
    traps: f64,
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
            traps: config.offline_traps,
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

    fn fate(&self, question_id: &str) -> Fate {
        let mut rng = self.rng("fate", question_id, [0, 0]);
        let draw = rng.random_range(0..100);
        let later = rng.random_range(2..=3);
        if rng.random_bool(self.traps) {
            Fate::Trap
        } else if draw < self.mix.at_once {
            Fate::GoodFrom(1)
        } else if draw < 100 - self.mix.never {
            Fate::GoodFrom(later)
        } else {
            Fate::Poor
        }
    }

    /// The answer, and the name of the model that gives it.
    fn write(&self, ask: &Ask<'_>) -> (String, &'static str) {
        let mut rng = self.rng("answer", ask.question_id, [ask.attempt, 0]);
        let Reference(question) = ask.reference;
        let others = &question.other_answers;
        let reference = match rng.random_range(0..=others.len()) {
            0 => &question.best_answer,
            other => &others[other - 1],
        };
        match self.fate(ask.question_id) {
            Fate::Trap => (rewrite::wrong(reference, &mut rng), TRAP),
            Fate::GoodFrom(first) if ask.attempt >= first => (rewrite::right(reference, &mut rng), MODEL),
            Fate::GoodFrom(_) | Fate::Poor => (rewrite::poor(reference, &mut rng), MODEL),
        }
    }
}

impl LanguageModel for Offline {
    fn name(&self, _: u32) -> &str {
        MODEL
    }

    fn names(&self) -> Vec<String> {
        vec![MODEL.to_owned()]
    }

    fn costs(&self) -> bool {
        false
    }

    fn most_tokens(&self, _: &Ask<'_>) -> MostTokens {
        MostTokens::default()
    }

    async fn answer(&self, ask: &Ask<'_>) -> Result<Completion, ModelError> {
        let mut rng = self.rng("request", ask.question_id, [ask.attempt, ask.request]);
        let fails = rng.random_bool(self.error_rate);
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency.mul_f64(rng.random_range(0.5..1.5))).await;
        }
        if fails {
            return Err(ModelError {
                status: Some(503),
                ..ModelError::new(ErrorKind::Unavailable, "simulated by OFFLINE_ERROR_RATE")
            });
        }
        let (answer, model) = self.write(ask);
        // As if a word were a token.
        let tokens = Tokens {
            input: count_words(&ask.prompt.system) + count_words(&ask.prompt.user),
            output: count_words(&answer),
            estimated: false,
        };
        Ok(Completion {
            answer,
            thinking: None,
            model: Some(model.into()),
            tokens,
            finish_reason: Some("stop".into()),
        })
    }
}

fn count_words(text: &str) -> u32 {
    u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX)
}
