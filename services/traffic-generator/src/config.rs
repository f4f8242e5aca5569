//! The settings of traffic-generator; no other place reads the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum, value_parser};
use messaging::process::{ProcessConfig, Settings};
use messaging::settings::CommonConfig;

use crate::trace;

/// Imports a dataset of questions and asks them at the times of an arrival process.
#[derive(Debug, Parser)]
#[command(name = "traffic-generator", version)]
pub struct Config {
    /// What to ask, and when.
    #[command(flatten)]
    pub traffic: Traffic,
    /// Kafka, MongoDB and logs.
    #[command(flatten)]
    pub common: CommonConfig,
    /// What to do; without it, `send`.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Ask questions.
    Send,
    /// Put a dataset into MongoDB; doing it twice changes nothing.
    Import {
        /// CSV as Yahoo! Answers has it (class, title, content, best answer), or JSON Lines (title, content,
        /// best_answer, other_answers, topic).
        file: PathBuf,
    },
}

/// What to ask, and when.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Traffic")]
pub struct Traffic {
    /// How many questions to ask, 1 to 1000000000; a trace that is shorter ends the run.
    #[arg(long, env, default_value_t = 200, value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    pub traffic_total: u64,
    /// Mean questions a second, 0.001 to 1000000.
    #[arg(long, env, default_value = "20", value_parser = |text: &str| number(text, 0.001, 1e6))]
    pub traffic_rate: f64,
    /// How the times between questions are drawn: constant, uniform, poisson, gamma, or trace=FILE with the times
    /// of a recorded run, in seconds from its start, one a line, or its events.csv.
    #[arg(long, env, default_value = "poisson", value_parser = distribution)]
    pub traffic_distribution: Distribution,
    /// With gamma: how bursty the arrivals are, 0.01 to 1000; 1 is like poisson.
    #[arg(long, env, default_value = "4", value_parser = |text: &str| number(text, 0.01, 1000.0))]
    pub traffic_burstiness: f64,
    /// Which questions are asked more often.
    #[arg(long, env, value_enum, default_value_t = Popularity::Uniform)]
    pub traffic_popularity: Popularity,
    /// With zipf: how fast popularity falls, 0 to 10; the n-th question is asked in proportion to 1/n^exponent.
    #[arg(long, env, default_value = "1", value_parser = |text: &str| number(text, 0.0, 10.0))]
    pub traffic_zipf_exponent: f64,
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
    /// As recorded, in seconds from the start.
    Trace(Vec<f64>),
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

impl Config {
    /// Every setting under its name in the environment, with its value or default; no secrets.
    pub fn as_environment() -> BTreeMap<String, String> {
        let matches = Self::command().get_matches();
        let command = Self::command();
        let shown = command
            .get_arguments()
            .filter(|argument| !argument.is_hide_env_values_set());
        shown
            .filter_map(|argument| {
                let value = matches
                    .get_raw(argument.get_id().as_str())
                    .and_then(|mut values| values.next())?;
                Some((
                    argument.get_env()?.to_str()?.to_owned(),
                    value.to_string_lossy().into_owned(),
                ))
            })
            .collect()
    }
}

impl Settings for Config {
    fn process(&self) -> &ProcessConfig {
        &self.common.process
    }

    fn check(&self) -> Result<(), String> {
        self.common.check()?;
        let Traffic {
            traffic_run: Some(run),
            data_collected_dir,
            ..
        } = &self.traffic
        else {
            return Ok(());
        };
        let folder = data_collected_dir.join(run);
        let is_taken = folder.read_dir().is_ok_and(|mut files| files.next().is_some());
        if is_taken && !matches!(self.command, Some(Command::Import { .. })) {
            return Err(format!(
                "TRAFFIC_RUN={run} has a folder that is not empty, {}; choose another name, or another \
                 DATA_COLLECTED_DIR",
                folder.display()
            ));
        }
        Ok(())
    }
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("a number from {least} to {most} is allowed")),
    }
}

fn distribution(text: &str) -> Result<Distribution, String> {
    match text {
        "constant" => Ok(Distribution::Constant),
        "uniform" => Ok(Distribution::Uniform),
        "poisson" => Ok(Distribution::Poisson),
        "gamma" => Ok(Distribution::Gamma),
        _ => match text.strip_prefix("trace=") {
            Some(file) => trace::read(file.as_ref())
                .map(Distribution::Trace)
                .map_err(|error| format!("{error:#}")),
            None => Err("constant, uniform, poisson, gamma or trace=FILE is allowed".into()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Config, String> {
        let arguments = ["traffic-generator"].iter().chain(arguments);
        let config = Config::try_parse_from(arguments).map_err(|error| error.to_string())?;
        config.check().map(|()| config)
    }

    #[test]
    fn the_defaults_can_be_used() {
        let config = parse(&[]).unwrap();
        assert!(config.command.is_none());
        assert_eq!(config.traffic.traffic_distribution, Distribution::Poisson);
        assert_eq!(config.traffic.traffic_source, Origin::MongoDb);
    }

    #[test]
    fn a_wrong_setting_is_refused_with_its_name_its_value_and_what_is_allowed() {
        for (setting, value, allowed) in [
            ("traffic-total", "0", "1..=1000000000"),
            ("traffic-rate", "-1", "0.001 to 1000000"),
            ("traffic-rate", "NaN", "0.001 to 1000000"),
            ("traffic-rate", "inf", "0.001 to 1000000"),
            (
                "traffic-distribution",
                "pareto",
                "constant, uniform, poisson, gamma or trace=FILE",
            ),
            ("traffic-distribution", "trace=/nowhere", "/nowhere cannot be read"),
            ("traffic-burstiness", "0", "0.01 to 1000"),
            ("traffic-popularity", "pareto", "uniform, zipf, each"),
            ("traffic-zipf-exponent", "-0.1", "0 to 10"),
            ("traffic-seed", "-1", "digit"),
            ("traffic-run", "../up", "letters, digits"),
            ("traffic-run", "a b", "letters, digits"),
            ("traffic-source", "/nowhere", "a file that exists"),
        ] {
            let problem = parse(&[&format!("--{setting}={value}")]).unwrap_err();
            let name = setting.to_uppercase().replace('-', "_");
            for part in [name.as_str(), value, allowed] {
                assert!(problem.contains(part), "{part:?} is missing in: {problem}");
            }
        }
    }

    #[test]
    fn a_run_gets_a_folder_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let collected = format!("--data-collected-dir={}", folder.path().display());
        let arguments = [collected.as_str(), "--traffic-run=again"];
        std::fs::create_dir(folder.path().join("again")).unwrap();
        assert!(parse(&arguments).is_ok());
        std::fs::write(folder.path().join("again/events.csv"), "").unwrap();
        assert!(parse(&arguments).unwrap_err().starts_with("TRAFFIC_RUN=again "));
        assert!(parse(&[arguments[0], arguments[1], "import", "questions.csv"]).is_ok());
    }
}
