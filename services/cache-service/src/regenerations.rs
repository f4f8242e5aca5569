//! `regeneration_requests` → the next attempt, as `llm_requests`.

use contracts::message::{LlmRequest, RegenerationRequest};
use contracts::value::now;
use messaging::handler::{Failure, Handler};
use messaging::lease::Lease;
use messaging::producer::Outgoing;
use tracing::debug;

use crate::stored::Stored;

/// Asks the model again, unless the request has its outcome already.
pub struct Regenerations {
    pub stored: Stored,
}

impl Handler for Regenerations {
    type Input = RegenerationRequest;

    async fn handle(&self, failed: RegenerationRequest, _: &Lease) -> Result<Vec<Outgoing>, Failure> {
        if self.stored.decided.get(failed.identity.message_id.clone()).await {
            debug!("already decided");
            return Ok(vec![]);
        }
        next_request(failed).map(|request| vec![Outgoing::new(&request)])
    }
}

fn next_request(failed: RegenerationRequest) -> Result<LlmRequest, Failure> {
    let attempts = failed
        .attempts
        .checked_add(1)
        .ok_or_else(|| Failure::Reject("schema: attempts is too large".into()))?;
    Ok(LlmRequest {
        identity: failed.identity,
        question: failed.question,
        prompt: failed.prompt,
        attempts,
        created_at: now(),
        previous: failed.previous,
        spent: failed.spent,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use contracts::value::Id;
    use messaging::batcher::Batcher;

    use super::*;

    fn failed() -> RegenerationRequest {
        serde_json::from_value(serde_json::json!({
            "message_id": "m", "trace_id": "t", "question_id": "q", "title": "Why?", "content": "", "prompt": "Why?",
            "asked_at": "2026-01-01T00:00:00Z", "retry_of": "m0", "run": "r", "topic": "Science",
            "best_answer": "Because.", "other_answers": ["Therefore."], "attempts": 1,
            "previous": { "llm_answer": "No idea.", "score": 0.1, "attempts": 1, "scorer": "s1" },
            "spent": { "calls": 1, "input_tokens": 2, "output_tokens": 3, "nanodollars": 4 },
        }))
        .unwrap()
    }

    async fn asked_again(decided: bool) -> Vec<LlmRequest> {
        let handler = Regenerations {
            stored: Stored {
                answers: Batcher::new(async |_| HashMap::new()),
                decided: Batcher::new(move |ids: Arc<[Id]>| async move {
                    ids.iter().map(|id| (id.clone(), decided)).collect()
                }),
            },
        };
        let sent = handler.handle(failed(), &Lease::default()).await.unwrap();
        sent.iter()
            .map(|message| serde_json::from_slice(message.value.as_ref().unwrap()).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn a_failed_attempt_is_asked_again_with_the_next_number_and_all_that_is_known_of_it() {
        let request = asked_again(false).await.remove(0);
        let failed = failed();
        assert_eq!(request.attempts, 2);
        assert_eq!((request.identity, request.question), (failed.identity, failed.question));
        assert_eq!((request.previous, request.spent), (failed.previous, failed.spent));
    }

    #[tokio::test]
    async fn a_request_that_has_its_outcome_is_not_asked_again() {
        assert_eq!(asked_again(true).await, vec![]);
    }
}
