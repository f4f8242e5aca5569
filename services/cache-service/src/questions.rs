//! `questions_in` → an earlier answer as `validated_responses`, or `llm_requests`.

use std::mem;
use std::sync::Arc;

use contracts::message::{Identity, LlmRequest, QuestionMessage, Source};
use contracts::value::{Score, now};
use messaging::handler::{Failure, Handler};
use messaging::lease::Lease;
use messaging::producer::Outgoing;
use tracing::debug;

use crate::answer::Judged;
use crate::answers::Answers;
use crate::in_flight::{InFlight, Landing, Place};
use crate::stored::Stored;

/// Answers questions from what is known, else asks the model, once for all twins.
pub struct Questions {
    pub answers: Arc<Answers>,
    pub in_flight: Arc<InFlight>,
    pub stored: Stored,
    pub threshold: Score,
}

impl Handler for Questions {
    type Input = QuestionMessage;

    async fn handle(&self, question: QuestionMessage, lease: &Lease) -> Result<Vec<Outgoing>, Failure> {
        question.question.check_size().map_err(Failure::Reject)?;
        let known = lease.during(self.look_up(&question)).await?;
        let message = match known {
            Known::Answer(answer, source) => Outgoing::new(&answer.serve(question, source, self.threshold)),
            Known::Nothing => Outgoing::new(&first_request(question)),
            Known::Decided => {
                debug!("already decided");
                return Ok(vec![]);
            }
        };
        debug!(topic = message.topic, "answered");
        Ok(vec![message])
    }
}

/// What is known of a question before the model is asked.
enum Known {
    /// An answer that may serve it, and where that was found.
    Answer(Arc<Judged>, Source),
    /// This very request has its outcome: it was read again.
    Decided,
    /// Nothing: the model has to be asked.
    Nothing,
}

impl Questions {
    /// Looks in memory, waits for a twin in flight, or looks in MongoDB.
    async fn look_up(&self, question: &QuestionMessage) -> Known {
        let mut remembered = self.answers.look_up(question).await;
        loop {
            if let Some(answer) = remembered {
                return Known::Answer(answer, Source::Cache);
            }
            match self.in_flight.join(&question.identity) {
                Place::Lead => return self.lead(question).await,
                Place::Follow(flight) => {
                    if let Some((answer, source)) = self.served_by(flight.landed().await, question).await {
                        return Known::Answer(answer, source);
                    }
                }
            }
            // The first to come back leads the next flight, the others follow it.
            remembered = self.answers.in_memory(question).await;
        }
    }

    /// What a twin's flight brought that may serve `question`, too.
    async fn served_by(&self, landing: Landing, question: &QuestionMessage) -> Option<(Arc<Judged>, Source)> {
        match landing {
            Landing::Decided(answer) => Some((self.answers.shared(&answer, question).await?, Source::Coalesced)),
            Landing::Found(answer, source) => Some((self.answers.reusable(&answer, question).await.ok()?, source)),
            Landing::Nothing => None,
        }
    }

    /// The flight is ours: it goes on to the model unless there is an answer by now, or the outcome.
    async fn lead(&self, question: &QuestionMessage) -> Known {
        let mut grounded = Grounded {
            in_flight: &self.in_flight,
            asked: &question.identity,
            landing: Landing::Nothing,
        };
        // A verdict may have come between looking in memory and joining.
        let known = match self.answers.in_memory(question).await {
            Some(answer) => Known::Answer(answer, Source::Cache),
            None => self.in_mongodb(question).await,
        };
        match &known {
            // Memory may have no room for it.
            Known::Answer(answer, source) => grounded.landing = Landing::Found(Arc::clone(answer), *source),
            Known::Decided => {}
            // The verdict will land it.
            Known::Nothing => mem::forget(grounded),
        }
        known
    }

    async fn in_mongodb(&self, question: &QuestionMessage) -> Known {
        let (stored, is_decided) = tokio::join!(
            self.stored.answers.get(question.identity.question_id.clone()),
            self.stored.decided.get(question.identity.message_id.clone()),
        );
        if is_decided {
            // The job drops what it has judged before: no verdict would ever land its flight.
            return Known::Decided;
        }
        match self.answers.among_stored(&stored, question).await {
            Some(answer) => Known::Answer(answer, Source::Mongodb),
            None => Known::Nothing,
        }
    }
}

/// Lands a flight that never takes off, also when its task is dropped.
struct Grounded<'a> {
    in_flight: &'a InFlight,
    asked: &'a Identity,
    landing: Landing,
}

impl Drop for Grounded<'_> {
    fn drop(&mut self) {
        let landing = mem::replace(&mut self.landing, Landing::Nothing);
        self.in_flight.end(self.asked, landing);
    }
}

fn first_request(asked: QuestionMessage) -> LlmRequest {
    let question = asked.question;
    LlmRequest {
        prompt: format!("{}\n\n{}", question.title, question.content)
            .trim_end()
            .to_owned(),
        identity: asked.identity,
        question,
        attempts: 1,
        created_at: now(),
        previous: None,
        spent: None,
    }
}

#[cfg(test)]
mod tests;
