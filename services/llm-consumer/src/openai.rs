//! A real model, behind any server that speaks OpenAI's chat completions.

mod refusal;
mod reply;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::types::chat::{
    ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage, ChatCompletionRequestUserMessage,
    CreateChatCompletionRequest,
};
use contracts::topic::MAX_ANSWER_BYTES;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use messaging::secret::Secret;
use reqwest::{Response, Url};
use serde_json::{Map, Value};
use tower::service_fn;
use tracing::{info, warn};

use crate::config::OpenAiConfig;
use crate::model::{Ask, Completion, ErrorKind, LanguageModel, ModelError, MostTokens};
use reply::Reply;

/// The largest reply that is read: an answer of full size and as much thinking, every byte of it escaped.
const MAX_REPLY_BYTES: usize = 8 * MAX_ANSWER_BYTES;
/// A server that takes no connection for this long is away, not slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the look at what models there are may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// What may stand before the credentials of a header.
const SCHEMES: [&str; 3] = ["Bearer", "Basic", "Token"];
/// A shorter end of a detail is no part of a secret.
const SHORTEST_PART: usize = 4;
/// What a server adds to the texts of a request, at most.
const OVERHEAD_TOKENS: u64 = 100;
/// The servers that have put another name in the place of `max_tokens`, which all others know.
const HOSTS_OF_MAX_COMPLETION_TOKENS: [&str; 2] = ["openai.com", "azure.com"];

/// A real model, or a ladder of them.
pub struct OpenAi {
    client: Client<OpenAIConfig>,
    transport: Transport,
    models_url: String,
    config: OpenAiConfig,
    models: Vec<String>,
    extra_bytes: usize,
    /// What no error may show: the key, and the values of further headers.
    secrets: Vec<String>,
}

impl OpenAi {
    /// A client for the server of these settings; nothing is sent yet.
    ///
    /// # Errors
    /// When TLS cannot be set up, or there is no model.
    pub fn new(config: &OpenAiConfig) -> anyhow::Result<Self> {
        let key = config.key().map_err(anyhow::Error::msg)?;
        let base = config.openai_base_url.as_str().trim_end_matches('/').to_owned();
        let settings = OpenAIConfig::new()
            .with_api_base(&base)
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
            headers: config.extra_headers().map_err(anyhow::Error::msg)?,
        };
        // A key may be quoted without its scheme.
        let values = transport.headers.values().filter_map(|value| value.to_str().ok());
        let values = values.flat_map(|value| [value, without_scheme(value)]);
        let secrets = transport.key.iter().map(Secret::expose).chain(values);
        let secrets = secrets.filter(|secret| !secret.is_empty()).map(str::to_owned).collect();
        let service = transport.clone();
        let client = Client::with_config(settings)
            // In place of async-openai's own service, which would retry.
            .with_http_service(service_fn(move |request| service.clone().send(request)));
        let models = config.models();
        anyhow::ensure!(!models.is_empty(), "there is no model to ask");
        Ok(Self {
            client,
            transport,
            models_url: format!("{base}/models"),
            extra_bytes: serde_json::to_vec(&config.llm_extra_body.0)?.len(),
            config: config.clone(),
            models,
            secrets,
        })
    }

    /// Looks whether the server knows the key and the models, and says what it found. It counts as no call, and a server
    /// that has no such list is no fault.
    pub async fn check(&self) {
        let mut request = self.transport.http.get(&self.models_url);
        if let Some(key) = &self.transport.key {
            request = request.bearer_auth(key.expose());
        }
        let request = request.headers(self.transport.headers.clone()).timeout(CHECK_TIMEOUT);
        let server = self.config.openai_base_url.host_str().unwrap_or_default();
        let models = self.models.join(",");
        let reply = match request.send().await {
            Ok(reply) if matches!(reply.status().as_u16(), 401 | 403) => {
                return warn!(server, "the model's server refuses the key (HTTP {})", reply.status());
            }
            Ok(reply) if reply.status().is_success() => reply.json::<Value>().await.unwrap_or_default(),
            Ok(reply) => return info!(server, "no list of models there (HTTP {})", reply.status()),
            Err(error) => return warn!(server, "{}", transport_error(error)),
        };
        let known: Vec<_> = reply["data"].as_array().into_iter().flatten().collect();
        match self
            .models
            .iter()
            .find(|model| !known.iter().any(|entry| entry["id"] == **model))
        {
            None => info!(server, models, "the model's server takes the key and knows the models"),
            Some(model) => {
                let known: Vec<_> = known.iter().filter_map(|entry| entry["id"].as_str()).take(10).collect();
                warn!(server, model, ?known, "the model's server does not list this model");
            }
        }
    }

    fn request(&self, ask: &Ask<'_>) -> Result<Value, ModelError> {
        let mut messages: Vec<ChatCompletionRequestMessage> = vec![];
        if !ask.prompt.system.is_empty() {
            messages.push(ChatCompletionRequestSystemMessage::from(ask.prompt.system.as_str()).into());
        }
        messages.push(ChatCompletionRequestUserMessage::from(ask.prompt.user.as_str()).into());
        let request = CreateChatCompletionRequest {
            model: self.name(ask.attempt).to_owned(),
            messages,
            temperature: self.config.temperature(ask.attempt),
            ..CreateChatCompletionRequest::default()
        };
        let mut request = serde_json::to_value(request)
            .map_err(|error| ModelError::new(ErrorKind::InvalidResponse, &error.to_string()))?;
        if let Some(body) = request.as_object_mut() {
            self.complete(body, ask);
        }
        Ok(request)
    }

    /// Adds what async-openai has no field for.
    fn complete(&self, body: &mut Map<String, Value>, ask: &Ask<'_>) {
        if let Some(most) = self.config.max_output_tokens(ask.attempt, ask.needs_room) {
            let host = self.config.openai_base_url.host_str().unwrap_or_default();
            let is_at = |domain: &&str| {
                host.strip_suffix(*domain)
                    .is_some_and(|name| name.is_empty() || name.ends_with('.'))
            };
            let is_renamed = HOSTS_OF_MAX_COMPLETION_TOKENS.iter().any(is_at);
            let field = if is_renamed {
                "max_completion_tokens"
            } else {
                "max_tokens"
            };
            body.insert(field.into(), most.into());
        }
        if let Some(seed) = self.config.llm_seed {
            body.insert("seed".into(), seed.into());
        }
        body.extend(self.config.llm_extra_body.0.clone());
    }
}

