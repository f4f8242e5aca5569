//! Which records are counted: by epoch of the topics and by partition.

use std::collections::{BTreeMap, BTreeSet};

use messaging::input::Origin;
use serde::{Deserialize, Serialize};

use messaging::result_document::StoredOrigin;

/// A batch holds no more records than this, so no more can be on their way from one partition.
pub const LARGEST_BATCH: usize = 10_000;

/// The counted records of one partition: all up to `last`, without the `missing`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The last offset counted.
    pub last: i64,
    /// Offsets before it that no result was found of when the document was recovered: repeats, mostly, and what was
    /// being stored just then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<i64>,
}

impl Watermark {
    /// Whether a record is counted.
    pub fn has(&self, offset: i64) -> bool {
        offset <= self.last && self.missing.binary_search(&offset).is_err()
    }

    /// What of it concerns the records up to `last`.
    fn up_to(&self, last: i64) -> Self {
        let missing = self.missing.iter().copied().filter(|&offset| offset < last).collect();
        Self { last, missing }
    }

    /// With one more record counted. What comes after the last one comes when all before it is done with.
    fn with(mut self, offset: i64) -> Self {
        if offset > self.last {
            (self.last, self.missing) = (offset, vec![]);
        } else {
            self.missing.retain(|&missing| missing != offset);
        }
        self
    }
}

/// The watermarks of every partition, by epoch: offsets of one epoch mean nothing in another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watermarks(BTreeMap<String, BTreeMap<String, Watermark>>);

impl Watermarks {
    /// Whether the record that a result was made from is counted.
    pub fn have(&self, origin: &StoredOrigin) -> bool {
        let (epoch, partition) = keys(origin);
        self.of(&epoch, &partition)
            .is_some_and(|mark| mark.has(origin.place.offset))
    }

    fn of(&self, epoch: &str, partition: &str) -> Option<&Watermark> {
        self.0.get(epoch)?.get(partition)
    }

    /// Whether a record comes after all that is counted of its partition, of which there is something.
    pub fn go_on_with(&self, origin: &StoredOrigin) -> bool {
        let (epoch, partition) = keys(origin);
        self.of(&epoch, &partition)
            .is_some_and(|mark| mark.last < origin.place.offset)
    }

    /// The watermarks that counting these records changes: path below the document, before, after.
    ///
    /// In each partition the records are in the order of their offsets, as consumers read them.
    pub fn moved<'a>(
        &self,
        origins: impl Iterator<Item = &'a StoredOrigin>,
    ) -> BTreeMap<String, (Option<&Watermark>, Watermark)> {
        let mut moved = BTreeMap::new();
        let mut fresh: BTreeMap<_, BTreeSet<i64>> = BTreeMap::new();
        for origin in origins {
            fresh.entry(keys(origin)).or_default().insert(origin.place.offset);
        }
        for ((epoch, partition), offsets) in fresh {
            let before = self.of(&epoch, &partition);
            let start = before.cloned().unwrap_or(Watermark {
                last: -1,
                missing: vec![],
            });
            let after = offsets.into_iter().fold(start, Watermark::with);
            moved.insert(format!("watermarks.{epoch}.{partition}"), (before, after));
        }
        moved
    }
}

/// The last records of each partition that some results were made from, and before them whatever was counted.
#[derive(Debug, Clone, Default)]
pub struct Passed(BTreeMap<(String, String), i64>);

impl Passed {
    /// Takes note of the record that a result was made from.
    pub fn add(&mut self, origin: &StoredOrigin) {
        let last = self.0.entry(keys(origin)).or_default();
        *last = origin.place.offset.max(*last);
    }

    /// Brings watermarks to what `counted` tells of the records up to these.
    pub fn advance(&self, watermarks: &mut Watermarks, counted: &Watermarks) {
        for ((epoch, partition), &passed) in &self.0 {
            let of_epoch = watermarks.0.entry(epoch.clone()).or_default();
            let mark = of_epoch.entry(partition.clone()).or_default();
            let last = passed.max(mark.last);
            *mark = counted
                .of(epoch, partition)
                .map_or_else(|| mark.clone(), |all| all.up_to(last));
        }
    }
}

