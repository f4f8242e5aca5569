//! What a language model is to the rest of the service, and how it fails.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::offline::Reference;
use crate::prompt::Prompt;

/// Something that answers questions.
pub trait LanguageModel: Send + Sync + 'static {
    /// The model that is asked at an attempt (from 1), by the name that its server knows.
    fn name(&self, attempt: u32) -> &str;

    /// All the models that may be asked, in the order of attempts.
    fn names(&self) -> Vec<String>;

    /// Sends one request, without any retry.
    fn answer(&self, ask: &Ask<'_>) -> impl Future<Output = Result<Completion, ModelError>> + Send;

    /// Whether an answer costs something, so that it is worth keeping.
    fn costs(&self) -> bool;

    /// The most tokens that a call can use.
    fn most_tokens(&self, ask: &Ask<'_>) -> MostTokens;
}

/// One request to a model.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// All that a real model is sent.
    pub prompt: &'a Prompt,
    /// The request that it is made for.
    pub message_id: &'a str,
    /// The question of the dataset.
    pub question_id: &'a str,
    /// Which attempt at the question this is, from 1.
    pub attempt: u32,
    /// Which request of this attempt this is, from 1.
    pub request: u32,
    /// Whether the earlier answer was cut off, so that this one needs more room.
    pub needs_room: bool,
    /// What the simulated model makes its answers of; no other module can open it.
    pub reference: Reference<'a>,
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// The answer.
    pub answer: String,
    /// What the model wrote to itself before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<String>,
    /// The model, as its server names it.
    pub model: Option<String>,
    /// What the request consumed.
    pub tokens: Tokens,
    /// Why the model stopped, as its server says it.
    pub finish_reason: Option<String>,
}

/// The most tokens that a call can use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MostTokens {
    /// Tokens sent.
    pub input: u64,
    /// Tokens received.
    pub output: u64,
}

/// What a request consumed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Tokens sent.
    pub input: u32,
    /// Tokens received.
    pub output: u32,
    /// Whether the server did not say, and this was estimated from the number of bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", kind.as_str())]
pub struct ModelError {
    /// What went wrong, for a program.
    pub kind: ErrorKind,
    /// What went wrong, for a person; at most [`ModelError::MAX_DETAIL`] characters.
    pub detail: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// How long the server asked to be left alone.
    pub retry_after: Option<Duration>,
    /// What it cost all the same.
    pub tokens: Option<Tokens>,
}

impl ModelError {
    /// The longest detail that is kept, in characters.
    pub const MAX_DETAIL: usize = 500;

    /// Whether the connection broke while the server worked: a refusal would have a status. A gateway that has waited for
    /// too long (504, or Cloudflare's 524) says nothing of what the model does meanwhile.
    #[must_use]
    pub fn broke_off(&self) -> bool {
        self.kind == ErrorKind::Unavailable && matches!(self.status, None | Some(504 | 524))
    }

    /// An error of which no more is known.
    #[must_use]
    pub fn new(kind: ErrorKind, detail: &str) -> Self {
        Self {
            kind,
            detail: detail.trim().chars().take(Self::MAX_DETAIL).collect(),
            status: None,
            retry_after: None,
            tokens: None,
        }
    }
}

/// The ways in which a model fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Too many requests for now.
    RateLimited,
    /// No answer in time: it may be paid for all the same.
    Timeout,
    /// No connection: nothing was sent.
    Unreachable,
    /// The server failed, or broke off.
    Unavailable,
    /// The account has no credit left.
    QuotaExhausted,
    /// The key is missing, wrong, or not allowed to do this.
    Unauthorized,
    /// LLM_BUDGET_USD or LLM_BUDGET_TOKENS is spent: nothing was sent.
    BudgetSpent,
    /// One call could cost more than the whole budget: nothing was sent.
    OverBudget,
    /// The server refuses the request.
    Refused,
    /// The model will not answer this.
    Filtered,
    /// The question does not fit into the model.
    ContextTooLong,
    /// Not what a chat completion looks like.
    InvalidResponse,
    /// A completion without text.
    EmptyAnswer,
    /// More text than a message carries.
    TooLarge,
    /// The cassette that is replayed has no answer to this.
    NotRecorded,
}

/// Whom a failure concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// This question: any other may be answered.
    Question,
    /// The server: no question will be answered for now.
    Server,
    /// One of the two; how other questions fare will tell.
    Unclear,
}

impl ErrorKind {
    /// The word for `error_type` and for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Unavailable => "unavailable",
            Self::QuotaExhausted => "quota_exhausted",
            Self::Unauthorized => "unauthorized",
            Self::BudgetSpent => "budget_spent",
            Self::OverBudget => "over_budget",
            Self::Refused => "refused",
            Self::Filtered => "content_filter",
            Self::ContextTooLong => "context_too_long",
            Self::InvalidResponse => "invalid_response",
            Self::EmptyAnswer => "empty_answer",
            Self::TooLarge => "answer_too_large",
            Self::NotRecorded => "not_recorded",
        }
    }

    /// What it means when it goes on, in words.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::RateLimited => "the model's server limits its callers",
            Self::Timeout => "the model's server does not answer in time",
            Self::Unreachable => "the model's server cannot be reached",
            Self::Unavailable => "the model's server fails",
            Self::QuotaExhausted => "the account at the model's server has no credit left",
            Self::Unauthorized => "the model's server refuses the key",
            Self::BudgetSpent => "the budget is spent",
            Self::OverBudget => "the budget is too small for the question",
            Self::Refused | Self::Filtered | Self::ContextTooLong => "the model's server refuses what it is asked",
            Self::NotRecorded => "the cassette has no such answer",
            Self::InvalidResponse | Self::EmptyAnswer | Self::TooLarge => {
                "the model's server answers with something else than an answer"
            }
        }
    }

    /// Whom it concerns.
    #[must_use]
    pub fn concern(self) -> Concern {
        match self {
            Self::RateLimited | Self::Unreachable | Self::QuotaExhausted | Self::Unauthorized | Self::BudgetSpent => {
                Concern::Server
            }
            Self::Timeout | Self::Unavailable | Self::Refused | Self::InvalidResponse => Concern::Unclear,
            Self::OverBudget
            | Self::Filtered
            | Self::ContextTooLong
            | Self::EmptyAnswer
            | Self::TooLarge
            | Self::NotRecorded => Concern::Question,
        }
    }

    /// Whether the server was sent something.
    #[must_use]
    pub fn was_sent(self) -> bool {
        !matches!(
            self,
            Self::Unreachable | Self::BudgetSpent | Self::OverBudget | Self::NotRecorded
        )
    }
}
