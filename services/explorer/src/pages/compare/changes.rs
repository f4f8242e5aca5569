//! Who improved and who got worse: the questions of two runs, with both answers.

use std::collections::HashMap;

use maud::{Markup, html};
use rusqlite::Connection;

use super::address::{Address, Place, Sort, Tab};
use super::order::{Entry, Page, count, page};
use super::sentence::{signed, with_sign};
use crate::comparison::{Comparison, Measure, Side};
use crate::index::{Index, row};
use crate::language::Language;
use crate::pages::layout::{Problem, Visit};
use crate::text::{encoded, visible};

/// What a list shows of an outcome.
pub struct Shown {
    pub message_id: String,
    pub title: String,
    pub answer: String,
}

type Outcomes = HashMap<i64, Shown>;

/// Reads and draws the list that an address asks for.
///
/// # Errors
/// The index cannot be read, or the address has no place in the list.
pub async fn section(visit: &Visit, index: &Index, address: &Address, found: &Comparison) -> Result<Markup, Problem> {
    let l = visit.language;
    let tab = tab(address, found);
    let is_another = address.tab.is_some_and(|asked| asked != tab);
    // A place in one list is none in another: there may be other tabs since.
    let at_start = is_another.then(|| address.at(Place::First));
    let address = at_start.as_ref().unwrap_or(address);
    let page = page(found, address, tab).ok_or_else(|| visit.refused(address.place.unusable(l)))?;
    let sides = page
        .rows
        .iter()
        .flat_map(|(_, entry)| [entry.first, entry.second])
        .flatten();
    let keys: Vec<i64> = sides.map(|side| side.key).collect();
    let outcomes = index
        .read(move |index| outcomes(index, &keys))
        .await
        .map_err(|error| visit.unread(&error))?;
    Ok(draw(l, address, found, tab, &page, &outcomes))
}

