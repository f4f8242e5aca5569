//! The last hour.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{State, Stored};

/// An hour, of five seconds each.
const MOST: usize = 720;

/// How it was at one time; what was not known then is missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub at: Timestamp,
    pub per_second: Option<f64>,
    pub waiting: Option<f64>,
    /// In milliseconds.
    pub p99: Option<f64>,
}

/// The newest points, the oldest first.
#[derive(Debug, Default)]
pub struct History(VecDeque<Point>);

impl Point {
    /// How it is now. While the index sleeps, the rate is by what was stored since the point before.
    pub fn of(state: &State, before: Option<&(Timestamp, Stored)>, now: Timestamp) -> Self {
        let decided = state.decided.fresh().filter(|_| state.decided.too_old(now).is_none());
        let kafka = state.kafka.fresh().filter(|_| state.kafka.too_old(now).is_none());
        Self {
            at: now,
            per_second: decided.map_or_else(
                || rate(before?, state.stored.last.as_ref()?),
                |decided| Some(decided.per_second),
            ),
            waiting: kafka.map(|kafka| kafka.undecided() as f64),
            p99: decided.and_then(|decided| decided.newest_p99).map(|p99| p99 as f64),
        }
    }
}

/// Outcomes stored each second between two looks.
fn rate((then, before): &(Timestamp, Stored), (now, stored): &(Timestamp, Stored)) -> Option<f64> {
    let seconds = now.duration_since(*then).as_secs_f64();
    let more = stored.decided - before.decided;
    (seconds > 0.0 && more >= 0).then(|| more as f64 / seconds)
}

impl History {
    /// Adds a point; the oldest goes when there are too many.
    pub fn add(&mut self, point: Point) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(point);
    }

    /// All points, the oldest first.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_kept() {
        let mut history = History::default();
        for second in 0..1000 {
            let at = Timestamp::from_second(second).unwrap();
            history.add(Point {
                at,
                per_second: None,
                waiting: None,
                p99: None,
            });
        }
        let seconds: Vec<_> = history.points().map(|point| point.at.as_second()).collect();
        assert_eq!(seconds, (280..1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_point_has_only_what_was_known_then() {
        let mut state = State::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        state.kafka.note(at(10), Ok(super::super::Kafka::default()));
        assert_eq!(Point::of(&state, None, at(12)).waiting, Some(0.0));
        assert_eq!(Point::of(&state, None, at(16)).waiting, None);
        assert_eq!(Point::of(&state, None, at(12)).per_second, None);
    }

    #[test]
    fn while_the_index_sleeps_the_rate_is_by_what_is_stored() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let stored = |decided| Stored { decided, newest: None };
        let mut state = State::default();
        state.stored.note(at(14), Ok(stored(700)));
        let per_second = |before| Point::of(&state, Some(&before), at(15)).per_second;
        assert_eq!(per_second((at(10), stored(100))), Some(150.0));
        assert_eq!(per_second((at(10), stored(900))), None, "they were deleted");
        assert_eq!(per_second((at(14), stored(700))), None, "nobody has looked since");
    }
}
