//! Which offset may be stored while records finish in any order.
//!
//! Storing offset *n* promises that everything before *n* is done. Records finish in any
//! order, so an offset is released only when all before it in its partition are finished.

use std::collections::{HashMap, VecDeque};

use tokio_util::sync::CancellationToken;

type Partition = (String, i32);

/// A record that was taken and is not yet finished.
#[derive(Debug, Clone)]
pub struct Ticket {
    partition: Partition,
    offset: i64,
    assignment: u64,
    end: CancellationToken,
}

impl Ticket {
    /// What is cancelled when the record's partition is taken from us.
    #[must_use]
    pub fn end(&self) -> &CancellationToken {
        &self.end
    }
}

/// The offset to store for a partition: everything before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// The next offset to read.
    pub next_offset: i64,
}

#[derive(Debug)]
struct Taken {
    /// Tells this assignment from an earlier one of the same partition.
    assignment: u64,
    /// Offsets in the order they were taken, each with its size until it is finished.
    offsets: VecDeque<(i64, Option<usize>)>,
    /// Cancelled when the partition is taken from us.
    end: CancellationToken,
}

/// The records that a consumer has taken, by partition.
#[derive(Debug, Default)]
pub struct OffsetTracker {
    partitions: HashMap<Partition, Taken>,
    assignments: u64,
    records: usize,
    bytes: usize,
}

impl OffsetTracker {
    /// Notes that a record of `bytes` bytes was taken.
    ///
    /// Offsets rise, unless a topic was made anew, or a log has lost its end: then it is read again from its start, and
    /// what was taken before releases nothing any more, though work on it may end.
    pub fn take(&mut self, topic: &str, partition: i32, offset: i64, bytes: usize) -> Ticket {
        let key = (topic.to_owned(), partition);
        let last = self.partitions.get(&key).and_then(|taken| taken.offsets.back());
        if last.is_some_and(|&(last, _)| offset <= last) {
            self.forget(&key);
        }
        let assignments = &mut self.assignments;
        let taken = self.partitions.entry(key.clone()).or_insert_with(|| {
            *assignments += 1;
            Taken {
                assignment: *assignments,
                offsets: VecDeque::new(),
                end: CancellationToken::new(),
            }
        });
        taken.offsets.push_back((offset, Some(bytes)));
        self.records += 1;
        self.bytes += bytes;
        Ticket {
            partition: key,
            offset,
            assignment: taken.assignment,
            end: taken.end.clone(),
        }
    }

    /// Notes that a record is finished; returns what may be stored now, if that changed.
    ///
    /// A ticket of an assignment that has ended is ignored: its record is the new owner's.
    pub fn finish(&mut self, ticket: &Ticket) -> Option<Progress> {
        let taken = self.partitions.get_mut(&ticket.partition)?;
        if taken.assignment != ticket.assignment {
            return None;
        }
        let index = taken
            .offsets
            .binary_search_by_key(&ticket.offset, |&(offset, _)| offset)
            .ok()?;
        self.bytes -= taken.offsets[index].1.take()?;
        let mut last = None;
        while let Some(&(offset, None)) = taken.offsets.front() {
            taken.offsets.pop_front();
            self.records -= 1;
            last = Some(offset);
        }
        let (topic, partition) = ticket.partition.clone();
        last.map(|offset| Progress {
            topic,
            partition,
            next_offset: offset + 1,
        })
    }

    /// Forgets a partition that was taken from us; its unfinished records go to the next owner.
    pub fn revoke(&mut self, topic: &str, partition: i32) {
        if let Some(taken) = self.forget(&(topic.to_owned(), partition)) {
            taken.end.cancel();
        }
    }

    fn forget(&mut self, key: &Partition) -> Option<Taken> {
        let taken = self.partitions.remove(key)?;
        self.records -= taken.offsets.len();
        self.bytes -= taken.offsets.iter().filter_map(|&(_, bytes)| bytes).sum::<usize>();
        Some(taken)
    }

    /// Records taken whose offset cannot be stored yet.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records
    }

    /// Bytes of the records that are not finished.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_a_topic_that_was_made_anew_offsets_are_released_from_its_start() {
        let mut tracker = OffsetTracker::default();
        let [before, early, late] =
            [(7, 10), (0, 20), (1, 30)].map(|(offset, bytes)| tracker.take("t", 0, offset, bytes));
        assert_eq!((tracker.records(), tracker.bytes()), (2, 50));
        assert!(!before.end().is_cancelled(), "nobody else reads it");
        assert_eq!(tracker.finish(&before), None);
        assert_eq!(tracker.finish(&late), None);
        assert_eq!(tracker.finish(&early).map(|p| p.next_offset), Some(2));
        assert_eq!((tracker.records(), tracker.bytes()), (0, 0));
    }

    #[test]
    fn an_offset_is_released_only_when_all_before_it_are_finished() {
        let mut tracker = OffsetTracker::default();
        let tickets: Vec<_> = [5, 7, 8]
            .iter()
            .map(|&offset| tracker.take("t", 0, offset, 10))
            .collect();
        assert_eq!(tracker.finish(&tickets[1]), None);
        assert_eq!(tracker.finish(&tickets[1]), None, "finishing twice changes nothing");
        assert_eq!(tracker.finish(&tickets[0]).map(|p| p.next_offset), Some(8));
        assert_eq!((tracker.records(), tracker.bytes()), (1, 10));
        assert_eq!(tracker.finish(&tickets[2]).map(|p| p.next_offset), Some(9));
        assert_eq!((tracker.records(), tracker.bytes()), (0, 0));
    }

    #[test]
    fn a_ticket_of_an_earlier_assignment_releases_nothing() {
        let mut tracker = OffsetTracker::default();
        let old = tracker.take("t", 0, 5, 10);
        tracker.revoke("t", 0);
        let new = tracker.take("t", 0, 5, 10);
        assert!(old.end().is_cancelled() && !new.end().is_cancelled());
        assert_eq!(tracker.finish(&old), None);
        assert_eq!(tracker.finish(&new).map(|p| p.next_offset), Some(6));
    }

    proptest! {
        #[test]
        fn what_is_released_is_the_finished_prefix_in_any_order(order in Just((0..40_usize).collect::<Vec<_>>()).prop_shuffle()) {
            let mut tracker = OffsetTracker::default();
            let tickets: Vec<_> = (0..40).map(|offset| tracker.take("t", 0, offset, 1)).collect();
            let mut finished = [false; 40];
            let mut released = 0;
            for index in order {
                finished[index] = true;
                if let Some(progress) = tracker.finish(&tickets[index]) {
                    prop_assert!(progress.next_offset > released);
                    released = progress.next_offset;
                }
                let prefix = finished.iter().take_while(|&&done| done).count();
                prop_assert_eq!(released, prefix as i64);
            }
            prop_assert_eq!((tracker.records(), tracker.bytes()), (0, 0));
        }
    }
}
