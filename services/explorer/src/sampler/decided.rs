//! What was decided lately, by the index.

use jiff::Timestamp;
use rusqlite::Connection;

use crate::index::Index;
use crate::index::row::first_key;

/// What latency, errors and hits are of, in seconds.
pub const WINDOW_S: i64 = 60;
/// What the rate is of.
const RATE_S: i64 = 5;
/// What a point of the last hour has its latency of.
const NEWEST_S: i64 = 10;
/// The index has what was decided so long ago.
const LAG_S: i64 = 4;
/// Most outcomes that are read: of a minute with more, the newest.
const MOST: usize = 20_000;

/// What was decided lately.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decided {
    /// When the last question was decided, if any ever was.
    pub last: Option<Timestamp>,
    /// Of the last five whole seconds.
    pub per_second: f64,
    /// What the following are of, in seconds.
    pub window_s: f64,
    /// Milliseconds within which half of the questions were decided, and 99 of 100.
    pub p50_p99: Option<(i64, i64)>,
    /// The latter of the last ten seconds.
    pub newest_p99: Option<i64>,
    pub errors: Share,
    /// Those for which no model had to be asked.
    pub hits: Share,
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    pub count: usize,
    pub of: usize,
}

impl Share {
    /// As a number from 0 to 1; none of nothing.
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }
}

#[derive(Debug, Clone, Copy)]
struct Outcome {
    decided_at: i64,
    latency: Option<i64>,
    is_error: bool,
    is_hit: bool,
}

/// Asks the index.
///
/// # Errors
/// It cannot be read.
pub async fn look(index: &Index, now: Timestamp) -> anyhow::Result<Decided> {
    let until = 1000 * (now.as_second() - LAG_S);
    let (last, outcomes) = index
        .read_asleep(move |index| Ok((last(index)?, newest(index, until)?)))
        .await?;
    Ok(Decided {
        last,
        ..of(&outcomes, until)
    })
}

fn last(index: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let last = index.query_row("SELECT decided_at FROM results ORDER BY key DESC LIMIT 1", [], |row| {
        row.get(0)
    });
    match last {
        Ok(last) => Ok(Timestamp::from_millisecond(last).ok()),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The newest that were decided before a moment, newest first.
fn newest(index: &Connection, until: i64) -> rusqlite::Result<Vec<Outcome>> {
    let mut query = index.prepare_cached(
        "SELECT decided_at, latency, verdict = 'error', coalesce(source IN ('cache', 'mongodb', 'coalesced'), 0) \
         FROM results WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3",
    )?;
    let from = first_key(until - 1000 * WINDOW_S);
    let found = query.query_map((from, first_key(until), MOST as i64), |row| {
        Ok(Outcome {
            decided_at: row.get(0)?,
            latency: row.get(1)?,
            is_error: row.get(2)?,
            is_hit: row.get(3)?,
        })
    })?;
    found.collect()
}

/// What outcomes come to; where there are more than were read, they tell of a shorter time.
fn of(outcomes: &[Outcome], until: i64) -> Decided {
    let oldest = if outcomes.len() == MOST { outcomes.last() } else { None };
    // The oldest millisecond may be there in part only.
    let from = oldest.map_or(until - 1000 * WINDOW_S, |oldest| oldest.decided_at + 1);
    let window_s = ((until - from) as f64 / 1000.0).max(0.001);
    let since = |seconds: i64| {
        outcomes
            .iter()
            .take_while(move |one| one.decided_at >= from.max(until - 1000 * seconds))
    };
    let count = |is: fn(&Outcome) -> bool| Share {
        count: since(WINDOW_S).filter(|one| is(one)).count(),
        of: since(WINDOW_S).count(),
    };
    let latencies = |seconds| {
        let mut latencies: Vec<i64> = since(seconds).filter_map(|one| one.latency).collect();
        latencies.sort_unstable();
        latencies
    };
    let (all, newest) = (latencies(WINDOW_S), latencies(NEWEST_S));
    Decided {
        last: None,
        per_second: since(RATE_S).count() as f64 / window_s.min(RATE_S as f64),
        window_s,
        p50_p99: quantile(&all, 50).zip(quantile(&all, 99)),
        newest_p99: quantile(&newest, 99),
        errors: count(|one| one.is_error),
        hits: count(|one| one.is_hit),
    }
}

/// The smallest of sorted numbers that so many per cent do not exceed.
fn quantile(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One every `every` milliseconds before `until`, newest first; the latency of each is its age in seconds.
    fn outcomes(until: i64, every: i64, count: usize) -> Vec<Outcome> {
        let ages = (1..).map(|place| place * every).take(count);
        let one = |age| Outcome {
            decided_at: until - age,
            latency: Some(age / 1000),
            is_error: age % 1000 == 0,
            is_hit: age > 30_000,
        };
        ages.map(one).collect()
    }

    #[test]
    fn rates_and_shares_are_of_what_was_decided_lately() {
        let decided = of(&outcomes(1_000_000, 100, 600), 1_000_000);
        assert_eq!((decided.per_second, decided.window_s), (10.0, 60.0));
        assert_eq!(
            (decided.errors, decided.hits),
            (Share { count: 60, of: 600 }, Share { count: 300, of: 600 })
        );
        assert_eq!((decided.p50_p99, decided.newest_p99), (Some((30, 59)), Some(9)));
    }

    #[test]
    fn of_more_than_can_be_read_the_rate_is_that_of_the_time_they_tell_of() {
        let decided = of(&outcomes(1_000_000_000, 1, MOST), 1_000_000_000);
        assert_eq!((decided.per_second, decided.errors.of), (1000.0, MOST - 1));
        let mut burst = outcomes(1_000_000_000, 1, MOST);
        burst.iter_mut().for_each(|one| one.decided_at = 999_999_999);
        assert!(of(&burst, 1_000_000_000).per_second.is_finite());
    }

    #[test]
    fn of_nothing_there_is_no_share() {
        let decided = of(&[], 1_000_000);
        assert_eq!(
            (decided.per_second, decided.p50_p99, decided.errors.value()),
            (0.0, None, None)
        );
    }

    #[test]
    fn quantiles_are_numbers_that_occur() {
        let numbers: Vec<i64> = (1..=200).collect();
        assert_eq!(
            (quantile(&numbers, 50), quantile(&numbers, 99), quantile(&[7], 99)),
            (Some(100), Some(198), Some(7))
        );
        assert_eq!(quantile(&[], 50), None);
    }
}
