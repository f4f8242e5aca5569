//! One question: asked, and turned into an answer or an error outcome.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use contracts::message::{Answer, ErrorMessage, LlmRequest, LlmResponse, Spent, Usage};
use contracts::topic::MAX_ANSWER_BYTES;
use jiff::Timestamp;
use messaging::handler::{Failure, Handler};
use messaging::lease::Lease;
use messaging::producer::Outgoing;
use metrics::{counter, histogram};
use tracing::{debug, warn};

use crate::answers::{AnswerKey, Answers};
use crate::caller::{Attempt, Bill, Caller, Outcome};
use crate::model::{Completion, Concern, ErrorKind, LanguageModel, ModelError};
use crate::prompt::Templates;

/// When to ask again after what passes by itself, …
const RETRY_SOON: Duration = Duration::from_secs(60);
/// … and after what a person has to mend.
const RETRY_LATER: Duration = Duration::from_secs(60 * 60);
/// What no server's wish for patience exceeds.
const RETRY_LATEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Turns every [`LlmRequest`] into an [`LlmResponse`] or an [`ErrorMessage`].
pub struct LlmHandler<M> {
    caller: Caller<M>,
    templates: Templates,
    prompt_version: String,
    /// Hash of the settings that change an answer.
    settings: String,
    /// What was paid for, unless the model costs nothing.
    answers: Option<Answers>,
    /// Whoever asks holds the turn of its key.
    turns: Mutex<HashMap<AnswerKey, Weak<Turn>>>,
}

type Turn = tokio::sync::Mutex<()>;

impl<M: LanguageModel> LlmHandler<M> {
    /// A handler that asks through `caller`, and keeps what it paid for in `answers`.
    pub fn new(caller: Caller<M>, templates: Templates, settings: String, answers: Option<Answers>) -> Self {
        Self {
            caller,
            prompt_version: templates.version(),
            templates,
            settings,
            answers,
            turns: Mutex::default(),
        }
    }
}

impl<M: LanguageModel> Handler for LlmHandler<M> {
    type Input = LlmRequest;

    async fn handle(&self, request: LlmRequest, lease: &Lease) -> Result<Vec<Outgoing>, Failure> {
        check(&request).map_err(Failure::Reject)?;
        let attempt = Attempt {
            request: &request,
            templates: &self.templates,
        };
        let outcome = match &self.answers {
            // In a box: its room for MongoDB is of no use to a model that costs nothing.
            Some(answers) => Box::pin(self.ask_once(answers, &attempt, lease)).await?,
            None => self.caller.ask(&attempt, lease).await?,
        };
        let record = self.record(request, outcome);
        Ok(vec![record])
    }
}

impl<M: LanguageModel> LlmHandler<M> {
    /// Takes the answer that was kept when the request was here before, or asks and keeps the answer.
    async fn ask_once(&self, answers: &Answers, attempt: &Attempt<'_>, lease: &Lease) -> Result<Outcome, Failure> {
        let prompt = attempt.prompt();
        let message_id = &attempt.request.identity.message_id;
        let key = AnswerKey::new(&self.settings, &prompt, message_id.as_str(), attempt.request.attempts);
        // A request may be here twice, as its sender restarts: the second copy waits, and finds what was kept for the first.
        let turn = self.turn(&key);
        let _turn = lease.during(turn.lock()).await?;
        if let Some(kept) = lease.during(answers.find(&key)).await? {
            counter!("llm_answers_found_total").increment(1);
            return Ok(Outcome::kept(&kept, prompt));
        }
        drop(prompt);
        let outcome = self.caller.ask(attempt, lease).await?;
        if let Some(answered) = outcome.answered() {
            answers.keep(&key, message_id, &answered).await;
        }
        Ok(outcome)
    }

