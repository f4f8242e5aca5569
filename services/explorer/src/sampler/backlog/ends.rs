//! How the ends of partitions move.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What was seen at earlier looks, as far back as anybody asks.
#[derive(Debug)]
pub struct Past<T> {
    looks: VecDeque<(Instant, T)>,
    kept: Duration,
}

impl<T> Past<T> {
    /// Remembers what was seen within so long, and the last look before that.
    pub fn of(kept: Duration) -> Self {
        Self {
            looks: VecDeque::new(),
            kept,
        }
    }

    /// Notes what is seen now.
    pub fn note(&mut self, now: Instant, seen: T) {
        self.looks.push_back((now, seen));
        while self
            .looks
            .get(1)
            .is_some_and(|(at, _)| now.duration_since(*at) >= self.kept)
        {
            self.looks.pop_front();
        }
    }

    /// What was seen so long before now, or at the first look after that; and whether it was that long ago.
    pub fn then(&self, now: Instant) -> Option<(&T, bool)> {
        let (at, seen) = self.looks.front()?;
        Some((seen, now.duration_since(*at) >= self.kept))
    }
}

/// Where a group is in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The first offset that Kafka still has.
    pub begin: i64,
    /// The offset of the next record that is written.
    pub end: i64,
    /// What the group has committed, if anything.
    pub committed: Option<i64>,
}

impl Place {
    /// The first record that the group has not finished. Without a commit it begins with the first there is.
    pub fn next(self) -> i64 {
        self.committed.unwrap_or(self.begin).max(self.begin)
    }

    /// How many records wait of those that were there when the partition ended at `end`.
    pub fn waiting(self, end: i64) -> u64 {
        u64::try_from(end.min(self.end) - self.next()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_after_the_last_commit_was_due_does_not_wait() {
        let place = Place {
            begin: 0,
            end: 500,
            committed: Some(100),
        };
        assert_eq!(
            (place.waiting(90), place.waiting(130), place.waiting(500)),
            (0, 30, 400)
        );
    }

    #[test]
    fn a_group_that_has_committed_nothing_begins_with_what_is_still_there() {
        let new = Place {
            begin: 40,
            end: 50,
            committed: None,
        };
        let overtaken = Place {
            committed: Some(10),
            ..new
        };
        assert_eq!((new.waiting(50), overtaken.waiting(50), overtaken.next()), (10, 10, 40));
    }

    #[test]
    fn an_end_that_went_back_counts_what_is_there() {
        let remade = Place {
            begin: 0,
            end: 5,
            committed: None,
        };
        assert_eq!(remade.waiting(100), 5);
    }

    #[test]
    fn the_past_goes_back_as_far_as_is_asked_and_no_farther() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut past = Past::of(Duration::from_secs(30));
        assert_eq!(past.then(at(0)), None);
        past.note(at(0), 0);
        assert_eq!(past.then(at(0)), Some((&0, false)));
        for second in 1..1000 {
            past.note(at(second), second);
        }
        assert_eq!(past.then(at(999)), Some((&969, true)));
        assert_eq!(past.looks.len(), 31);
    }
}
