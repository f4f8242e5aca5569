//! The settings of traffic-generator; no other place reads the environment.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use messaging::client::KafkaConfig;
use messaging::mongo::MongoConfig;
use messaging::process::{ProcessConfig, Settings};
use serde::Serialize;

/// Imports a dataset of questions and asks them at the times of an arrival process.
#[derive(Debug, Parser)]
#[command(name = "traffic-generator", version)]
pub struct Config {
    /// What to ask, and when.
    #[command(flatten)]
    pub traffic: Traffic,
    /// Kafka.
    #[command(flatten)]
    pub kafka: KafkaConfig,
    /// MongoDB.
    #[command(flatten)]
    pub mongo: MongoConfig,
    /// Logs.
    #[command(flatten)]
    pub process: ProcessConfig,
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
        /// Yahoo! Answers CSV (class, title, content, best answer), or JSON Lines (.jsonl).
        file: PathBuf,
    },
}

/// What to ask, and when. Written to run.json as it is.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Traffic {
    /// How many questions to ask.
    #[arg(long, env, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pub traffic_total: u64,
    /// Mean questions a second.
    #[arg(long, env, default_value = "20", value_parser = rate)]
    pub traffic_rate: f64,
    /// Times between questions: constant, uniform, poisson, gamma, or trace=FILE.
    #[arg(long, env, default_value = "poisson", value_parser = distribution)]
    pub traffic_distribution: Distribution,
    /// Under gamma: how much more the times between questions vary than under poisson, which is 1.
    #[arg(long, env, default_value = "4", value_parser = above_zero)]
    pub traffic_burstiness: f64,
    /// Which question is asked: all alike, or some much more often.
    #[arg(long, env, value_enum, default_value_t = Popularity::Uniform)]
    pub traffic_popularity: Popularity,
    /// Under zipf: how fast popularity falls; the n-th question has the share 1/n^exponent.
    #[arg(long, env, default_value = "1.0", value_parser = above_zero)]
    pub traffic_zipf_exponent: f64,
    /// Makes times and choice of questions repeatable; random unless set.
    #[arg(long, env)]
    pub traffic_seed: Option<u64>,
    /// Name of the run and of its folder; with a seed it makes the ids repeatable. Random unless set.
    #[arg(long, env, value_parser = run_name)]
    pub traffic_run: Option<String>,
    /// Where the questions are: `mongodb`, or a file as `import` takes it.
    #[arg(long, env, default_value = "mongodb")]
    pub traffic_source: String,
    /// Folder for the records of runs.
    #[arg(long, env, default_value = "data_collected")]
    pub data_collected_dir: PathBuf,
}

/// How the times between questions are drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// All the same.
    Constant,
    /// Anything from 0 to twice the mean.
    Uniform,
    /// Exponential: questions come independently of each other.
    Poisson,
    /// Gamma: bursts and lulls.
    Gamma,
    /// The times of a recorded run.
    Trace(PathBuf),
}

/// How questions are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Popularity {
    /// All alike.
    Uniform,
    /// The n-th in proportion to 1/n^exponent.
    Zipf,
}

impl Settings for Config {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }

    fn check(&self) -> Result<(), String> {
        self.kafka.check()?;
        self.mongo.check()
    }
}

fn distribution(text: &str) -> Result<Distribution, String> {
    match text.split_once('=') {
        None if text == "constant" => Ok(Distribution::Constant),
        None if text == "uniform" => Ok(Distribution::Uniform),
        None if text == "poisson" => Ok(Distribution::Poisson),
        None if text == "gamma" => Ok(Distribution::Gamma),
        Some(("trace", file)) if !file.is_empty() => Ok(Distribution::Trace(file.into())),
        _ => Err("allowed are constant, uniform, poisson, gamma and trace=FILE".into()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|rate| *rate > 0.0 && *rate <= 1e6)
        .ok_or_else(|| "allowed is above 0 up to 1000000".into())
}

fn above_zero(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|value| *value > 0.0 && *value <= 1000.0)
        .ok_or_else(|| "allowed is above 0 up to 1000".into())
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

fn run_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=64).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with('.') {
        Ok(text.to_owned())
    } else {
        Err("allowed are up to 64 letters, digits, '-', '_' and '.', not first".into())
    }
}