    fn turn(&self, key: &AnswerKey) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(key.clone(), Arc::downgrade(&turn));
        turn
    }

    /// The record of an attempt's outcome.
    fn record(&self, request: LlmRequest, outcome: Outcome) -> Outgoing {
        let Outcome {
            result,
            prompt,
            bill,
            latency,
        } = outcome;
        let spent = self.spent(&request, bill);
        let response = result.and_then(|completion| {
            let response = self.response(&request, completion, prompt.text(), bill, latency, spent.clone());
            fitting(response)
        });
        match response {
            Ok(record) => {
                debug!(
                    attempts = request.attempts,
                    calls = bill.cost.calls,
                    ?latency,
                    "answered"
                );
                counter!("llm_answers_total").increment(1);
                histogram!("llm_latency_seconds").record(latency.as_secs_f64());
                record
            }
            Err(error) => self.error(request, &error, bill, spent),
        }
    }

    /// All that the request has cost so far, with this attempt.
    fn spent(&self, request: &LlmRequest, bill: Bill) -> Spent {
        let mut spent = request.spent.clone().unwrap_or_default();
        if self.caller.model().costs() {
            spent.add_for(self.caller.model().name(request.attempts), &bill.cost);
        } else {
            spent.add(&bill.cost);
        }
        spent.estimated |= bill.estimated;
        spent
    }

    fn response(
        &self,
        request: &LlmRequest,
        completion: Completion,
        prompt: String,
        bill: Bill,
        latency: Duration,
        spent: Spent,
    ) -> LlmResponse {
        let usage = Usage {
            input_tokens: completion.tokens.input,
            output_tokens: completion.tokens.output,
            cost_usd: (bill.cost.nanodollars > 0).then_some(bill.cost.nanodollars as f64 / 1e9),
        };
        LlmResponse {
            identity: request.identity.clone(),
            question: request.question.clone(),
            answer: Answer {
                model: completion.model,
                usage: Some(usage),
                calls: Some(bill.cost.calls),
                finish_reason: completion.finish_reason,
                prompt_version: Some(self.prompt_version.clone()),
                settings: Some(self.settings.clone()),
                thinking: completion.thinking,
                ..Answer::of_text(completion.answer)
            },
            prompt,
            latency_ms: u32::try_from(latency.as_millis()).unwrap_or(u32::MAX),
            attempts: request.attempts,
            produced_at: Timestamp::now(),
            previous: request.previous.clone(),
            spent: Some(spent),
        }
    }

    /// The record of a request that the model could not answer.
    fn error(&self, request: LlmRequest, error: &ModelError, bill: Bill, spent: Spent) -> Outgoing {
        let error_type = error.kind.as_str();
        let (attempts, calls) = (request.attempts, bill.cost.calls);
        warn!(error_type, detail = error.detail, attempts, calls, "no answer");
        counter!("llm_errors_total", "type" => error_type).increment(1);
        let now = Timestamp::now();
        let question = request.question;
        let mut message = ErrorMessage {
            identity: request.identity,
            error_type: error_type.into(),
            error_detail: error.detail.clone(),
            attempts,
            retry_at: now + retry_after(error),
            produced_at: now,
            title: Some(question.title),
            content: Some(question.content),
            best_answer: Some(question.best_answer),
            other_answers: Some(question.other_answers).filter(|others| !others.is_empty()),
            calls: Some(calls),
            model: Some(self.caller.model().name(attempts).to_owned()),
            settings: Some(self.settings.clone()),
            previous: request.previous,
            spent: Some(spent),
        };
        let record = Outgoing::new(&message);
        if record.fits() {
            return record;
        }
        // An outcome without its texts is better than none.
        (message.title, message.content, message.previous) = (None, None, None);
        (message.best_answer, message.other_answers) = (None, None);
        Outgoing::new(&message)
    }
}

/// Refuses what can never be asked.
fn check(request: &LlmRequest) -> Result<(), String> {
    request.question.check_size()?;
    if request.attempts == 0 {
        return Err("schema: attempts is 0, and the first attempt is 1".into());
    }
    Ok(())
}

/// The record of an answer, unless it is too large for one; what the model wrote to itself is left out first.
fn fitting(mut response: LlmResponse) -> Result<Outgoing, ModelError> {
    let bytes = response.answer.llm_answer.len();
    if bytes > MAX_ANSWER_BYTES {
        let detail = format!("an answer of {bytes} bytes, {MAX_ANSWER_BYTES} at most are allowed");
        return Err(ModelError::new(ErrorKind::TooLarge, &detail));
    }
    let record = Outgoing::new(&response);
    if record.fits() {
        return Ok(record);
    }
    response.answer.thinking = None;
    Some(Outgoing::new(&response)).filter(Outgoing::fits).ok_or_else(|| {
        ModelError::new(
            ErrorKind::TooLarge,
            "question, prompt and answers do not fit in one record",
        )
    })
}

/// From when asking again is worth trying.
fn retry_after(error: &ModelError) -> Duration {
    let usual = match error.kind.concern() {
        Concern::Question => RETRY_LATER,
        Concern::Server | Concern::Unclear => RETRY_SOON,
    };
    error.retry_after.unwrap_or(usual).min(RETRY_LATEST)
}
