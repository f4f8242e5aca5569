//! A bounded map that forgets by a policy: least recently used, least frequently used, or
//! first in, first out.
//!
//! Every entry has a rank; the entry of the lowest rank leaves first. The policies differ
//! only in how a use changes the rank.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;

use clap::ValueEnum;

/// Which entry leaves when the map is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    /// The one that was used longest ago.
    Lru,
    /// The one that was used least often; among those, the one used longest ago.
    Lfu,
    /// The one that was put in first, however often it is used.
    Fifo,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lru => "lru",
            Self::Lfu => "lfu",
            Self::Fifo => "fifo",
        })
    }
}

/// Uses that count (under LFU), then the time of the use that counts; unique by its time.
type Rank = (u64, u64);

/// A map of at most `capacity` entries. Every operation takes O(log n).
#[derive(Debug)]
pub struct BoundedMap<K, V> {
    policy: Policy,
    capacity: usize,
    clock: u64,
    entries: HashMap<K, (V, Rank)>,
    by_rank: BTreeMap<Rank, K>,
}

impl<K: Hash + Eq + Clone, V> BoundedMap<K, V> {
    /// An empty map.
    pub fn new(policy: Policy, capacity: usize) -> Self {
        Self {
            policy,
            capacity,
            clock: 0,
            entries: HashMap::new(),
            by_rank: BTreeMap::new(),
        }
    }

    /// The value of `key`; counts as a use.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        let &(_, old) = self.entries.get(key)?;
        let rank = self.rank_after_use(old);
        if rank != old
            && let Some(key) = self.by_rank.remove(&old)
        {
            self.by_rank.insert(rank, key);
        }
        let (value, stored) = self.entries.get_mut(key)?;
        *stored = rank;
        Some(value)
    }

    /// Puts in a value, or replaces one, which counts as a use; may let another leave.
    pub fn insert(&mut self, key: K, value: V) {
        if self.capacity == 0 {
            return;
        }
        if self.get(&key).is_some() {
            self.entries.entry(key).and_modify(|(stored, _)| *stored = value);
            return;
        }
        if self.entries.len() == self.capacity
            && let Some((_, leaving)) = self.by_rank.pop_first()
        {
            self.entries.remove(&leaving);
        }
        let rank = self.rank_after_use((0, 0));
        self.by_rank.insert(rank, key.clone());
        self.entries.insert(key, (value, rank));
    }

    /// Forgets `key`.
    pub fn remove(&mut self, key: &K) {
        if let Some((_, rank)) = self.entries.remove(key) {
            self.by_rank.remove(&rank);
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    fn rank_after_use(&mut self, (uses, time): Rank) -> Rank {
        self.clock += 1;
        match self.policy {
            Policy::Lru => (0, self.clock),
            Policy::Lfu => (uses + 1, self.clock),
            Policy::Fifo if time == 0 => (0, self.clock),
            Policy::Fifo => (uses, time),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The textbook's cache: a list in the order of leaving, searched from end to end.
    struct Textbook {
        policy: Policy,
        capacity: usize,
        /// (key, value, uses), the one used longest ago first (FIFO: put in first).
        list: Vec<(u8, u32, u32)>,
    }

    impl Textbook {
        fn get(&mut self, key: u8) -> Option<u32> {
            let position = self.list.iter().position(|entry| entry.0 == key)?;
            self.list[position].2 += 1;
            let value = self.list[position].1;
            if self.policy != Policy::Fifo {
                let entry = self.list.remove(position);
                self.list.push(entry);
            }
            Some(value)
        }

        fn insert(&mut self, key: u8, value: u32) {
            if self.get(key).is_some() {
                self.list
                    .iter_mut()
                    .filter(|entry| entry.0 == key)
                    .for_each(|entry| entry.1 = value);
                return;
            }
            if self.list.len() == self.capacity {
                let leaving = match self.policy {
                    Policy::Lru | Policy::Fifo => 0,
                    Policy::Lfu => (0..self.list.len()).min_by_key(|&i| (self.list[i].2, i)).unwrap(),
                };
                self.list.remove(leaving);
            }
            self.list.push((key, value, 1));
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Get(u8),
        Insert(u8, u32),
        Remove(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0_u8..12).prop_map(Step::Get),
            3 => (0_u8..12, any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
            1 => (0_u8..12).prop_map(Step::Remove),
        ];
        prop::collection::vec(step, 0..300)
    }

    fn behaves_like_the_textbook(policy: Policy, capacity: usize, steps: Vec<Step>) {
        let mut map = BoundedMap::new(policy, capacity);
        let mut textbook = Textbook {
            policy,
            capacity,
            list: vec![],
        };
        for step in steps {
            match step {
                Step::Get(key) => assert_eq!(map.get(&key).copied(), textbook.get(key)),
                Step::Insert(key, value) => {
                    map.insert(key, value);
                    textbook.insert(key, value);
                }
                Step::Remove(key) => {
                    map.remove(&key);
                    textbook.list.retain(|entry| entry.0 != key);
                }
            }
            assert_eq!(map.len(), textbook.list.len());
            assert_eq!(map.len(), map.by_rank.len());
        }
    }

    proptest! {
        #[test]
        fn lru_behaves_like_the_textbook(capacity in 1_usize..8, steps in steps()) {
            behaves_like_the_textbook(Policy::Lru, capacity, steps);
        }

        #[test]
        fn lfu_behaves_like_the_textbook(capacity in 1_usize..8, steps in steps()) {
            behaves_like_the_textbook(Policy::Lfu, capacity, steps);
        }

        #[test]
        fn fifo_behaves_like_the_textbook(capacity in 1_usize..8, steps in steps()) {
            behaves_like_the_textbook(Policy::Fifo, capacity, steps);
        }
    }

    #[test]
    fn a_capacity_of_0_keeps_nothing() {
        let mut map = BoundedMap::new(Policy::Lru, 0);
        map.insert(1, 1);
        assert_eq!((map.len(), map.get(&1)), (0, None));
    }
}
