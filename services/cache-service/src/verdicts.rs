//! `validated_responses` and `llm_errors`, read along: they fill memory and land flights.

use std::sync::Arc;

use messaging::input::Outcome;

use crate::answer::Judged;
use crate::answers::Answers;
use crate::in_flight::{InFlight, Landing};

/// Learns from one outcome. Memory first, so that whoever wakes finds the answer there.
pub fn observe(outcome: Outcome, answers: &Answers, in_flight: &InFlight) {
    match outcome {
        Outcome::Validated(verdict) => {
            let (identity, decided_at) = (verdict.identity.clone(), verdict.decided_at);
            if let Some(answer) = Judged::of(*verdict).map(Arc::new) {
                answers.observe(&identity.question_id, &answer);
                in_flight.land(&identity, decided_at, Landing::Decided(answer));
            }
        }
        Outcome::Error(error) => in_flight.land(&error.identity, error.produced_at, Landing::Nothing),
    }
}
