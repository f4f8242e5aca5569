//! Which outcomes a list shows, in which order and from which place on.
//!
//! All of it stands in the address of the list, and of whatever was opened from it: [`Query::parse`] reads it, and
//! [`Query::print`] writes it.

mod address;

use std::collections::BTreeSet;

use contracts::message::{Source, Verdict};
use unicode_normalization::char::is_combining_mark;

pub use self::address::{Refused, time};

/// Millionths: so finely a score is told apart.
pub const ONE: u32 = 1_000_000;

/// What a list shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    pub filter: Filter,
    pub order: Order,
    /// What was decided later is not shown, in milliseconds since 1970: a list does not move while it is read.
    pub until: Option<i64>,
    pub place: Place,
    pub columns: BTreeSet<Column>,
}

/// What an outcome must be to be shown; `None` is anything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    pub run: Run,
    pub verdict: Option<Verdict>,
    pub source: Option<Source>,
    pub subject: Option<String>,
    pub attempts: Option<Attempts>,
    pub error: Option<String>,
    /// Only those whose scores lie where the scorer errs often.
    pub unsure: bool,
    /// Scores, in millionths, from this one
    pub score_from: Option<u32>,
    /// to this one.
    pub score_to: Option<u32>,
    /// Decided at this time, in milliseconds since 1970, or later,
    pub from: Option<i64>,
    /// and at this one or earlier.
    pub to: Option<i64>,
    /// Words that must all be in question, references or answer.
    pub words: Option<String>,
}

/// Of which run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Run {
    /// The one that was decided last.
    #[default]
    Newest,
    /// Of any run, or none.
    Any,
    /// Of this one.
    Named(String),
}

/// How many times the model was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempts {
    Exactly(u32),
    AtLeast(u32),
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    pub sort: Sort,
    pub descending: bool,
    /// One row a distinct answer to a question: goes with [`Sort::Score`], as equal answers have equal scores.
    pub distinct: bool,
}

/// What a list is sorted by. What has no such value comes last, in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Decided,
    Score,
    Latency,
    Cost,
    Attempts,
}

/// A column that a list shows where somebody asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    Model,
    Cost,
    Tokens,
    Run,
}

/// Which part of the list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    #[default]
    First,
    After(Rank),
    Before(Rank),
    Last,
}

/// Where a row stands in the order of a list: the smaller one comes first. No two rows of a list share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(pub i64, pub i64);

impl Default for Order {
    fn default() -> Self {
        Self::by(Sort::Decided, true)
    }
}

impl Order {
    /// The order by a value, one row an outcome.
    pub fn by(sort: Sort, descending: bool) -> Self {
        Self {
            sort,
            descending,
            distinct: false,
        }
    }
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Decided, Self::Score, Self::Latency, Self::Cost, Self::Attempts];

    /// Its name in an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Score => "score",
            Self::Latency => "latency",
            Self::Cost => "cost",
            Self::Attempts => "attempts",
        }
    }
}

impl Column {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Model, Self::Cost, Self::Tokens, Self::Run];

    /// Its name in an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Cost => "cost",
            Self::Tokens => "tokens",
            Self::Run => "run",
        }
    }
}

impl Attempts {
    /// Whether so many are meant.
    pub fn include(self, attempts: u32) -> bool {
        match self {
            Self::Exactly(count) => attempts == count,
            Self::AtLeast(count) => attempts >= count,
        }
    }
}

impl Query {
    /// The answers of a run with the least scores, each answer once.
    pub fn worst(run: Run) -> Self {
        let filter = Filter {
            run,
            ..Filter::default()
        };
        let order = Order {
            distinct: true,
            ..Order::by(Sort::Score, false)
        };
        Self::of(filter, order)
    }

    /// The first rows of what this filter lets through, in an order.
    pub fn of(filter: Filter, order: Order) -> Self {
        Self {
            filter,
            order,
            ..Self::default()
        }
    }

    /// The same list, from another place on.
    pub fn at(&self, place: Place) -> Self {
        Self { place, ..self.clone() }
    }

    /// The same outcomes from the first one on, in another order.
    pub fn ordered(&self, order: Order) -> Self {
        Self {
            order,
            ..self.at(Place::First)
        }
    }

    /// The columns that are shown beside the usual ones: those asked for, and what the list is sorted by.
    pub fn shown_columns(&self) -> impl Iterator<Item = Column> {
        let is_shown = |column: &Column| {
            self.columns.contains(column) || (*column == Column::Cost && self.order.sort == Sort::Cost)
        };
        Column::ALL.into_iter().filter(is_shown)
    }

    /// The same list with what has been decided since.
    pub fn newest(&self) -> Self {
        Self {
            until: None,
            ..self.at(Place::First)
        }
    }
}

/// The words of a text that can be searched, as the index tells them apart.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_between = |letter: char| !letter.is_alphanumeric() && !is_combining_mark(letter);
    text.split(is_between)
        .filter(|word| word.chars().any(char::is_alphanumeric))
}
