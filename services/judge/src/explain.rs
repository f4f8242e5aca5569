//! Why a score is what it is: words and signals, from the same computation as the score.

use serde::Serialize;

use crate::model::{Model, log_odds};
use crate::opposites;
use crate::profile::Profile;
use crate::scorer::{Found, Judgement};
use crate::signal::Signal;
use crate::stems::{Side, Stem};

/// A judgement with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The artefact by which was judged.
    pub scorer: String,
    /// The probability that a person would accept the answer.
    pub score: f64,
    /// The score lies where the judge errs often.
    pub unsure: bool,
    /// Which reference counted.
    pub reference: usize,
    /// Every signal, whether it says something or not.
    pub signals: Vec<SignalShare>,
    /// The words of the answer.
    pub answer_words: Vec<Mark>,
    /// The words of the reference that counted.
    pub reference_words: Vec<Mark>,
}

/// What one signal did to the score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SignalShare {
    /// Its name.
    pub name: &'static str,
    /// What it says of the answer, in one short sentence; after that, how it is measured.
    pub meaning: &'static str,
    /// Its value.
    pub value: f64,
    /// Its weight in what people accept, at this reference's length.
    pub human_weight: f64,
    /// Its weight in what is no trap.
    pub sound_weight: f64,
    /// What it added to the score's log-odds: never more than 0.
    pub contribution: f64,
    /// The score if nothing had been wrong here.
    pub without_it: f64,
}

/// What a word is to the judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Both texts have it.
    Shared,
    /// The reference has it, the answer lacks it.
    Missing,
    /// The answer has it, the reference does not.
    Added,
    /// It says the opposite: negated on one side only, another number, or an opposite word.
    Contradicts,
    /// It does not count: a function word, or given by the question.
    Common,
}

/// One word of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mark {
    /// As it is written.
    pub word: String,
    /// As it is compared: folded and stemmed.
    pub stem: String,
    /// Where it starts, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What it is to the judge.
    pub class: Class,
    /// How much it counts: its inverse document frequency, or 0.
    pub weight: f64,
}

impl Explanation {
    /// Where there is nothing to compare with.
    pub(crate) fn empty(scorer: &str, judgement: Judgement) -> Self {
        Self {
            scorer: scorer.to_owned(),
            score: judgement.score,
            unsure: judgement.unsure,
            reference: judgement.reference,
            signals: Vec::new(),
            answer_words: Vec::new(),
            reference_words: Vec::new(),
        }
    }
}

pub(crate) fn explain(scorer: &str, model: &Model, judgement: Judgement, found: &Found<'_, '_>) -> Explanation {
    Explanation {
        signals: Signal::ALL.map(|signal| share_of(signal, model, found)).to_vec(),
        answer_words: marks(found.answer, Side::Answer, found),
        reference_words: marks(found.reference, Side::Reference, found),
        ..Explanation::empty(scorer, judgement)
    }
}

fn share_of(signal: Signal, model: &Model, found: &Found<'_, '_>) -> SignalShare {
    let words = found.reference.ids.len();
    let mut without = found.signals;
    without.set(signal, 0.0);
    let without_it = model.score(&without, words);
    let [human_weight, sound_weight] = model.weights(signal, words);
    SignalShare {
        name: signal.name(),
        meaning: signal.meaning(),
        value: found.signals.get(signal),
        human_weight,
        sound_weight,
        contribution: log_odds(found.score) - log_odds(without_it),
        without_it,
    }
}

fn marks(profile: &Profile<'_>, side: Side, found: &Found<'_, '_>) -> Vec<Mark> {
    let source = profile.text.source;
    let mark = |(word, id): (&crate::text::Word, &u32)| {
        let (start, end) = (word.start as usize, word.end as usize);
        let stem = found.stems.get(*id);
        let class = class(stem, side, found);
        let weight = if class == Class::Common { 0.0 } else { stem.idf };
        Mark {
            word: source[start..end].to_owned(),
            stem: stem.text.to_owned(),
            start,
            end,
            class,
            weight,
        }
    };
    profile.text.words.iter().zip(&profile.ids).map(mark).collect()
}

fn class(stem: &Stem<'_>, side: Side, found: &Found<'_, '_>) -> Class {
    let (here, there) = match side {
        Side::Answer => (stem.answer, stem.reference),
        _ => (stem.reference, stem.answer),
    };
    let replaced = stem.number() && found.signals.get(Signal::NumbersReplaced) > 0.0 && !there.any() && !stem.asked;
    let turned = !stem.function && there.any() && here.contradicts(&there);
    let opposed = !there.any()
        && opposites::of(stem.text)
            .iter()
            .filter_map(|other| found.stems.find(other))
            .any(|other| {
                if side == Side::Answer {
                    other.reference.any() && !other.answer.any()
                } else {
                    other.answer.any() && !other.reference.any()
                }
            });
    if replaced || turned || opposed && !stem.asked {
        Class::Contradicts
    } else if !found.relevant.includes(stem) {
        Class::Common
    } else if there.any() || stem.misspelt {
        Class::Shared
    } else if side == Side::Answer {
        Class::Added
    } else {
        Class::Missing
    }
}
