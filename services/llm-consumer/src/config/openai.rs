//! Settings of a real model.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, value_parser};
use http::{HeaderMap, HeaderName, HeaderValue};
use messaging::secret::Secret;
use reqwest::Url;
use serde_json::{Map, Value};

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
    /// A file with the key, in its place.
    #[arg(long, env)]
    pub openai_api_key_file: Option<PathBuf>,
    /// The model, by the name that its server knows.
    #[arg(long, env)]
    pub openai_model: Option<String>,
    /// Several models, separated by commas: the first attempt asks the first, each regeneration the next.
    #[arg(long, env, value_delimiter = ',')]
    pub llm_models: Vec<String>,
    /// The most tokens of an answer; twice as many for each attempt after one that was cut off.
    #[arg(long, env, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub llm_max_output_tokens: Option<u32>,
    /// How freely the model chooses its words, 0 to 2; with commas, for the first attempt, the second, and so on.
    #[arg(long, env, value_delimiter = ',', value_parser = parse_temperature)]
    pub llm_temperature: Vec<f32>,
    /// The same seed may give the same answers, where the server can do that.
    #[arg(long, env)]
    pub llm_seed: Option<i64>,
    /// Headers to send as well, as JSON: {"api-key": "…"}.
    #[arg(long, env, hide_env_values = true)]
    pub llm_extra_headers: Option<Secret>,
    /// Fields to send as well, as JSON: {"top_p": 0.9}. They win over those that are sent anyway.
    #[arg(long, env, default_value = "{}")]
    pub llm_extra_body: ExtraBody,
}

/// Fields of the request as JSON.
#[derive(Debug, Clone)]
pub struct ExtraBody(pub Map<String, Value>);

impl OpenAiConfig {
    /// The key, from the setting or its file.
    ///
    /// # Errors
    /// A file that cannot be read, or a key that no header may have; the key itself is not shown.
    pub fn key(&self) -> Result<Option<Secret>, String> {
        let (name, key) = match (&self.openai_api_key, &self.openai_api_key_file) {
            (Some(_), Some(_)) => {
                return Err("OPENAI_API_KEY and OPENAI_API_KEY_FILE are both set; one is allowed".into());
            }
            (Some(key), None) => ("OPENAI_API_KEY", key.clone()),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path).map_err(|problem| {
                    format!(
                        "OPENAI_API_KEY_FILE={} cannot be read: {problem}; allowed is a file with the key",
                        path.display()
                    )
                })?;
                ("OPENAI_API_KEY_FILE", Secret::from(text.trim().to_owned()))
            }
            (None, None) => return Ok(None),
        };
        if HeaderValue::from_str(key.expose()).is_err() {
            return Err(format!(
                "{name} holds a character that no HTTP header may have, such as a line break"
            ));
        }
        Ok(Some(key))
    }

    /// The headers to send as well.
    ///
    /// # Errors
    /// What is allowed; the headers may hold a key and are not shown.
    pub fn extra_headers(&self) -> Result<HeaderMap, String> {
        const ALLOWED: &str =
            "LLM_EXTRA_HEADERS is not what is allowed, a JSON object of texts such as {\"api-key\": \"…\"}";
        let Some(headers) = &self.llm_extra_headers else {
            return Ok(HeaderMap::new());
        };
        let fields: Map<String, Value> = serde_json::from_str(headers.expose()).map_err(|_| ALLOWED)?;
        let headers = fields.iter().map(|(name, value)| {
            let name = HeaderName::try_from(name).map_err(|_| ALLOWED)?;
            let value = HeaderValue::from_str(value.as_str().ok_or(ALLOWED)?).map_err(|_| ALLOWED)?;
            Ok((name, value))
        });
        headers.collect()
    }

    /// The models, the one for the first attempt first.
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        let ladder = self.llm_models.iter();
        let names = if self.llm_models.is_empty() {
            ladder.chain(&self.openai_model)
        } else {
            ladder.chain(&None)
        };
        names
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// How freely the model chooses its words at an attempt (from 1).
    #[must_use]
    pub fn temperature(&self, attempt: u32) -> Option<f32> {
        let nth = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        self.llm_temperature.get(nth).or(self.llm_temperature.last()).copied()
    }

    /// The most tokens of an answer at an attempt (from 1); `needs_room` if the one before was cut off.
    #[must_use]
    pub fn max_output_tokens(&self, attempt: u32, needs_room: bool) -> Option<u32> {
        let doublings = if needs_room {
            attempt.saturating_sub(1).min(4)
        } else {
            0
        };
        self.llm_max_output_tokens.map(|most| most << doublings)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.models().is_empty() {
            return Err(
                "OPENAI_MODEL is not set, and LLM_MODE=openai needs the name of a model (or LLM_MODELS several)".into(),
            );
        }
        self.extra_headers()?;
        self.key().map(drop)
    }

    /// What of these settings changes an answer.
    pub(super) fn identity(&self) -> String {
        let sampling = (&self.llm_temperature, self.llm_seed, self.llm_max_output_tokens);
        format!(
            "{:?} {sampling:?} {}",
            self.models(),
            Value::Object(self.llm_extra_body.0.clone())
        )
    }
}

/// What has settings of its own, or would make a call cost more than is reserved for it.
const NOT_EXTRA: [&str; 7] = [
    "messages",
    "stream",
    "model",
    "n",
    "max_tokens",
    "max_completion_tokens",
    "tools",
];

impl FromStr for ExtraBody {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| "a JSON object is allowed, such as {\"top_p\": 0.9}")?;
        match fields.keys().find(|name| NOT_EXTRA.contains(&name.as_str())) {
            Some(name) => Err(format!("{name} is not allowed in it")),
            None => Ok(Self(fields)),
        }
    }
}

fn parse_base_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err("an http:// or https:// URL is allowed, such as http://127.0.0.1:11434/v1".into()),
    }
}

fn parse_temperature(text: &str) -> Result<f32, String> {
    match text.trim().parse() {
        Ok(temperature) if (0.0..=2.0).contains(&temperature) => Ok(temperature),
        _ => Err("numbers from 0 to 2 are allowed, such as 0.2 or 0.2,0.7,1".into()),
    }
}