fn outcomes(index: &Connection, keys: &[i64]) -> rusqlite::Result<Outcomes> {
    let mut query = index.prepare_cached("SELECT message_id, title, answer FROM results WHERE key = ?")?;
    let mut found = Outcomes::new();
    for key in keys {
        let read = query.query_row([key], |row| {
            let [message_id, title, answer] = [row.get(0)?, row.get(1)?, row.get(2)?];
            Ok(Shown {
                message_id,
                title,
                answer,
            })
        });
        match read {
            Ok(shown) => _ = found.insert(*key, shown),
            // Removed since.
            Err(rusqlite::Error::QueryReturnedNoRows) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The tabs that a comparison has.
fn tabs(found: &Comparison) -> &'static [Tab] {
    if found.is_judged_alike() {
        &[Tab::Worse, Tab::Better, Tab::Same, Tab::Only]
    } else {
        &[Tab::Both, Tab::Only]
    }
}

/// The tab that is asked for; else the first that has a question.
fn tab(address: &Address, found: &Comparison) -> Tab {
    let tabs = tabs(found);
    let asked = address.tab.filter(|tab| tabs.contains(tab));
    let filled = || tabs.iter().copied().find(|&tab| count(found, tab) > 0);
    asked.or_else(filled).unwrap_or(tabs[0])
}

fn name(l: Language, tab: Tab) -> &'static str {
    match tab {
        Tab::Worse => l.say("Worse", "Peor"),
        Tab::Better => l.say("Better", "Mejor"),
        Tab::Same => l.say("Same", "Igual"),
        Tab::Both => l.say("In both", "En ambas"),
        Tab::Only => l.say("Only in one", "Solo en una"),
    }
}

fn draw(l: Language, address: &Address, found: &Comparison, tab: Tab, page: &Page<'_>, outcomes: &Outcomes) -> Markup {
    let here = Address {
        against: Some(found.second.name.clone()),
        tab: Some(tab),
        ..address.clone()
    };
    let others = address.runs.iter().filter(|run| address.base.as_ref() != Some(run));
    let others: Vec<&String> = others.collect();
    let (first, second) = (visible(&found.first.name), visible(&found.second.name));
    html! {
        h2 #questions { (l.say("Question by question", "Pregunta por pregunta")) }
        @if others.len() > 1 {
            nav.tabs aria-label=(l.say("Runs", "Ejecuciones")) {
                @for run in others {
                    a href=(anchored(l, &here.with(|other| { other.against = Some(run.clone()); other.tab = None; }))) aria-current=[(*run == found.second.name).then_some("true")] dir="auto" { (visible(run)) }
                }
            }
        }
        nav.tabs aria-label=(l.say("How they changed", "Cómo cambiaron")) {
            @for &other in tabs(found) {
                a href=(anchored(l, &here.with(|address| address.tab = Some(other)))) aria-current=[(other == tab).then_some("true")] {
                    (name(l, other)) " " (l.whole(count(found, other) as i64))
                }
            }
        }
        @if page.rows.is_empty() {
            p.quiet { (l.say("No question is here.", "No hay ninguna pregunta aquí.")) }
        } @else {
            table.changes {
                caption { (caption(l, &first, &second, tab)) }
                thead { (head(l, &here, [&first, &second], found.is_judged_alike())) }
                tbody { @for (_, entry) in &page.rows { (question(l, [&first, &second], found.is_judged_alike(), entry, outcomes)) } }
            }
            (pages(l, &here, page))
        }
    }
}

fn anchored(l: Language, address: &Address) -> String {
    format!("{}#questions", address.link(l))
}

fn caption(l: Language, first: &str, second: &str, tab: Tab) -> String {
    match tab {
        Tab::Worse => l.say(
            format!("Questions on which {second} did worse than {first}"),
            format!("Preguntas en que a {second} le fue peor que a {first}"),
        ),
        Tab::Better => l.say(
            format!("Questions on which {second} did better than {first}"),
            format!("Preguntas en que a {second} le fue mejor que a {first}"),
        ),
        Tab::Same => l.say(
            format!("Questions on which {first} and {second} had the same verdict"),
            format!("Preguntas en que {first} y {second} tuvieron el mismo veredicto"),
        ),
        Tab::Both => l.say(
            format!("Questions that {first} and {second} asked"),
            format!("Preguntas que hicieron {first} y {second}"),
        ),
        Tab::Only => l.say(
            format!("Questions that only {first} or only {second} asked"),
            format!("Preguntas que solo hizo {first} o solo {second}"),
        ),
    }
}

fn head(l: Language, here: &Address, [first, second]: [&str; 2], is_judged_alike: bool) -> Markup {
    let score = l.say("score", "puntuación");
    let sorted = |sort: Sort, text: String| {
        let is_sorted = here.sort == sort;
        let link = here.with(|other| {
            other.sort = sort;
            other.is_reversed = is_sorted && !here.is_reversed;
        });
        let is_descending = (sort == Sort::Change && here.tab == Some(Tab::Better)) != here.is_reversed;
        let order = if is_descending { "descending" } else { "ascending" };
        html! {
            th scope="col" aria-sort=[is_sorted.then_some(order)] {
                a href=(anchored(l, &link)) dir="auto" { (text) @if is_sorted { span aria-hidden="true" { (if is_descending { " ▼" } else { " ▲" }) } } }
            }
        }
    };
    html! {
        tr {
            th scope="col" { (l.say("Question", "Pregunta")) }
            (sorted(Sort::First, format!("{first}: {score}")))
            (sorted(Sort::Second, format!("{second}: {score}")))
            @if is_judged_alike { (sorted(Sort::Change, l.say("Difference", "Diferencia").to_owned())) }
        }
    }
}

fn question(
    l: Language,
    [first, second]: [&str; 2],
    is_judged_alike: bool,
    entry: &Entry<'_>,
    outcomes: &Outcomes,
) -> Markup {
    let shown = |side: Option<&Side>| side.and_then(|side| outcomes.get(&side.key));
    // The later run's page: it is the one that is judged.
    let named = shown(entry.second).or_else(|| shown(entry.first));
    html! {
        tr {
            th scope="row" {
                @if let Some(named) = named {
                    a.clamped dir="auto" href=(l.link(format!("/q/{}", encoded(&named.message_id)))) { (visible(&named.title)) }
                } @else { "–" }
            }
            td { span.label dir="auto" { (first) } (answer(l, entry.first, shown(entry.first))) }
            td { span.label dir="auto" { (second) } (answer(l, entry.second, shown(entry.second))) }
            @if is_judged_alike { td.number { span.label { (l.say("Difference", "Diferencia")) } (difference(l, entry)) } }
        }
    }
}

/// What a run answered, and what came of it.
fn answer(l: Language, side: Option<&Side>, shown: Option<&Shown>) -> Markup {
    let (Some(side), Some(shown)) = (side, shown) else {
        return html! { span.quiet { (if side.is_none() { l.say("not asked", "no se preguntó") } else { l.say("removed", "se quitó") }) } };
    };
    let score = side.mean(Measure::Score);
    html! {
        a.outcome href=(l.link(format!("/q/{}", encoded(&shown.message_id)))) {
            @if let Some(verdict) = side.verdict { span class=(format!("verdict {}", row::name(&verdict))) { (l.verdict(verdict)) } }
            " " span.number { (if score.is_nan() { "–".to_owned() } else { l.decimal(score, 2) }) }
        }
        @if side.times > 1 {
            " " span.quiet.small { (l.say(
                format!("mean of {} times; {} accepted", side.times, l.percent(side.mean(Measure::Accepted))),
                format!("media de {} veces; {} aceptadas", side.times, l.percent(side.mean(Measure::Accepted))),
            )) }
        }
        span.clamped.quiet dir="auto" { (visible(&shown.answer)) }
    }
}

/// By how much the second is better, in what was accepted and in the score.
fn difference(l: Language, entry: &Entry<'_>) -> Markup {
    let (accepted, score) = (entry.difference(Measure::Accepted), entry.difference(Measure::Score));
    html! {
        (if score.is_nan() { "–".to_owned() } else { with_sign(l.decimal(score, 2)) })
        @if accepted != 0.0 && accepted.abs() < 1.0 {
            span.quiet.small { br; (signed(l, accepted)) " " (l.say("points accepted", "puntos aceptadas")) }
        }
    }
}

fn pages(l: Language, here: &Address, page: &Page<'_>) -> Markup {
    let link = |place: Place| anchored(l, &here.at(place));
    let ends = page
        .rows
        .first()
        .zip(page.rows.last())
        .map(|(first, last)| (first.0.written(), last.0.written()));
    html! {
        @if let Some((first, last)) = ends {
            nav.pages aria-label=(l.say("Pages of the list", "Páginas de la lista")) {
                @if page.is_before {
                    a.button href=(link(Place::First)) { (l.say("« First", "« Primera")) }
                    a.button rel="prev" href=(link(Place::Before(first))) { (l.say("‹ Previous", "‹ Anterior")) }
                }
                @if page.is_after {
                    a.button rel="next" href=(link(Place::After(last))) { (l.say("Next ›", "Siguiente ›")) }
                    a.button href=(link(Place::Before(String::new()))) { (l.say("Last »", "Última »")) }
                }
            }
        }
    }
}
