//! What lists filter and sort by, packed: 32 bytes an outcome, in blocks of some thousand.
//!
//! A list may be filtered by any of its columns and sorted by any other, and counts what matches: no set of indexes has
//! an answer to all of that which is fast in the worst case, and each index makes every outcome dearer to add. Looking at
//! all the records, as they lie here, takes 10 to 20 ms for a million.

use rusqlite::{Connection, OptionalExtension as _, params};

/// Most records of a block.
const MOST: usize = 4096;
/// Bytes of a record.
const BYTES: usize = 32;
/// A number that is not there.
const NONE: u32 = u32::MAX;

/// What lists filter and sort by of one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    pub key: i64,
    /// Tells distinct answers apart; 0 where there is none.
    pub answer: i64,
    /// Row of the table `facets`.
    pub facet: u32,
    /// In millionths.
    pub score: Option<u32>,
    /// In milliseconds.
    pub latency: Option<u32>,
    /// See [`packed_cost`].
    pub cost: Option<u32>,
}

/// Billionths of a US dollar as the bits of a float, which are in the order of what they stand for: any cost has room,
/// and seven digits of it count.
pub fn packed_cost(nanodollars: i64) -> u32 {
    (nanodollars.max(0) as f32).to_bits()
}

/// The records of a block. They lie by column: keys, answers, facets, scores, latencies, costs.
pub fn records(block: &[u8]) -> impl DoubleEndedIterator<Item = Record> + ExactSizeIterator + '_ {
    let count = block.len() / BYTES;
    let (keys, rest) = block.split_at(8 * count);
    let (answers, rest) = rest.split_at(8 * count);
    let (facets, rest) = rest.split_at(4 * count);
    let (scores, rest) = rest.split_at(4 * count);
    let (latencies, costs) = rest.split_at(4 * count);
    let long = keys.as_chunks().0.iter().zip(answers.as_chunks().0);
    let short = facets
        .as_chunks()
        .0
        .iter()
        .zip(scores.as_chunks().0)
        .zip(latencies.as_chunks().0)
        .zip(costs.as_chunks().0);
    long.zip(short)
        .map(|((key, answer), (((facet, score), latency), cost))| Record {
            key: i64::from_le_bytes(*key),
            answer: i64::from_le_bytes(*answer),
            facet: u32::from_le_bytes(*facet),
            score: there(u32::from_le_bytes(*score)),
            latency: there(u32::from_le_bytes(*latency)),
            cost: there(u32::from_le_bytes(*cost)),
        })
}

fn there(number: u32) -> Option<u32> {
    (number != NONE).then_some(number)
}

fn pack(records: &[Record]) -> Vec<u8> {
    let mut block = Vec::with_capacity(records.len() * BYTES);
    block.extend(records.iter().flat_map(|record| record.key.to_le_bytes()));
    block.extend(records.iter().flat_map(|record| record.answer.to_le_bytes()));
    block.extend(records.iter().flat_map(|record| record.facet.to_le_bytes()));
    let numbers: [fn(&Record) -> Option<u32>; 3] =
        [|record| record.score, |record| record.latency, |record| record.cost];
    for number in numbers {
        block.extend(
            records
                .iter()
                .flat_map(|record| number(record).unwrap_or(NONE).to_le_bytes()),
        );
    }
    block
}

/// Adds records that are in the order of their keys.
pub fn insert(connection: &Connection, mut records: &[Record]) -> rusqlite::Result<()> {
    while let Some(record) = records.first() {
        let block = Block::of(connection, record.key)?;
        let here = records.partition_point(|record| block.end.is_none_or(|end| record.key < end));
        let mut all = block.records.clone();
        all.extend(&records[..here]);
        all.sort_unstable_by_key(|record| record.key);
        block.replace(connection, &all)?;
        records = &records[here..];
    }
    Ok(())
}

/// Changes the records of some keys, in their order, or removes those for which `change` has none.
pub fn change(
    connection: &Connection,
    mut keys: &[i64],
    change: impl Fn(Record) -> Option<Record>,
) -> rusqlite::Result<()> {
    while let Some(&key) = keys.first() {
        let block = Block::of(connection, key)?;
        let here = keys.partition_point(|&key| block.end.is_none_or(|end| key < end));
        let is_meant = |record: &Record| keys[..here].binary_search(&record.key).is_ok();
        let changed = |&record: &Record| {
            if is_meant(&record) {
                change(record)
            } else {
                Some(record)
            }
        };
        let left: Vec<Record> = block.records.iter().filter_map(changed).collect();
        block.replace(connection, &left)?;
        keys = &keys[here..];
    }
    Ok(())
}

