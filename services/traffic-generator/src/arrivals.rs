//! When questions are asked, and which: pure functions of the settings and a seed.

use anyhow::ensure;
use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use rand_distr::{Exp1, Gamma};

use crate::choice::Choice;
use crate::extent::Extent;
use crate::profile::Profile;
use crate::source::QuestionId;
use crate::trace;
use crate::traffic::{Distribution, Traffic};

/// One question to be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// When, in seconds from the start of the run.
    pub at: f64,
    /// Which: an index into the questions, which are sorted by id.
    pub question: usize,
    /// From what it is drawn how its words are changed, if they are.
    pub paraphrase: Option<u64>,
}

/// All arrivals of a run, in order.
pub struct Arrivals {
    times: Times,
    /// What a trace asks, by index, where it says so; the rest is drawn.
    named: std::vec::IntoIter<Option<usize>>,
    choice: Choice,
    /// How far the arrival process is.
    clock: f64,
    profile: Profile,
    seconds: f64,
    left: u64,
    paraphrases: f64,
    /// Streams of one seed: another distribution still asks the same questions.
    times_rng: ChaCha12Rng,
    choice_rng: ChaCha12Rng,
    paraphrase_rng: ChaCha12Rng,
}

enum Times {
    Constant(f64),
    Uniform(f64),
    Exponential(f64),
    Gamma(Gamma<f64>),
    Recorded(std::vec::IntoIter<f64>),
}

impl Arrivals {
    /// The arrivals of a run over the questions with these sorted ids: as many as its
    /// [`Extent`] says.
    ///
    /// # Errors
    /// When there is no question, or not that which a trace names.
    pub fn new(traffic: &Traffic, seed: u64, ids: &[QuestionId]) -> anyhow::Result<Self> {
        ensure!(!ids.is_empty(), "there is no question to ask");
        let Extent { most, seconds, .. } = Extent::of(traffic);
        let followed = traffic.trace().unwrap_or_default().iter().take(most as usize);
        let [times_rng, choice_rng, paraphrase_rng] = [0, 1, 2].map(|stream| {
            let mut rng = ChaCha12Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            rng
        });
        Ok(Self {
            times: Times::new(traffic)?,
            named: trace::places(followed, ids)?.into_iter(),
            choice: Choice::new(traffic, ids.len())?,
            clock: 0.0,
            profile: traffic.traffic_profile.clone(),
            seconds,
            left: most,
            paraphrases: traffic.traffic_paraphrases,
            times_rng,
            choice_rng,
            paraphrase_rng,
        })
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        self.left = self.left.checked_sub(1)?;
        self.clock = self.times.after(self.clock, &mut self.times_rng)?;
        let Some(at) = self.profile.stretch(self.clock, self.seconds) else {
            self.left = 0;
            return None;
        };
        let named = self.named.next().flatten();
        Some(Arrival {
            at,
            question: named.unwrap_or_else(|| self.choice.draw(&mut self.choice_rng)),
            paraphrase: self
                .paraphrase_rng
                .random_bool(self.paraphrases)
                .then(|| self.paraphrase_rng.random()),
        })
    }
}

impl Times {
    fn new(traffic: &Traffic) -> anyhow::Result<Self> {
        let (mean, burstiness) = (1.0 / traffic.traffic_rate, traffic.traffic_burstiness);
        Ok(match &traffic.traffic_distribution {
            Distribution::Constant => Self::Constant(mean),
            Distribution::Uniform => Self::Uniform(2.0 * mean),
            Distribution::Poisson => Self::Exponential(mean),
            // Its mean is shape * scale, its variance burstiness times that of Poisson arrivals.
            Distribution::Gamma => Self::Gamma(Gamma::new(1.0 / burstiness, burstiness * mean)?),
            // The askers say when.
            Distribution::Closed => Self::Constant(0.0),
            Distribution::Trace(trace) => {
                let times = trace.iter().map(|recorded| recorded.at / traffic.traffic_speed);
                Self::Recorded(times.collect::<Vec<_>>().into_iter())
            }
        })
    }