/// The records that a reader of all results has come across.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Of each partition those that came last.
    newest: BTreeMap<(String, String), BTreeSet<i64>>,
    /// What is counted of those whose results were removed, and of those before them.
    removed: Watermarks,
}

impl Seen {
    /// Nothing read yet; these results were removed before.
    pub fn beside(removed: Watermarks) -> Self {
        let newest = BTreeMap::new();
        Self { newest, removed }
    }

    /// Takes note of the record that a result was made from.
    pub fn add(&mut self, origin: &StoredOrigin) {
        let newest = self.newest.entry(keys(origin)).or_default();
        newest.insert(origin.place.offset);
        while newest.len() > LARGEST_BATCH {
            newest.pop_first();
        }
    }

    /// As watermarks: what was not seen, and may still be on its way, is missing.
    pub fn watermarks(&self) -> Watermarks {
        let mut watermarks = self.removed.clone();
        for ((epoch, partition), newest) in &self.newest {
            let removed = self.removed.of(epoch, partition);
            let is_removed = |&offset: &i64| removed.is_some_and(|mark| mark.has(offset));
            let last = newest.last().max(removed.map(|mark| &mark.last));
            let last = last.copied().unwrap_or_default();
            let first = (last + 1 - LARGEST_BATCH as i64).max(0);
            let missing = (first..last).filter(|offset| !newest.contains(offset) && !is_removed(offset));
            let missing = missing.collect();
            let of_epoch = watermarks.0.entry(epoch.clone()).or_default();
            of_epoch.insert(partition.clone(), Watermark { last, missing });
        }
        watermarks
    }
}

/// The epoch and the partition, as names of fields: those have no dots.
fn keys(StoredOrigin { place, epoch }: &StoredOrigin) -> (String, String) {
    let Origin { topic, partition, .. } = place;
    let plain = |name: &str| name.replace('.', "\u{ff0e}");
    (plain(epoch), plain(&format!("{topic}-{partition}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> StoredOrigin {
        let place = Origin {
            topic: "validated_responses".into(),
            partition: 0,
            offset,
        };
        StoredOrigin {
            place,
            epoch: "epoch".into(),
        }
    }

    fn seen(offsets: impl IntoIterator<Item = i64>) -> Watermarks {
        let mut seen = Seen::default();
        offsets.into_iter().for_each(|offset| seen.add(&at(offset)));
        seen.watermarks()
    }

    #[test]
    fn what_was_not_seen_is_not_counted_however_much_lies_behind_it() {
        let watermarks = seen([1, 4, 2]);
        let counted: Vec<_> = (0..7).filter(|&offset| watermarks.have(&at(offset))).collect();
        assert_eq!(counted, [1, 2, 4]);
    }

    #[test]
    fn what_is_too_old_to_be_on_its_way_is_counted() {
        let watermarks = seen((0..30_000).filter(|offset| offset % 1000 != 7));
        assert!(watermarks.have(&at(7)) && watermarks.have(&at(19_007)));
        assert!(!watermarks.have(&at(20_007)) && !watermarks.have(&at(29_007)));
    }

    #[test]
    fn nothing_is_missing_of_a_partition_that_was_seen_whole() {
        let moved = seen(0..30_000);
        assert_eq!(
            moved.of("epoch", "validated_responses-0"),
            Some(&Watermark {
                last: 29_999,
                missing: vec![]
            })
        );
    }

    #[test]
    fn what_was_missing_is_filled_in_and_forgotten_once_the_partition_goes_on() {
        let watermarks = seen([0, 2, 4]);
        let after = |offsets: &[i64]| {
            let origins: Vec<_> = offsets.iter().map(|&offset| at(offset)).collect();
            let moved = watermarks.moved(origins.iter());
            moved["watermarks.epoch.validated_responses-0"].1.clone()
        };
        assert_eq!(
            after(&[1]),
            Watermark {
                last: 4,
                missing: vec![3]
            }
        );
        assert_eq!(
            after(&[3, 5]),
            Watermark {
                last: 5,
                missing: vec![]
            }
        );
    }
}
