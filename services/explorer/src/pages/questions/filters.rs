//! The form that filters the list, and the lists that are ready-made.

use std::collections::BTreeSet;

use contracts::message::{Source, Verdict};
use maud::{Markup, Render, html};

use super::columns::chooser;
use crate::index::facet::Choices;
use crate::index::query::{Attempts, Filter, ONE, Order, Place, Query, Run, Sort, time};
use crate::language::Language;

const VERDICTS: [Verdict; 3] = [Verdict::Accepted, Verdict::Exhausted, Verdict::Error];
const SOURCES: [Source; 4] = [Source::Llm, Source::Cache, Source::Mongodb, Source::Coalesced];

/// The form.
pub struct Filters<'a> {
    pub language: Language,
    pub query: &'a Query,
    pub choices: &'a Choices,
}

/// The ready-made lists of a run.
pub fn presets(l: Language, run: &Run) -> Vec<(&'static str, Query)> {
    let filter = || Filter {
        run: run.clone(),
        ..Filter::default()
    };
    let distinct = |descending| Order {
        distinct: true,
        ..Order::by(Sort::Score, descending)
    };
    let unsure = Filter {
        unsure: true,
        ..filter()
    };
    let errors = Filter {
        verdict: Some(Verdict::Error),
        ..filter()
    };
    let again = Filter {
        attempts: Some(Attempts::AtLeast(2)),
        ..filter()
    };
    vec![
        (l.say("Newest", "Recientes"), Query::of(filter(), Order::default())),
        (l.say("Worst", "Peores"), Query::worst(run.clone())),
        (l.say("Best", "Mejores"), Query::of(filter(), distinct(true))),
        (l.say("Unsure", "Dudosas"), Query::of(unsure, distinct(false))),
        (l.say("Errors", "Errores"), Query::of(errors, Order::default())),
        (
            l.say("Asked again", "Preguntadas otra vez"),
            Query::of(again, Order::by(Sort::Attempts, true)),
        ),
        (
            l.say("Slowest", "Más lentas"),
            Query::of(filter(), Order::by(Sort::Latency, true)),
        ),
        (
            l.say("Dearest", "Más caras"),
            Query::of(filter(), Order::by(Sort::Cost, true)),
        ),
    ]
}

/// What filters a list, in words, each with the list without that.
pub fn active(l: Language, query: &Query) -> Vec<(String, Query)> {
    let filter = &query.filter;
    let without = |change: fn(&mut Filter)| {
        let mut query = query.at(Place::First);
        change(&mut query.filter);
        query
    };
    let mut active = vec![];
    let mut say = |name: &str, value: Option<String>, change: fn(&mut Filter)| {
        active.extend(value.map(|value| (format!("{name}: {value}"), without(change))));
    };
    let run = match &filter.run {
        Run::Named(run) => Some(run.clone()),
        Run::Newest | Run::Any => None,
    };
    let score = |millionths: u32| (f64::from(millionths) / f64::from(ONE)).to_string();
    say(l.say("Run", "Ejecución"), run, |filter| filter.run = Run::Any);
    say(
        l.say("Verdict", "Veredicto"),
        filter.verdict.map(|verdict| l.verdict(verdict).to_owned()),
        |filter| filter.verdict = None,
    );
    say(
        l.say("Source", "Fuente"),
        filter.source.map(|source| l.source(source).to_owned()),
        |filter| filter.source = None,
    );
    say(l.say("Subject", "Tema"), filter.subject.clone(), |filter| {
        filter.subject = None
    });
    say(
        l.say("Attempts", "Intentos"),
        filter.attempts.map(|attempts| self::attempts(l, attempts)),
        |filter| filter.attempts = None,
    );
    say(l.say("Error", "Error"), filter.error.clone(), |filter| {
        filter.error = None
    });
    let unsure = filter.unsure.then(|| l.say("yes", "sí").to_owned());
    say(l.say("Unsure", "Dudosa"), unsure, |filter| filter.unsure = false);
    say(
        l.say("Score from", "Puntuación desde"),
        filter.score_from.map(score),
        |filter| filter.score_from = None,
    );
    say(
        l.say("Score to", "Puntuación hasta"),
        filter.score_to.map(score),
        |filter| filter.score_to = None,
    );
    say(l.say("From", "Desde"), filter.from.map(time), |filter| {
        filter.from = None
    });
    say(l.say("To", "Hasta"), filter.to.map(time), |filter| filter.to = None);
    say(l.say("Words", "Palabras"), filter.words.clone(), |filter| {
        filter.words = None
    });
    active
}

fn attempts(l: Language, attempts: Attempts) -> String {
    match attempts {
        Attempts::Exactly(count) => count.to_string(),
        Attempts::AtLeast(count) => format!("{count}{}", l.say(" or more", " o más")),
    }
}

