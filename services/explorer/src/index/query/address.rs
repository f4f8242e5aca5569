//! A [`Query`] as the part of an address after the question mark, and back.

use contracts::message::{Source, Verdict};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;

use super::{Attempts, Column, ONE, Order, Place, Query, Rank, Run, Sort, words};
use crate::index::row::{LATEST, name};

/// What is allowed, in English and Spanish.
pub type Allowed = (&'static str, &'static str);

/// A parameter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadParameter {
    pub name: String,
    pub value: String,
    pub allowed: Allowed,
}

/// An address that cannot be used: why, and what it is without that.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    pub problems: Vec<BadParameter>,
    pub rest: Query,
}

const VERDICT: Allowed = ("accepted, exhausted, error", "accepted, exhausted, error");
const SOURCE: Allowed = ("llm, cache, mongodb, coalesced", "llm, cache, mongodb, coalesced");
const ATTEMPTS: Allowed = (
    "a whole number, or 2.. for 2 and more",
    "un número entero, o 2.. para 2 y más",
);
const UNSURE: Allowed = ("yes", "yes");
const SCORE: Allowed = ("a number from 0 to 1", "un número de 0 a 1");
const TIME: Allowed = (
    "a time in UTC such as 2026-03-01T12:00:00Z, from 1970 to 2109",
    "una hora en UTC como 2026-03-01T12:00:00Z, de 1970 a 2109",
);
const WORDS: Allowed = ("a text with letters or digits", "un texto con letras o cifras");
const SORT: Allowed = (
    "decided, score, latency, cost, attempts",
    "decided, score, latency, cost, attempts",
);
const ORDER: Allowed = ("asc, desc", "asc, desc");
const DISTINCT: Allowed = ("yes, with sort=score", "yes, con sort=score");
const PLACE: Allowed = (
    "last, or after: or before: and what a link of the list has there",
    "last, o after: o before: y lo que tiene ahí un enlace de la lista",
);
const COLUMNS: Allowed = (
    "model, cost, tokens, run, several with commas between them",
    "model, cost, tokens, run, varias con comas entre ellas",
);
const NAME: Allowed = (
    "run, verdict, source, topic, attempts, error, unsure, score_from, score_to, from, to, words, sort, order, \
     distinct, until, at, columns",
    "run, verdict, source, topic, attempts, error, unsure, score_from, score_to, from, to, words, sort, order, \
     distinct, until, at, columns",
);

