//! A real model, behind any server that speaks OpenAI's chat completions.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::types::chat::{ChatCompletionRequestUserMessage, CreateChatCompletionRequest};
use contracts::topic::MAX_ANSWER_BYTES;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use messaging::secret::Secret;
use reqwest::{Response, Url};
use serde::Deserialize;
use tower::service_fn;

use crate::config::OpenAiConfig;
use crate::model::{Ask, Completion, ErrorKind, LanguageModel, ModelError, Tokens};

/// The largest reply that is read: an answer of full size, every byte of it escaped.
const MAX_REPLY_BYTES: usize = 8 * MAX_ANSWER_BYTES;
/// A server that takes no connection for this long is away, not slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A real model.
pub struct OpenAi {
    client: Client<OpenAIConfig>,
    model: String,
}

impl OpenAi {
    /// A client for the server of these settings; nothing is sent yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(config: &OpenAiConfig) -> anyhow::Result<Self> {
        let key = config.openai_api_key.clone();
        let settings = OpenAIConfig::new()
            .with_api_base(config.openai_base_url.as_str().trim_end_matches('/'))
            .with_api_key(key.as_ref().map_or("", Secret::expose))
            // Its constructor takes these from the environment.
            .with_org_id("")
            .with_project_id("");
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if is_local(&config.openai_base_url) {
            http = http.no_proxy();
        }
        let transport = Transport {
            http: http.build()?,
            key,
        };
        let client = Client::with_config(settings)
            // In place of async-openai's own service, which would retry.
            .with_http_service(service_fn(move |request| transport.clone().send(request)));
        Ok(Self {
            client,
            model: config.openai_model.clone().unwrap_or_default(),
        })
    }
}

impl LanguageModel for OpenAi {
    fn name(&self, _: u32) -> &str {
        &self.model
    }

    fn costs(&self) -> bool {
        true
    }

    async fn answer(&self, ask: &Ask<'_>) -> Result<Completion, ModelError> {
        let request = CreateChatCompletionRequest {
            model: self.model.clone(),
            messages: vec![ChatCompletionRequestUserMessage::from(ask.prompt.user.as_str()).into()],
            ..CreateChatCompletionRequest::default()
        };
        let reply: Reply = self.client.chat().create_byot(request).await.map_err(model_error)?;
        reply.completion()
    }
}

/// Sends a request once and reads the reply within bounds.
#[derive(Clone)]
struct Transport {
    http: reqwest::Client,
    key: Option<Secret>,
}

impl Transport {
    async fn send(self, request: HttpRequestFactory) -> Result<Response, ModelError> {
        let request = request.build().await.map_err(model_error)?;
        let mut response = self.http.execute(request).await.map_err(transport_error)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport_error)? {
            if body.len() + chunk.len() > MAX_REPLY_BYTES {
                let detail = format!("a reply of more than {MAX_REPLY_BYTES} bytes");
                return Err(ModelError::new(ErrorKind::TooLarge, &detail));
            }
            body.extend_from_slice(&chunk);
        }
        if !response.status().is_success() {
            return Err(self.refusal(response.status(), response.headers(), &body));
        }
        // async-openai would log the whole of what it cannot read.
        if let Err(error) = serde_json::from_slice::<Reply>(&body) {
            return Err(ModelError::new(
                ErrorKind::InvalidResponse,
                &format!("not a chat completion: {error}"),
            ));
        }
        Ok(http::Response::new(body).into())
    }

    /// What a reply other than 2xx means.
    fn refusal(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ModelError {
        let reply: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let problem = &reply["error"];
        let mut message = problem["message"]
            .as_str()
            .map_or_else(|| String::from_utf8_lossy(body), Cow::from);
        // Some gateways quote the key that they refuse.
        if let Some(key) = self.key.as_ref().map(Secret::expose).filter(|key| !key.is_empty()) {
            message = message.replace(key, "[secret]").into();
        }
        let no_credit = ["type", "code"]
            .iter()
            .any(|field| problem[field] == "insufficient_quota");
        let kind = match status.as_u16() {
            401 | 403 => ErrorKind::Unauthorized,
            408 => ErrorKind::Timeout,
            429 if no_credit => ErrorKind::QuotaExhausted,
            429 => ErrorKind::RateLimited,
            500.. => ErrorKind::Unavailable,
            _ => ErrorKind::Refused,
        };
        let error = ModelError::new(kind, &format!("HTTP {status}: {message}"));
        ModelError {
            retry_after: retry_after(headers),
            ..error
        }
    }
}

/// As much of a chat completion as is needed: compatible servers leave out the rest.
#[derive(Debug, Deserialize)]
struct Reply {
    model: Option<String>,
    usage: Option<UsageReply>,
    choices: Vec<Choice>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Debug, Deserialize)]
struct UsageReply {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
}

impl Reply {
    fn completion(self) -> Result<Completion, ModelError> {
        let Some(Choice { message, finish_reason }) = self.choices.into_iter().next() else {
            return Err(ModelError::new(
                ErrorKind::InvalidResponse,
                "a chat completion without choices",
            ));
        };
        let answer = message.content.unwrap_or_default();
        if answer.trim().is_empty() {
            return Err(match message.refusal {
                Some(refusal) => ModelError::new(ErrorKind::Refused, &refusal),
                None => ModelError::new(ErrorKind::EmptyAnswer, &format!("finish_reason {finish_reason:?}")),
            });
        }
        let tokens = self.usage.map_or_else(Tokens::default, |usage| Tokens {
            input: usage.prompt_tokens,
            output: usage.completion_tokens,
            estimated: false,
        });
        Ok(Completion {
            answer,
            model: self.model,
            thinking: None,
            tokens,
            finish_reason,
        })
    }
}

// So that what `Transport` says travels through async-openai unchanged.
impl From<ModelError> for OpenAIError {
    fn from(error: ModelError) -> Self {
        Self::Boxed(Box::new(error))
    }
}

fn model_error(error: OpenAIError) -> ModelError {
    match error {
        OpenAIError::Boxed(error) => match error.downcast() {
            Ok(error) => *error,
            Err(error) => ModelError::new(ErrorKind::InvalidResponse, &error.to_string()),
        },
        error => ModelError::new(ErrorKind::InvalidResponse, &error.to_string()),
    }
}

fn transport_error(error: reqwest::Error) -> ModelError {
    let kind = match &error {
        error if error.is_connect() => ErrorKind::Unreachable,
        error if error.is_timeout() => ErrorKind::Timeout,
        _ => ErrorKind::Unavailable,
    };
    // The URL may hold a password; the chain of causes says what happened.
    ModelError::new(kind, &format!("{:#}", anyhow::Error::new(error.without_url())))
}

/// `Retry-After` as seconds or as a date, as HTTP allows both.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    date.duration_since(Timestamp::now()).try_into().ok()
}

/// Whether the server is on this machine, where no proxy leads.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_name_seconds_or_a_date_to_come_back() {
        let wait = |value: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]));
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), None);
        let (day, year) = (Duration::from_secs(24 * 60 * 60), 365);
        let far = wait("Thu, 01 Jan 2150 00:00:00 GMT").unwrap();
        assert!(far > day * year, "{far:?}");
        assert_eq!(wait("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn a_server_on_this_machine_is_told_from_others() {
        let local = |url: &str| is_local(&url.parse().unwrap());
        assert!(
            ["http://localhost:1/v1", "http://127.0.0.1/v1", "http://[::1]:1/v1"]
                .into_iter()
                .all(local)
        );
        assert!(!local("https://api.openai.com/v1"));
    }
}
