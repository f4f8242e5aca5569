//! How much of a dataset file can be used.

use std::path::Path;

use anyhow::ensure;
use tracing::warn;

use crate::dataset::{Position, Question};

/// How many rows of a file are questions, and what is wrong with the others.
#[derive(Debug, Default)]
pub struct Tally {
    /// Rows that are questions.
    pub good: u64,
    /// Rows that are not.
    pub bad: u64,
    first_faults: Vec<String>,
}

impl Tally {
    /// How many faults are told one by one.
    const TOLD: usize = 10;

    /// Counts a row, and hands on its question.
    pub fn count(&mut self, position: Position, question: Result<Question, String>) -> Option<Question> {
        match question {
            Ok(question) => {
                self.good += 1;
                Some(question)
            }
            Err(fault) => {
                self.bad += 1;
                if self.first_faults.len() < Self::TOLD {
                    self.first_faults.push(format!("line {}: {fault}", position.line));
                }
                None
            }
        }
    }

    /// Tells the bad rows.
    ///
    /// # Errors
    /// When there is no good one.
    pub fn report(&self, file: &Path) -> anyhow::Result<()> {
        let file = file.display();
        for fault in &self.first_faults {
            warn!(%file, "{fault}");
        }
        if self.bad > 0 {
            warn!(%file, bad = self.bad, good = self.good, "bad rows were passed over");
        }
        let faults = self.first_faults.join("; ");
        ensure!(
            self.good > 0,
            "{file} has no row with a question and its answer: {faults}"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_faults_are_told_and_all_are_counted() {
        let mut tally = Tally::default();
        for line in 1..=30 {
            assert_eq!(tally.count(Position { byte: 0, line }, Err("bad".into())), None);
        }
        assert_eq!((tally.good, tally.bad), (0, 30));
        let problem = tally.report(Path::new("some.csv")).unwrap_err().to_string();
        assert!(
            problem.starts_with("some.csv has no row") && problem.contains("line 1: bad; line 2: bad"),
            "{problem}"
        );
        assert!(problem.ends_with("line 10: bad"), "{problem}");
        tally.good = 1;
        assert!(tally.report(Path::new("some.csv")).is_ok());
    }
}
