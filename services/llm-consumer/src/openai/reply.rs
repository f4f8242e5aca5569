//! A chat completion, as far as it is needed: compatible servers leave out the rest, or say it in another way.

use serde::Deserialize;
use serde_json::Value;

use crate::caller::BYTES_PER_TOKEN;
use crate::model::{Completion, ErrorKind, ModelError, Tokens};
use crate::prompt::Prompt;

use super::refusal;

const THINK: (&str, &str) = ("<think>", "</think>");

/// What a server says with HTTP 200.
#[derive(Debug, Deserialize)]
pub(super) struct Reply {
    model: Option<String>,
    usage: Option<Usage>,
    #[serde(default)]
    choices: Vec<Choice>,
    /// Some gateways have no other status than 200.
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Option<Content>,
    refusal: Option<String>,
    // Two names for the same; some servers send both.
    reasoning: Option<String>,
    reasoning_content: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    text: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Usage {
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
}

impl Reply {
    /// The answer to `prompt`, or why there is none; what was paid for it is told in either case.
    pub(super) fn completion(self, prompt: &Prompt) -> Result<Completion, ModelError> {
        if let Some(error) = self.error.filter(|error| !error.is_null()) {
            return Err(refusal::of_body(&error));
        }
        let Some(Choice { message, finish_reason }) = self.choices.into_iter().next() else {
            let problem = "a chat completion without choices";
            return Err(ModelError::new(ErrorKind::InvalidResponse, problem));
        };
        let content = message.content.map(Content::text).unwrap_or_default();
        let (thinking, answer) = split_thinking(content);
        let reasoning = message.reasoning_content.or(message.reasoning);
        let thinking = reasoning.filter(|text| !text.is_empty()).or(thinking);
        let written = answer.len() + thinking.as_ref().map_or(0, String::len);
        let tokens = tokens(self.usage, prompt, written);
        let kind = match finish_reason.as_deref() {
            Some("content_filter") => Some(ErrorKind::Filtered),
            // Cut off before its first word: a poor answer, and worth more room.
            Some("length") => None,
            _ if answer.trim().is_empty() && message.refusal.is_some() => Some(ErrorKind::Filtered),
            _ if answer.trim().is_empty() => Some(ErrorKind::EmptyAnswer),
            _ => None,
        };
        if let Some(kind) = kind {
            let detail = message
                .refusal
                .unwrap_or_else(|| format!("finish_reason {finish_reason:?}"));
            return Err(ModelError {
                tokens: Some(tokens),
                ..ModelError::new(kind, &detail)
            });
        }
        Ok(Completion {
            answer,
            thinking,
            model: self.model,
            tokens,
            finish_reason,
        })
    }
}

impl Content {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
        }
    }
}

/// What the model wrote to itself at the beginning, and its answer.
fn split_thinking(content: String) -> (Option<String>, String) {
    let Some(rest) = content.trim_start().strip_prefix(THINK.0) else {
        return (None, content);
    };
    // One that has no end was cut off in its thoughts.
    let (thinking, answer) = rest.split_once(THINK.1).unwrap_or((rest, ""));
    (Some(thinking.trim().to_owned()), answer.trim_start().to_owned())
}

fn tokens(usage: Option<Usage>, prompt: &Prompt, written: usize) -> Tokens {
    let told = usage.and_then(|usage| Some((usage.prompt_tokens?, usage.completion_tokens?)));
    let estimate = |bytes: usize| u32::try_from(bytes.div_ceil(BYTES_PER_TOKEN)).unwrap_or(u32::MAX);
    let (input, output) =
        told.unwrap_or_else(|| (estimate(prompt.system.len() + prompt.user.len()), estimate(written)));
    Tokens {
        input,
        output,
        estimated: told.is_none(),
    }
}
