//! Every setting of the service; nothing else reads the environment.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum, value_parser};
use contracts::value::MAX_WHOLE;
use messaging::client::KafkaConfig;
use messaging::mongo::MongoConfig;
use messaging::process::{ProcessConfig, Settings};
use messaging::settings::{CENTURY, HOUR, duration};

use crate::budget;
use crate::caller::RetryLimits;
use crate::gate::GateLimits;
use crate::money::parse_dollars;
use crate::prices::Prices;
use crate::prompt::{Templates, hash};

mod offline;
mod openai;

pub use offline::OfflineConfig;
pub use openai::OpenAiConfig;

/// The pause after a call that failed; it doubles with each further failure.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// How long a question that failed alone waits for others to be compared with.
const COMPARISON: Duration = Duration::from_secs(5);
/// Questions taken for each call that may be under way. An attempt that has to be retried
/// takes that much longer than its neighbours, and must not hold them up.
const WINDOW_PER_CALL: usize = 64;

/// Answers every question on `llm_requests` with a language model.
#[derive(Debug, Clone, Parser)]
#[command(name = "llm-consumer", version)]
pub struct Config {
    /// How to log.
    #[command(flatten)]
    pub process: ProcessConfig,
    /// How to reach Kafka.
    #[command(flatten)]
    pub kafka: KafkaConfig,
    /// MongoDB.
    #[command(flatten)]
    pub mongo: MongoConfig,
    /// Where to serve health, readiness and Prometheus metrics.
    #[arg(long, env, default_value = "127.0.0.1:8102")]
    pub http_address: SocketAddr,
    /// Which model answers.
    #[arg(long, env, value_enum, default_value_t = Mode::Offline)]
    pub llm_mode: Mode,
    /// Most calls to the model at once, 1 to 1024.
    #[arg(long, env, default_value_t = 64, value_parser = value_parser!(u16).range(1..=1024))]
    pub llm_concurrency: u16,
    /// Most calls to the model a minute, of each copy of this service; as many as it can without.
    #[arg(long, env, value_parser = value_parser!(u32).range(1..))]
    pub llm_rpm: Option<u32>,
    /// Most tokens a minute, sent and received, of each copy of this service.
    #[arg(long, env, value_parser = value_parser!(u32).range(1..))]
    pub llm_tpm: Option<u32>,
    /// How often a call is repeated that failed for its question's own sake, 0 to 10; while no question can be answered,
    /// all wait.
    #[arg(long, env, default_value_t = 4, value_parser = value_parser!(u8).range(0..=10))]
    pub llm_retries: u8,
    /// How long a question waits for a model that answers none, such as 2h, before it becomes an error; for ever without.
    #[arg(long, env, value_parser = duration(Duration::from_millis(1), CENTURY))]
    pub llm_outage_deadline: Option<Duration>,
    /// The most that calls may cost, of all copies together and until `make budget-reset`, in US dollars; as much as they
    /// do without.
    #[arg(long, env, value_parser = parse_dollars)]
    pub llm_budget_usd: Option<u64>,
    /// The same in tokens, sent and received.
    #[arg(long, env, value_parser = value_parser!(u64).range(1..=MAX_WHOLE))]
    pub llm_budget_tokens: Option<u64>,
    /// Prices in place of those that are built in, as a file like prices.toml.
    #[arg(long, env)]
    pub llm_prices: Option<PathBuf>,
    /// How long an answer that was paid for is kept for a request that is delivered again, such as 7days.
    #[arg(long, env, default_value = "7days", value_parser = duration(Duration::ZERO, CENTURY))]
    pub llm_answers_retention: Duration,
    /// The file that LLM_MODE=record adds answers to, and that LLM_MODE=replay answers from.
    #[arg(long, env)]
    pub llm_cassette: Option<PathBuf>,
    /// What the model is sent: en, es, or a folder with system.txt, question.txt and again.txt.
    #[arg(long, env, default_value = "en")]
    pub prompt_dir: Templates,
    /// The longest that one call may take, such as 60s, up to 1h.
    #[arg(long, env, default_value = "60s", value_parser = duration(Duration::from_millis(1), HOUR))]
    pub llm_timeout: Duration,
    /// The real model.
    #[command(flatten)]
    pub openai: OpenAiConfig,
    /// The simulated model.
    #[command(flatten)]
    pub offline: OfflineConfig,
}

/// Which model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// A simulated one: no network, no cost, the same answers every time.
    Offline,
    /// Any server that speaks OpenAI's chat completions.
    Openai,
    /// The same, and what it answers is recorded in a file.
    Record,
    /// Such a file: no network, no cost, the same answers.
    Replay,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offline => "offline",
            Self::Openai => "openai",
            Self::Record => "record",
            Self::Replay => "replay",
        })
    }
}

impl Config {
    /// How often and how long an attempt at a question is tried.
    #[must_use]
    pub fn limits(&self) -> RetryLimits {
        RetryLimits {
            retries: self.llm_retries.into(),
            timeout: self.llm_timeout,
            first_delay: FIRST_DELAY,
        }
    }

