//! `regeneration_requests` → the next attempt, as `llm_requests`.

use contracts::message::{LlmRequest, RegenerationRequest};
use contracts::value::now;
use messaging::handler::{Failure, Handler};
use messaging::producer::Outgoing;
use tracing::debug;

use crate::stored::Stored;

/// Asks the model again, unless the asking has its outcome already.
pub struct Regenerations {
    pub stored: Stored,
}

impl Handler for Regenerations {
    type Input = RegenerationRequest;

    async fn handle(&self, failed: RegenerationRequest) -> Result<Vec<Outgoing>, Failure> {
        if self.stored.decided.get(failed.message_id.clone()).await {
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
        message_id: failed.message_id,
        trace_id: failed.trace_id,
        question_id: failed.question_id,
        title: failed.title,
        content: failed.content,
        prompt: failed.prompt,
        best_answer: failed.best_answer,
        attempts,
        created_at: now(),
        asked_at: failed.asked_at,
        previous: failed.previous,
        retry_of: failed.retry_of,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use contracts::value::Id;

    use super::*;
    use crate::batcher::Batcher;

    async fn asked_again(decided: bool) -> Vec<LlmRequest> {
        let failed = serde_json::from_value(serde_json::json!({
            "message_id": "m", "trace_id": "t", "question_id": "q", "title": "Why?", "content": "", "prompt": "Why?",
            "best_answer": "Because.", "attempts": 1,
            "previous": { "llm_answer": "No idea.", "score": 0.1, "attempts": 1 },
        }));
        let handler = Regenerations {
            stored: Stored {
                answers: Batcher::new(async |_| HashMap::new()),
                decided: Batcher::new(move |ids: Arc<[Id]>| async move {
                    ids.iter().map(|id| (id.clone(), decided)).collect()
                }),
            },
        };
        let sent = handler.handle(failed.unwrap()).await.unwrap();
        sent.iter()
            .map(|message| serde_json::from_slice(message.value.as_ref().unwrap()).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn a_failed_attempt_is_asked_again_with_the_next_number_and_what_was_answered() {
        let requests = asked_again(false).await;
        assert_eq!(requests[0].attempts, 2);
        assert_eq!(requests[0].previous.as_ref().unwrap().llm_answer, "No idea.");
    }

    #[tokio::test]
    async fn an_asking_that_has_its_outcome_is_not_asked_again() {
        assert_eq!(asked_again(true).await, vec![]);
    }
}
