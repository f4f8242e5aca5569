//! When questions are asked, and which: pure functions of the settings and a seed.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use rand_distr::{Distribution as _, Exp1, Gamma, Zipf};

use crate::config::{Distribution, Popularity, Traffic};

/// One question to be asked: when, in seconds from the start of the run, and which, by its
/// place in the dataset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// Seconds from the start.
    pub at: f64,
    /// Index into the questions, which are sorted by id.
    pub question: usize,
}

/// All arrivals of a run, in order.
pub struct Arrivals {
    times: Times,
    choice: Choice,
    rng: ChaCha12Rng,
    clock: f64,
    left: u64,
}

enum Times {
    Every(f64),
    Uniform(f64),
    Exponential(f64),
    Gamma(Gamma<f64>),
    Recorded(std::vec::IntoIter<f64>),
}

enum Choice {
    Uniform(usize),
    Zipf(Zipf<f64>),
}

impl Arrivals {
    /// The arrivals of a run over `questions` questions.
    ///
    /// # Errors
    /// A trace that cannot be read, with the line that is at fault.
    pub fn new(traffic: &Traffic, seed: u64, questions: usize) -> anyhow::Result<Self> {
        ensure!(questions > 0, "there is no question to ask");
        let mean = 1.0 / traffic.traffic_rate;
        let times = match &traffic.traffic_distribution {
            Distribution::Constant => Times::Every(mean),
            Distribution::Uniform => Times::Uniform(2.0 * mean),
            Distribution::Poisson => Times::Exponential(mean),
            // Mean shape * scale = 1/rate; variance burstiness times that of Poisson arrivals.
            Distribution::Gamma => Times::Gamma(Gamma::new(
                1.0 / traffic.traffic_burstiness,
                traffic.traffic_burstiness * mean,
            )?),
            Distribution::Trace(file) => Times::Recorded(read_trace(file)?.into_iter()),
        };
        let choice = match traffic.traffic_popularity {
            Popularity::Uniform => Choice::Uniform(questions),
            Popularity::Zipf => Choice::Zipf(Zipf::new(questions as f64, traffic.traffic_zipf_exponent)?),
        };
        Ok(Self {
            times,
            choice,
            rng: ChaCha12Rng::seed_from_u64(seed),
            clock: 0.0,
            left: traffic.traffic_total,
        })
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    /// Ends after TRAFFIC_TOTAL arrivals, or with the trace.
    fn next(&mut self) -> Option<Arrival> {
        self.left = self.left.checked_sub(1)?;
        let rng = &mut self.rng;
        self.clock = match &mut self.times {
            Times::Every(interval) => self.clock + *interval,
            Times::Uniform(longest) => self.clock + rng.random_range(0.0..*longest),
            Times::Exponential(mean) => self.clock + *mean * sample(&Exp1, rng),
            Times::Gamma(gamma) => self.clock + sample(gamma, rng),
            Times::Recorded(times) => times.next()?,
        };
        let question = match &self.choice {
            Choice::Uniform(count) => rng.random_range(0..*count),
            Choice::Zipf(zipf) => sample(zipf, rng) as usize - 1,
        };
        Some(Arrival {
            at: self.clock,
            question,
        })
    }
}

fn sample(distribution: &impl rand_distr::Distribution<f64>, rng: &mut impl Rng) -> f64 {
    distribution.sample(rng)
}

/// Reads recorded times: seconds, one a line and rising, or an events.csv of an earlier run.
fn read_trace(file: &Path) -> anyhow::Result<Vec<f64>> {
    let name = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("TRAFFIC_DISTRIBUTION=trace={name}"))?;
    let times = if text.starts_with("message_id,") {
        recorded_times(&text)?
    } else {
        plain_times(&text)?
    };
    for (index, pair) in times.windows(2).enumerate() {
        ensure!(
            pair[0] <= pair[1],
            "trace {name}, time {}: {} comes after {}",
            index + 2,
            pair[1],
            pair[0]
        );
    }
    ensure!(!times.is_empty(), "trace {name} holds no times");
    Ok(times)
}

