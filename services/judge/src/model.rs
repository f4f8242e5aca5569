//! From signals to a probability.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::artefact::ArtefactError;
use crate::signal::{Signal, Signals};

/// A probability is kept this far from 0 and 1, where its log-odds are infinite.
const MARGIN: f64 = 1e-9;

/// The fitted coefficients as they are written in an artefact.
#[derive(Debug, Clone, Deserialize)]
struct Written {
    short: f64,
    long: f64,
    human: WrittenRegression,
    sound: WrittenRegression,
    calibration: Calibration,
    unsure: [f64; 2],
}

#[derive(Debug, Clone, Deserialize)]
struct WrittenRegression {
    intercept: [f64; 2],
    weights: BTreeMap<String, [f64; 2]>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Calibration {
    slope: [f64; 2],
    intercept: [f64; 2],
}

/// Two logistic regressions, their product, and the last step to a probability.
///
/// The first says whether people would accept an answer, the second whether it is free of the traps that people
/// rarely wrote. Each weight slides from its value for short references to that for long ones with the logarithm of
/// the reference's length. No weight is above 0, so that nothing scores above the reference itself.
#[derive(Debug, Clone)]
pub struct Model {
    short: f64,
    long: f64,
    human: Regression,
    sound: Regression,
    calibration: Calibration,
    unsure: [f64; 2],
}

#[derive(Debug, Clone)]
struct Regression {
    intercept: [f64; 2],
    weights: Vec<(Signal, [f64; 2])>,
}

impl Model {
    /// Reads the model of an artefact; weights above 0 and signals that there are not are refused.
    pub fn from_json(model: serde_json::Value) -> Result<Self, ArtefactError> {
        let written: Written =
            serde_json::from_value(model).map_err(|error| ArtefactError::Malformed(error.to_string()))?;
        if !(written.calibration.slope.iter().all(|slope| *slope >= 0.0)
            && 0.0 < written.short
            && written.short < written.long)
        {
            return Err(ArtefactError::Malformed(
                "the slope must not be negative, and 0 < short < long".into(),
            ));
        }
        Ok(Self {
            short: written.short,
            long: written.long,
            human: written.human.read()?,
            sound: written.sound.read()?,
            calibration: written.calibration,
            unsure: written.unsure,
        })
    }

    /// The probability that a person would accept, with a reference of so many words.
    pub fn score(&self, signals: &Signals, words: usize) -> f64 {
        let slide = self.slide(words);
        let both = sigmoid(self.human.log_odds(signals, slide)) * sigmoid(self.sound.log_odds(signals, slide));
        let Calibration { slope, intercept } = self.calibration;
        sigmoid(between(slope, slide) * log_odds(both) + between(intercept, slide))
    }

    /// The weights of a signal in both regressions, with a reference of so many words.
    pub fn weights(&self, signal: Signal, words: usize) -> [f64; 2] {
        let slide = self.slide(words);
        [&self.human, &self.sound].map(|regression| {
            let weights = regression.weights.iter().find(|(weighted, _)| *weighted == signal);
            weights.map_or(0.0, |(_, weights)| between(*weights, slide))
        })
    }

    /// Whether the judge errs often around a score.
    pub fn is_unsure(&self, score: f64) -> bool {
        (self.unsure[0]..=self.unsure[1]).contains(&score)
    }

    /// 0 for a short reference, 1 for a long one.
    fn slide(&self, words: usize) -> f64 {
        ((words.max(1) as f64 / self.short).ln() / (self.long / self.short).ln()).clamp(0.0, 1.0)
    }
}

impl WrittenRegression {
    fn read(self) -> Result<Regression, ArtefactError> {
        let mut weights = Vec::with_capacity(self.weights.len());
        for (name, values) in &self.weights {
            let signal = (Signal::ALL.into_iter().find(|signal| signal.name() == name))
                .ok_or_else(|| ArtefactError::Malformed(format!("there is no signal {name}")))?;
            if signal == Signal::Cosine {
                // It falls with every added word, and rises with some: with it, more than the reference could score.
                return Err(ArtefactError::Malformed(
                    "cosine is no penalty and has no weight".into(),
                ));
            }
            if !values.iter().all(|value| *value <= 0.0) {
                return Err(ArtefactError::Malformed(format!(
                    "the weight of {name} is above 0: {values:?}"
                )));
            }
            weights.push((signal, *values));
        }
        weights.sort_by_key(|(signal, _)| *signal);
        Ok(Regression {
            intercept: self.intercept,
            weights,
        })
    }
}

impl Regression {
    fn log_odds(&self, signals: &Signals, slide: f64) -> f64 {
        let start = between(self.intercept, slide);
        self.weights.iter().fold(start, |sum, (signal, weights)| {
            sum + between(*weights, slide) * signals.get(*signal)
        })
    }
}

fn between(ends: [f64; 2], slide: f64) -> f64 {
    ends[0] * (1.0 - slide) + ends[1] * slide
}

fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The logarithm of a probability's odds.
pub fn log_odds(probability: f64) -> f64 {
    let probability = probability.clamp(MARGIN, 1.0 - MARGIN);
    (probability / (1.0 - probability)).ln()
}