impl Render for Filters<'_> {
    fn render(&self) -> Markup {
        let (l, Self { query, choices, .. }) = (self.language, self);
        let filter = &query.filter;
        html! {
            form.filters method="get" action=(l.link("/questions")) role="search" {
                (self.choice(l.say("Run", "Ejecución"), "run", &named(&choices.runs, run(filter))))
                (self.choice(l.say("Verdict", "Veredicto"), "verdict", &VERDICTS.map(|verdict| (value(&verdict), l.verdict(verdict).to_owned()))))
                (self.choice(l.say("Subject", "Tema"), "topic", &named(numbers_first(&choices.subjects), filter.subject.as_ref())))
                (self.choice(l.say("Source", "Fuente"), "source", &SOURCES.map(|source| (value(&source), l.source(source).to_owned()))))
                (self.choice(l.say("Attempts", "Intentos"), "attempts", &self.attempts()))
                (self.choice(l.say("Error", "Error"), "error", &named(&choices.errors, filter.error.as_ref())))
                fieldset {
                    legend { (l.say("Score", "Puntuación")) }
                    (self.field("score_from", "number", l.say("Score from", "Puntuación desde"), "0", "any"))
                    " – "
                    (self.field("score_to", "number", l.say("Score to", "Puntuación hasta"), "1", "any"))
                }
                fieldset {
                    legend { (l.say("Decided (UTC)", "Decidida (UTC)")) }
                    (self.field("from", "datetime-local", l.say("From", "Desde"), "", "0.001"))
                    " – "
                    (self.field("to", "datetime-local", l.say("To", "Hasta"), "", "0.001"))
                }
                label.words {
                    (l.say("Words", "Palabras"))
                    input type="search" name="words" value=[filter.words.as_ref()] placeholder=(l.say("in questions and answers", "en preguntas y respuestas"));
                }
                label.check { input type="checkbox" name="unsure" value="yes" checked[filter.unsure]; " " (l.say("Unsure only", "Solo dudosas")) }
                @for (name, value) in query.pairs().iter().filter(|(name, _)| ["sort", "order", "distinct"].contains(name)) {
                    input type="hidden" name=(name) value=(value);
                }
                (chooser(l, query))
                button.first { (l.say("Apply", "Aplicar")) }
                a.button href=(l.link("/questions")) { (l.say("Clear", "Limpiar")) }
            }
        }
    }
}

impl Filters<'_> {
    fn value(&self, name: &str) -> Option<String> {
        self.query
            .pairs()
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    fn choice(&self, label: &str, name: &str, choices: &[(String, String)]) -> Markup {
        let chosen = self.value(name).unwrap_or_default();
        html! {
            label {
                (label)
                select name=(name) {
                    option value="" { (self.language.say("any", "cualquiera")) }
                    @for (value, shown) in choices { option value=(value) selected[*value == chosen] { (shown) } }
                }
            }
        }
    }

    fn field(&self, name: &str, kind: &str, label: &str, example: &str, step: &str) -> Markup {
        let value = self.value(name).map(|value| value.trim_end_matches('Z').to_owned());
        let most = (kind == "number").then_some("1");
        html! {
            input type=(kind) name=(name) value=[value] aria-label=(label) placeholder=(example) step=(step) min=[most.map(|_| "0")] max=[most];
        }
    }

    fn attempts(&self) -> Vec<(String, String)> {
        let there = self.choices.attempts.iter().map(|&count| Attempts::Exactly(count));
        let mut all: Vec<Attempts> = there.chain([Attempts::AtLeast(2)]).collect();
        if let Some(chosen) = self.query.filter.attempts.filter(|chosen| !all.contains(chosen)) {
            all.push(chosen);
        }
        let value = |attempts: Attempts| match attempts {
            Attempts::Exactly(count) => count.to_string(),
            Attempts::AtLeast(count) => format!("{count}.."),
        };
        all.into_iter()
            .map(|count| (value(count), attempts(self.language, count)))
            .collect()
    }
}

fn run(filter: &Filter) -> Option<&String> {
    match &filter.run {
        Run::Named(run) => Some(run),
        Run::Newest | Run::Any => None,
    }
}

/// What there is, and what is chosen, though there may be none of it.
fn named<'a>(there: impl IntoIterator<Item = &'a String>, chosen: Option<&'a String>) -> Vec<(String, String)> {
    let mut names: Vec<&String> = there.into_iter().collect();
    names.extend(chosen.filter(|chosen| !names.contains(chosen)));
    names.into_iter().map(|name| (name.clone(), name.clone())).collect()
}

/// Numbers by their value; a dataset may have nothing else for its classes.
fn numbers_first(subjects: &BTreeSet<String>) -> Vec<&String> {
    let mut subjects: Vec<&String> = subjects.iter().collect();
    subjects.sort_by_key(|subject| subject.parse::<u64>().unwrap_or(u64::MAX));
    subjects
}

fn value<T: serde::Serialize>(variant: &T) -> String {
    crate::index::row::name(variant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_that_are_numbers_come_by_their_value() {
        let subjects = ["10", "Health", "2", "1"].map(str::to_owned).into();
        assert_eq!(numbers_first(&subjects), ["1", "2", "10", "Health"]);
    }
}
