//! What a difference between two runs lets one say. The rules are those of `make report` (`report/statistics.py`); both
//! are held to `report/tests/comparison.json`.

use std::f64::consts::LN_2;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution as _};

/// How often the questions are drawn anew.
pub const RESAMPLES: usize = 10_000;
/// Below so many pairs nothing is said.
pub const FEWEST_PAIRS: usize = 30;
/// A difference within this would not matter.
pub const MARGIN: f64 = 0.02;

/// Differences are rounded to this before they are resampled: a hundred thousand cost no more than a thousand.
const GRAIN: f64 = 0.001;
/// Of what is expected so often, nothing is seen in one draw of forty: -ln 0.025.
const UNSEEN: f64 = 3.69;
const SEED: u64 = 1;
/// A draw of a binomial distribution takes as long as about so many draws of a value.
const DRAWS_A_BINOMIAL: usize = 30;
/// The normal distribution has 97.5 % below this.
const NORMAL_97_5: f64 = 1.959_963_984_540_054;

/// A mean difference over questions, the interval that holds it in 95 % of all draws, and over how many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
    pub pairs: usize,
}

/// What an interval lets one say of the second run, where more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Better,
    Worse,
    SlightlyBetter,
    SlightlyWorse,
    PracticallyEqual,
    NoneShown,
    TooFew,
}

impl Estimate {
    /// The word for it.
    pub fn word(&self) -> Word {
        let within = -MARGIN < self.low && self.high < MARGIN;
        if self.pairs < FEWEST_PAIRS {
            Word::TooFew
        } else if self.low > 0.0 {
            if within { Word::SlightlyBetter } else { Word::Better }
        } else if self.high < 0.0 {
            if within { Word::SlightlyWorse } else { Word::Worse }
        } else if within {
            Word::PracticallyEqual
        } else {
            Word::NoneShown
        }
    }
}

/// The mean of differences, one a question, with the percentile interval of the bootstrap over questions; `None` of
/// none.
///
/// What no question shows, no resample can: where none went one way, the interval is widened that way by the share of
/// questions that could go so unseen.
pub fn bootstrap(differences: &[f64]) -> Option<Estimate> {
    let mut grains: Vec<i64> = differences
        .iter()
        .map(|difference| (difference / GRAIN).round_ties_even() as i64)
        .collect();
    grains.sort_unstable();
    let (least, most) = (*grains.first()?, *grains.last()?);
    let pairs = differences.len() as f64;
    let mut sums = sums(&grains);
    sums.sort_unstable();
    let mean = |quantile| percentile_between(&sums, quantile) * GRAIN / pairs;
    let room = UNSEEN / pairs;
    Some(Estimate {
        value: differences.iter().sum::<f64>() / pairs,
        low: (mean(0.025) - if least < 0 { 0.0 } else { room }).max(-1.0),
        high: (mean(0.975) + if most > 0 { 0.0 } else { room }).min(1.0),
        pairs: differences.len(),
    })
}

/// The sums of as many draws as there are sorted values, once for each resample.
///
/// Equal values are drawn together, by a multinomial distribution: the same as drawing one after the other, which is
/// done where most values differ, because it takes less time there.
fn sums(values: &[i64]) -> Vec<i64> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let counts: Vec<(i64, u64)> = values
        .chunk_by(i64::eq)
        .map(|equal| (equal[0], equal.len() as u64))
        .collect();
    if counts.len() * DRAWS_A_BINOMIAL < values.len() {
        return (0..RESAMPLES)
            .map(|_| multinomial(&counts, values.len() as u64, &mut random))
            .collect();
    }
    let mut one_by_one = || {
        (0..values.len())
            .map(|_| values[random.random_range(0..values.len())])
            .sum()
    };
    (0..RESAMPLES).map(|_| one_by_one()).collect()
}

/// The sum of so many draws, each value's share of what is left after the other.
fn multinomial(counts: &[(i64, u64)], questions: u64, random: &mut ChaCha8Rng) -> i64 {
    let (mut draws, mut others, mut sum) = (questions, questions, 0);
    for &(value, count) in counts {
        let share = count as f64 / others as f64;
        // A share is never below 0 or above 1.
        let drawn = Binomial::new(draws, share).map_or(0, |of| of.sample(random));
        sum += value * drawn as i64;
        draws -= drawn;
        others -= count;
        if draws == 0 {
            break;
        }
    }
    sum
}