fn plain_times(text: &str) -> anyhow::Result<Vec<f64>> {
    let parse = |(index, line): (usize, &str)| match line.trim().parse::<f64>() {
        Ok(time) if time.is_finite() && time >= 0.0 => Ok(time),
        _ => bail!("trace, line {}: {line:?} is not a time in seconds from 0", index + 1),
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(parse)
        .collect()
}

fn recorded_times(text: &str) -> anyhow::Result<Vec<f64>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let column = reader
        .headers()?
        .iter()
        .position(|name| name == "scheduled")
        .context("no column `scheduled`")?;
    let mut scheduled = Vec::new();
    for record in reader.records() {
        let record = record?;
        let time: jiff::Timestamp = record.get(column).unwrap_or_default().parse()?;
        scheduled.push(time.as_millisecond() as f64 / 1e3);
    }
    // Rows are in the order of their acknowledgement.
    scheduled.sort_by(f64::total_cmp);
    let start = scheduled.first().copied().unwrap_or_default();
    Ok(scheduled.into_iter().map(|time| time - start).collect())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;

    fn traffic(arguments: &[&str]) -> Traffic {
        let arguments = ["test", "--traffic-total", "20000", "--traffic-rate", "50"]
            .iter()
            .chain(arguments);
        Config::try_parse_from(arguments).unwrap().traffic
    }

    fn intervals(arguments: &[&str]) -> Vec<f64> {
        let times: Vec<f64> = Arrivals::new(&traffic(arguments), 7, 100)
            .unwrap()
            .map(|arrival| arrival.at)
            .collect();
        std::iter::once(times[0])
            .chain(times.windows(2).map(|pair| pair[1] - pair[0]))
            .collect()
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
        let cases = [
            ("constant", 0.0),
            ("uniform", 3.0_f64.sqrt() / 3.0),
            ("poisson", 1.0),
            ("gamma", 2.0),
        ];
        for (name, variation) in cases {
            let (mean, measured) = moments(&intervals(&["--traffic-distribution", name]));
            assert!((mean * 50.0 - 1.0).abs() < 0.06, "{name}: a mean of {mean}");
            assert!((measured - variation).abs() < 0.1, "{name}: a variation of {measured}");
        }
    }

    #[test]
    fn zipf_asks_the_first_question_about_twice_as_often_as_the_second() {
        let arrivals = Arrivals::new(&traffic(&["--traffic-popularity", "zipf"]), 7, 1000).unwrap();
        let mut counts = vec![0_u32; 1000];
        arrivals.for_each(|arrival| counts[arrival.question] += 1);
        let ratio = f64::from(counts[0]) / f64::from(counts[1]);
        assert!((1.8..2.2).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_trace_is_followed_and_a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trace");
        let arrivals = |text: &str| {
            fs::write(&file, text).unwrap();
            Arrivals::new(
                &traffic(&["--traffic-distribution", &format!("trace={}", file.display())]),
                7,
                3,
            )
        };
        let times: Vec<f64> = arrivals("0.5\n\n0.5\n2\n").unwrap().map(|arrival| arrival.at).collect();
        assert_eq!(times, [0.5, 0.5, 2.0]);
        assert!(arrivals("1\nx\n").err().unwrap().to_string().contains("line 2"));
        assert!(arrivals("2\n1\n").err().unwrap().to_string().contains("comes after"));
    }

    proptest! {
        #[test]
        fn the_same_seed_gives_the_same_arrivals_and_every_question_exists(seed: u64, questions in 1_usize..50) {
            let traffic = Traffic { traffic_total: 200, ..traffic(&["--traffic-popularity", "zipf"]) };
            let draw = || Arrivals::new(&traffic, seed, questions).unwrap().collect::<Vec<_>>();
            let arrivals = draw();
            prop_assert_eq!(&arrivals, &draw());
            prop_assert!(arrivals.iter().all(|arrival| arrival.question < questions));
            prop_assert!(arrivals.windows(2).all(|pair| pair[0].at <= pair[1].at));
        }
    }
}
