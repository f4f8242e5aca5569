//! The settings of traffic-generator; no other place reads the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand, value_parser};
use messaging::process::{ProcessConfig, Settings, without_empty};
use messaging::settings::CommonConfig;

use crate::traffic::Traffic;

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
    /// Print which questions a run with these settings would ask, by their numbers, one a line; ask none.
    Choose {
        /// How many questions there are.
        #[arg(value_parser = value_parser!(u32).range(1..))]
        questions: u32,
    },
}

impl Config {
    /// Every setting under its name in the environment, with its value or default; no secrets.
    pub fn as_environment() -> BTreeMap<String, String> {
        let command = without_empty(Self::command());
        let matches = command.clone().get_matches();
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
        self.traffic.check()?;
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
        if is_taken && matches!(self.command, None | Some(Command::Send)) {
            return Err(format!(
                "TRAFFIC_RUN={run} has a folder that is not empty, {}; choose another name, or another \
                 DATA_COLLECTED_DIR",
                folder.display()
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::{Distribution, Origin};

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
                "constant, uniform, poisson, gamma, closed or trace=FILE",
            ),
            ("traffic-distribution", "trace=/nowhere", "/nowhere cannot be read"),
            ("traffic-duration", "0s", "from 1ms to"),
            ("traffic-profile", "night", "ramp=FROM-TO such as ramp=0.5-2"),
            ("traffic-speed", "0", "0.001 to 1000"),
            ("traffic-burstiness", "0", "0.01 to 1000"),
            ("traffic-askers", "0", "1 to 10000"),
            ("traffic-think-time", "2h", "from 0s to 1h"),
            ("traffic-outcome-timeout", "0s", "from 1ms to"),
            ("traffic-popularity", "pareto", "uniform, zipf, each"),
            ("traffic-zipf-exponent", "-0.1", "0 to 10"),
            ("traffic-paraphrases", "1.1", "0 to 1"),
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
    fn settings_that_do_not_go_together_are_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0\n").unwrap();
        let trace = format!("--traffic-distribution=trace={}", file.path().display());
        for (arguments, parts) in [
            (
                ["--traffic-speed=10", "--traffic-rate=1"],
                ["TRAFFIC_SPEED=10", "TRAFFIC_DISTRIBUTION=trace=FILE"],
            ),
            (
                ["--traffic-profile=day", "--traffic-rate=1"],
                ["TRAFFIC_PROFILE=day", "TRAFFIC_DURATION"],
            ),
            (
                ["--traffic-rate=50", "--traffic-distribution=closed"],
                ["TRAFFIC_RATE=50", "TRAFFIC_DISTRIBUTION=closed"],
            ),
            (
                ["--traffic-profile=day", "--traffic-distribution=closed"],
                ["TRAFFIC_PROFILE=day", "TRAFFIC_DISTRIBUTION=closed"],
            ),
            (
                ["--traffic-speed=2", "--traffic-distribution=closed"],
                ["TRAFFIC_SPEED=2", "TRAFFIC_DISTRIBUTION=trace=FILE"],
            ),
            (
                ["--traffic-askers=8", "--traffic-rate=1"],
                ["TRAFFIC_ASKERS=8", "TRAFFIC_DISTRIBUTION=closed"],
            ),
            (
                ["--traffic-think-time=90s", "--traffic-rate=1"],
                ["TRAFFIC_THINK_TIME=1m 30s", "TRAFFIC_DISTRIBUTION=closed"],
            ),
            (
                ["--traffic-profile=ramp=0-1", &trace],
                ["TRAFFIC_PROFILE=ramp=0-1", "TRAFFIC_DISTRIBUTION=trace=FILE"],
            ),
        ] {
            let problem = parse(&arguments).unwrap_err();
            assert!(parts.iter().all(|part| problem.contains(part)), "{problem}");
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
