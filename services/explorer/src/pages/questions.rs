//! Questions: a table of outcomes, filtered, sorted and searched; the address holds all of that.

mod columns;
mod export;
mod export_row;
mod filters;
mod table;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use contracts::value::now;
use maud::{Markup, html};

use self::filters::{Filters, active};
use self::table::rows;
use super::layout::{Problem, Section, Visit};
use crate::filler::Reading;
use crate::index::facet::Choices;
use crate::index::query::{Order, Place, Query, Refused, Run};
use crate::index::search::{self, MOST_HITS, Page};
use crate::language::Language;
use crate::web::App;

/// The addresses of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/questions", get(show))
        .route("/questions.csv", get(export::csv))
        .route("/questions.jsonl", get(export::json_lines))
}

async fn show(visit: Visit, State(app): State<App>, RawQuery(text): RawQuery) -> Result<Markup, Problem> {
    let query = parse(&visit, text)?;
    let now = now().as_millisecond();
    let read = app.index.read(move |index| {
        let snapshot = index.unchecked_transaction()?;
        let (mut query, choices) = search::settle(&snapshot, query)?;
        // Pinned: whatever is decided while somebody reads moves nothing.
        query.until.get_or_insert(now);
        let page = search::page(&snapshot, &query)?;
        Ok((query, choices, page))
    });
    let (query, choices, page) = read.await.map_err(|error| visit.unread(&error))?;
    let list = List {
        visit: &visit,
        query: &query,
        choices: &choices,
        page: &page,
        reading: app.reading(),
        now,
    };
    Ok(list.draw())
}

/// Reads the address, or says what is wrong with it, with a link that keeps the rest.
fn parse(visit: &Visit, text: Option<String>) -> Result<Query, Problem> {
    Query::parse(&text.unwrap_or_default(), &[]).map_err(|refused| {
        let content = refusal(visit.language, &refused);
        let title = visit
            .language
            .say("This address cannot be used", "Esta dirección no sirve");
        Problem(StatusCode::BAD_REQUEST, visit.page(Section::Questions, title, &content))
    })
}

fn refusal(l: Language, refused: &Refused) -> Markup {
    html! {
        h1 { (l.say("This address cannot be used", "Esta dirección no sirve")) }
        ul {
            @for bad in &refused.problems {
                li {
                    code { (bad.name) "=" (bad.value) } ": "
                    (l.say("allowed is ", "se admite ")) (l.say(bad.allowed.0, bad.allowed.1))
                }
            }
        }
        p { a.button href=(link(l, &refused.rest)) { (l.say("Show the list without that", "Mostrar la lista sin eso")) } }
    }
}

/// The address of a list.
fn link(l: Language, query: &Query) -> String {
    address(l, "/questions", query)
}

fn address(l: Language, path: &str, query: &Query) -> String {
    let printed = query.print();
    let mark = if printed.is_empty() { "" } else { "?" };
    l.link(format_args!("{path}{mark}{printed}"))
}

/// The page, from what was read for it.
struct List<'a> {
    visit: &'a Visit,
    query: &'a Query,
    choices: &'a Choices,
    page: &'a Page,
    reading: Option<Reading>,
    now: i64,
}

