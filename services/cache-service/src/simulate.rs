//! What memory alone would have served of a sequence of questions: the same map, without Kafka, MongoDB or a model.
//!
//! Each question has its outcome before the next is asked, and every answer is accepted.

use std::collections::HashMap;
use std::io::{BufRead, Write};

use clap::{Args, value_parser};

use crate::memory::{BoundedMap, Policy};

/// Which caches are simulated.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Simulation {
    /// Policies, each with every size.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "lru,lfu,fifo")]
    pub policies: Vec<Policy>,
    /// How many answers are kept.
    #[arg(long, value_delimiter = ',', default_value = "10000", value_parser = value_parser!(u32).range(..=10_000_000))]
    pub sizes: Vec<u32>,
    /// How many of the first questions fill the caches and are not counted.
    #[arg(long, default_value_t = 0)]
    pub warm_up: u64,
}

struct Cache {
    policy: Policy,
    size: u32,
    answers: BoundedMap<u32, ()>,
    hits: u64,
}

impl Cache {
    /// Whether memory serves a question; if not, its answer is learned.
    fn ask(&mut self, question: u32) -> bool {
        let is_hit = self.answers.get(&question).is_some();
        if !is_hit {
            self.answers.insert(question, ());
        }
        is_hit
    }
}

/// Asks the questions whose names stand in `input`, one a line, of each cache, and writes a line of CSV for each.
///
/// # Errors
/// What cannot be read or written.
pub fn simulate(simulation: &Simulation, input: impl BufRead, mut output: impl Write) -> anyhow::Result<()> {
    let mut caches = Vec::new();
    for &policy in &simulation.policies {
        for &size in &simulation.sizes {
            let answers = BoundedMap::new(policy, usize::try_from(size)?);
            caches.push(Cache {
                policy,
                size,
                answers,
                hits: 0,
            });
        }
    }
    let (mut numbers, mut asked) = (HashMap::new(), 0_u64);
    for question in input.lines() {
        let next = u32::try_from(numbers.len())?;
        let question = *numbers.entry(question?).or_insert(next);
        for cache in &mut caches {
            let is_hit = cache.ask(question);
            cache.hits += u64::from(is_hit && asked >= simulation.warm_up);
        }
        asked += 1;
    }
    writeln!(output, "policy,size,questions,hits")?;
    let counted = asked.saturating_sub(simulation.warm_up);
    for Cache { policy, size, hits, .. } in caches {
        writeln!(output, "{policy},{size},{counted},{hits}")?;
    }
    Ok(output.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(policies: &[Policy], sizes: &[u32], warm_up: u64, questions: &str) -> Vec<String> {
        let simulation = Simulation {
            policies: policies.to_vec(),
            sizes: sizes.to_vec(),
            warm_up,
        };
        let mut output = Vec::new();
        simulate(&simulation, questions.replace(' ', "\n").as_bytes(), &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        text.lines().skip(1).map(ToOwned::to_owned).collect()
    }

    #[test]
    fn each_policy_with_each_size_has_the_hits_that_one_counts_by_hand() {
        for (asked, [lru, lfu, fifo]) in [("a b a c a b", [2, 2, 1]), ("a a b c a", [1, 2, 1])] {
            let policies = [Policy::Lru, Policy::Lfu, Policy::Fifo];
            let questions = asked.split(' ').count();
            let expected = [("lru", lru), ("lfu", lfu), ("fifo", fifo)]
                .map(|(policy, hits)| format!("{policy},2,{questions},{hits}"));
            assert_eq!(rows(&policies, &[2], 0, asked), expected);
        }
        let both = rows(&[Policy::Lru, Policy::Fifo], &[0, 3], 0, "a b a c a b");
        assert_eq!(both, ["lru,0,6,0", "lru,3,6,3", "fifo,0,6,0", "fifo,3,6,3"]);
    }

    #[test]
    fn what_warms_up_is_learned_and_not_counted() {
        assert_eq!(rows(&[Policy::Lru], &[2], 3, "a b a b a"), ["lru,2,2,2"]);
        assert_eq!(rows(&[Policy::Lru], &[2], 9, "a a"), ["lru,2,0,0"]);
    }
}
