//! What both `make report` and this page have to say of the same differences: `report/tests/comparison.json`.

use serde::Deserialize;

use super::statistics::{Estimate, needed_pairs};
use super::{Comparison, Facts, Measure, Metric, Pair, Side};

/// Two resamplings give ends that differ by less than this share of the interval.
pub const NOISE: f64 = 0.05;

#[derive(Deserialize)]
pub struct Golden {
    pub differences: Vec<Differences>,
    pub sentences: Vec<Sentence>,
}

#[derive(Deserialize)]
pub struct Differences {
    pub what: String,
    pub counts: Vec<(f64, usize)>,
    pub low: f64,
    pub high: f64,
    pub word: String,
    pub p_value: f64,
    pub needed: usize,
}

#[derive(Deserialize)]
pub struct Sentence {
    pub value: f64,
    pub low: f64,
    pub high: f64,
    pub pairs: usize,
    #[serde(default)]
    pub counts: Vec<(f64, usize)>,
    #[serde(default)]
    pub scorers: Vec<String>,
    pub said: String,
}

/// Reads it.
pub fn read() -> Golden {
    serde_json::from_str(include_str!("../../../../report/tests/comparison.json")).unwrap()
}

impl Differences {
    /// One difference a question.
    pub fn each(&self) -> Vec<f64> {
        each(&self.counts)
    }
}

impl Sentence {
    /// A comparison of which it is to be said.
    pub fn comparison(&self) -> Comparison {
        let facts = |name: &str, scorer: Option<&String>| Facts {
            name: name.to_owned(),
            scorers: scorer.into_iter().cloned().collect(),
            ..Facts::default()
        };
        let difference = Estimate {
            value: self.value,
            low: self.low,
            high: self.high,
            pairs: self.pairs,
        };
        let metric = Metric {
            measure: Measure::Accepted,
            first: 0.5,
            second: 0.5,
            difference,
        };
        let each = each(&self.counts);
        let better = each.iter().filter(|difference| **difference > 0.0).count();
        let worse = each.iter().filter(|difference| **difference < 0.0).count();
        let pair = Pair {
            first: Side::default(),
            second: Side::default(),
        };
        Comparison {
            first: facts("a", self.scorers.first()),
            second: facts("b", self.scorers.last()),
            standard: None,
            pairs: vec![pair; self.pairs],
            alone: vec![],
            metrics: if self.pairs > 0 { vec![metric] } else { vec![] },
            better,
            worse,
            same: self.pairs - better - worse,
            p_value: 1.0,
            needed: needed_pairs(&each),
        }
    }
}

fn each(counts: &[(f64, usize)]) -> Vec<f64> {
    counts.iter().flat_map(|&(value, count)| vec![value; count]).collect()
}
