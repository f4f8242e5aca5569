//! What the gate tells: `/api/model`, metrics and log lines.

use metrics::{counter, gauge};
use serde::Serialize;
use tracing::{info, warn};

use super::health::Change;
use super::{Gate, State};

/// What the gate is like, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `open` or `closed`.
    pub gate: &'static str,
    /// Why it is closed: an `error_type`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    /// … the same in words, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'static str>,
    /// … and what the server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Since when it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<jiff::Timestamp>,
    /// Questions that wait for their turn.
    pub waiting: usize,
    /// Calls under way.
    pub in_flight: usize,
    /// Most calls at once for now.
    pub concurrency: usize,
}

impl Gate {
    /// What the gate is like.
    pub fn report(&self) -> Report {
        let state = self.state();
        let closed = state.health.closed();
        Report {
            gate: if closed.is_some() { "closed" } else { "open" },
            cause: closed.map(|closed| closed.error.kind.as_str()),
            meaning: closed.map(|closed| closed.error.kind.sentence()),
            detail: closed.map(|closed| closed.error.detail.clone()),
            since: closed.map(|closed| closed.since),
            waiting: state.waiting.len(),
            in_flight: state.in_flight,
            concurrency: state.concurrency as usize,
        }
    }
}

/// Says what a call changed.
pub(super) fn tell(change: Change, state: &State) {
    gauge!("llm_concurrency").set(state.concurrency);
    gauge!("llm_gate_closed").set(f64::from(u8::from(state.health.closed().is_some())));
    match (change, state.health.closed()) {
        (Change::Closed, Some(closed)) => {
            let cause = closed.error.kind.as_str();
            counter!("llm_gate_closings_total", "cause" => cause).increment(1);
            warn!(
                cause,
                detail = closed.error.detail,
                "{}: questions wait",
                closed.error.kind.sentence()
            );
        }
        (Change::StillClosed, Some(closed)) => {
            let (cause, detail) = (closed.error.kind.as_str(), &closed.error.detail);
            info!(cause, detail, since = %closed.since, "{}: questions go on waiting", closed.error.kind.sentence());
        }
        (Change::Opened { after }, _) => info!(?after, waiting = state.waiting.len(), "the model answers again"),
        _ => {}
    }
}
