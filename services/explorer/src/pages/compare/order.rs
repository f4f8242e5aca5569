//! Which questions of a comparison a list shows, in which order, and where it goes on: by the sort values and the key of
//! a row, never by its number.

use std::cmp::Ordering;

use super::address::{Address, Place, Sort, Tab};
use crate::comparison::{Comparison, Measure, Side};

/// Rows of a page.
pub const PAGE: usize = 50;

/// A question in a list: what a run came to on it; none where it was not asked.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'run> {
    pub first: Option<&'run Side>,
    pub second: Option<&'run Side>,
}

/// The place of a row: what it is sorted by, smaller values first, then a key that no other row has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowPlace {
    sort: [f64; 2],
    key: i64,
}

/// A page of a list.
pub struct Page<'run> {
    pub rows: Vec<(RowPlace, Entry<'run>)>,
    pub is_before: bool,
    pub is_after: bool,
}

impl Entry<'_> {
    /// By how much the second has more of something; not a number where one of them has none.
    pub fn difference(&self, measure: Measure) -> f64 {
        let mean = |side: Option<&Side>| side.map_or(f64::NAN, |side| side.mean(measure));
        mean(self.second) - mean(self.first)
    }

    fn place(&self, sort: Sort, is_descending: bool) -> RowPlace {
        let score = |side: Option<&Side>| side.map_or(f64::NAN, |side| side.mean(Measure::Score));
        let change = self.difference(Measure::Score);
        let values = match sort {
            Sort::Change => [self.difference(Measure::Accepted), change],
            Sort::First => [score(self.first), change],
            Sort::Second => [score(self.second), change],
        };
        let signed = if is_descending {
            values.map(|value| -value)
        } else {
            values
        };
        // What is not known comes last in both directions.
        let sort = signed.map(|value| if value.is_nan() { f64::INFINITY } else { value });
        RowPlace {
            sort,
            key: self.first.or(self.second).map_or(0, |side| side.key),
        }
    }
}

impl RowPlace {
    /// As an address has it.
    pub fn written(&self) -> String {
        let [first, second] = self.sort;
        format!("{first}_{second}_{}", self.key)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('_');
        let mut number = || parts.next()?.parse::<f64>().ok().filter(|number| !number.is_nan());
        let sort = [number()?, number()?];
        let key = parts.next()?.parse().ok()?;
        Some(Self { sort, key })
    }

    fn order(&self, other: &Self) -> Ordering {
        let [first, second] = [0, 1].map(|place| self.sort[place].total_cmp(&other.sort[place]));
        first.then(second).then(self.key.cmp(&other.key))
    }
}

/// How many questions a tab has.
pub fn count(found: &Comparison, tab: Tab) -> usize {
    match tab {
        Tab::Worse => found.worse,
        Tab::Better => found.better,
        Tab::Same => found.same,
        Tab::Both => found.pairs.len(),
        Tab::Only => found.alone.len(),
    }
}

/// The page that an address asks for; `None` where the place in it is none.
pub fn page<'run>(found: &'run Comparison, address: &Address, tab: Tab) -> Option<Page<'run>> {
    let is_descending = (tab == Tab::Better && address.sort == Sort::Change) != address.is_reversed;
    let mut rows: Vec<_> = entries(found, tab)
        .map(|entry| (entry.place(address.sort, is_descending), entry))
        .collect();
    let all = rows.len();
    let is_backwards = matches!(address.place, Place::Before(_));
    match &address.place {
        Place::First => {}
        Place::Before(row) if row.is_empty() => {}
        Place::After(row) => {
            let from = RowPlace::read(row)?;
            rows.retain(|(place, _)| place.order(&from) == Ordering::Greater);
        }
        Place::Before(row) => {
            let to = RowPlace::read(row)?;
            rows.retain(|(place, _)| place.order(&to) == Ordering::Less);
        }
    }
    let towards = rows.len();
    let order = |one: &(RowPlace, Entry), other: &(RowPlace, Entry)| {
        let order = one.0.order(&other.0);
        if is_backwards { order.reverse() } else { order }
    };
    if rows.len() > PAGE {
        rows.select_nth_unstable_by(PAGE, order);
        rows.truncate(PAGE);
    }
    rows.sort_unstable_by(order);
    let (passed, left) = (all > towards, towards > rows.len());
    if is_backwards {
        rows.reverse();
    }
    let (is_before, is_after) = if is_backwards { (left, passed) } else { (passed, left) };
    Some(Page {
        rows,
        is_before,
        is_after,
    })
}

fn entries(found: &Comparison, tab: Tab) -> Box<dyn Iterator<Item = Entry<'_>> + '_> {
    let paired = found.pairs.iter().map(|pair| Entry {
        first: Some(&pair.first),
        second: Some(&pair.second),
    });
    let is_in = move |entry: &Entry| {
        let change = entry.difference(Measure::Accepted);
        match tab {
            Tab::Worse => change < 0.0,
            Tab::Better => change > 0.0,
            Tab::Same => change == 0.0,
            Tab::Both | Tab::Only => true,
        }
    };
    if tab == Tab::Only {
        return Box::new(found.alone.iter().map(|alone| Entry {
            first: (!alone.is_in_second).then_some(&alone.side),
            second: alone.is_in_second.then_some(&alone.side),
        }));
    }
    Box::new(paired.filter(is_in))
}
