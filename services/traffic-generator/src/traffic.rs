//! The settings of a run: what is asked, and when.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, value_parser};
use messaging::settings::{CENTURY, HOUR, duration};

use crate::profile::Profile;
use crate::trace::{self, Recorded};

/// How many questions a second there are when nothing says how many.
const USUAL_RATE: f64 = 20.0;
/// How many ask in a closed loop when nothing says how many.
const USUAL_ASKERS: usize = 8;

/// What to ask, and when.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Traffic")]
pub struct Traffic {
    /// How many questions to ask, 1 to 1000000000; unless set, 200, or as many as a trace has or TRAFFIC_DURATION has
    /// time for. A trace that is shorter ends the run.
    #[arg(long, env, value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    pub traffic_total: Option<u64>,
    /// How long the run is, by the times at which questions are due: 1ms to 100years, such as 10m. With TRAFFIC_TOTAL or
    /// a trace, whichever ends first; unset, they alone end it.
    #[arg(long, env, value_parser = duration(Duration::from_millis(1), CENTURY))]
    pub traffic_duration: Option<Duration>,
    /// Mean questions a second, 0.001 to 1000000; a trace has its own.
    #[arg(long, env, default_value_t = USUAL_RATE, value_parser = |text: &str| number(text, 0.001, 1e6))]
    pub traffic_rate: f64,
    /// How the rate changes over TRAFFIC_DURATION, in multiples of TRAFFIC_RATE: constant, ramp=FROM-TO,
    /// steps=A,B,… of equal length, or day, which is 24 hours from midnight: a sine from 0.25 at 4 to 1.75 at 16 o'clock.
    #[arg(long, env, default_value = "constant", value_parser = Profile::parse)]
    pub traffic_profile: Profile,
    /// How the times between questions are drawn: constant, uniform, poisson, gamma, or trace=FILE with the times
    /// of a recorded run, in seconds from its start, one a line; or CSV with the columns time and question_id, which
    /// names the question; or the events.csv of an earlier run, which repeats it question by question. With closed,
    /// none are drawn: TRAFFIC_ASKERS ask, each of whom waits for the outcome of its question before it asks the next.
    /// The slower the answers, the fewer the questions then: the latencies of such a run are not those that people
    /// meet who come at times of their own.
    #[arg(long, env, default_value = "poisson", value_parser = distribution)]
    pub traffic_distribution: Distribution,
    /// With a trace: how many times as fast it is followed, 0.001 to 1000.
    #[arg(long, env, default_value = "1", value_parser = |text: &str| number(text, 0.001, 1000.0))]
    pub traffic_speed: f64,
    /// With gamma: how bursty the arrivals are, 0.01 to 1000; 1 is like poisson.
    #[arg(long, env, default_value = "4", value_parser = |text: &str| number(text, 0.01, 1000.0))]
    pub traffic_burstiness: f64,
    /// With closed: how many ask, 1 to 10000; 8 unless set.
    #[arg(long, env, value_parser = askers)]
    pub traffic_askers: Option<usize>,
    /// With closed: how long an asker that has its outcome waits until it asks again, such as 5s, up to 1h.
    #[arg(long, env, default_value = "0s", value_parser = duration(Duration::ZERO, HOUR))]
    pub traffic_think_time: Duration,
    /// With closed: how long an asker waits for an outcome, 1ms to 100years. After that it asks again, and the run's
    /// record counts it. Who asks a question that has its outcome already, by the RUN and SEED of an earlier run, waits
    /// in vain.
    #[arg(long, env, default_value = "1h", value_parser = duration(Duration::from_millis(1), CENTURY))]
    pub traffic_outcome_timeout: Duration,
    /// Which questions are asked more often; what a trace names is asked as it says.
    #[arg(long, env, value_enum, default_value_t = Popularity::Uniform)]
    pub traffic_popularity: Popularity,
    /// With zipf: how fast popularity falls, 0 to 10; the n-th question is asked in proportion to 1/n^exponent.
    #[arg(long, env, default_value = "1", value_parser = |text: &str| number(text, 0.0, 10.0))]
    pub traffic_zipf_exponent: f64,
    /// The share of questions that are asked in other words that mean the same, 0 to 1: other case, punctuation and
    /// spaces, words around "and" and "or" in the other order. Such a question has the id that its own words have.
    #[arg(long, env, default_value = "0", value_parser = |text: &str| number(text, 0.0, 1.0))]
    pub traffic_paraphrases: f64,
    /// The same seed gives the same questions at the same times; random unless set.
    #[arg(long, env)]
    pub traffic_seed: Option<u64>,
    /// Names the run and its folder; the same run and seed give the same ids. Random unless set.
    #[arg(long, env, value_parser = run_name)]
    pub traffic_run: Option<String>,
    /// Where the questions are: mongodb, or a file like those that can be imported.
    #[arg(long, env, default_value = "mongodb", value_parser = origin)]
    pub traffic_source: Origin,
    /// The folder that gets a folder for each run.
    #[arg(long, env, default_value = "data_collected")]
    pub data_collected_dir: PathBuf,
}

