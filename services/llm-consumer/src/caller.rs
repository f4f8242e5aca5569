//! Calling a model through the gate: how long each call may take, and THE retry layer.
//! It is the only one: neither async-openai nor reqwest retries below it.

use std::sync::Arc;
use std::time::Duration;

use contracts::message::{Cost, LlmRequest};
use messaging::handler::Failure;
use messaging::lease::Lease;
use metrics::counter;
use tokio::time::{Instant, sleep, timeout};
use tokio_retry::strategy::{ExponentialBackoff, jitter};
use tracing::warn;

use crate::answers::Answered;
use crate::billing::Billing;
use crate::budget::Reservation;
use crate::gate::{Gate, Next};
use crate::model::{Ask, Completion, ErrorKind, LanguageModel, ModelError};
use crate::offline::Reference;
use crate::prompt::{Prompt, Templates};

/// The longest pause before a question is sent again.
const MAX_DELAY: Duration = Duration::from_secs(10);
/// What timed out or broke off may be paid for: it is sent once more and no more.
const RETRIES_OF_WHAT_MAY_BE_PAID_FOR: u32 = 1;
/// A server that wants to be left alone for longer is asked before, if it answers others.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// How many bytes of text make a token, roughly.
pub(crate) const BYTES_PER_TOKEN: usize = 4;
/// What an answer has, roughly, for LLM_TPM.
const TYPICAL_ANSWER_TOKENS: usize = 200;

/// How often and how long an attempt at a question is tried.
#[derive(Debug, Clone, Copy)]
pub struct RetryLimits {
    /// Most calls after the first one, when a failure is the question's own.
    pub retries: u32,
    /// The longest one call may take.
    pub timeout: Duration,
    /// The pause after the first failure; it doubles with each further one.
    pub first_delay: Duration,
}

impl RetryLimits {
    /// The pauses between calls. Half of each is random, so that calls that failed together
    /// do not come back together.
    fn delays(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let half = u64::try_from(self.first_delay.as_millis() / 2).unwrap_or(u64::MAX);
        // The base is the ratio of two pauses; the factor makes the first one what it should be.
        ExponentialBackoff::from_millis(2)
            .factor(half)
            .max_delay(MAX_DELAY)
            .map(|delay| delay / 2 + jitter(delay / 2))
    }

    fn retries_after(&self, error: &ModelError) -> u32 {
        match error.kind {
            ErrorKind::Timeout => self.retries.min(RETRIES_OF_WHAT_MAY_BE_PAID_FOR),
            _ if error.broke_off() => self.retries.min(RETRIES_OF_WHAT_MAY_BE_PAID_FOR),
            ErrorKind::Unavailable | ErrorKind::Unauthorized => self.retries,
            // A bad answer was paid for, and it would be paid again.
            _ => 0,
        }
    }
}

/// An attempt at a question.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// What is asked.
    pub request: &'a LlmRequest,
    /// What it is put in.
    pub templates: &'a Templates,
}

impl Attempt<'_> {
    /// What the model is sent.
    #[must_use]
    pub fn prompt(&self) -> Prompt {
        let (question, previous) = (&self.request.question, &self.request.previous);
        let earlier_answer = previous.as_ref().map(|previous| previous.llm_answer.as_str());
        self.templates
            .render(&question.title, &question.content, earlier_answer)
    }

    fn ask<'a>(&'a self, prompt: &'a Prompt, request: u32) -> Ask<'a> {
        let LlmRequest { identity, previous, .. } = self.request;
        Ask {
            prompt,
            message_id: identity.message_id.as_str(),
            question_id: identity.question_id.as_str(),
            attempt: self.request.attempts,
            request,
            needs_room: previous.as_ref().is_some_and(|previous| previous.is_cut_off()),
            reference: Reference::seal(&self.request.question),
        }
    }

    /// About how many tokens a call will use.
    fn tokens(&self) -> u32 {
        let (question, previous) = (&self.request.question, &self.request.previous);
        let earlier_answer = previous.as_ref().map_or(0, |previous| previous.llm_answer.len());
        let bytes = question.title.len() + question.content.len() + earlier_answer;
        u32::try_from(bytes / BYTES_PER_TOKEN + TYPICAL_ANSWER_TOKENS).unwrap_or(u32::MAX)
    }
}

/// How an attempt ended.
#[derive(Debug)]
pub struct Outcome {
    /// The answer, or why the last call failed.
    pub result: Result<Completion, ModelError>,
    /// What the model was sent.
    pub prompt: Prompt,
    /// What it cost, over all calls.
    pub bill: Bill,
    /// How long the model took, over all calls; the pauses between them do not count.
    pub latency: Duration,
}

impl Outcome {
    /// The outcome of an attempt that was answered before.
    pub(crate) fn kept(answered: &Answered, prompt: Prompt) -> Self {
        Self {
            result: Ok(answered.completion.clone()),
            prompt,
            bill: Bill {
                cost: answered.cost,
                estimated: answered.completion.tokens.estimated,
            },
            latency: Duration::from_millis(answered.latency_ms.into()),
        }
    }

    /// What of it is to be kept: an answer.
    pub(crate) fn answered(&self) -> Option<Answered> {
        self.result.as_ref().ok().map(|completion| Answered {
            completion: completion.clone(),
            latency_ms: self.latency_ms(),
            cost: self.bill.cost,
        })
    }

    /// How long the model took, in whole milliseconds.
    pub(crate) fn latency_ms(&self) -> u32 {
        u32::try_from(self.latency.as_millis()).unwrap_or(u32::MAX)
    }
}

