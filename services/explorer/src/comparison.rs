//! Two runs, paired by question: what differs, and whether by more than noise. It is what `make report`
//! (`report/comparison.py`) makes of them, from the index.

pub mod rescoring;
pub mod run;
pub mod statistics;
pub mod verdicts;

mod kept;

use std::collections::BTreeSet;

pub use self::kept::{Comparisons, Extent};
pub use self::rescoring::{Rescorings, Work};
pub use self::run::{Facts, Measure, RunOutcomes, Side};
use self::statistics::{Estimate, Word, bootstrap, needed_pairs, sign_test};
pub use self::verdicts::{Standard, Verdicts};

/// One figure of both runs over the questions they share; an error counts as not accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    pub measure: Measure,
    pub first: f64,
    pub second: f64,
    pub difference: Estimate,
}

/// A question that both runs asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    pub first: Side,
    pub second: Side,
}

impl Pair {
    /// By how much the second run has more of something; not a number where one of them has none.
    pub fn difference(&self, measure: Measure) -> f64 {
        self.second.mean(measure) - self.first.mean(measure)
    }
}

/// A question that one of them asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Alone {
    pub side: Side,
    pub is_in_second: bool,
}

/// The second run against the first.
#[derive(Debug)]
pub struct Comparison {
    pub first: Facts,
    pub second: Facts,
    /// By what all answers were judged again for it; none where the verdicts are those that fell.
    pub standard: Option<Standard>,
    pub pairs: Vec<Pair>,
    pub alone: Vec<Alone>,
    /// Of each measure that any question has in both.
    pub metrics: Vec<Metric>,
    /// On how many questions the second did better, worse or the same.
    pub better: usize,
    pub worse: usize,
    pub same: usize,
    pub p_value: f64,
    /// About how many questions would do to say more.
    pub needed: usize,
}

impl Comparison {
    /// Pairs two runs by question; a question that was asked several times in a run counts once, by its mean.
    pub fn of(first: RunOutcomes, mut second: RunOutcomes) -> Self {
        let (mut pairs, mut alone) = (vec![], vec![]);
        for (question, side) in first.questions {
            let one = side.done();
            match second.questions.remove(&question) {
                Some(other) => pairs.push(Pair {
                    first: one,
                    second: other.done(),
                }),
                None => alone.push(Alone {
                    side: one,
                    is_in_second: false,
                }),
            }
        }
        let rest = second.questions.into_values();
        alone.extend(rest.map(|side| Alone {
            side: side.done(),
            is_in_second: true,
        }));
        let accepted: Vec<f64> = pairs.iter().map(|pair| pair.difference(Measure::Accepted)).collect();
        let count = |holds: fn(&f64) -> bool| accepted.iter().filter(|difference| holds(difference)).count();
        let (better, worse) = (
            count(|difference| *difference > 0.0),
            count(|difference| *difference < 0.0),
        );
        Self {
            metrics: Measure::ALL
                .into_iter()
                .filter_map(|measure| metric(measure, &pairs))
                .collect(),
            better,
            worse,
            same: pairs.len() - better - worse,
            p_value: sign_test(better, worse),
            needed: needed_pairs(&accepted),
            standard: first.rejudged.map(|rejudged| rejudged.standard),
            first: first.facts,
            second: second.facts,
            pairs,
            alone,
        }
    }

    /// The difference in what was accepted; none without a shared question.
    pub fn main(&self) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.measure == Measure::Accepted)
    }

    /// What that lets one say; nothing where two measures judged.
    pub fn word(&self) -> Option<Word> {
        let main = self.main().filter(|_| self.is_judged_alike())?;
        Some(main.difference.word())
    }

    /// Whether the verdicts of both are of the same measure.
    pub fn is_judged_alike(&self) -> bool {
        self.standard.is_some() || !self.has_other_scorers() && !self.has_other_thresholds()
    }

    /// Whether scores were made by several scorers.
    pub fn has_other_scorers(&self) -> bool {
        differ(&self.first.scorers, &self.second.scorers)
    }

    /// Whether verdicts had several thresholds.
    pub fn has_other_thresholds(&self) -> bool {
        differ(&self.first.thresholds, &self.second.thresholds)
    }
}

fn differ(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    !one.is_empty() && !other.is_empty() && (one != other || one.len() > 1)
}

/// A measure over the pairs that have it on both sides.
fn metric(measure: Measure, pairs: &[Pair]) -> Option<Metric> {
    let known = || pairs.iter().filter(|pair| !pair.difference(measure).is_nan());
    let differences: Vec<f64> = known().map(|pair| pair.difference(measure)).collect();
    let mean = |sum: f64| sum / differences.len() as f64;
    Some(Metric {
        measure,
        first: mean(known().map(|pair| pair.first.mean(measure)).sum()),
        second: mean(known().map(|pair| pair.second.mean(measure)).sum()),
        difference: bootstrap(&differences)?,
    })
}

#[cfg(test)]
pub mod golden;
#[cfg(test)]
pub mod tests;
