//! When the gate closes, when it is tried, and when it opens: a state machine without a clock of its own.

use std::time::Duration;

use contracts::value::{Id, now};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::model::{Concern, ErrorKind, ModelError};

/// So many calls must fail in a row, whosever they are, before a server that fails counts as down.
const FAILURES_IN_A_ROW: usize = 5;
/// So many different questions must fail in the same way, before the server is thought to refuse them all.
const QUESTIONS_IN_A_ROW: usize = 3;
/// The pause before a closed gate is tried; it doubles with each further failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How the model's server does, by what its calls came to.
#[derive(Debug, Default)]
pub(super) struct Health {
    closed: Option<Closed>,
    /// Since the last answer, at most [`FAILURES_IN_A_ROW`].
    failures: Vec<(ErrorKind, Option<u16>, Id)>,
    successes: u64,
    openings: u64,
}

/// A closed gate.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    /// Why, as the last probe heard it.
    pub error: ModelError,
    pub since: Timestamp,
    /// When the next call may try.
    pub probe_at: Instant,
    closed_at: Instant,
    pause: Duration,
}

/// What a call changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Closed,
    /// A probe failed.
    StillClosed,
    Opened {
        after: Duration,
    },
}

impl Health {
    pub fn closed(&self) -> Option<&Closed> {
        self.closed.as_ref()
    }

    /// How many calls were answered.
    pub fn successes(&self) -> u64 {
        self.successes
    }

    /// How often the gate has opened again.
    pub fn openings(&self) -> u64 {
        self.openings
    }

    /// Takes note of an answer; only a probe's opens the gate, as other calls began before it closed.
    pub fn succeeded(&mut self, is_probe: bool, now: Instant) -> Change {
        self.successes += 1;
        self.works(is_probe, now)
    }

    /// Takes note of a failure.
    pub fn failed(&mut self, error: &ModelError, question: &Id, is_probe: bool, now: Instant) -> Change {
        let concern = error.kind.concern();
        if concern == Concern::Question {
            // A server that says so of one question answers others; where nothing was sent, it said nothing.
            return self.works(is_probe && error.kind.was_sent(), now);
        }
        if is_probe {
            return self.probe_failed(error, now);
        }
        if self.closed.is_some() {
            // It began before: it says no more than is known, but perhaps how long to wait.
            self.prolong(error, now);
            return Change::None;
        }
        if concern == Concern::Server || self.is_one_too_many(error, question) {
            self.close(error, now);
            return Change::Closed;
        }
        Change::None
    }

    fn works(&mut self, is_probe: bool, now: Instant) -> Change {
        self.failures.clear();
        self.closed.take_if(|_| is_probe).map_or(Change::None, |closed| {
            self.openings += 1;
            Change::Opened {
                after: now.duration_since(closed.closed_at),
            }
        })
    }

    /// Whether this failure, after those before it, shows that the server fails.
    fn is_one_too_many(&mut self, error: &ModelError, question: &Id) -> bool {
        if self.failures.len() == FAILURES_IN_A_ROW {
            self.failures.remove(0);
        }
        self.failures.push((error.kind, error.status, question.clone()));
        if error.kind == ErrorKind::Unavailable {
            let like_it = self.failures.iter().filter(|(kind, ..)| *kind == error.kind);
            return like_it.count() >= FAILURES_IN_A_ROW;
        }
        let mut questions: Vec<_> = self
            .failures
            .iter()
            .filter(|(kind, status, _)| (*kind, *status) == (error.kind, error.status))
            .map(|(.., question)| question)
            .collect();
        questions.sort();
        questions.dedup();
        questions.len() >= QUESTIONS_IN_A_ROW
    }

    /// Lets nobody in but those who try, one at a time.
    pub fn close(&mut self, error: &ModelError, at: Instant) {
        self.failures.clear();
        self.closed = Some(Closed {
            error: error.clone(),
            since: now(),
            closed_at: at,
            probe_at: at + told(error).unwrap_or(FIRST_PAUSE),
            pause: FIRST_PAUSE,
        });
    }

    fn probe_failed(&mut self, error: &ModelError, now: Instant) -> Change {
        let Some(closed) = &mut self.closed else {
            // Another call opened it meanwhile.
            return Change::None;
        };
        closed.error = error.clone();
        closed.pause = (2 * closed.pause).min(LONGEST_PAUSE);
        closed.probe_at = now + told(error).unwrap_or(closed.pause);
        Change::StillClosed
    }