/// What the calls of an attempt cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bill {
    /// Calls that reached the server, tokens, and their price.
    pub cost: Cost,
    /// Whether a number of tokens is an estimate.
    pub estimated: bool,
}

/// A model, called through the gate.
pub struct Caller<M> {
    model: M,
    limits: RetryLimits,
    gate: Arc<Gate>,
    billing: Billing,
}

impl<M: LanguageModel> Caller<M> {
    /// A caller of `model`.
    pub fn new(model: M, limits: RetryLimits, gate: Arc<Gate>, billing: Billing) -> Self {
        Self {
            model,
            limits,
            gate,
            billing,
        }
    }

    /// The model that is called.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// Asks until there is an answer, or an error that concerns this question. While no question can be answered, it
    /// waits. A call that has begun goes on when the lease ends: to drop it would be to pay for it twice.
    ///
    /// # Errors
    /// [`Failure::GiveBack`] when the lease ends before a call begins.
    // tokio-retry lends its strategy only: its loop knows nothing of the gate.
    pub async fn ask(&self, attempt: &Attempt<'_>, lease: &Lease) -> Result<Outcome, Failure> {
        let question_id = &attempt.request.identity.question_id;
        let (mut visit, mut delays) = (self.gate.visit(), self.limits.delays());
        let (mut bill, mut latency, mut prompt) = (Bill::default(), Duration::ZERO, None);
        let result = loop {
            let pass = match lease.during(self.gate.enter(&mut visit, attempt.tokens())).await? {
                Ok(pass) => pass,
                Err(error) => break Err(error),
            };
            let prompt = prompt.get_or_insert_with(|| attempt.prompt());
            let ask = attempt.ask(prompt, bill.cost.calls + 1);
            let result = match lease.during(self.billing.reserve(&self.model, &ask)).await? {
                Ok(reservation) => {
                    let begun = Instant::now();
                    let result = self.call(&ask, reservation).await;
                    latency += begun.elapsed();
                    result
                }
                Err(error) => Err(error),
            };
            self.bill(&mut bill, attempt.request.attempts, &result);
            pass.finish(question_id, &result);
            let Err(error) = &result else { break result };
            let retries = self.limits.retries_after(error);
            match lease.during(self.gate.after(&mut visit, error, retries)).await? {
                Next::End => break result,
                Next::Again { pause: false } => {}
                Next::Again { pause: true } => {
                    let at_least = error.retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
                    let delay = delays.next().unwrap_or(MAX_DELAY).max(at_least);
                    warn!(%error, ?delay, "asking again");
                    lease.during(sleep(delay)).await?;
                }
            }
        };
        Ok(Outcome {
            result,
            prompt: prompt.unwrap_or_else(|| attempt.prompt()),
            bill,
            latency,
        })
    }

    /// Adds a call of an attempt (from 1) to its bill.
    fn bill(&self, bill: &mut Bill, attempt: u32, result: &Result<Completion, ModelError>) {
        let (was_sent, tokens) = match result {
            Ok(completion) => (true, Some(completion.tokens)),
            Err(error) => (error.kind.was_sent(), error.tokens),
        };
        let tokens = tokens.unwrap_or_default();
        let (input, output) = (u64::from(tokens.input), u64::from(tokens.output));
        let cost = &mut bill.cost;
        cost.calls += u32::from(was_sent);
        cost.input_tokens += input;
        cost.output_tokens += output;
        if self.model.costs() {
            cost.nanodollars += self.billing.price(self.model.name(attempt), input, output);
        }
        bill.estimated |= tokens.estimated;
    }

    async fn call(&self, ask: &Ask<'_>, reservation: Option<Reservation>) -> Result<Completion, ModelError> {
        let limit = self.limits.timeout;
        let too_late = |_| ModelError::new(ErrorKind::Timeout, &format!("no answer within {limit:?}"));
        let result = timeout(limit, self.model.answer(ask)).await.map_err(too_late);
        let result = result.and_then(|answer| answer);
        if let Some(reservation) = reservation {
            self.billing.settle(reservation, self.model.name(ask.attempt), &result);
        }
        let label = result.as_ref().map_or_else(|error| error.kind.as_str(), |_| "answered");
        counter!("llm_calls_total", "result" => label).increment(1);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RetryLimits = RetryLimits {
        retries: 8,
        timeout: Duration::from_secs(60),
        first_delay: Duration::from_millis(500),
    };

    #[test]
    fn pauses_double_up_to_a_bound_and_at_least_half_of_each_is_certain() {
        let whole = [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000].map(Duration::from_millis);
        for (delay, whole) in LIMITS.delays().zip(whole) {
            assert!((whole / 2..=whole).contains(&delay), "{delay:?} of {whole:?}");
        }
    }

    #[test]
    fn what_may_be_paid_for_is_sent_at_most_once_more() {
        let error = |kind, status| ModelError {
            status,
            ..ModelError::new(kind, "no")
        };
        assert_eq!(LIMITS.retries_after(&error(ErrorKind::Unavailable, Some(503))), 8);
        assert_eq!(LIMITS.retries_after(&error(ErrorKind::Unavailable, None)), 1);
        assert_eq!(LIMITS.retries_after(&error(ErrorKind::Timeout, None)), 1);
        assert_eq!(LIMITS.retries_after(&error(ErrorKind::EmptyAnswer, None)), 0);
        let none = RetryLimits { retries: 0, ..LIMITS };
        assert_eq!(none.retries_after(&error(ErrorKind::Timeout, None)), 0);
    }
}
