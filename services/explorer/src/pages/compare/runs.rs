//! The list of runs, the newest first, of which some are chosen to be compared.

use std::collections::{BTreeSet, HashMap};

use contracts::value::now;
use jiff::Timestamp;
use maud::{Markup, html};
use mongodb::bson::DateTime;
use rusqlite::{Connection, params};

use super::address::{Address, Place};
use crate::index::{Index, ReadError};
use crate::language::Language;
use crate::pages::layout::{Problem, Visit};
use crate::store::runs::{After, RunMetrics};
use crate::text::{encoded, visible};
use crate::web::App;

const PAGE: usize = 50;
/// Outcomes of a run, at either end, that tell its models and scorers: to look at all would take too long.
const LOOKED_AT: i64 = 50;
/// How much of a scorer's hash is shown.
const HASH: usize = 8;

/// What a run was answered and scored by, at its beginning and its end.
#[derive(Debug, Default)]
pub struct Ends {
    pub models: Vec<String>,
    pub scorers: Vec<String>,
}

/// What a page of the list is made of.
pub struct List {
    pub runs: Vec<RunMetrics>,
    pub ends: HashMap<String, Ends>,
    /// What the runs came to that have no document of their own, on the last page.
    pub others: Option<RunMetrics>,
    pub is_there_more: bool,
}

impl List {
    fn has(&self, name: &str) -> bool {
        self.runs.iter().any(|run| run.run.as_deref() == Some(name))
    }
}

/// Reads and draws a page of the list.
///
/// # Errors
/// MongoDB or the index cannot be read, or the address has no place in the list.
pub async fn page(visit: &Visit, app: &App, address: &Address) -> Result<Markup, Problem> {
    let after = after(visit.language, &address.place).map_err(|why| visit.refused(why))?;
    let unreachable = |error| visit.unreachable(&error);
    let mut runs = app
        .store
        .runs(after.as_ref(), PAGE as i64 + 1)
        .await
        .map_err(unreachable)?;
    let is_there_more = runs.len() > PAGE;
    runs.truncate(PAGE);
    let others = if is_there_more {
        None
    } else {
        app.store.other_runs().await.map_err(unreachable)?
    };
    let ends = ends(&app.index, &runs).await.map_err(|error| visit.unread(&error))?;
    let list = List {
        runs,
        ends,
        others,
        is_there_more,
    };
    Ok(draw(visit.language, address, &list, now()))
}

/// Where the list goes on: a moment in milliseconds and a name.
fn after(l: Language, place: &Place) -> Result<Option<After>, String> {
    let Place::After(row) = place else {
        return Ok(None);
    };
    let read = row
        .split_once('_')
        .and_then(|(began_at, run)| Some((began_at.parse().ok()?, run)));
    let (began_at, run) = read.ok_or_else(|| place.unusable(l))?;
    Ok(Some(After {
        began_at: DateTime::from_millis(began_at),
        run: run.to_owned(),
    }))
}

async fn ends(index: &Index, runs: &[RunMetrics]) -> Result<HashMap<String, Ends>, ReadError> {
    let names: Vec<String> = runs.iter().filter_map(|run| run.run.clone()).collect();
    let of = |index: &Connection, name: String| ends_of(index, &name).map(|ends| (name, ends));
    index
        .read(move |index| names.into_iter().map(|name| of(index, name)).collect())
        .await
}

fn ends_of(index: &Connection, run: &str) -> rusqlite::Result<Ends> {
    let mut query = index.prepare_cached(
        "SELECT model, scorer FROM (SELECT * FROM results WHERE run = ?1 ORDER BY key LIMIT ?2) UNION ALL \
         SELECT model, scorer FROM (SELECT * FROM results WHERE run = ?1 ORDER BY key DESC LIMIT ?2)",
    )?;
    let mut rows = query.query(params![run, LOOKED_AT])?;
    let mut ends = Ends::default();
    while let Some(row) = rows.next()? {
        for (known, name) in [(&mut ends.models, row.get(0)?), (&mut ends.scorers, row.get(1)?)] {
            let name: Option<String> = name;
            known.extend(name.filter(|name| !known.contains(name)));
        }
    }
    Ok(ends)
}

