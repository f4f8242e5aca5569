//! What the address of the page asks for; it is the whole state of the page.

use std::fmt::Display;

use crate::language::Language;
use crate::text::{encoded, visible};

/// Most runs that are compared on one page.
pub const MOST_RUNS: usize = 6;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Address {
    /// The runs, in the order in which they are named. A name is any text, with commas too: so each has a `run=` of its
    /// own.
    pub runs: Vec<String>,
    /// The one that the others are compared with.
    pub base: Option<String>,
    /// The one whose questions are listed.
    pub against: Option<String>,
    pub tab: Option<Tab>,
    pub sort: Sort,
    pub is_reversed: bool,
    pub place: Place,
}

/// Where a list goes on.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Place {
    #[default]
    First,
    /// After a row.
    After(String),
    /// Before a row; or, of none, the end.
    Before(String),
}

/// Which questions are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Worse,
    Better,
    Same,
    /// All that both asked, where verdicts are not compared.
    Both,
    Only,
}

/// By what they are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// By the change of the verdict, then of the score.
    #[default]
    Change,
    /// By the score in the base.
    First,
    /// By the score in the other run.
    Second,
}

impl Place {
    /// What is said of a place that no list has.
    pub fn unusable(&self, l: Language) -> String {
        let (name, value) = match self {
            Self::First => ("after", ""),
            Self::After(row) => ("after", row.as_str()),
            Self::Before(row) => ("before", row.as_str()),
        };
        unusable(
            name,
            value,
            l.say("what a link of the list has", "lo que tiene un enlace de la lista"),
            l,
        )
    }
}

impl Tab {
    pub const ALL: [Self; 5] = [Self::Worse, Self::Better, Self::Same, Self::Both, Self::Only];

    fn name(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Same => "same",
            Self::Both => "both",
            Self::Only => "only",
        }
    }
}

impl Sort {
    pub const ALL: [Self; 3] = [Self::Change, Self::First, Self::Second];

    fn name(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::First => "first",
            Self::Second => "second",
        }
    }
}

impl Address {
    /// Reads the parameters of an address; those of others are passed over.
    ///
    /// # Errors
    /// Which one cannot be used, and what is allowed.
    pub fn of(parameters: Vec<(String, String)>, l: Language) -> Result<Self, String> {
        let mut address = Self::default();
        for (name, value) in parameters {
            match name.as_str() {
                "run" if value.is_empty() || address.runs.contains(&value) => {}
                "run" => address.runs.push(value),
                "base" => address.base = Some(value),
                "against" => address.against = Some(value),
                "tab" => address.tab = Some(one_of(&name, &value, &Tab::ALL, Tab::name, l)?),
                "sort" => address.sort = one_of(&name, &value, &Sort::ALL, Sort::name, l)?,
                "order" => address.is_reversed = one_of(&name, &value, &[true], |_| "reversed", l)?,
                "after" => address.place = Place::After(value),
                "before" => address.place = Place::Before(value),
                _ => {}
            }
        }
        address.check(l).map(|()| address)
    }

    fn check(&self, l: Language) -> Result<(), String> {
        let count = self.runs.len();
        if count > MOST_RUNS {
            return Err(l.say(
                format!("run= names {count} runs; allowed are at most {MOST_RUNS}"),
                format!("run= nombra {count} ejecuciones; se admiten {MOST_RUNS} como máximo"),
            ));
        }
        for (name, value) in [("base", &self.base), ("against", &self.against)] {
            if let Some(value) = value.as_ref().filter(|value| !self.runs.contains(value)) {
                return Err(unusable(
                    name,
                    value,
                    l.say("one of the runs that run= names", "una de las ejecuciones de run="),
                    l,
                ));
            }
        }
        if self.against.is_some() && self.against == self.base {
            let value = self.against.as_deref().unwrap_or_default();
            return Err(unusable(
                "against",
                value,
                l.say("another run than base=", "otra ejecución que base="),
                l,
            ));
        }
        Ok(())
    }

