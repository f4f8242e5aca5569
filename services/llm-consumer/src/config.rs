//! Every setting of the service; nothing else reads the environment.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum, value_parser};
use http::HeaderValue;
use messaging::client::KafkaConfig;
use messaging::process::{ProcessConfig, Settings};
use messaging::secret::Secret;
use reqwest::Url;

use crate::caller::Limits;
use crate::offline::Mix;

/// The pause after a call that failed; it doubles with each further failure.
const FIRST_DELAY: Duration = Duration::from_millis(500);
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
    /// Where to serve health, readiness and Prometheus metrics.
    #[arg(long, env, default_value = "127.0.0.1:8102")]
    pub http_address: SocketAddr,
    /// Which model answers.
    #[arg(long, env, value_enum, default_value_t = Mode::Offline)]
    pub llm_mode: Mode,
    /// Most calls to the model at once, 1 to 1024.
    #[arg(long, env, default_value_t = 64, value_parser = value_parser!(u16).range(1..=1024))]
    pub llm_concurrency: u16,
    /// How often a failed call is repeated, 0 to 10.
    #[arg(long, env, default_value_t = 4, value_parser = value_parser!(u8).range(0..=10))]
    pub llm_retries: u8,
    /// The longest that one call may take, such as 60s, up to 1h.
    #[arg(long, env, default_value = "60s", value_parser = parse_timeout)]
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
}

/// A real model; used with `LLM_MODE=openai`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Real model (LLM_MODE=openai)")]
pub struct OpenAiConfig {
    /// The server, up to and including its version path.
    #[arg(long, env, default_value = "https://api.openai.com/v1", value_parser = parse_base_url)]
    pub openai_base_url: Url,
    /// The key for the server; one on this machine may need none.
    #[arg(long, env, hide_env_values = true)]
    pub openai_api_key: Option<Secret>,
    /// The model, by the name that its server knows.
    #[arg(long, env)]
    pub openai_model: Option<String>,
}

/// The simulated model; used with `LLM_MODE=offline`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Simulated model (LLM_MODE=offline)")]
pub struct OfflineConfig {
    /// Another seed, other answers.
    #[arg(long, env, default_value_t = 1)]
    pub offline_seed: u64,
    /// How long a call takes on average, such as 200ms, up to 1h; each takes between half and one and a half of it.
    #[arg(long, env, default_value = "0s", value_parser = parse_duration)]
    pub offline_latency: Duration,
    /// The share of calls that fail, 0 to 1.
    #[arg(long, env, default_value_t = 0.0, value_parser = parse_share)]
    pub offline_error_rate: f64,
    /// Of a hundred questions, how many pass at the first attempt, at the second or third, and never.
    #[arg(long, env, default_value = "70/20/10")]
    pub offline_mix: Mix,
    /// The share of questions, 0 to 1, that are answered by traps instead: wrong, but nearly the reference.
    #[arg(long, env, default_value_t = 0.05, value_parser = parse_share)]
    pub offline_traps: f64,
}

impl Config {
    /// What an attempt at a question may cost.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            concurrency: self.llm_concurrency.into(),
            retries: self.llm_retries.into(),
            timeout: self.llm_timeout,
            first_delay: FIRST_DELAY,
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
        if self.llm_mode == Mode::Openai && self.openai.openai_model.as_deref().is_none_or(str::is_empty) {
            return Err("OPENAI_MODEL is not set, and LLM_MODE=openai needs the name of a model".into());
        }
        let key = self.openai.openai_api_key.as_ref().map_or("", Secret::expose);
        if HeaderValue::from_str(key).is_err() {
            return Err("OPENAI_API_KEY holds a character that no HTTP header may have, such as a line break".into());
        }
        Ok(())
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("more than nothing is allowed, such as 60s".into()),
        timeout => timeout,
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= Duration::from_secs(3600) => Ok(duration),
        _ => Err("up to 1h is allowed, such as 500ms or 60s".into()),
    }
}

fn parse_base_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err("an http:// or https:// URL is allowed, such as http://127.0.0.1:11434/v1".into()),
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a number from 0 to 1 is allowed".into()),
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
        assert!(config.window() > config.limits().concurrency);
    }

    #[test]
    fn a_wrong_setting_is_refused_with_its_name_its_value_and_what_is_allowed() {
        for (setting, value, allowed) in [
            ("llm-mode", "gpt", "offline, openai"),
            ("llm-concurrency", "0", "1..=1024"),
            ("llm-retries", "-1", "0..=10"),
            ("llm-timeout", "0s", "more than nothing"),
            ("llm-timeout", "soon", "up to 1h"),
            ("offline-latency", "10years", "up to 1h"),
            ("openai-base-url", "nonsense", "http://"),
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
    fn the_key_is_never_shown() {
        let config = parse(&["--openai-api-key=sk-hush"]).unwrap();
        assert!(!format!("{config:?}").contains("hush"));
        let problem = parse(&["--openai-api-key=sk-hush\n"]).unwrap_err();
        assert!(
            problem.starts_with("OPENAI_API_KEY ") && !problem.contains("hush"),
            "{problem}"
        );
    }
}