/// Draws a page of the list.
pub fn draw(l: Language, address: &Address, list: &List, now: Timestamp) -> Markup {
    if list.runs.is_empty() && list.others.is_none() && address.place == Place::First {
        return html! {
            p { (l.say("No run has an outcome yet.", "Ninguna ejecución tiene resultados todavía.")) " " code { "make traffic" } " " (l.say("sends questions.", "envía preguntas.")) }
        };
    }
    html! {
        @if address.runs.is_empty() {
            p.summary { (l.say("Choose two or more and compare them, question by question.", "Elija dos o más y compárelas, pregunta por pregunta.")) }
        } @else {
            p.warning { (l.say("One run is chosen: choose another, too, to compare them.", "Hay una ejecución elegida: elija también otra para compararlas.")) }
        }
        form action=(l.link("/compare")) {
            @for chosen in address.runs.iter().filter(|chosen| !list.has(chosen)) {
                p { label.choice { input type="checkbox" name="run" value=(chosen) checked; span dir="auto" { (visible(chosen)) } } }
            }
            table.runs {
                caption {
                    (l.say("Runs, the newest first; times are UTC", "Ejecuciones, la más nueva primero; horas UTC"))
                }
                thead {
                    tr {
                        th scope="col" { (l.say("Run", "Ejecución")) }
                        th scope="col" { (l.say("When", "Cuándo")) }
                        th.number scope="col" { (l.say("Outcomes", "Resultados")) }
                        th scope="col" { (l.say("Models", "Modelos")) }
                        th scope="col" { (l.say("Scorer", "Evaluador")) }
                        th.number scope="col" { (l.say("Accepted", "Aceptadas")) }
                        th.number scope="col" { (l.say("Cost, USD", "Coste, USD")) }
                    }
                }
                tbody { @for run in &list.runs { (row(l, address, list, run, now)) } }
            }
            @if let Some(others) = &list.others {
                p.quiet {
                    (l.say(
                        format!("{} outcomes are of further runs, which have no row of their own.", l.whole(others.decided)),
                        format!("{} resultados son de otras ejecuciones, que no tienen fila propia.", l.whole(others.decided)),
                    ))
                }
            }
            p.actions { button.first { (l.say("Compare", "Comparar")) } }
        }
        (pages(l, address, list))
    }
}

fn row(l: Language, address: &Address, list: &List, run: &RunMetrics, now: Timestamp) -> Markup {
    let name = run.run.as_deref().unwrap_or_default();
    let ends = list.ends.get(name);
    // What cost nothing has no name in the metrics.
    let spent_on = run.spent.by_model.values().map(|model| &model.name);
    let models: BTreeSet<&String> = spent_on.chain(ends.iter().flat_map(|ends| &ends.models)).collect();
    let models = models
        .into_iter()
        .map(|name| visible(name))
        .collect::<Vec<_>>()
        .join(", ");
    let scorers = ends.map(|ends| ends.scorers.as_slice()).unwrap_or_default();
    html! {
        tr {
            th scope="row" {
                span.choice {
                    input type="checkbox" name="run" value=(name) checked[address.runs.iter().any(|chosen| chosen == name)]
                        aria-label=(format!("{} {}", l.say("Compare", "Comparar"), visible(name)));
                    a dir="auto" href=(l.link(format!("/questions?run={}", encoded(name)))) { (visible(name)) }
                }
            }
            td { span.label { (l.say("When", "Cuándo")) } (when(l, run.began_at, now)) }
            td.number { span.label { (l.say("Outcomes", "Resultados")) } (l.whole(run.decided)) }
            td { span.label { (l.say("Models", "Modelos")) } span dir="auto" { (if models.is_empty() { "–" } else { &models }) } }
            td {
                span.label { (l.say("Scorer", "Evaluador")) }
                @if scorers.is_empty() { "–" }
                @for (place, scorer) in scorers.iter().enumerate() {
                    @if place > 0 { " → " }
                    code title=(visible(scorer)) { (visible(&scorer.chars().take(HASH).collect::<String>())) }
                }
            }
            td.number { span.label { (l.say("Accepted", "Aceptadas")) } (share(l, run)) }
            td.number { span.label { (l.say("Cost, USD", "Coste, USD")) } (l.decimal(run.spent.nanodollars as f64 / 1e9, 4)) }
        }
    }
}

/// The accepted share with its count.
fn share(l: Language, run: &RunMetrics) -> String {
    if run.decided == 0 {
        return "–".to_owned();
    }
    let share = l.percent(run.accepted as f64 / run.decided as f64);
    let of = l.say("of", "de");
    format!("{share} · {} {of} {}", l.whole(run.accepted), l.whole(run.decided))
}

/// A moment, with how long ago it was.
fn when(l: Language, moment: DateTime, now: Timestamp) -> Markup {
    let Ok(moment) = Timestamp::from_millisecond(moment.timestamp_millis()) else {
        return html! { "–" };
    };
    let minutes = (now.as_second() - moment.as_second()).max(0) / 60;
    let (number, unit) = match minutes {
        0..60 => (minutes, "min"),
        60..2880 => (minutes / 60, "h"),
        _ => (minutes / 1440, l.say("days", "días")),
    };
    let number = l.whole(number);
    let age = l.say(format!("{number} {unit} ago"), format!("hace {number} {unit}"));
    html! {
        time datetime=(moment) { (moment.strftime("%Y-%m-%d %H:%M")) }
        " " span.quiet.small { (age) }
    }
}

fn pages(l: Language, address: &Address, list: &List) -> Markup {
    let last = list.runs.last().filter(|_| list.is_there_more);
    let next = last.map(|run| {
        format!(
            "{}_{}",
            run.began_at.timestamp_millis(),
            run.run.as_deref().unwrap_or_default()
        )
    });
    html! {
        @if next.is_some() || address.place != Place::First {
            nav.pages aria-label=(l.say("Pages of the list", "Páginas de la lista")) {
                @if address.place != Place::First { a.button href=(address.at(Place::First).link(l)) { (l.say("« First", "« Primera")) } }
                @if let Some(next) = next { a.button rel="next" href=(address.at(Place::After(next)).link(l)) { (l.say("Next ›", "Siguiente ›")) } }
            }
        }
    }
}