/// Interpolates between the two values that are next to a quantile of sorted ones.
fn percentile_between(sorted: &[i64], quantile: f64) -> f64 {
    let place = quantile * (sorted.len() - 1) as f64;
    let (below, above) = (
        sorted[place.floor() as usize] as f64,
        sorted[place.ceil() as usize] as f64,
    );
    below + (above - below) * place.fract()
}

/// How likely so uneven a split is, were each as likely: the exact test on the pairs that differ. With verdicts it is
/// McNemar's.
pub fn sign_test(up: usize, down: usize) -> f64 {
    let (few, all) = (up.min(down), up + down);
    let ways: f64 = (1..=few).map(|k| ((all - few + k) as f64 / k as f64).ln()).sum();
    let likeliest = (ways - all as f64 * LN_2).exp();
    // Each less even split is less likely than the one before, by this factor.
    let ratio = |k: usize| k as f64 / (all - k + 1) as f64;
    let ratios = (1..=few).rev().scan(1.0, |term, k| {
        *term *= ratio(k);
        Some(*term)
    });
    (2.0 * likeliest * (1.0 + ratios.sum::<f64>())).min(1.0)
}

/// About how many questions make the interval as narrow as the margin to either side.
pub fn needed_pairs(differences: &[f64]) -> usize {
    let count = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / count;
    let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
    let spread = if differences.len() > 1 {
        (squares / (count - 1.0)).sqrt()
    } else {
        0.5
    };
    // A few questions that all came out the same do not show that all others would.
    let needed = (NORMAL_97_5 * spread.max(0.1) / MARGIN).powi(2);
    let unit = 10_f64.powf(needed.log10().floor() - 1.0);
    (((needed / unit).round_ties_even() * unit).round() as usize).max(FEWEST_PAIRS)
}

/// The smallest value that a share of all do not exceed; `None` of none.
pub fn percentile(values: &mut [i64], share: f64) -> Option<i64> {
    let rank = ((share * values.len() as f64).ceil() as usize).max(1) - 1;
    (!values.is_empty()).then(|| *values.select_nth_unstable(rank).1)
}

#[cfg(test)]
mod tests {
    use super::super::golden::{self, NOISE};
    use super::*;

    #[test]
    fn the_report_and_this_page_say_the_same_of_the_same_differences() {
        for golden in golden::read().differences {
            let (differences, what) = (golden.each(), &golden.what);
            let found = bootstrap(&differences).unwrap();
            let near = |found: f64, wanted: f64| (found - wanted).abs() <= NOISE * (golden.high - golden.low);
            assert!(
                near(found.low, golden.low) && near(found.high, golden.high),
                "{what}: {found:?}"
            );
            let way = |sign: f64| differences.iter().filter(|&&d| d != 0.0 && d.signum() == sign).count();
            let tested = sign_test(way(1.0), way(-1.0));
            assert!(
                (tested - golden.p_value).abs() <= 1e-9 * golden.p_value,
                "{what}: {tested}"
            );
            assert_eq!(needed_pairs(&differences), golden.needed, "{what}");
        }
    }

    #[test]
    fn of_nothing_there_is_no_interval() {
        assert_eq!((bootstrap(&[]), percentile(&mut [], 0.5)), (None, None));
    }

    #[test]
    fn a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() {
        let found = [0.5, 0.51, 0.99, 1.0].map(|share| percentile(&mut [4, 1, 3, 2], share).unwrap());
        assert_eq!(found, [2, 3, 4, 4]);
    }

    #[test]
    fn a_split_that_cannot_be_less_even_is_tested_exactly() {
        assert_eq!(
            [sign_test(0, 0), sign_test(10, 10), sign_test(7, 8)].map(|p| (p * 1e12).round() / 1e12),
            [1.0; 3]
        );
        assert!((sign_test(5, 0) - 2.0 / 32.0).abs() < 1e-15);
        // So unlikely that only its logarithm could tell.
        assert!(sign_test(0, 100_000) < 1e-300);
    }
}