impl Query {
    /// Reads what stands after the question mark of an address. `others` are names that say something else there.
    ///
    /// # Errors
    /// Parameters that are not known, or whose value cannot be used.
    pub fn parse(text: &str, others: &[&str]) -> Result<Self, Box<Refused>> {
        let mut query = Self::default();
        let mut problems = vec![];
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if others.contains(&&*name) {
                continue;
            }
            if let Err(allowed) = query.set(&name, value.trim()) {
                problems.push(BadParameter {
                    name: name.into_owned(),
                    value: value.into_owned(),
                    allowed,
                });
            }
        }
        if query.order.distinct && query.order.sort != Sort::Score {
            query.order.distinct = false;
            problems.push(BadParameter {
                name: "distinct".into(),
                value: "yes".into(),
                allowed: DISTINCT,
            });
        }
        if problems.is_empty() {
            return Ok(query);
        }
        Err(Box::new(Refused { problems, rest: query }))
    }

    /// Sets what a parameter says; an empty one, as forms send it, says nothing, but that any run is meant.
    fn set(&mut self, name: &str, value: &str) -> Result<(), Allowed> {
        let filter = &mut self.filter;
        match name {
            "run" if value.is_empty() => filter.run = Run::Any,
            "run" => filter.run = Run::Named(value.to_owned()),
            _ if value.is_empty() && NAME.0.split(", ").any(|known| known == name) => {}
            "verdict" => filter.verdict = Some(variant::<Verdict>(value).ok_or(VERDICT)?),
            "source" => filter.source = Some(variant::<Source>(value).ok_or(SOURCE)?),
            "topic" => filter.subject = Some(value.to_owned()),
            "attempts" => filter.attempts = Some(attempts(value).ok_or(ATTEMPTS)?),
            "error" => filter.error = Some(value.to_owned()),
            "unsure" => filter.unsure = (value == "yes").then_some(true).ok_or(UNSURE)?,
            "score_from" => filter.score_from = Some(score(value).ok_or(SCORE)?),
            "score_to" => filter.score_to = Some(score(value).ok_or(SCORE)?),
            "from" => filter.from = Some(milliseconds(value).ok_or(TIME)?),
            "to" => filter.to = Some(milliseconds(value).ok_or(TIME)?),
            "words" => {
                words(value).next().ok_or(WORDS)?;
                filter.words = Some(value.to_owned());
            }
            "sort" => self.order.sort = Sort::ALL.into_iter().find(|sort| sort.name() == value).ok_or(SORT)?,
            "order" => self.order.descending = one_of(value, ["asc", "desc"]).ok_or(ORDER)?,
            "distinct" => self.order.distinct = (value == "yes").then_some(true).ok_or(DISTINCT)?,
            "until" => self.until = Some(milliseconds(value).ok_or(TIME)?),
            "at" => self.place = place(value).ok_or(PLACE)?,
            "columns" => self.columns.extend(columns(value).ok_or(COLUMNS)?),
            _ => return Err(NAME),
        }
        Ok(())
    }

    /// What stands after the question mark of an address.
    pub fn print(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.pairs())
            .finish()
    }

    /// The parameters that say something, with their values.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let Self {
            filter,
            order,
            until,
            place,
            columns,
        } = self;
        let default = Order::default();
        let run = match &filter.run {
            Run::Newest => None,
            Run::Any => Some(String::new()),
            Run::Named(run) => Some(run.clone()),
        };
        let attempts = filter.attempts.map(|attempts| match attempts {
            Attempts::Exactly(count) => count.to_string(),
            Attempts::AtLeast(count) => format!("{count}.."),
        });
        let at = match place {
            Place::First => None,
            Place::After(Rank(value, tie)) => Some(format!("after:{value}.{tie}")),
            Place::Before(Rank(value, tie)) => Some(format!("before:{value}.{tie}")),
            Place::Last => Some("last".to_owned()),
        };
        let columns: Vec<&str> = columns.iter().map(|column| column.name()).collect();
        let score = |millionths: u32| (f64::from(millionths) / f64::from(ONE)).to_string();
        let pairs = [
            ("run", run),
            ("verdict", filter.verdict.as_ref().map(name)),
            ("source", filter.source.as_ref().map(name)),
            ("topic", filter.subject.clone()),
            ("attempts", attempts),
            ("error", filter.error.clone()),
            ("unsure", filter.unsure.then(|| "yes".to_owned())),
            ("score_from", filter.score_from.map(score)),
            ("score_to", filter.score_to.map(score)),
            ("from", filter.from.map(time)),
            ("to", filter.to.map(time)),
            ("words", filter.words.clone()),
            (
                "sort",
                (order.sort != default.sort).then(|| order.sort.name().to_owned()),
            ),
            ("order", (!order.descending).then(|| "asc".to_owned())),
            ("distinct", order.distinct.then(|| "yes".to_owned())),
            ("until", until.map(time)),
            ("at", at),
            ("columns", (!columns.is_empty()).then(|| columns.join(","))),
        ];
        pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

fn variant<T: DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(name.into()).ok()
}

fn one_of(value: &str, [no, yes]: [&str; 2]) -> Option<bool> {
    (value == yes).then_some(true).or((value == no).then_some(false))
}

fn attempts(value: &str) -> Option<Attempts> {
    match value.strip_suffix("..") {
        Some(count) => count.parse().ok().map(Attempts::AtLeast),
        None => value.parse().ok().map(Attempts::Exactly),
    }
}

fn score(value: &str) -> Option<u32> {
    let score: f64 = value.parse().ok()?;
    (0.0..=1.0)
        .contains(&score)
        .then(|| (score * f64::from(ONE)).round() as u32)
}

/// A time in milliseconds, as an address has it.
pub fn time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .map(|time| time.to_string())
        .unwrap_or_default()
}

/// Reads a time, in UTC if it has no offset: a browser's field for times has none.
fn milliseconds(value: &str) -> Option<i64> {
    let time = value.parse::<Timestamp>().ok().or_else(|| {
        let local: DateTime = value.parse().ok()?;
        TimeZone::UTC.to_timestamp(local).ok()
    })?;
    let milliseconds = time.as_millisecond();
    (0..=LATEST).contains(&milliseconds).then_some(milliseconds)
}

/// A form sends them one by one, a link has them in one.
fn columns(value: &str) -> Option<Vec<Column>> {
    let named = |name: &str| Column::ALL.into_iter().find(|column| column.name() == name.trim());
    value.split(',').map(named).collect()
}

fn place(value: &str) -> Option<Place> {
    if value == "last" {
        return Some(Place::Last);
    }
    let (side, rank) = value.split_once(':')?;
    let (value, tie) = rank.split_once('.')?;
    let rank = Rank(value.parse().ok()?, tie.parse().ok()?);
    match side {
        "after" => Some(Place::After(rank)),
        "before" => Some(Place::Before(rank)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
