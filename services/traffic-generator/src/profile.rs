//! How the rate changes over the duration of a run.
//!
//! Times are not drawn anew for this: the clock of the arrival process is stretched and
//! squeezed, by the inverse of the cumulative rate. Where the rate is twice as high, the same
//! intervals pass in half the time, so that every distribution keeps its law. Of Poisson
//! arrivals this makes the inhomogeneous Poisson process of that rate.

use std::f64::consts::TAU;
use std::fmt::{Display, Formatter, Result as Formatted};

/// How the rate changes; all rates are multiples of TRAFFIC_RATE.
#[derive(Debug, Clone, PartialEq)]
pub enum Profile {
    /// Not at all.
    Constant,
    /// In a straight line from one to the other.
    Ramp { from: f64, to: f64 },
    /// In steps of equal length; 0 is a pause.
    Steps(Vec<f64>),
    /// As over 24 hours from midnight: a sine around 1, by definition and not by measurement,
    /// with its lowest rate of 0.25 at 4 o'clock and its highest of 1.75 at 16 o'clock.
    Day,
}

/// How far a day's rate swings around its mean.
const SWING: f64 = 0.75;
/// When a day's rate is lowest, as a share of the day.
const LOWEST_AT: f64 = 4.0 / 24.0;
/// The highest multiple of a rate.
const HIGHEST: f64 = 1000.0;
/// Halvings after which a share of the duration is as exact as a number can be.
const HALVINGS: u32 = 53;

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// What is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let profile = match text.split_once('=') {
            None if text == "constant" => Some(Self::Constant),
            None if text == "day" => Some(Self::Day),
            Some(("ramp", range)) => range.split_once('-').and_then(|(from, to)| {
                Some(Self::Ramp {
                    from: multiple(from)?,
                    to: multiple(to)?,
                })
            }),
            Some(("steps", steps)) => steps.split(',').map(multiple).collect::<Option<_>>().map(Self::Steps),
            _ => None,
        };
        profile.filter(|profile| profile.cumulative(1.0) > 0.0).ok_or_else(|| {
            format!(
                "constant, day, ramp=FROM-TO such as ramp=0.5-2, or steps=A,B,… such as steps=0.5,1,2 is allowed, with \
                 multiples of TRAFFIC_RATE from 0 to {HIGHEST} that are not all 0"
            )
        })
    }

    /// The integral of the rate from the start to `share` of the duration; over all of it, the
    /// mean.
    pub fn cumulative(&self, share: f64) -> f64 {
        match self {
            Self::Constant => share,
            Self::Ramp { from, to } => share * (from + (to - from) * share / 2.0),
            Self::Steps(steps) => {
                let width = 1.0 / steps.len() as f64;
                let parts = (0..).map(|step| f64::from(step) * width).zip(steps);
                parts
                    .map(|(begin, rate)| rate * (share - begin).clamp(0.0, width))
                    .sum()
            }
            Self::Day => {
                let swing = |at: f64| SWING / TAU * (TAU * (at - LOWEST_AT)).sin();
                share - swing(share) + swing(0.0)
            }
        }
    }

    /// When, within `seconds`, the clock of the arrival process shows `clock`; none if it is
    /// later.
    pub fn stretch(&self, clock: f64, seconds: f64) -> Option<f64> {
        let at = match self {
            Self::Constant => clock,
            _ => seconds * self.share_at(clock / seconds)?,
        };
        (at < seconds).then_some(at)
    }

    /// The share of the duration at which the cumulative rate is `sum`; none if it never is.
    fn share_at(&self, sum: f64) -> Option<f64> {
        if sum > self.cumulative(1.0) {
            return None;
        }
        // By halves, so that no profile needs an inverse of its own and times cannot fall.
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.cumulative(middle) < sum {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(high)
    }
}

/// As it is set.
impl Display for Profile {
    fn fmt(&self, to: &mut Formatter<'_>) -> Formatted {
        match self {
            Self::Constant => write!(to, "constant"),
            Self::Ramp { from, to: last } => write!(to, "ramp={from}-{last}"),
            Self::Steps(steps) => {
                let steps: Vec<String> = steps.iter().map(f64::to_string).collect();
                write!(to, "steps={}", steps.join(","))
            }
            Self::Day => write!(to, "day"),
        }
    }
}