    fn prolong(&mut self, error: &ModelError, now: Instant) {
        if let (Some(closed), Some(pause)) = (&mut self.closed, error.retry_after) {
            closed.probe_at = closed.probe_at.max(now + pause);
        }
    }
}

/// How long the server wants to be left alone; at once is no answer from one that fails.
fn told(error: &ModelError) -> Option<Duration> {
    error.retry_after.filter(|wait| *wait >= SHORTEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(number: usize) -> Id {
        format!("m{number}").try_into().unwrap()
    }

    fn error(kind: ErrorKind) -> ModelError {
        ModelError::new(kind, "no")
    }

    /// What the failures of these questions, in this order, change at last.
    fn after(kind: ErrorKind, questions: &[usize]) -> Change {
        let mut health = Health::default();
        let changes = questions
            .iter()
            .map(|&number| health.failed(&error(kind), &question(number), false, Instant::now()));
        changes.last().unwrap()
    }

    #[test]
    fn what_concerns_the_server_closes_the_gate_at_once() {
        for kind in [
            ErrorKind::Unreachable,
            ErrorKind::Unauthorized,
            ErrorKind::QuotaExhausted,
            ErrorKind::RateLimited,
            ErrorKind::BudgetSpent,
        ] {
            assert_eq!(after(kind, &[1]), Change::Closed, "{kind:?}");
        }
    }

    #[test]
    fn a_server_that_fails_closes_it_after_five_calls_in_a_row() {
        assert_eq!(after(ErrorKind::Unavailable, &[1, 2, 1, 3]), Change::None);
        assert_eq!(after(ErrorKind::Unavailable, &[1, 2, 1, 3, 1]), Change::Closed);
    }

    #[test]
    fn what_may_be_the_questions_fault_closes_it_when_three_questions_fail_in_the_same_way() {
        for kind in [ErrorKind::Refused, ErrorKind::Timeout, ErrorKind::InvalidResponse] {
            assert_eq!(after(kind, &[1, 1, 1, 1, 2, 1]), Change::None, "{kind:?}");
            assert_eq!(after(kind, &[1, 1, 2, 3]), Change::Closed, "{kind:?}");
        }
        let mut health = Health::default();
        for (number, status) in [400, 404, 400, 404].into_iter().enumerate() {
            let error = ModelError {
                status: Some(status),
                ..error(ErrorKind::Refused)
            };
            assert_eq!(
                health.failed(&error, &question(number), false, Instant::now()),
                Change::None
            );
        }
    }

    #[test]
    fn an_answer_or_a_refusal_of_one_question_breaks_the_row() {
        let mut health = Health::default();
        for number in 0..20 {
            let failed = health.failed(&error(ErrorKind::Unavailable), &question(number), false, Instant::now());
            assert_eq!(failed, Change::None);
            if number % 4 == 1 {
                health.succeeded(false, Instant::now());
            } else if number % 4 == 3 {
                let alone = error(ErrorKind::Filtered);
                assert_eq!(health.failed(&alone, &question(9), false, Instant::now()), Change::None);
            }
        }
    }

    #[test]
    fn probes_come_at_growing_intervals_or_when_the_server_says() {
        let (mut health, start) = (Health::default(), Instant::now());
        health.failed(&error(ErrorKind::Unreachable), &question(1), false, start);
        let mut pauses = vec![];
        let mut at = start;
        for number in 0..8 {
            let due = health.closed().unwrap().probe_at;
            pauses.push((due - at).as_secs_f64());
            at = due;
            let failed = health.failed(&error(ErrorKind::Unreachable), &question(number), true, at);
            assert_eq!(failed, Change::StillClosed);
        }
        assert_eq!(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        let patient = ModelError {
            retry_after: Some(Duration::from_millis(1500)),
            ..error(ErrorKind::RateLimited)
        };
        health.failed(&patient, &question(9), true, at);
        assert_eq!(health.closed().unwrap().probe_at, at + Duration::from_millis(1500));
        let hasty = ModelError {
            retry_after: Some(Duration::ZERO),
            ..error(ErrorKind::RateLimited)
        };
        health.failed(&hasty, &question(9), true, at);
        assert_eq!(health.closed().unwrap().probe_at, at + LONGEST_PAUSE);
        assert_eq!(
            health.succeeded(false, at),
            Change::None,
            "a call that began before says nothing"
        );
        let opened = health.succeeded(true, at);
        assert_eq!(opened, Change::Opened { after: at - start });
        assert!(health.closed().is_none());
    }
}