    fn after(&mut self, clock: f64, rng: &mut impl Rng) -> Option<f64> {
        Some(match self {
            Self::Constant(interval) => clock + *interval,
            Self::Uniform(longest) => clock + rng.random_range(0.0..*longest),
            Self::Exponential(mean) => clock + *mean * rng.sample::<f64, _>(Exp1),
            Self::Gamma(gamma) => clock + rng.sample(*gamma),
            Self::Recorded(times) => times.next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;
    use crate::trace::Recorded;

    fn traffic(arguments: &[&str]) -> Traffic {
        let all = ["test", "--traffic-total=20000", "--traffic-rate=50"];
        Config::try_parse_from(all.iter().chain(arguments)).unwrap().traffic
    }

    fn ids(count: usize) -> Vec<QuestionId> {
        (10..).take(count).collect()
    }

    fn trace(times_and_questions: &[(f64, Option<QuestionId>)]) -> Distribution {
        let recorded = |(line, &(at, question))| Recorded { at, question, line };
        Distribution::Trace((1..).zip(times_and_questions).map(recorded).collect())
    }

    fn intervals(arguments: &[&str]) -> Vec<f64> {
        let arrivals = Arrivals::new(&traffic(arguments), 7, &ids(100)).unwrap();
        let times: Vec<f64> = std::iter::once(0.0).chain(arrivals.map(|arrival| arrival.at)).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Mean, and standard deviation over mean.
    fn moments(intervals: &[f64]) -> (f64, f64) {
        let count = intervals.len() as f64;
        let mean = intervals.iter().sum::<f64>() / count;
        let variance = intervals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        (mean, variance.sqrt() / mean)
    }

    #[test]
    fn every_distribution_keeps_the_mean_rate_and_has_its_own_variation() {
        for (arguments, variation) in [
            (["--traffic-distribution=constant", "--traffic-burstiness=9"], 0.0),
            (
                ["--traffic-distribution=uniform", "--traffic-burstiness=9"],
                1.0 / 3.0_f64.sqrt(),
            ),
            (["--traffic-distribution=poisson", "--traffic-burstiness=9"], 1.0),
            (["--traffic-distribution=gamma", "--traffic-burstiness=0.25"], 0.5),
            (["--traffic-distribution=gamma", "--traffic-burstiness=1"], 1.0),
            (["--traffic-distribution=gamma", "--traffic-burstiness=4"], 2.0),
        ] {
            let (mean, measured) = moments(&intervals(&arguments));
            assert!((mean * 50.0 - 1.0).abs() < 0.05, "{arguments:?}: a mean of {mean}");
            assert!(
                (measured - variation).abs() < 0.1,
                "{arguments:?}: a variation of {measured}"
            );
        }
    }

    #[test]
    fn a_trace_gives_its_own_times_at_its_speed_and_ends_the_run_with_them() {
        for (speed, expected) in [
            ("1", [0.5, 0.5, 2.0]),
            ("10", [0.05, 0.05, 0.2]),
            ("0.5", [1.0, 1.0, 4.0]),
        ] {
            let traffic = Traffic {
                traffic_distribution: trace(&[(0.5, None), (0.5, None), (2.0, None)]),
                ..traffic(&[&format!("--traffic-speed={speed}")])
            };
            let arrivals = Arrivals::new(&traffic, 7, &ids(3)).unwrap();
            let times: Vec<f64> = arrivals.map(|arrival| arrival.at).collect();
            assert_eq!(times, expected);
        }
    }

    #[test]
    fn a_trace_asks_the_questions_that_it_names_and_the_others_are_drawn() {
        let follow = |question, total| {
            let traffic = Traffic {
                traffic_distribution: trace(&[(0.0, Some(12)), (1.0, None), (2.0, Some(10)), (3.0, question)]),
                traffic_total: total,
                ..traffic(&["--traffic-popularity=each"])
            };
            let arrivals = Arrivals::new(&traffic, 7, &ids(3)).map_err(|problem| problem.to_string())?;
            Ok(arrivals.map(|arrival| arrival.question).collect::<Vec<_>>())
        };
        let asked = follow(Some(11), None).unwrap();
        assert_eq!([asked[0], asked[2], asked[3]], [2, 0, 1]);
        let unknown = "question 0000000000000000000000000000000d that line 4 of the trace names";
        assert!(follow(Some(13), None).is_err_and(|problem: String| problem.contains(unknown)));
        assert_eq!(follow(Some(13), Some(3)), Ok(asked[..3].to_vec()));
    }

    #[test]
    fn the_ordered_share_of_questions_is_paraphrased_and_the_others_are_asked_as_without() {
        let arrivals = |share| {
            let share = format!("--traffic-paraphrases={share}");
            Arrivals::new(&traffic(&[&share]), 7, &ids(100))
                .unwrap()
                .collect::<Vec<_>>()
        };
        let (none, some) = (arrivals("0"), arrivals("0.1"));
        assert!(none.iter().all(|arrival| arrival.paraphrase.is_none()));
        let count = some.iter().filter(|arrival| arrival.paraphrase.is_some()).count();
        assert!((1800..2200).contains(&count), "{count} of 20000");
        assert!(
            none.iter()
                .zip(&some)
                .all(|(one, other)| (one.at, one.question) == (other.at, other.question))
        );
        assert!(arrivals("1").iter().all(|arrival| arrival.paraphrase.is_some()));
    }

    #[test]
    fn another_distribution_asks_the_same_questions() {
        let questions = |distribution| {
            let arrivals = Arrivals::new(&traffic(&[distribution]), 7, &ids(100)).unwrap();
            arrivals.map(|arrival| arrival.question).collect::<Vec<_>>()
        };
        assert_eq!(
            questions("--traffic-distribution=poisson"),
            questions("--traffic-distribution=gamma")
        );
    }

    proptest! {
        #[test]
        fn the_same_seed_gives_the_same_arrivals_in_order(
            seed: u64,
            questions in 1_usize..50,
            distribution in prop::sample::select(vec!["constant", "uniform", "poisson", "gamma"]),
            popularity in prop::sample::select(vec!["uniform", "zipf", "each"]),
        ) {
            let [distribution, popularity] =
                [format!("--traffic-distribution={distribution}"), format!("--traffic-popularity={popularity}")];
            let traffic = Traffic { traffic_total: Some(200), ..traffic(&[&distribution, &popularity]) };
            let draw = |seed| Arrivals::new(&traffic, seed, &ids(questions)).unwrap().collect::<Vec<_>>();
            let arrivals = draw(seed);
            prop_assert_eq!(&arrivals, &draw(seed));
            prop_assert_eq!(arrivals.len(), 200);
            prop_assert!(arrivals.iter().all(|arrival| arrival.question < questions));
            prop_assert!(arrivals.windows(2).all(|pair| pair[0].at <= pair[1].at));
        }
    }
}