impl LanguageModel for OpenAi {
    fn name(&self, attempt: u32) -> &str {
        let rung = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        &self.models[rung.min(self.models.len() - 1)]
    }

    fn names(&self) -> Vec<String> {
        self.models.clone()
    }

    fn costs(&self) -> bool {
        true
    }

    fn most_tokens(&self, ask: &Ask<'_>) -> MostTokens {
        let output = self.config.max_output_tokens(ask.attempt, ask.needs_room);
        // A text has no more tokens than bytes.
        let texts = ask.prompt.system.len() + ask.prompt.user.len() + self.extra_bytes;
        MostTokens {
            input: texts as u64 + OVERHEAD_TOKENS,
            output: output.unwrap_or(u32::MAX).into(),
        }
    }

    async fn answer(&self, ask: &Ask<'_>) -> Result<Completion, ModelError> {
        let request = self.request(ask)?;
        let reply: Result<Reply, _> = self.client.chat().create_byot(request).await;
        let completion = reply
            .map_err(model_error)
            .and_then(|reply| reply.completion(ask.prompt));
        completion.map_err(|error| self.without_secrets(error))
    }
}

impl OpenAi {
    /// Some gateways quote the key that they refuse.
    fn without_secrets(&self, mut error: ModelError) -> ModelError {
        for secret in &self.secrets {
            error.detail = error.detail.replace(secret, "[secret]");
            // Long details are cut, and perhaps within a secret.
            let cut = (SHORTEST_PART..secret.len()).rev();
            let mut parts = cut.filter_map(|cut| secret.get(..cut));
            if let Some(part) = parts.find(|part| error.detail.ends_with(part)) {
                error.detail.truncate(error.detail.len() - part.len());
                error.detail.push_str("[secret]");
            }
        }
        error.detail = error.detail.chars().take(ModelError::MAX_DETAIL).collect();
        error
    }
}

/// The credentials of a header's value.
fn without_scheme(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, rest)) if SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) => rest,
        _ => value,
    }
}

/// Sends a request once and reads the reply within bounds.
#[derive(Clone)]
struct Transport {
    http: reqwest::Client,
    key: Option<Secret>,
    headers: HeaderMap,
}

impl Transport {
    async fn send(self, request: HttpRequestFactory) -> Result<Response, ModelError> {
        let mut request = request.build().await.map_err(model_error)?;
        if self.key.is_none() {
            // Else it would be sent without a key in it.
            request.headers_mut().remove(AUTHORIZATION);
        }
        request.headers_mut().extend(self.headers);
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
            return Err(refusal::of_reply(response.status(), response.headers(), &body));
        }
        // async-openai would log the whole of what it cannot read.
        if let Err(error) = serde_json::from_slice::<Reply>(&body) {
            let detail = format!("not a chat completion: {error}");
            return Err(ModelError::new(ErrorKind::InvalidResponse, &detail));
        }
        Ok(http::Response::new(body).into())
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

/// Whether the server is on this machine, where no proxy leads.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
