//! Histograms that add up: whole counts by bucket, percentiles derived when read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A sum, a count, and how many values fell into each bucket.
///
/// A bucket's name is a whole number: the lower bound in percent for scores, the upper
/// bound in milliseconds for latencies. Empty buckets are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Sum of the values, in whole units (millionths of a score, milliseconds).
    pub sum: i64,
    /// How many values.
    pub count: i64,
    /// Values by bucket.
    pub histogram: BTreeMap<String, i64>,
}

impl Histogram {
    /// Adds one value to a bucket.
    pub fn add(&mut self, value: i64, bucket: i64) {
        self.sum += value;
        self.count += 1;
        *self.histogram.entry(bucket.to_string()).or_default() += 1;
    }

    /// The mean, in the unit of the sum.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The value below which the share `quantile` of the latencies lies, interpolated within
    /// its bucket, so at most a tenth off.
    pub fn latency_quantile(&self, quantile: f64) -> Option<f64> {
        let mut buckets: Vec<(i64, i64)> = self
            .histogram
            .iter()
            .filter_map(|(bound, &count)| Some((bound.parse().ok()?, count)))
            .collect();
        buckets.sort_unstable();
        let wanted = quantile * self.count as f64;
        let mut below = 0.0;
        for (upper, count) in buckets {
            let count = count as f64;
            if below + count >= wanted {
                let lower = lower_latency_bound(upper) as f64;
                return Some(lower + (upper as f64 - lower) * (wanted - below) / count);
            }
            below += count;
        }
        None
    }
}

/// The bucket of a score: its lower bound in percent, in steps of 5; 1.0 counts as 95.
pub fn score_bucket(millionths: i64) -> i64 {
    (millionths / 50_000 * 5).min(95)
}

/// The bucket of a latency: the first bound that is not below it.
pub fn latency_bucket(ms: i64) -> i64 {
    latency_bounds().find(|&bound| ms <= bound).unwrap_or(i64::MAX)
}

/// Bounds that grow by a tenth, and by 1 where a tenth is less: 0, 1, 2, … 10, 11, 12, 13, …
fn latency_bounds() -> impl Iterator<Item = i64> {
    std::iter::successors(Some(0), |&bound: &i64| bound.checked_add((bound / 10).max(1)))
}

fn lower_latency_bound(upper: i64) -> i64 {
    latency_bounds().take_while(|&bound| bound < upper).last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scores_fall_into_buckets_of_five_percent() {
        let buckets = [0, 49_999, 50_000, 649_999, 650_000, 999_999, 1_000_000].map(score_bucket);
        assert_eq!(buckets, [0, 0, 5, 60, 65, 95, 95]);
    }

    proptest! {
        #[test]
        fn a_quantile_is_at_most_a_tenth_off(mut latencies in prop::collection::vec(0_i64..100_000, 1..200), quantile in 0.01..1.0_f64) {
            let mut histogram = Histogram::default();
            for &ms in &latencies {
                histogram.add(ms, latency_bucket(ms));
            }
            latencies.sort_unstable();
            let exact = latencies[((quantile * latencies.len() as f64).ceil() as usize - 1).min(latencies.len() - 1)] as f64;
            let derived = histogram.latency_quantile(quantile).unwrap();
            prop_assert!((derived - exact).abs() <= exact * 0.1 + 1.0, "{derived} for {exact}");
        }
    }
}
