//! Cases in, judgements out.

use serde::Deserialize as _;
use serde_json::Value;

use crate::artefact::{self, ArtefactError};
use crate::compare::{Answer, Relevant, compare};
use crate::explain::{Explanation, explain};
use crate::frequencies::Frequencies;
use crate::model::Model;
use crate::profile::Profile;
use crate::question::Asked;
use crate::signal::Signals;
use crate::stems::{Side, Stems};
use crate::text::{Text, language};

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The question: its title and, on the next line, what the asker added.
    pub question: &'a str,
    /// Answers that people gave, each as good as the others.
    pub references: &'a [&'a str],
    /// The answer to judge.
    pub answer: &'a str,
}

/// What the judge says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// The probability that a person would accept the answer.
    pub score: f64,
    /// Which reference it is closest to; the first of equals.
    pub reference: usize,
    /// What was noticed beside that one.
    pub signals: Signals,
    /// The score lies where the judge errs often.
    pub unsure: bool,
}

/// Judges answers by one artefact.
#[derive(Debug, Clone)]
pub struct Scorer {
    hash: String,
    frequencies: Frequencies,
    model: Model,
}

impl Scorer {
    /// Reads an artefact.
    ///
    /// # Errors
    /// It is of another format, damaged, or its model has weights that no judge may have.
    pub fn from_json(artefact: &str) -> Result<Self, ArtefactError> {
        let (mut value, hash) = artefact::open(artefact)?;
        let model = Model::from_json(value.get_mut("model").map(Value::take).unwrap_or_default())?;
        let frequencies =
            Frequencies::deserialize(value).map_err(|error| ArtefactError::Malformed(error.to_string()))?;
        if !frequencies.are_weights() {
            return Err(ArtefactError::Malformed("every idf must be above 0".into()));
        }
        Ok(Self {
            hash,
            frequencies,
            model,
        })
    }

    /// Names this scorer: 16 hexadecimal digits, equal for equal content.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether the judge errs often around a score.
    pub fn is_unsure(&self, score: f64) -> bool {
        self.model.is_unsure(score)
    }

    /// Judges an answer beside the reference that it is closest to. Without a reference the score is 0.
    pub fn judge(&self, case: &Case<'_>) -> Judgement {
        let mut best = Judgement {
            score: -1.0,
            reference: 0,
            signals: Signals::NONE,
            unsure: false,
        };
        self.compare_all(case, |found| {
            if found.score > best.score {
                best = Judgement {
                    score: found.score,
                    reference: found.index,
                    signals: found.signals,
                    unsure: false,
                };
            }
        });
        best.score = best.score.max(0.0);
        best.unsure = self.is_unsure(best.score);
        best
    }

    /// The judgement with its reasons: which words, which signals, how much each.
    pub fn explain(&self, case: &Case<'_>) -> Explanation {
        let judgement = self.judge(case);
        let mut explanation = Explanation::empty(&self.hash, judgement);
        self.compare_all(case, |found| {
            if found.index == judgement.reference {
                explanation = explain(&self.hash, &self.model, judgement, &found);
            }
        });
        explanation
    }

    /// The signals beside each reference, and how many words that has: what a model is fitted on.
    pub fn signals(&self, case: &Case<'_>) -> Vec<(Signals, usize)> {
        let mut all = Vec::with_capacity(case.references.len());
        self.compare_all(case, |found| all.push((found.signals, found.reference.ids.len())));
        all
    }

    fn compare_all(&self, case: &Case<'_>, mut found: impl FnMut(Found<'_, '_>)) {
        let mut question = Text::read(case.question);
        let mut answer = Text::read(case.answer);
        let mut references: Vec<Text<'_>> = case.references.iter().map(|reference| Text::read(reference)).collect();
        // Of the references none may decide: with one more the score must not fall.
        let language = language(question.spanish() + answer.spanish());
        [&mut question, &mut answer]
            .into_iter()
            .chain(&mut references)
            .for_each(|text| text.stem_all(language));

        let mut stems = Stems::new(&self.frequencies, 2 * (question.words.len() + answer.words.len()));
        stems.add(&question, Side::Question);
        let asked = Asked::of(&question);
        let answer = Answer::new(Profile::new(&answer, Side::Answer, &mut stems), asked);
        for (index, reference) in references.iter().enumerate() {
            let reference = Profile::new(reference, Side::Reference, &mut stems);
            let (signals, relevant) = compare(&answer, &reference, &mut stems);
            let score = self.model.score(&signals, reference.ids.len());
            found(Found {
                index,
                score,
                signals,
                relevant,
                answer: &answer.profile,
                reference: &reference,
                stems: &stems,
            });
            stems.forget(&reference.distinct, &answer.profile.distinct);
        }
    }
}

/// What was found out beside one reference.
pub(crate) struct Found<'f, 't> {
    pub index: usize,
    pub score: f64,
    pub signals: Signals,
    pub relevant: Relevant,
    pub answer: &'f Profile<'t>,
    pub reference: &'f Profile<'t>,
    pub stems: &'f Stems<'t>,
}