/// How the times between questions are drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// All the same.
    Constant,
    /// Anything from 0 to twice the mean.
    Uniform,
    /// Exponential: questions come independently of each other.
    Poisson,
    /// Gamma: bursts and lulls.
    Gamma,
    /// As recorded.
    Trace(Vec<Recorded>),
    /// Not at all: who has an outcome asks again.
    Closed,
}

/// Which questions are asked more often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Popularity {
    /// None: each is drawn from all.
    Uniform,
    /// A few, as is usual among people.
    Zipf,
    /// None: all are asked once, in random order, before any is asked again.
    Each,
}

/// Where the questions are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// MongoDB's collection `questions`.
    MongoDb,
    /// A file.
    File(PathBuf),
}

impl Traffic {
    /// Checks what a single setting cannot.
    ///
    /// # Errors
    /// The settings that do not go together, and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        if self.trace().is_none() && self.traffic_speed != 1.0 {
            return Err(format!(
                "TRAFFIC_SPEED={} needs TRAFFIC_DISTRIBUTION=trace=FILE; TRAFFIC_RATE says how fast all others are",
                self.traffic_speed
            ));
        }
        self.check_closed()?;
        let profile = &self.traffic_profile;
        if *profile != Profile::Constant && self.trace().is_some() {
            return Err(format!(
                "TRAFFIC_PROFILE={profile} cannot change the times that TRAFFIC_DISTRIBUTION=trace=FILE gives; constant \
                 is allowed with a trace"
            ));
        }
        if *profile != Profile::Constant && self.traffic_duration.is_none() {
            return Err(format!(
                "TRAFFIC_PROFILE={profile} needs TRAFFIC_DURATION, such as 10m: over that the rate changes"
            ));
        }
        Ok(())
    }

    /// Checks that what says when to ask is not said twice, nor in vain.
    fn check_closed(&self) -> Result<(), String> {
        let is_closed = self.askers().is_some();
        if is_closed && self.traffic_rate != USUAL_RATE {
            return Err(format!(
                "TRAFFIC_RATE={} cannot be kept with TRAFFIC_DISTRIBUTION=closed, where TRAFFIC_ASKERS ask as fast as \
                 they have outcomes; leave it unset",
                self.traffic_rate
            ));
        }
        if is_closed && self.traffic_profile != Profile::Constant {
            return Err(format!(
                "TRAFFIC_PROFILE={} cannot be kept with TRAFFIC_DISTRIBUTION=closed, which has no rate; constant is allowed",
                self.traffic_profile
            ));
        }
        if let (false, Some(askers)) = (is_closed, self.traffic_askers) {
            return Err(format!("TRAFFIC_ASKERS={askers} needs TRAFFIC_DISTRIBUTION=closed"));
        }
        if !is_closed && !self.traffic_think_time.is_zero() {
            return Err(format!(
                "TRAFFIC_THINK_TIME={} needs TRAFFIC_DISTRIBUTION=closed",
                humantime::format_duration(self.traffic_think_time)
            ));
        }
        Ok(())
    }

    /// How many ask in a closed loop, if that is what the run is.
    pub fn askers(&self) -> Option<usize> {
        let is_closed = self.traffic_distribution == Distribution::Closed;
        is_closed.then(|| self.traffic_askers.unwrap_or(USUAL_ASKERS))
    }

    /// The recorded run that is followed.
    pub fn trace(&self) -> Option<&[Recorded]> {
        match &self.traffic_distribution {
            Distribution::Trace(trace) => Some(trace),
            _ => None,
        }
    }
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("a number from {least} to {most} is allowed")),
    }
}

fn askers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(askers @ 1..=10_000) => Ok(askers),
        _ => Err("a whole number from 1 to 10000 is allowed".into()),
    }
}

fn distribution(text: &str) -> Result<Distribution, String> {
    match text {
        "constant" => Ok(Distribution::Constant),
        "uniform" => Ok(Distribution::Uniform),
        "poisson" => Ok(Distribution::Poisson),
        "gamma" => Ok(Distribution::Gamma),
        "closed" => Ok(Distribution::Closed),
        _ => match text.strip_prefix("trace=") {
            Some(file) => trace::read(file.as_ref())
                .map(Distribution::Trace)
                .map_err(|error| format!("{error:#}")),
            None => Err("constant, uniform, poisson, gamma, closed or trace=FILE is allowed".into()),
        },
    }
}

fn run_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=100).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with('.') {
        Ok(text.to_owned())
    } else {
        Err("1 to 100 letters, digits, '-', '_' and '.' are allowed, no '.' first".into())
    }
}

fn origin(text: &str) -> Result<Origin, String> {
    match text {
        "mongodb" => Ok(Origin::MongoDb),
        file if PathBuf::from(file).is_file() => Ok(Origin::File(file.into())),
        _ => Err("mongodb or a file that exists is allowed".into()),
    }
}
