//! The columns that a list shows where somebody asks for them.

use maud::{Markup, html};

use crate::index::query::{Column, Query};
use crate::index::search::Shown;
use crate::language::Language;
use crate::text::visible;

/// What it is called.
pub fn name(l: Language, column: Column) -> &'static str {
    match column {
        Column::Model => l.say("Model", "Modelo"),
        Column::Cost => l.say("Cost, USD", "Coste, USD"),
        Column::Tokens => l.say("Tokens sent / received", "Tokens enviados / recibidos"),
        Column::Run => l.say("Run", "Ejecución"),
    }
}

/// The class of its cells: numbers stand to the right.
pub fn class(column: Column) -> Option<&'static str> {
    matches!(column, Column::Cost | Column::Tokens).then_some("number")
}

/// What an outcome has there; cost and tokens are those of all its attempts.
pub fn value(l: Language, column: Column, shown: &Shown) -> Markup {
    let text = |text: &Option<String>| html! { bdi { (visible(text.as_deref().unwrap_or("–"))) } };
    match column {
        Column::Model => text(&shown.model),
        Column::Run => text(&shown.run),
        Column::Cost => html! {
            @match shown.cost { Some(cost) => (l.dollars(cost.unsigned_abs())), None => "–" }
        },
        Column::Tokens => html! {
            @match shown.tokens { Some((sent, received)) => { (l.whole(sent)) " / " (l.whole(received)) }, None => "–" }
        },
    }
}

/// Chooses them, as a part of the form.
pub fn chooser(l: Language, query: &Query) -> Markup {
    html! {
        details.columns {
            summary {
                (l.say("More columns", "Más columnas"))
                @if !query.columns.is_empty() { " (" (query.columns.len()) ")" }
            }
            @for column in Column::ALL {
                label.check {
                    input type="checkbox" name="columns" value=(column.name()) checked[query.columns.contains(&column)];
                    " " (name(l, column))
                }
            }
        }
    }
}
