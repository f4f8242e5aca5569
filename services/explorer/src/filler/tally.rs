//! When the index and the results differ for good.

/// Tells whether outcomes are missing, or too many, from counts alone.
#[derive(Debug, Default)]
pub struct Tally {
    /// Results that the index cannot have.
    unreadable: u64,
    /// What was counted before: results, outcomes in the index, outcomes that the topics have added.
    before: Option<(u64, u64, u64)>,
}

impl Tally {
    /// After a comparison that found so many results that cannot be read.
    pub fn after(unreadable: u64) -> Self {
        Self {
            unreadable,
            before: None,
        }
    }

    /// Whether they differ for another reason than that some are under way: nothing has changed since the last time, or
    /// by more than has come since then. An index that is new need not wait to find out.
    pub fn differs(&mut self, stored: u64, known: u64, added: u64) -> bool {
        let stored = stored.saturating_sub(self.unreadable);
        let before = self.before.replace((stored, known, added));
        let differ = stored.abs_diff(known);
        differ > 0
            && (known == 0
                || before.is_some_and(|before| (before.0, before.1) == (stored, known) || differ > added - before.2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_waited_for() {
        let mut tally = Tally::default();
        assert!(
            !tally.differs(1000, 900, 0),
            "at first it is not known what is under way"
        );
        assert!(!tally.differs(2000, 1950, 1050), "fewer than have come since");
        assert!(!tally.differs(3000, 3000, 2100));
        assert!(!tally.differs(3000, 2990, 2110));
        assert!(tally.differs(3000, 2990, 2110), "nothing comes any more");
    }

    #[test]
    fn what_is_missing_is_noticed_while_more_comes() {
        let mut tally = Tally::default();
        assert!(!tally.differs(50_000, 20_000, 1000));
        assert!(tally.differs(51_000, 21_000, 2000));
        assert!(Tally::default().differs(1, 0, 0), "a new index");
        assert!(!Tally::default().differs(0, 0, 0));
        let mut tally = Tally::after(7);
        assert!(
            !tally.differs(107, 100, 0) && !tally.differs(107, 100, 0),
            "seven cannot be read"
        );
    }
}