/// The record of a key.
pub fn find(connection: &Connection, key: i64) -> rusqlite::Result<Option<Record>> {
    let records = Block::of(connection, key)?.records;
    Ok(records.into_iter().find(|record| record.key == key))
}

/// How many there are.
pub fn count(connection: &Connection) -> rusqlite::Result<u64> {
    let bytes: i64 = connection.query_row("SELECT coalesce(sum(length(records)), 0) FROM blocks", [], |row| {
        row.get(0)
    })?;
    Ok(bytes.unsigned_abs() / BYTES as u64)
}

/// The block in which a key belongs.
struct Block {
    first: i64,
    /// Where the next one begins.
    end: Option<i64>,
    records: Vec<Record>,
}

impl Block {
    fn of(connection: &Connection, key: i64) -> rusqlite::Result<Self> {
        let mut find = connection
            .prepare_cached("SELECT first, records FROM blocks WHERE first <= ? ORDER BY first DESC LIMIT 1")?;
        let found = find.query_row([key], |row| {
            let first = row.get(0)?;
            Ok((first, records(row.get_ref(1)?.as_blob()?).collect()))
        });
        let (first, records) = found.optional()?.unwrap_or((0, vec![]));
        let mut next = connection.prepare_cached("SELECT min(first) FROM blocks WHERE first > ?")?;
        let end = next.query_row([key], |row| row.get(0))?;
        Ok(Self { first, end, records })
    }

    /// Writes other records in its place. What is added is mostly the newest: the last block is filled up, and one in
    /// between is split evenly.
    fn replace(&self, connection: &Connection, records: &[Record]) -> rusqlite::Result<()> {
        let mut write = connection.prepare_cached("INSERT OR REPLACE INTO blocks VALUES (?, ?)")?;
        if records.is_empty() {
            write.execute(params![self.first, [0_u8; 0]])?;
            return Ok(());
        }
        let size = match self.end {
            None => MOST,
            Some(_) => records.len().div_ceil(records.len().div_ceil(MOST)),
        };
        for (index, part) in records.chunks(size).enumerate() {
            let first = if index == 0 { self.first } else { part[0].key };
            write.execute(params![first, pack(part)])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index::SCHEMA;

    fn record(key: i64) -> Record {
        Record {
            key,
            answer: key / 3,
            facet: u32::try_from(key % 100).unwrap(),
            score: (key % 5 > 0).then_some(650_000),
            latency: (key % 7 > 0).then_some(12),
            cost: (key % 3 > 0).then(|| packed_cost(key)),
        }
    }

    fn all(connection: &Connection) -> Vec<Record> {
        let mut blocks = connection.prepare("SELECT records FROM blocks ORDER BY first").unwrap();
        let blocks = blocks.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        blocks
            .flat_map(|block| records(&block.unwrap()).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn packed_costs_are_in_the_order_of_the_costs() {
        let costs = [-1, 0, 1, 2, 420_000, 420_001, 5_000_000_000, 5_000_001_000, 1 << 53].map(packed_cost);
        assert!(costs.is_sorted() && costs.iter().all(|&cost| there(cost).is_some()));
        assert_eq!(
            costs[1..].iter().collect::<std::collections::BTreeSet<_>>().len(),
            costs.len() - 1
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        #[test]
        fn whatever_is_added_and_removed_lies_in_order(
            batches in prop::collection::vec((0..1_000_000_i64, 1..3000_i64, any::<bool>()), 1..20)
        ) {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(SCHEMA).unwrap();
            let mut expected = std::collections::BTreeMap::new();
            for (start, count, adds) in batches {
                let keys: Vec<i64> = (start..start + 3 * count).step_by(3).collect();
                if adds {
                    let new: Vec<i64> = keys.into_iter().filter(|key| !expected.contains_key(key)).collect();
                    let new: Vec<Record> = new.into_iter().map(record).collect();
                    insert(&connection, &new).unwrap();
                    expected.extend(new.iter().map(|record| (record.key, *record)));
                } else {
                    change(&connection, &keys, |record| (record.key % 2 == 0).then_some(Record { answer: 0, ..record })).unwrap();
                    for key in keys {
                        if let Some(record) = expected.remove(&key).filter(|_| key % 2 == 0) {
                            expected.insert(key, Record { answer: 0, ..record });
                        }
                    }
                }
            }
            prop_assert_eq!(all(&connection), expected.values().copied().collect::<Vec<_>>());
            for (key, record) in expected.iter().step_by(101) {
                prop_assert_eq!(find(&connection, *key).unwrap(), Some(*record));
            }
        }
    }
}