fn multiple(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|rate| (0.0..=HIGHEST).contains(rate))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use proptest::prelude::*;

    use super::*;
    use crate::arrivals::Arrivals;
    use crate::config::Config;

    /// When questions are due in a run of 100 s and some 20 questions a second.
    fn times(profile: &Profile, distribution: &str, seed: u64) -> Vec<f64> {
        let settings = [
            "--traffic-duration=100s".into(),
            format!("--traffic-profile={profile}"),
            format!("--traffic-distribution={distribution}"),
        ];
        let traffic = Config::parse_from(std::iter::once("test".into()).chain(settings)).traffic;
        let arrivals = Arrivals::new(&traffic, seed, &[1]).unwrap();
        arrivals.map(|arrival| arrival.at).collect()
    }

    #[test]
    fn under_a_profile_a_distribution_keeps_its_variation_by_the_clock_of_its_process() {
        for (distribution, variation) in [
            ("constant", 0.0),
            ("uniform", 1.0 / 3.0_f64.sqrt()),
            ("poisson", 1.0),
            ("gamma", 2.0),
        ] {
            let times = times(&Profile::Day, distribution, 7);
            let clock: Vec<f64> = times
                .iter()
                .map(|at| Profile::Day.cumulative(at / 100.0) * 100.0)
                .collect();
            let intervals: Vec<f64> = clock.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let (measured, wanted) = (deviation(&intervals) * 20.0, variation);
            assert!(
                (measured - wanted).abs() < 0.2,
                "{distribution}: a variation of {measured}"
            );
            let changing: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(
                deviation(&changing) * 20.0 > wanted + 0.2,
                "{distribution}: nothing changes"
            );
        }
    }

    fn deviation(values: &[f64]) -> f64 {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
    }

    fn profiles() -> impl Strategy<Value = Profile> {
        let rate = || 0.01..3.0;
        prop_oneof![
            Just(Profile::Constant),
            Just(Profile::Day),
            (rate(), rate()).prop_map(|(from, to)| Profile::Ramp { from, to }),
            prop::collection::vec(rate(), 1..6).prop_map(Profile::Steps),
        ]
    }

    #[test]
    fn a_profile_is_read_from_its_words() {
        for (text, profile) in [
            ("constant", Profile::Constant),
            ("day", Profile::Day),
            ("ramp=0-2.5", Profile::Ramp { from: 0.0, to: 2.5 }),
            ("steps=0.5,0, 2", Profile::Steps(vec![0.5, 0.0, 2.0])),
        ] {
            assert_eq!(profile.to_string(), text.replace(' ', ""));
            assert_eq!(Profile::parse(text), Ok(profile));
        }
        for wrong in [
            "",
            "night",
            "ramp",
            "ramp=1",
            "ramp=-1-2",
            "ramp=0-0",
            "steps=",
            "steps=1,x",
            "steps=1001",
            "day=1",
        ] {
            let problem = Profile::parse(wrong).unwrap_err();
            assert!(problem.contains("ramp=0.5-2"), "{wrong}: {problem}");
        }
    }

    #[test]
    fn a_day_has_its_mean_its_lowest_rate_at_4_and_its_highest_at_16() {
        let hour = |hour: f64| {
            24.0 * (Profile::Day.cumulative((hour + 0.5) / 24.0) - Profile::Day.cumulative((hour - 0.5) / 24.0))
        };
        assert!((Profile::Day.cumulative(1.0) - 1.0).abs() < 1e-12);
        assert!((hour(4.0) - 0.25).abs() < 0.01 && (hour(16.0) - 1.75).abs() < 0.01);
        assert!((hour(10.0) - 1.0).abs() < 0.01);
    }

    #[test]
    fn nothing_falls_into_a_pause() {
        let pause = Profile::Steps(vec![1.0, 0.0, 1.0]);
        let shares: Vec<f64> = (1..200)
            .filter_map(|sum| pause.share_at(f64::from(sum) / 300.0))
            .collect();
        assert_eq!(shares.len(), 199);
        assert!(shares.iter().all(|share| *share < 0.334 || *share > 0.666));
    }

    proptest! {
        #[test]
        fn a_share_is_where_the_cumulative_rate_says(profile in profiles(), share in 0.0..1.0) {
            let found = profile.share_at(profile.cumulative(share)).unwrap();
            prop_assert!((found - share).abs() < 1e-9, "{} became {}", share, found);
            prop_assert_eq!(profile.share_at(profile.cumulative(1.0) + 0.01), None);
        }

        #[test]
        fn each_part_of_a_run_has_as_many_questions_as_its_rate_says(
            profile in profiles(), seed: u64, parts in 1_u32..8,
        ) {
            for distribution in ["constant", "poisson"] {
                let times = times(&profile, distribution, seed);
                prop_assert_eq!(&times, &super::tests::times(&profile, distribution, seed));
                prop_assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
                for part in 0..parts {
                    let [begin, end] = [part, part + 1].map(|edge| f64::from(edge) / f64::from(parts));
                    let expected = 20.0 * 100.0 * (profile.cumulative(end) - profile.cumulative(begin));
                    let counted = times.iter().filter(|at| (begin * 100.0..end * 100.0).contains(*at)).count() as f64;
                    // Six standard deviations: chance does not come so far.
                    let slack = if distribution == "constant" { 2.0 } else { 6.0 * expected.sqrt() + 6.0 };
                    prop_assert!((counted - expected).abs() < slack, "{} of {} {}", counted, expected, distribution);
                }
            }
        }

        #[test]
        fn shares_never_fall(profile in profiles(), sums in prop::collection::vec(0.0..1.0, 2..50)) {
            let mut sums = sums;
            sums.sort_unstable_by(f64::total_cmp);
            let shares: Vec<_> = sums.iter().map_while(|sum| profile.share_at(sum * profile.cumulative(1.0))).collect();
            prop_assert_eq!(shares.len(), sums.len());
            prop_assert!(shares.windows(2).all(|pair| pair[0] <= pair[1]));
        }
    }
}
