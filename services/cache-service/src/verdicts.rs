//! `validated_responses` and `llm_errors`, read along: they fill memory and land flights.

use std::sync::Arc;

use messaging::input::Outcome;

use crate::answer::Answer;
use crate::answers::Answers;
use crate::in_flight::{InFlight, Landing};

/// Learns from one outcome. Memory first, so that whoever wakes finds the answer there.
pub fn observe(outcome: &Outcome, answers: &Answers, in_flight: &InFlight) {
    match outcome {
        Outcome::Validated(verdict) => {
            if let Some(answer) = Answer::of(verdict) {
                answers.observe(&verdict.question_id, &answer);
                in_flight.land(
                    &verdict.question_id,
                    &verdict.message_id,
                    verdict.decided_at,
                    Landing::Decided(Arc::new(answer)),
                );
            }
        }
        Outcome::Error(error) => {
            in_flight.land(
                &error.question_id,
                &error.message_id,
                error.produced_at,
                Landing::Nothing,
            );
        }
    }
}