impl List<'_> {
    fn draw(&self) -> Markup {
        let l = self.visit.language;
        let title = l.say("Questions", "Preguntas");
        let content = html! {
            h1 { (title) }
            p.summary { (self.summary()) }
            @if let Some(reading) = self.reading { (filling(l, reading)) }
            (self.presets())
            details.filtering open {
                summary { (l.say("Filters", "Filtros")) }
                (Filters {
                    language: l,
                    query: self.query,
                    choices: self.choices,
                })
            }
            (self.bar())
            @if self.page.rows.is_empty() { (self.empty()) } @else { (rows(l, self.query, &self.page.rows, self.now)) (self.pager()) }
        };
        self.visit.page(Section::Questions, title, &content)
    }

    /// How many there are, in words.
    fn summary(&self) -> Markup {
        let l = self.visit.language;
        let counts = &self.page.counts;
        let (matching, of) = (l.count(counts.matching), l.count(counts.of));
        html! {
            @if counts.are_more { (l.say("More than ", "Más de ")) }
            strong { (matching) }
            (l.say(" of ", " de ")) (of)
            @match &self.query.filter.run {
                Run::Named(run) => { (l.say(" outcomes of run ", " resultados de la ejecución ")) bdi { (run) } (l.say(" match.", " coinciden.")) }
                _ => (l.say(" outcomes match.", " resultados coinciden.")),
            }
            @if self.query.order.distinct {
                " " (l.say("Equal answers to a question share a row.", "Las respuestas iguales a una pregunta comparten una fila."))
            }
            @if counts.are_more {
                " " (l.say("These words are in very many: the newest ", "Estas palabras están en muchísimos: se buscó en los "))
                (l.count(MOST_HITS as u64))
                (l.say(" with them were looked through; a run or a time narrows it.", " más recientes con ellas; una ejecución o un tiempo lo reducen."))
            }
        }
    }

    fn presets(&self) -> Markup {
        let l = self.visit.language;
        html! {
            nav.presets aria-label=(l.say("Ready-made lists", "Listas preparadas")) {
                @for (name, query) in filters::presets(l, &self.query.filter.run) {
                    @let query = Query { columns: self.query.columns.clone(), ..query };
                    @let is_this = query.filter == self.query.filter && query.order == self.query.order;
                    a href=(link(l, &query)) aria-current=[is_this.then_some("true")] { (name) }
                }
            }
        }
    }

    /// What can be done with the whole list.
    fn bar(&self) -> Markup {
        let l = self.visit.language;
        let all = self.query.at(Place::First);
        let newer = self.page.counts.newer;
        html! {
            p.whole-list {
                span { (l.say("All that match:", "Todo lo que coincide:")) }
                a href=(address(l, "/questions.csv", &all)) download { "CSV" }
                a href=(address(l, "/questions.jsonl", &all)) download { "JSON Lines" }
                a href=(link(l, self.query)) id="copy" data-copied=(l.say("Copied", "Copiado")) { (l.say("Link to this list", "Enlace a esta lista")) }
                @if newer > 0 {
                    a.newer href=(link(l, &self.query.newest())) { "⟳ " (l.count(newer)) (l.say(" newer", " más recientes")) }
                }
            }
        }
    }

    fn pager(&self) -> Markup {
        let l = self.visit.language;
        let ends = (self.page.rows.first(), self.page.rows.last());
        let (before, after) = (
            ends.0.map(|row| Place::Before(row.rank)),
            ends.1.map(|row| Place::After(row.rank)),
        );
        let steps = [
            (
                "« ",
                l.say("First", "Primera"),
                Some(Place::First),
                self.page.has_previous,
            ),
            ("‹ ", l.say("Previous", "Anterior"), before, self.page.has_previous),
            ("› ", l.say("Next", "Siguiente"), after, self.page.has_next),
            ("» ", l.say("Last", "Última"), Some(Place::Last), self.page.has_next),
        ];
        html! {
            nav.pager aria-label=(l.say("Pages of the list", "Páginas de la lista")) {
                @for (sign, name, place, is_there) in steps {
                    @match place.filter(|_| is_there) {
                        Some(place) => a.button href=(link(l, &self.query.at(place))) { span aria-hidden="true" { (sign) } (name) },
                        None => span.button.quiet aria-disabled="true" { span aria-hidden="true" { (sign) } (name) },
                    }
                }
            }
        }
    }

    /// Says what was asked for, each with a link that removes just that.
    fn empty(&self) -> Markup {
        let l = self.visit.language;
        let active = active(l, self.query);
        html! {
            @if active.is_empty() {
                p.warning { (l.say("Nothing is decided yet. ", "Aún no se ha decidido nada. ")) code { "make traffic" } (l.say(" asks questions.", " hace preguntas.")) }
            } @else {
                p.warning { (l.say("Nothing matches all of this:", "Nada coincide con todo esto:")) }
                ul.active {
                    @for (what, without) in active {
                        li {
                            bdi { (what) } " "
                            a href=(link(l, &without)) { (l.say("remove", "quitar")) span.unseen { " " (what) } }
                        }
                    }
                }
            }
            @if self.page.has_previous || self.page.has_next {
                p { a.button href=(link(l, &self.query.at(Place::First))) { (l.say("To the first page", "A la primera página")) } }
            }
        }
    }
}

/// Says that not all is listed yet.
fn filling(l: Language, reading: Reading) -> Markup {
    let share = reading.done as f64 / reading.of.max(1) as f64;
    html! {
        p.warning {
            (l.say("The list is being filled: it and its search cover ", "La lista se está llenando: ella y su búsqueda abarcan por ahora el "))
            (l.percent(share.min(1.0))) (l.say(" of the results so far.", " de los resultados."))
        }
    }
}

/// The same outcomes, by this value; the other way round where they are by it already.
fn sorted(query: &Query, order: Order) -> Query {
    let is_this = query.order.sort == order.sort;
    let descending = if is_this {
        !query.order.descending
    } else {
        order.descending
    };
    query.ordered(Order {
        descending,
        distinct: is_this && query.order.distinct,
        ..order
    })
}

#[cfg(test)]
mod tests;
