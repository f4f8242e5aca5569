//! `validated_responses`, `llm_errors` and `dead_letters`, read along: they fill memory and land flights.

use std::sync::Arc;

use messaging::dead_letter::DeadLetter;
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

/// Learns that a record was given up: whatever it was to lead to, if its request leads a flight, that is over.
pub fn observe_dead_letter(letter: &DeadLetter, in_flight: &InFlight) {
    in_flight.end(&letter.0, Landing::Nothing);
}
