//! How much a worker takes on at once, and when what it took is due.

use std::collections::VecDeque;
use std::time::Duration;

use rdkafka::message::OwnedMessage;
use tokio::time::Instant;

use crate::offsets::Ticket;

/// Most bytes of records in work. Memory holds some three times as much: each is there as it was read, as the message in
/// it, and as what follows from that.
const WINDOW_BYTES: usize = 24 << 20;

/// How much a worker takes on at once.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Most records handled together.
    pub batch: usize,
    /// How long a batch that is not full waits for more.
    pub wait: Duration,
    /// Most batches in flight.
    pub parallel: usize,
    /// Most records taken whose offset cannot be stored yet; more than are in flight, so
    /// that one slow record does not hold up the others.
    pub window_records: usize,
    /// Most bytes of records not finished.
    pub window_bytes: usize,
}

impl Pace {
    /// One record at a time, with up to `window` unfinished or behind an unfinished one.
    #[must_use]
    pub fn single(window: usize) -> Self {
        Self {
            batch: 1,
            wait: Duration::ZERO,
            parallel: window,
            window_records: window,
            window_bytes: WINDOW_BYTES,
        }
    }

    /// Batches of up to `batch` records, gathered for up to `wait`, one in flight.
    #[must_use]
    pub fn batches(batch: usize, wait: Duration) -> Self {
        Self {
            batch,
            wait,
            parallel: 1,
            window_records: 4 * batch,
            window_bytes: WINDOW_BYTES,
        }
    }

    /// How full a window is, where 1 is full.
    pub(crate) fn fullness(&self, records: usize, bytes: usize) -> f64 {
        let share = |part: usize, whole: usize| part as f64 / whole as f64;
        share(records, self.window_records).max(share(bytes, self.window_bytes))
    }
}

/// Whether a worker reads on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Flow {
    /// There is room in the window.
    Open,
    /// There is none, for a moment: what librdkafka fetched ahead stays with it.
    Full { since: Instant },
    /// There has been none for long. Polling goes on, lest the group take us for dead, but the
    /// partitions are paused; that throws away what was fetched ahead, and so is not done at once.
    Paused,
}

impl Flow {
    /// How long a full window stops the reading before it pauses the partitions.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// Whether to poll.
    pub(crate) fn reads(self) -> bool {
        !matches!(self, Self::Full { .. })
    }

    /// When to pause, unless there is room before.
    pub(crate) fn pause_at(self) -> Option<Instant> {
        match self {
            Self::Full { since } => Some(since + Self::PATIENCE),
            Self::Open | Self::Paused => None,
        }
    }

    /// What follows when the window is so full. What is paused stays so until half of it is free.
    pub(crate) fn next(self, fullness: f64, now: Instant) -> Self {
        match self {
            Self::Open if fullness >= 1.0 => Self::Full { since: now },
            Self::Full { .. } if fullness < 1.0 => Self::Open,
            Self::Full { since } if now >= since + Self::PATIENCE => Self::Paused,
            Self::Paused if fullness <= 0.5 => Self::Open,
            same => same,
        }
    }
}

/// Records taken but not started, with the time each was taken.
#[derive(Default)]
pub(crate) struct Waiting(VecDeque<(Instant, Ticket, OwnedMessage)>);

impl Waiting {
    pub(crate) fn push(&mut self, (ticket, record): (Ticket, OwnedMessage)) {
        self.0.push_back((Instant::now(), ticket, record));
    }

    /// When a batch that is not full must start all the same.
    pub(crate) fn due(&self, pace: &Pace) -> Option<Instant> {
        self.0.front().map(|&(taken, ..)| taken + pace.wait)
    }

    pub(crate) fn is_ready(&self, pace: &Pace) -> bool {
        self.0.len() >= pace.batch || self.due(pace).is_some_and(|due| due <= Instant::now())
    }

    pub(crate) fn pop(&mut self, batch: usize) -> Vec<(Ticket, OwnedMessage)> {
        let size = batch.min(self.0.len());
        self.0
            .drain(..size)
            .map(|(_, ticket, record)| (ticket, record))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_stops_the_reading_and_pauses_only_when_it_stays_full() {
        let start = Instant::now();
        let full = Flow::Open.next(1.0, start);
        assert!(!full.reads());
        assert_eq!(full.next(0.9, start), Flow::Open);
        let paused = full.next(1.0, start + Flow::PATIENCE);
        assert_eq!((full.next(1.0, start), paused), (full, Flow::Paused));
        assert!(paused.reads());
        assert_eq!(
            (paused.next(0.6, start), paused.next(0.5, start)),
            (Flow::Paused, Flow::Open)
        );
    }
}