    /// What may be under way at once, and in a minute.
    #[must_use]
    pub fn gate(&self) -> GateLimits {
        GateLimits {
            concurrency: self.llm_concurrency.into(),
            rpm: self.llm_rpm,
            tpm: self.llm_tpm,
            outage_deadline: self.llm_outage_deadline,
            comparison: COMPARISON,
        }
    }

    /// Hash of the settings that change an answer.
    #[must_use]
    pub fn settings_hash(&self) -> String {
        let (mode, identity) = match self.llm_mode {
            Mode::Offline => ("offline", self.offline.identity()),
            Mode::Openai | Mode::Record => ("openai", self.openai.identity()),
            // Never used: a cassette tells by which settings it was recorded.
            Mode::Replay => ("replay", String::new()),
        };
        hash(&[mode, &identity, &self.prompt_dir.version()])
    }

    /// The prices that hold.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn prices(&self) -> Result<Prices, String> {
        Prices::load(self.llm_prices.as_deref())
    }

    /// What calls may cost together, if that is limited.
    #[must_use]
    pub fn budget(&self) -> Option<budget::Limits> {
        let limits = budget::Limits {
            nanodollars: self.llm_budget_usd,
            tokens: self.llm_budget_tokens,
        };
        (limits.nanodollars.is_some() || limits.tokens.is_some()).then_some(limits)
    }

    fn check_real(&self) -> Result<(), String> {
        self.openai.check()?;
        let prices = self.prices()?;
        let Some(limits) = self.budget() else { return Ok(()) };
        if self.openai.llm_max_output_tokens.is_none() {
            return Err("LLM_MAX_OUTPUT_TOKENS is not set, and a budget needs it: a call might cost anything".into());
        }
        match self.openai.models().iter().find(|model| prices.of(model).is_none()) {
            Some(model) if limits.nanodollars.is_some() => Err(format!(
                "LLM_BUDGET_USD cannot be kept: no price of {model} is known; allowed are models that LLM_PRICES names"
            )),
            _ => Ok(()),
        }
    }

    fn check_cassette(&self) -> Result<(), String> {
        match &self.llm_cassette {
            Some(path) if self.llm_mode == Mode::Replay && !path.is_file() => Err(format!(
                "LLM_CASSETTE={} is no file; allowed is one that LLM_MODE=record wrote",
                path.display()
            )),
            Some(_) => Ok(()),
            None => Err("LLM_CASSETTE is not set, and LLM_MODE=record and replay need a file".into()),
        }
    }

    /// Most questions taken and not finished.
    #[must_use]
    pub fn window(&self) -> usize {
        usize::from(self.llm_concurrency) * WINDOW_PER_CALL
    }
}

