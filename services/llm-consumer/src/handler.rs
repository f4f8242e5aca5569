//! One question: asked, and turned into an answer or an error outcome.

use std::time::Duration;

use contracts::message::{Answer, ErrorMessage, LlmRequest, LlmResponse};
use contracts::topic::MAX_ANSWER_BYTES;
use jiff::Timestamp;
use messaging::handler::{Failure, Handler};
use messaging::lease::Lease;
use messaging::producer::Outgoing;
use metrics::{counter, histogram};
use tracing::{debug, warn};

use crate::caller::{Caller, Outcome};
use crate::model::{Ask, Completion, ErrorKind, LanguageModel, ModelError};
use crate::offline::Reference;
use crate::prompt::{Prompt, Templates};

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
}

impl<M: LanguageModel> LlmHandler<M> {
    /// A handler that asks through `caller`.
    pub fn new(caller: Caller<M>, templates: Templates) -> Self {
        Self { caller, templates }
    }
}

impl<M: LanguageModel> Handler for LlmHandler<M> {
    type Input = LlmRequest;

    async fn handle(&self, request: LlmRequest, _: &Lease) -> Result<Vec<Outgoing>, Failure> {
        check(&request).map_err(Failure::Reject)?;
        let earlier_answer = request.previous.as_ref().map(|previous| previous.llm_answer.as_str());
        let prompt = self.templates.render(&request.question.title, &request.question.content, earlier_answer);
        let ask = Ask {
            prompt: &prompt,
            question_id: request.identity.question_id.as_str(),
            attempt: request.attempts,
            request: 1,
            needs_room: false,
            reference: Reference::seal(&request.question),
        };
        let Outcome { result, calls, latency } = self.caller.ask(ask).await.ok_or(Failure::GiveBack)?;
        let response = result.and_then(|completion| response(&request, &prompt, completion, calls, latency));
        Ok(vec![
            response.unwrap_or_else(|error| error_outcome(request, &error, calls)),
        ])
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

/// The record of an answer, unless it is too large for one.
fn response(
    request: &LlmRequest,
    prompt: &Prompt,
    completion: Completion,
    calls: u32,
    latency: Duration,
) -> Result<Outgoing, ModelError> {
    let bytes = completion.answer.len();
    if bytes > MAX_ANSWER_BYTES {
        let detail = format!("an answer of {bytes} bytes, {MAX_ANSWER_BYTES} at most are allowed");
        return Err(ModelError::new(ErrorKind::TooLarge, &detail));
    }
    let response = LlmResponse {
        identity: request.identity.clone(),
        question: request.question.clone(),
        answer: Answer {
            model: completion.model,
            usage: None,
            calls: Some(calls),
            finish_reason: completion.finish_reason,
            ..Answer::of_text(completion.answer)
        },
        prompt: prompt.text(),
        latency_ms: u32::try_from(latency.as_millis()).unwrap_or(u32::MAX),
        attempts: request.attempts,
        produced_at: Timestamp::now(),
        previous: request.previous.clone(),
        spent: request.spent.clone(),
    };
    let record = Outgoing::new(&response);
    if !record.fits() {
        return Err(ModelError::new(
            ErrorKind::TooLarge,
            "question, prompt and answers do not fit in one record",
        ));
    }
    debug!(
        attempts = response.attempts,
        calls,
        latency_ms = response.latency_ms,
        "answered"
    );
    counter!("llm_answers_total").increment(1);
    histogram!("llm_latency_seconds").record(latency.as_secs_f64());
    Ok(record)
}

/// The record of a request that the model could not answer.
fn error_outcome(request: LlmRequest, error: &ModelError, calls: u32) -> Outgoing {
    let error_type = error.kind.as_str();
    warn!(
        error_type,
        detail = error.detail,
        attempts = request.attempts,
        calls,
        "no answer"
    );
    counter!("llm_errors_total", "type" => error_type).increment(1);
    let now = Timestamp::now();
    let usual = if error.kind.is_passing() {
        RETRY_SOON
    } else {
        RETRY_LATER
    };
    let wait = error.retry_after.unwrap_or(usual).min(RETRY_LATEST);
    let question = request.question;
    let mut message = ErrorMessage {
        identity: request.identity,
        error_type: error_type.into(),
        error_detail: error.detail.clone(),
        attempts: request.attempts,
        retry_at: now + wait,
        produced_at: now,
        title: Some(question.title),
        content: Some(question.content),
        best_answer: Some(question.best_answer),
        other_answers: Some(question.other_answers).filter(|others| !others.is_empty()),
        calls: Some(calls),
        model: None,
        settings: None,
        previous: request.previous,
        spent: request.spent,
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