    /// The address of the page.
    pub fn link(&self, l: Language) -> String {
        let mut parts = vec![];
        let mut add = |name: &str, value: &str| parts.push(format!("{name}={}", encoded(value)));
        self.runs.iter().for_each(|run| add("run", run));
        if let Some(base) = &self.base {
            add("base", base);
        }
        if let Some(against) = &self.against {
            add("against", against);
        }
        if let Some(tab) = self.tab {
            add("tab", tab.name());
        }
        if self.sort != Sort::default() {
            add("sort", self.sort.name());
        }
        if self.is_reversed {
            add("order", "reversed");
        }
        match &self.place {
            Place::First => {}
            Place::After(row) => add("after", row),
            Place::Before(row) => add("before", row),
        }
        l.link(format!("/compare?{}", parts.join("&")))
    }

    /// The same, with another part of the list.
    pub fn at(&self, place: Place) -> Self {
        Self { place, ..self.clone() }
    }

    /// The same, with another list from its start.
    pub fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut other = Self {
            sort: Sort::default(),
            is_reversed: false,
            ..self.at(Place::First)
        };
        change(&mut other);
        other
    }
}

fn one_of<T: Copy>(name: &str, value: &str, all: &[T], named: fn(T) -> &'static str, l: Language) -> Result<T, String> {
    let found = all.iter().copied().find(|&one| named(one) == value);
    found.ok_or_else(|| {
        unusable(
            name,
            value,
            all.iter().map(|&one| named(one)).collect::<Vec<_>>().join(", "),
            l,
        )
    })
}

/// What is said of a parameter that cannot be used.
fn unusable(name: &str, value: &str, allowed: impl Display, l: Language) -> String {
    let value = visible(value);
    l.say(
        format!("{name}={value} cannot be used; allowed is {allowed}"),
        format!("{name}={value} no sirve; se admite {allowed}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parameters: &[(&str, &str)]) -> Result<Address, String> {
        let owned = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Address::of(owned.collect(), Language::English)
    }

    #[test]
    fn an_address_that_is_written_is_the_one_that_was_read() {
        let parameters = [
            ("run", "a,b"),
            ("run", "c&d=ñ"),
            ("base", "c&d=ñ"),
            ("against", "a,b"),
            ("tab", "same"),
            ("sort", "second"),
            ("order", "reversed"),
            ("after", "-1_0.5_7"),
        ];
        let read = of(&parameters).unwrap();
        assert_eq!(read.runs, ["a,b", "c&d=ñ"]);
        assert_eq!(
            read.link(Language::Spanish),
            "/es/compare?run=a%2Cb&run=c%26d%3D%C3%B1&base=c%26d%3D%C3%B1&against=a%2Cb&tab=same&sort=second&order=reversed\
             &after=-1_0.5_7"
        );
    }

    #[test]
    fn what_cannot_be_used_is_named_with_what_is_allowed() {
        let refusal = |parameters: &[(&str, &str)]| of(parameters).unwrap_err();
        assert_eq!(
            refusal(&[("tab", "x\u{202e}")]),
            "tab=x⟨U+202E⟩ cannot be used; allowed is worse, better, same, both, only"
        );
        assert!(
            refusal(&[("run", "a"), ("base", "b")]).starts_with("base=b cannot be used; allowed is one of the runs")
        );
        let same = [("run", "a"), ("run", "b"), ("base", "a"), ("against", "a")];
        assert!(refusal(&same).contains("another run than base="));
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        assert!(refusal(&names.map(|name| ("run", name))).contains("names 7 runs; allowed are at most 6"));
    }

    #[test]
    fn a_run_that_is_named_twice_is_compared_once() {
        assert_eq!(of(&[("run", "a"), ("run", ""), ("run", "a")]).unwrap().runs, ["a"]);
    }
}