impl Settings for Config {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }

    fn check(&self) -> Result<(), String> {
        self.kafka.check()?;
        self.mongo.check()?;
        self.prices()?;
        match self.llm_mode {
            Mode::Offline => Ok(()),
            Mode::Openai => self.check_real(),
            Mode::Record => self.check_cassette().and_then(|()| self.check_real()),
            Mode::Replay => self.check_cassette(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Config, String> {
        let arguments = ["llm-consumer"].iter().chain(arguments);
        let config = Config::try_parse_from(arguments).map_err(|error| error.to_string())?;
        config.check().map(|()| config)
    }

    #[test]
    fn the_defaults_can_be_used() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.offline.offline_mix.to_string(), "70/20/10");
        assert!(config.window() > config.gate().concurrency);
    }

    #[test]
    fn a_wrong_setting_is_refused_with_its_name_its_value_and_what_is_allowed() {
        for (setting, value, allowed) in [
            ("llm-mode", "gpt", "offline, openai"),
            ("llm-concurrency", "0", "1..=1024"),
            ("llm-retries", "-1", "0..=10"),
            ("llm-timeout", "0s", "from 1ms to 1h"),
            ("llm-timeout", "soon", "from 1ms to 1h"),
            ("offline-latency", "10years", "from 0s to 1h"),
            ("openai-base-url", "nonsense", "http://"),
            ("llm-rpm", "0", "1.."),
            ("llm-temperature", "3", "0 to 2"),
            ("llm-extra-body", "[]", "JSON object"),
            ("llm-extra-body", r#"{"stream":true}"#, "stream is not allowed"),
            ("prompt-dir", "nowhere", "en, es"),
            ("offline-error-rate", "1.5", "0 to 1"),
            ("offline-error-rate", "NaN", "0 to 1"),
            ("offline-traps", "5", "0 to 1"),
            ("offline-mix", "70/20/20", "sum to 100"),
            ("offline-mix", "100", "70/20/10"),
        ] {
            let problem = parse(&[&format!("--{setting}={value}")]).unwrap_err();
            let name = setting.to_uppercase().replace('-', "_");
            for part in [name.as_str(), value, allowed] {
                assert!(problem.contains(part), "{part:?} is missing in: {problem}");
            }
        }
    }

    #[test]
    fn a_real_model_needs_a_name() {
        assert!(parse(&["--llm-mode=openai"]).unwrap_err().starts_with("OPENAI_MODEL "));
        assert!(
            parse(&["--llm-mode=openai", "--openai-model="])
                .unwrap_err()
                .starts_with("OPENAI_MODEL ")
        );
        assert!(parse(&["--llm-mode=openai", "--openai-model=small"]).is_ok());
    }

    #[test]
    fn a_ladder_goes_up_with_the_attempts() {
        let config = parse(&[
            "--llm-mode=openai",
            "--llm-models=small, large",
            "--llm-temperature=0,0.5",
        ])
        .unwrap()
        .openai;
        assert_eq!(config.models(), ["small", "large"]);
        assert_eq!(
            [1, 2, 3].map(|attempt| config.temperature(attempt)),
            [Some(0.0), Some(0.5), Some(0.5)]
        );
    }

    #[test]
    fn an_answer_that_was_cut_off_is_worth_more_room() {
        let config = parse(&["--llm-max-output-tokens=100"]).unwrap().openai;
        assert_eq!(config.max_output_tokens(2, false), Some(100));
        assert_eq!(
            [2, 3].map(|attempt| config.max_output_tokens(attempt, true)),
            [Some(200), Some(400)]
        );
    }

    #[test]
    fn the_hash_of_the_settings_follows_what_changes_an_answer_and_nothing_else() {
        let hash = |arguments: &[&str]| parse(arguments).unwrap().settings_hash();
        let real = ["--llm-mode=openai", "--openai-model=small"];
        let with = |more: &str| hash(&[&real[..], &[more]].concat());
        for same in [
            "--openai-api-key=sk",
            "--llm-rpm=5",
            "--llm-concurrency=3",
            "--offline-seed=7",
        ] {
            assert_eq!(with(same), hash(&real), "{same}");
        }
        let others = [
            "--llm-models=large",
            "--llm-temperature=1",
            "--llm-seed=1",
            "--prompt-dir=es",
            "--llm-extra-body={\"top_p\":1}",
        ];
        for other in others {
            assert_ne!(with(other), hash(&real), "{other}");
        }
        assert_ne!(hash(&[]), hash(&real));
        assert_ne!(hash(&[]), hash(&["--offline-seed=2"]));
        assert_eq!(hash(&[]), hash(&["--offline-latency=1s"]));
    }

    #[test]
    fn a_replay_needs_a_cassette() {
        assert!(parse(&["--llm-mode=replay"]).unwrap_err().starts_with("LLM_CASSETTE "));
        let problem = parse(&["--llm-mode=replay", "--llm-cassette=/nowhere"]).unwrap_err();
        assert!(problem.contains("/nowhere"), "{problem}");
    }

    #[test]
    fn a_budget_needs_a_bound_for_each_call_and_a_price() {
        let budget = |more: &[&str]| {
            let settings = ["--llm-mode=openai", "--openai-model=unheard-of", "--llm-budget-usd=5"];
            parse(&[&settings[..], more].concat())
        };
        assert!(budget(&[]).unwrap_err().starts_with("LLM_MAX_OUTPUT_TOKENS "));
        let problem = budget(&["--llm-max-output-tokens=9"]).unwrap_err();
        assert!(
            problem.contains("unheard-of") && problem.contains("LLM_PRICES"),
            "{problem}"
        );
        let twice = budget(&["--llm-max-output-tokens=9", "--llm-extra-body={\"n\":5}"]);
        assert!(twice.unwrap_err().contains("n is not allowed"));
    }

    #[test]
    fn the_key_is_never_shown_wherever_it_comes_from() {
        let config = parse(&[
            "--openai-api-key=sk-hush",
            "--llm-extra-headers={\"api-key\":\"sk-hush\"}",
        ])
        .unwrap();
        assert!(!format!("{config:?}").contains("hush"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "sk-hush\n").unwrap();
        let from_file = format!("--openai-api-key-file={}", file.path().display());
        let config = parse(&[&from_file]).unwrap();
        assert_eq!(config.openai.key().unwrap().unwrap().expose(), "sk-hush");
        let openai = ["--llm-mode=openai", "--openai-model=small"];
        let torn = ["--llm-extra-headers={\"api-key\": \"sk-hush"];
        let problem = parse(&[&openai[..], &torn].concat()).unwrap_err();
        assert!(
            problem.starts_with("LLM_EXTRA_HEADERS ") && !problem.contains("hush"),
            "{problem}"
        );
        for bad in [
            &["--openai-api-key=sk-hush\nmore"][..],
            &["--openai-api-key=sk-hush", &from_file],
        ] {
            let problem = parse(&[&openai[..], bad].concat()).unwrap_err();
            assert!(
                problem.starts_with("OPENAI_API_KEY") && !problem.contains("hush"),
                "{problem}"
            );
        }
    }
}
